"""Every service's settings in one class, with the defaults of a process that keeps to one folder."""

from pathlib import Path
from typing import Any, Self

from hub_config_api.settings import ConfigApiSettings
from hub_fetcher.settings import FetcherSettings
from hub_scheduler.settings import SchedulerSettings
from hub_transformer.settings import TransformerSettings
from hub_webhook_gateway.settings import GatewaySettings
from hub_writer.settings import WriterSettings
from pydantic import Field, model_validator

from hub_standalone.keys import read_token_secret
from hub_standalone.local import CONFIG, DEFAULT_KEYS_FOLDER, local_url


class StandaloneSettings(
    ConfigApiSettings, SchedulerSettings, FetcherSettings, TransformerSettings, WriterSettings, GatewaySettings
):
    """The settings of all services; where they are silent, keys and data lie below ``.hub``."""

    model_config = CONFIG

    keys_folder: Path = Field(
        default=DEFAULT_KEYS_FOLDER, description="Folder of the development keys; `hub keys` creates them."
    )
    database: Path = Field(default=Path(".hub/hub.db"), description="The SQLite file that holds everything.")

    @model_validator(mode="before")
    @classmethod
    def _local_defaults(cls, values: Any) -> Any:
        """The files of the keys folder, and this machine's own address, where nothing else is said."""
        if not isinstance(values, dict):
            return values
        folder = Path(values.get("keys_folder") or DEFAULT_KEYS_FOLDER)
        local: dict[str, Any] = {
            "public_keys_file": folder / "public.json",
            "fetcher_keys_file": folder / "fetcher.json",
            "gateway_keys_file": folder / "gateway.json",
        }
        port = str(values.get("http_port", 0))
        if port.isdecimal() and 0 < int(port) <= 65_535:  # with 0 it is known only once it listens
            local["public_url"] = local_url(values.get("http_host", "127.0.0.1"), port)
        if values.get("jwks_url") is None:
            local["token_secret"] = read_token_secret(folder)
            if not (local["token_secret"] or values.get("token_secret")):
                raise ValueError(
                    f"there is no token secret in {folder}: `hub keys` creates one for development; "
                    "elsewhere set HUB_TOKEN_SECRET or HUB_JWKS_URL"
                )
        return {**local, **values}

    @model_validator(mode="after")
    def _one_file(self) -> Self:
        for name in ("broker_url", "store_url"):
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"HUB_{name.upper()} is for services that run apart; here HUB_DATABASE names the file")
        return self
