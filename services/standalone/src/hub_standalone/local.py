"""What a command needs that only talks to a hub on this machine, and what in its environment nobody reads."""

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

from hub_model.errors import InvalidInput
from hub_runtime.settings import OrFile, RuntimeSettings, file_settings
from pydantic import Field, SecretStr
from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource, SettingsConfigDict

from hub_standalone.keys import read_token_secret

# An empty variable says nothing: that is how compose files write "not set".
CONFIG = SettingsConfigDict(env_prefix="HUB_", env_file=".env", env_ignore_empty=True, frozen=True, extra="ignore")
DEFAULT_KEYS_FOLDER = Path(".hub/keys")
CLIENT_VARIABLES = frozenset(["hub_url", "hub_token", "hub_college"])  # read by the commands that ask a hub
COMPOSE_VARIABLES = frozenset(
    [
        "hub_base_image",
        "hub_rabbitmq_image",
        "hub_mongodb_image",
        "hub_user",
        "hub_api_port",
        "hub_webhooks_port",
        "hub_rabbitmq_port",
        "hub_outside_network",
    ]
)  # read by docker-compose.yml, which takes them from .env too


class LocalSettings(RuntimeSettings):
    """Where the hub is, and with what its tokens are signed."""

    model_config = CONFIG

    keys_folder: Path = Field(
        default=DEFAULT_KEYS_FOLDER, description="Folder of the development keys; `hub keys` creates them."
    )
    token_secret: Annotated[SecretStr | None, OrFile] = None
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


class OperatorSettings(LocalSettings):
    """What the operator's commands need of any hub: one in one process, or services that run apart."""

    database: Path = Path(".hub/hub.db")
    public_keys_file: Path | None = None
    fetcher_keys_file: Path | None = None
    fetcher_keys: SecretStr | None = None
    gateway_keys_file: Path | None = None
    gateway_keys: SecretStr | None = None
    jwks_url: str | None = None

    @property
    def is_embedded(self) -> bool:
        """Whether the hub is the one in one process: nothing says where a broker or a store is."""
        return not {"broker_url", "store_url"} & self.model_fields_set

    def check_both_urls(self) -> None:
        """Raise InvalidInput unless both are said: a default would be a file that nobody else looks into."""
        self.check_broker_url()
        self.check_store_url()

    def check_broker_url(self) -> None:
        """Raise InvalidInput unless HUB_BROKER_URL is set."""
        self._check("broker_url", "store_url")

    def check_store_url(self) -> None:
        """Raise InvalidInput unless HUB_STORE_URL is set."""
        self._check("store_url", "broker_url")

    def _check(self, name: str, other: str) -> None:
        if name not in self.model_fields_set:
            raise InvalidInput(
                f"HUB_{other.upper()} is set and HUB_{name.upper()} is not. Set both (or their _FILE forms) as the "
                "services have them; set neither for the hub that runs in one process."
            )


def misspelt_variables(kind: type[RuntimeSettings]) -> dict[str, str]:
    """Variables HUB_... that nothing reads, each with the name that was probably meant, or with nothing.

    They are told rather than refused: an orchestrator adds variables of its own for whatever is called "hub".
    """
    known = {f"hub_{name}" for name in kind.model_fields} | CLIENT_VARIABLES | COMPOSE_VARIABLES
    known |= {f"hub_{name}_file" for name in file_settings(kind)}
    found = {*EnvSettingsSource(kind).env_vars, *DotEnvSettingsSource(kind).env_vars}
    return {
        name.upper(): "".join(get_close_matches(name, known, n=1, cutoff=0.8)).upper()
        for name in sorted(found - known)
        if name.startswith("hub_")
    }


def local_url(host: object, port: object) -> str:
    """An address this machine can use: a server that listens everywhere also listens on loopback."""
    return f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"  # noqa: S104 - compared, not bound
