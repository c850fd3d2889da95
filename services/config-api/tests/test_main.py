"""Putting the service together: what it needs before it starts."""

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi import FastAPI
from hub_config_api.main import build_service
from hub_config_api.settings import ConfigApiSettings
from hub_model.errors import InvalidInput
from hub_runtime.serving import HttpServer
from jwt.algorithms import RSAAlgorithm
from pydantic import SecretStr, ValidationError

SECRET = SecretStr("a shared secret of at least thirty-two bytes")


@pytest.mark.parametrize("given", [{}, {"token_secret": SECRET, "jwks_url": "https://id.example/jwks"}])
def test_there_is_exactly_one_way_to_check_tokens(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="HUB_TOKEN_SECRET and HUB_JWKS_URL"):
        ConfigApiSettings(**given)


async def test_a_short_shared_key_stops_the_start(hub: Any) -> None:
    settings = hub.settings.model_copy(update={"token_secret": SecretStr("short")})
    with pytest.raises(InvalidInput, match="32 bytes"):
        build_service(settings, broker=hub.broker, store=hub.store, clock=hub.clock)


async def test_no_key_no_start(hub: Any, tmp_path: Path) -> None:
    settings = hub.settings.model_copy(update={"public_keys_file": tmp_path / "nowhere.json"})
    with pytest.raises(InvalidInput, match=r"nowhere\.json"):
        build_service(settings, broker=hub.broker, store=hub.store, clock=hub.clock)


def test_every_setting_is_described_with_its_unit() -> None:
    for name, field in ConfigApiSettings.model_fields.items():
        assert field.description, name
        if name.endswith("_s"):
            assert "seconds" in field.description.lower(), name


def test_the_shared_key_is_not_in_the_repr() -> None:
    assert "thirty-two" not in repr(ConfigApiSettings(token_secret=SECRET))


async def test_tokens_of_an_identity_provider_wait_for_its_keys(tmp_path: Path, open_hub: Any) -> None:
    """Nobody listens at this address: tokens cannot be checked, and nobody is let in unchecked."""
    async with open_hub(tmp_path, token_secret=None, jwks_url="http://127.0.0.1:9/jwks") as hub:
        token = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIn0.eyJzdWIiOiJwMSJ9.c2lnbmF0dXJl"
        response = await hub.client.get("/api/integrations", headers={"authorization": f"Bearer {token}"})
        assert response.status_code == 503
        assert response.headers["retry-after"] == "5"


async def test_a_token_of_an_identity_provider_lets_its_bearer_in(tmp_path: Path, open_hub: Any) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    jwk = {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "k1", "use": "sig", "alg": "RS256"}
    provider = FastAPI()
    provider.get("/jwks")(lambda: {"keys": [jwk]})
    server = HttpServer(provider, host="127.0.0.1", port=0)
    await server.start()
    url = f"http://127.0.0.1:{server.port}/jwks"
    async with open_hub(tmp_path, token_secret=None, jwks_url=url, token_issuer="https://id.example") as hub:
        now = int(hub.clock().timestamp())
        claims = {"sub": "p1", "role": "Admin", "collegeId": "c1", "iat": now, "exp": now + 600}
        for issuer, status in (("https://id.example", 200), ("https://evil.example", 401)):
            token = jwt.encode({**claims, "iss": issuer}, key, algorithm="RS256", headers={"kid": "k1"})
            response = await hub.client.get("/api/integrations", headers={"authorization": f"Bearer {token}"})
            assert response.status_code == status
    await server.stop(1)


async def test_readiness_follows_the_store(hub: Any) -> None:
    assert (await hub.client.get("/health/ready")).status_code == 200


async def test_the_documentation_needs_no_token_and_loads_nothing(hub: Any) -> None:
    page = await hub.client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "createIntegration" in page.text
    assert "<script" not in page.text
    assert "src=" not in page.text
    assert "<link" not in page.text


async def test_a_request_is_logged_with_its_route_in_the_metrics(hub: Any) -> None:
    made = await hub.create()
    await hub.get(f"/api/integrations/{made['id']}")
    text = (await hub.client.get("/metrics")).text
    assert 'route="/api/integrations/{integrationId}"' in text
    assert made["id"] not in text


async def test_a_service_that_stops_ends_its_consumers(own_hub: Any) -> None:
    async with asyncio.timeout(5):
        assert await own_hub.service.stop(1.0) is True


async def test_the_openapi_document_is_served(hub: Any) -> None:
    response: httpx2.Response = await hub.client.get("/api/openapi.json")
    assert response.json()["openapi"].startswith("3.1")
