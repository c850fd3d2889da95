"""The settings every process shares. A service adds its own by deriving from :class:`RuntimeSettings`."""

from enum import StrEnum

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class RuntimeSettings(BaseSettings):
    """Read once, in ``main``, from environment variables ``HUB_<FIELD>``.

    The two URLs choose adapters by their scheme; they may hold a password, so they are left out of ``repr``.
    """

    model_config = SettingsConfigDict(env_prefix="HUB_", frozen=True, extra="ignore")

    broker_url: str = Field(
        default="sqlite:///hub.db",
        repr=False,
        description="Where messages wait, for a service that runs apart: sqlite:///FILE.",
    )
    store_url: str = Field(
        default="sqlite:///hub.db",
        repr=False,
        description="Where documents live, for a service that runs apart: sqlite:///FILE or mongodb://HOST/DATABASE.",
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
