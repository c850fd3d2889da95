"""A device that can sign nothing: its secret is behind the address, its network is known, and no log has the secret."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from hub_runtime.metrics import new_registry
from hub_runtime.services import Readiness
from hub_runtime.serving import HttpServer, process_app
from hub_security.signatures import sign_legacy
from starlette.responses import PlainTextResponse
from structlog.testing import capture_logs

SECRET = "d0ab1ce_CANARY-secret-0f-a-d00r"
OTHER = "another_CANARY-secret-of-a-door"
DEVICE = {
    "scheme": "token",
    "secretPlacement": {"placement": "address"},
    "allowedNetworks": ["203.0.113.0/24", "2001:db8:7::/48"],
    "syncs": [{}],
}
HERE, ELSEWHERE = "203.0.113.9", "198.51.100.9"
XML = b"<EventNotificationAlert><eventType>AccessControllerEvent</eventType></EventNotificationAlert>"
MULTIPART = b'--b\r\nContent-Disposition: form-data; name="event_log"\r\n\r\n{"eventType":"x"}\r\n--b--\r\n'


async def device(gateway: Any, **changes: Any) -> Any:
    return await gateway.news(webhook={**DEVICE, **changes}, secrets={"webhookSecret": SECRET})


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/xml", XML),
        ("multipart/form-data; boundary=b", MULTIPART),
        ("application/json", b'{"eventType":"AccessControllerEvent"}'),
        ("application/octet-stream", bytes(range(256))),
        (None, b""),
    ],
)
async def test_whatever_a_device_sends_brings_its_sync_forward(
    gateway: Any, content_type: str | None, body: bytes
) -> None:
    integration = await device(gateway)
    headers = [("content-type", content_type)] if content_type else []
    async with gateway.front(peer=HERE) as client:
        response = await gateway.send(integration, body, *headers, behind=f"/{SECRET}", client=client)
    assert (response.status_code, response.json()["syncAt"]) == (202, "2026-07-20T09:00:17.000000Z")
    assert (await gateway.sync_of(integration)).early_due_at is not None


async def test_rules_see_the_fields_of_json_and_none_of_anything_else(gateway: Any) -> None:
    rule = {"when": [{"path": "eventType", "equals": "AccessControllerEvent"}]}
    integration = await device(gateway, syncs=[rule])
    async with gateway.front(peer=HERE) as client:
        for body, is_news in (
            (XML, False),
            (b'{"eventType":"heartBeat"}', False),
            (b'{"eventType":"AccessControllerEvent"}', True),
        ):
            response = await gateway.send(integration, body, behind=f"/{SECRET}", client=client)
            assert response.status_code == (202 if is_news else 200), body


@pytest.mark.parametrize(
    ("behind", "status"),
    [
        ("", 401),
        (f"/{OTHER}", 401),
        (f"/{SECRET[:-1]}", 401),
        (f"/{SECRET.upper()}", 401),
        (f"/%20{SECRET}", 401),
        (f"/{SECRET}%00", 401),
        ("/%FF%FE", 401),
        ("/" + "x" * 3000, 401),
        (f"?{SECRET}", 401),
        ("/", 404),
        (f"/{SECRET}/", 404),
        (f"//{SECRET}", 404),
        (f"/{SECRET}/x", 404),
        (f"/{SECRET}%2Fx", 404),
        (f"/x/{SECRET}", 404),
    ],
)
async def test_only_the_secret_itself_is_taken(gateway: Any, behind: str, status: int) -> None:
    integration = await device(gateway)
    async with gateway.front(peer=HERE) as client:
        response = await gateway.send(integration, XML, behind=behind, client=client)
        unknown = await gateway.send("0" * 32, XML, behind=behind, client=client)
    assert (response.status_code, response.content) == (status, unknown.content)
    assert (await gateway.sync_of(integration)).early_due_at is None


@pytest.mark.parametrize("spelt", [f"/%{ord(SECRET[0]):02x}{SECRET[1:]}", f"%2f{SECRET}", f"/{SECRET}?from=door"])
async def test_another_spelling_of_the_same_path_is_the_same(gateway: Any, spelt: str) -> None:
    integration = await device(gateway)
    async with gateway.front(peer=HERE) as client:
        assert (await gateway.send(integration, XML, behind=spelt, client=client)).status_code == 202


async def test_a_secret_behind_an_address_that_has_none_is_refused_though_the_rest_is_right(gateway: Any) -> None:
    integration, body = await gateway.integration(), b'{"dataType":"attendance","records":[]}'
    headers = [
        ("x-webhook-signature", sign_legacy("a legacy secret of this college", body)),
        ("content-type", "application/json"),
    ]
    assert (await gateway.send(integration, body, *headers)).status_code == 202
    assert (await gateway.send(integration, body, *headers, behind=f"/{SECRET}")).status_code == 401


@pytest.mark.parametrize(
    ("peer", "is_taken"),
    [
        (HERE, True),
        ("203.0.113.0", True),
        ("203.0.112.255", False),
        (ELSEWHERE, False),
        ("2001:db8:7::1", True),
        ("2001:db8:8::1", False),
        ("::ffff:203.0.113.9", True),
        ("::ffff:198.51.100.9", False),
        ("::203.0.113.9", False),
        ("", False),
        ("testclient", False),
    ],
)
async def test_the_network_counts_as_well_as_the_secret(gateway: Any, peer: str, is_taken: bool) -> None:
    integration = await device(gateway)
    async with gateway.front(peer=peer) as client:
        right = await gateway.send(integration, XML, behind=f"/{SECRET}", client=client)
        wrong = await gateway.send(integration, XML, behind=f"/{OTHER}", client=client)
    assert (right.status_code, wrong.status_code) == (202 if is_taken else 401, 401)
    if not is_taken:
        assert right.content == wrong.content


@pytest.mark.parametrize(
    ("peer", "forwarded", "is_taken"),
    [
        ("10.0.0.1", [HERE], True),
        ("10.0.0.1", [f"{ELSEWHERE}, {HERE}"], True),
        ("10.0.0.1", [f"{HERE}, {ELSEWHERE}"], False),
        ("10.0.0.1", [HERE, ELSEWHERE], False),
        ("10.0.0.1", [f"{HERE}, 10.0.0.2"], True),
        ("10.0.0.1", [f"::ffff:{HERE}"], True),
        ("10.0.0.1", [""], False),
        ("10.0.0.1", [f"{HERE}, unknown"], False),
        ("10.0.0.1", [], False),
        (ELSEWHERE, [HERE], False),
        (HERE, [ELSEWHERE], True),
    ],
)
async def test_what_a_trusted_proxy_says_of_the_client_is_believed_and_nothing_else(
    gateway: Any, peer: str, forwarded: list[str], is_taken: bool
) -> None:
    integration = await device(gateway)
    headers = [("x-forwarded-for", value) for value in forwarded]
    async with gateway.front(peer=peer, trusted_proxies=("10.0.0.0/8",)) as client:
        response = await gateway.send(integration, XML, *headers, behind=f"/{SECRET}", client=client)
    assert response.status_code == (202 if is_taken else 401)


async def test_networks_count_for_every_scheme(gateway: Any) -> None:
    integration = await gateway.integration(webhook={"allowedNetworks": [f"{HERE}/32"]})
    assert (await gateway.push(integration, {"dataType": "attendance", "records": []})).status_code == 401
    [message] = await gateway.log_messages(integration)
    assert "127.0.0.1, which is in none of 'allowedNetworks'" in message


async def test_whoever_has_no_secret_does_not_fill_the_log_with_addresses(gateway: Any) -> None:
    integration = await device(gateway)
    for number in range(20):
        async with gateway.front(peer=f"198.51.100.{number}") as client:
            await gateway.send(integration, XML, behind=f"/{OTHER}{number}", client=client)
    [message] = set(await gateway.log_messages(integration))
    assert "the secret behind the address is not an active secret" in message


async def test_the_previous_secret_is_taken_for_a_day(gateway: Any) -> None:
    secrets = {"webhookSecret": SECRET, "webhookSecretPrevious": OTHER}
    integration = await gateway.news(webhook=DEVICE, secrets=secrets)
    for hours, status in ((23.99, 202), (0.02, 401)):
        gateway.clock.advance(hours=hours)
        async with gateway.front(peer=HERE) as client:
            assert (await gateway.send(integration, XML, behind=f"/{OTHER}", client=client)).status_code == status
            assert (await gateway.send(integration, XML, behind=f"/{SECRET}", client=client)).status_code == 202


@asynccontextmanager
async def served(gateway: Any, *, with_others: bool = False, started: bool = True) -> AsyncIterator[httpx2.AsyncClient]:
    """The service as its process serves it; ``with_others``: as a hub in one process does."""
    service = gateway.build(trusted_proxies=("127.0.0.1/32",))
    apps = {"": PlainTextResponse("", 404), "/api/webhooks": service.app, "/": PlainTextResponse("")}
    readiness = Readiness([service])
    readiness.pending = () if started else (service,)
    app = process_app(apps if with_others else {"": service.app}, readiness=readiness, registry=new_registry())
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway.test") as client:
        yield client


@pytest.mark.parametrize("with_others", [False, True])
@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize("method", ["POST", "GET", "HEAD", "PUT", "OPTIONS"])
async def test_no_log_line_and_no_answer_has_a_secret_of_an_address(
    gateway: Any, with_others: bool, started: bool, method: str
) -> None:
    """Also not a wrong one, which may be right elsewhere, nor one behind an address that is slightly wrong."""
    integration = await device(gateway)
    good = f"/api/webhooks/integrations/{integration.id}"
    paths = [
        f"{good}/{SECRET}",
        f"{good}/{OTHER}",
        f"{good}/{SECRET}/",
        f"{good}/{SECRET}/x",
        f"{good}//{SECRET}",
        f"{good}%2F{SECRET}",
        f"{good}/{SECRET}?x={SECRET}",
        f"/api/webhooks/integrations//{SECRET}",
        f"/api/webhooks/{integration.id}/{SECRET}",
        f"/api/webhook/integrations/{integration.id}/{SECRET}",
        f"http://gateway.test//api/webhooks/integrations/{integration.id}/{SECRET}",
        f"/API/webhooks/integrations/{integration.id}/{SECRET}",
        f"/webhooks/integrations/{integration.id}/{SECRET}",
        f"/health/{integration.id}/{SECRET}",
    ]
    async with served(gateway, with_others=with_others, started=started) as client:
        with capture_logs() as logs:
            for path in paths:
                for peer in (HERE, ELSEWHERE):
                    response = await client.request(method, path, content=XML, headers={"x-forwarded-for": peer})
                    assert "CANARY" not in response.text + str(response.headers)
                    taken = path.split("?")[0] in (paths[0], paths[5]) and peer == HERE and started and method == "POST"
                    assert (response.status_code == 202) is taken, path
    assert len([line for line in logs if line["event"] == "http.answered"]) == 2 * len(paths)
    told = json.dumps(logs, default=str) + "".join(await gateway.log_messages(integration))
    assert "CANARY" not in told
    if started and method == "POST":
        assert f"{good}/..." in told, "the integration is still to be found in the log"


async def test_a_real_server_keeps_the_secret_out_of_its_log_too(gateway: Any) -> None:
    integration = await device(gateway, allowedNetworks=["127.0.0.0/8"])
    service = gateway.build()
    app = process_app({"": service.app}, readiness=Readiness([service]), registry=new_registry())
    server = HttpServer(app, host="127.0.0.1", port=0)
    await server.start()
    try:
        with capture_logs() as logs:
            async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as client:
                assert (await gateway.send(integration, XML, behind=f"/{SECRET}", client=client)).status_code == 202
                assert (await gateway.send(integration, XML, behind=f"%2F{SECRET}", client=client)).status_code == 202
                assert (
                    await gateway.send(integration, b"", behind=f"/{SECRET}", client=client, method="GET")
                ).status_code == 405
    finally:
        await server.stop(1)
    assert "CANARY" not in str(logs)
