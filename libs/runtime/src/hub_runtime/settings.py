"""The settings every process shares, and how they are read. A service derives its own from :class:`RuntimeSettings`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from hub_model.errors import InvalidInput, Issue
from pydantic import Field, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

S = TypeVar("S", bound="RuntimeSettings")


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class OrFile:
    """Marks a setting ``HUB_<FIELD>`` that may instead be the content of a file, which ``HUB_<FIELD>_FILE`` names.

    That is how compose and Kubernetes hand over secrets: an environment variable is seen by whoever may inspect a
    container.
    """


class RuntimeSettings(BaseSettings):
    """Read once, in ``main``, from environment variables ``HUB_<FIELD>``.

    The two URLs choose adapters by their scheme; they may hold a password, so they are left out of ``repr``.
    """

    # An empty variable says nothing: that is how compose files write "not set".
    model_config = SettingsConfigDict(env_prefix="HUB_", env_ignore_empty=True, frozen=True, extra="ignore")

    broker_url: Annotated[str, OrFile] = Field(
        default="sqlite:///.hub/broker.db",
        repr=False,
        description=(
            "Where messages wait, for a service that runs apart: sqlite:///FILE, or amqp(s)://USER:PASSWORD@HOST/VHOST "
            "(RabbitMQ 3.10 or later)."
        ),
    )
    store_url: Annotated[str, OrFile] = Field(
        default="sqlite:///.hub/store.db",
        repr=False,
        description=(
            "Where documents live, for a service that runs apart: sqlite:///FILE, or "
            "mongodb://USER:PASSWORD@HOST/DATABASE."
        ),
    )
    start_patience_s: float = Field(
        default=120.0,
        ge=0,
        le=3600,
        description="Seconds a service that runs apart waits for its broker and its store before it gives up.",
    )
    http_host: str = Field(default="127.0.0.1", description="Address the HTTP server listens on; 0.0.0.0 for all.")
    http_port: int = Field(
        default=8000, ge=0, le=65_535, description="TCP port the HTTP server listens on; 0 takes a free one."
    )
    log_level: LogLevel = Field(
        default=LogLevel.INFO, description="Least severe level that is logged: debug, info, warning or error."
    )
    shutdown_grace_s: float = Field(
        default=25.0,
        ge=0,
        le=600,
        description="Seconds that work in flight may take to finish after SIGTERM; the rest goes back to its queue.",
    )

    @field_validator("broker_url", "store_url")
    @classmethod
    def _check_password(cls, url: str) -> str:
        """Refuse what would be cut in the middle of its password, whose beginning is then a host and a port to all."""
        scheme, _, rest = url.partition("://")
        try:
            netloc = urlsplit(url).netloc
        except ValueError:  # a bracket where none may be
            netloc = ""
        if scheme != "sqlite" and "@" in rest and "@" not in netloc:
            raise ValueError("special characters in the user and the password must be percent-encoded: a / is %2F")
        return url

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is passed, then variables, then the lines of ``.env``; of each, the files they name."""
        variables = [source for source in (env_settings, dotenv_settings) if isinstance(source, EnvSettingsSource)]
        return init_settings, *(part for source in variables for part in (source, _Files(settings_cls, source)))


def file_settings(kind: type[BaseSettings]) -> list[str]:
    """The fields that may be read from a file."""
    return [name for name, field in kind.model_fields.items() if OrFile in field.metadata]


def load_settings(kind: type[S]) -> S:
    """Read settings from the environment and ``.env``; InvalidInput names each variable that is wrong."""
    try:
        return kind(_env_file=".env")
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


class _Files(PydanticBaseSettingsSource):
    """The content of the files that variables ``HUB_<FIELD>_FILE`` name."""

    def __init__(self, settings_cls: type[BaseSettings], variables: EnvSettingsSource) -> None:
        super().__init__(settings_cls)
        self._variables = variables.env_vars

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        variable = f"{self.config['env_prefix']}{field_name}"
        path = self._variables.get(f"{variable}_file".lower())
        if not path or OrFile not in field.metadata:
            return None, field_name, False
        if self._variables.get(variable.lower()):
            raise SettingsError(f"{variable.upper()} and {variable.upper()}_FILE are both set; take one of them away")
        return _read(path, f"{variable}_FILE".upper()), field_name, False

    def __call__(self) -> dict[str, Any]:
        values = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in values.items() if value is not None}


def _read(path: str, variable: str) -> str:
    try:
        text = Path(path).read_text("utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{variable} names {path}, which cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{variable} names {path}, which is not UTF-8 text") from None
    if not text:
        raise SettingsError(f"{variable} names {path}, which is empty")
    return text


def _variable(loc: tuple[int | str, ...]) -> str:
    return f"HUB_{str(loc[0]).upper()}" if loc else "settings"
