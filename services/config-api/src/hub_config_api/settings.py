"""What an operator may set for the config-api."""

from pathlib import Path
from typing import Annotated, Self

from hub_model.addresses import check_url
from hub_runtime.egress_settings import EgressSettings
from hub_runtime.settings import OrFile
from pydantic import Field, SecretStr, field_validator, model_validator


class ConfigApiSettings(EgressSettings):
    """Settings of the config-api, beside those of every process."""

    token_secret: Annotated[SecretStr | None, OrFile] = Field(
        default=None,
        description="Key of at least 32 bytes shared with the issuer of HS256 tokens; or set HUB_JWKS_URL.",
    )
    jwks_url: str | None = Field(
        default=None, description="Address of the identity provider's JSON Web Key Set, for RS256 and ES256 tokens."
    )
    token_issuer: str | None = Field(default=None, description="The iss claim a token must have; unset: any.")
    token_audience: str | None = Field(default=None, description="The aud claim a token must have; unset: any.")
    token_max_lifetime_s: int = Field(
        default=3600, ge=60, le=43_200, description="Seconds a token may live at most, from its iat to its exp."
    )
    public_keys_file: Path = Field(
        default=Path(".hub/keys/public.json"),
        description="File with the public keys that secrets are sealed to; this service holds no private key.",
    )
    public_url: str = Field(
        default="http://127.0.0.1:8000",
        description="Address under which the outside reaches webhooks; shown as each integration's webhook URL.",
    )
    max_body_bytes: int = Field(default=262_144, ge=1024, description="Bytes a request's body may have at most.")
    probe_timeout_s: float = Field(
        default=20.0, gt=0, le=120, description="Seconds a connection test waits for the fetcher's answer."
    )
    live_backlog: int = Field(
        default=5_000, ge=1, description="Number of live events kept for clients that reconnect (Last-Event-ID)."
    )
    live_streams: int = Field(
        default=100,
        ge=1,
        description="Number of live event streams one college may have open at a time at one process.",
    )
    live_heartbeat_s: float = Field(
        default=15.0, gt=0, le=300, description="Seconds between the signs of life on a silent live stream."
    )

    @field_validator("public_url")
    @classmethod
    def _public_url(cls, url: str) -> str:
        return check_url(url).rstrip("/")

    @model_validator(mode="after")
    def _one_key_source(self) -> Self:
        if (self.token_secret is None) == (self.jwks_url is None):
            raise ValueError("set exactly one of HUB_TOKEN_SECRET and HUB_JWKS_URL; without it nobody can be let in")
        return self
