"""What a command needs that only talks to a hub on this machine, and how any settings are read."""

from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

from hub_model.errors import InvalidInput, Issue
from hub_runtime.settings import RuntimeSettings
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from hub_standalone.keys import read_token_secret

S = TypeVar("S", bound=RuntimeSettings)

# An empty variable says nothing: that is how compose files write "not set".
CONFIG = SettingsConfigDict(env_prefix="HUB_", env_file=".env", env_ignore_empty=True, frozen=True, extra="ignore")
DEFAULT_KEYS_FOLDER = Path(".hub/keys")
CLIENT_VARIABLES = frozenset(["hub_url", "hub_token", "hub_college"])  # read by the commands that ask a hub


class LocalSettings(RuntimeSettings):
    """Where the hub is, and with what its tokens are signed."""

    model_config = CONFIG

    keys_folder: Path = Field(
        default=DEFAULT_KEYS_FOLDER, description="Folder of the development keys; `hub keys` creates them."
    )
    token_secret: SecretStr | None = None
    token_max_lifetime_s: int = 3600

    def signing_secret(self) -> str | None:
        """HUB_TOKEN_SECRET, or else the development secret; None when there is neither."""
        if self.token_secret is not None:
            return self.token_secret.get_secret_value()
        return read_token_secret(self.keys_folder)

    @property
    def url(self) -> str:
        """Where a hub with these settings answers."""
        return local_url(self.http_host, self.http_port)


def load_settings(kind: type[S]) -> S:
    """Read settings from the environment and ``.env``; InvalidInput names each variable that is wrong."""
    try:
        return kind()
    except ValidationError as error:
        issues = [
            Issue(_variable(item["loc"]), item["type"], item["msg"].removeprefix("Value error, "))
            for item in error.errors()
        ]
        raise InvalidInput("The settings are not complete or not valid.", issues) from None  # it quotes the values
    except SettingsError as error:
        raise InvalidInput(f"The settings cannot be read: {error}") from None
    except OSError as error:
        raise InvalidInput(f".env cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise InvalidInput(".env cannot be read: it is not UTF-8 text.") from None  # the error holds its bytes


def misspelt_variables(kind: type[RuntimeSettings]) -> dict[str, str]:
    """Variables HUB_... that nothing reads, each with the name that was probably meant, or with nothing.

    They are told rather than refused: an orchestrator adds variables of its own for whatever is called "hub".
    """
    known = {f"hub_{name}" for name in kind.model_fields} | CLIENT_VARIABLES
    found = {*EnvSettingsSource(kind).env_vars, *DotEnvSettingsSource(kind).env_vars}
    return {
        name.upper(): "".join(get_close_matches(name, known, n=1, cutoff=0.8)).upper()
        for name in sorted(found - known)
        if name.startswith("hub_")
    }


def local_url(host: object, port: object) -> str:
    """An address this machine can use: a server that listens everywhere also listens on loopback."""
    return f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"  # noqa: S104 - compared, not bound


def _variable(loc: tuple[int | str, ...]) -> str:
    return f"HUB_{str(loc[0]).upper()}" if loc else "settings"
