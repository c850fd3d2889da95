"""Every service's settings in one class, with the defaults of a process that keeps to one folder."""

from pathlib import Path
from typing import Any, TypeVar

from hub_config_api.settings import ConfigApiSettings
from hub_model.errors import InvalidInput, Issue
from hub_runtime.settings import RuntimeSettings
from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from hub_standalone.keys import read_token_secret

S = TypeVar("S", bound=RuntimeSettings)

_CONFIG = SettingsConfigDict(env_prefix="HUB_", env_file=".env", frozen=True, extra="ignore")


class LocalSettings(RuntimeSettings):
    """What the commands need that only talk to a hub on this machine."""

    model_config = _CONFIG

    keys_folder: Path = Field(
        default=Path(".hub/keys"), description="Folder of the development keys; `hub keys` creates them."
    )
    token_secret: SecretStr | None = None

    def signing_secret(self) -> str | None:
        """What tokens for the local hub are signed with: HUB_TOKEN_SECRET, or else the development secret."""
        if self.token_secret is not None:
            return self.token_secret.get_secret_value()
        return read_token_secret(self.keys_folder)

    @property
    def local_url(self) -> str:
        """Where a hub with these settings answers on this machine."""
        return local_url(self.http_host, self.http_port)


class StandaloneSettings(ConfigApiSettings):
    """The settings of all services; where they are silent, keys and data lie below ``.hub``."""

    model_config = _CONFIG

    keys_folder: Path = Field(
        default=Path(".hub/keys"), description="Folder of the development keys; `hub keys` creates them."
    )
    database: Path = Field(default=Path(".hub/hub.db"), description="The SQLite file that holds everything.")

    @model_validator(mode="before")
    @classmethod
    def _local_defaults(cls, values: Any) -> Any:
        """The files of the keys folder, where nothing else is said."""
        if not isinstance(values, dict):
            return values
        folder = Path(values.get("keys_folder") or ".hub/keys")
        local: dict[str, Any] = {"public_keys_file": folder / "public.json"}
        if str(values.get("http_port", 0)) != "0":  # with 0 it is known only once it listens
            local["public_url"] = local_url(values.get("http_host", "127.0.0.1"), values["http_port"])
        if values.get("jwks_url") is None:
            local["token_secret"] = read_token_secret(folder)
        return {**local, **values}


def load_settings(kind: type[S]) -> S:
    """Read the settings from the environment and ``.env``; InvalidInput names each variable that is wrong."""
    try:
        return kind()
    except ValidationError as error:
        issues = [Issue(_variable(item["loc"]), item["type"], _message(item["msg"])) for item in error.errors()]
        raise InvalidInput("The settings are not complete or not valid.", issues) from None  # it quotes the values
    except SettingsError as error:
        raise InvalidInput(f"The settings cannot be read: {error}") from None


def _variable(loc: tuple[int | str, ...]) -> str:
    return f"HUB_{str(loc[0]).upper()}" if loc else "settings"


def _message(text: str) -> str:
    return text.removeprefix("Value error, ")


def local_url(host: object, port: object) -> str:
    """An address this machine can use: a server that listens everywhere also listens on loopback."""
    return f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"  # noqa: S104
