"""The demo's stage: a folder of its own, fresh keys and database, a college, and a system with a principal in it."""

import secrets
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hub_model.errors import Conflict
from hub_runtime.logging import configure_logging
from hub_runtime.settings import load_settings
from hub_security.redaction import Redactor
from hub_security.roles import Role
from hub_security.tokens import MAX_LIFETIME_S, mint_token
from hub_sqlite import FileLock

from hub_standalone.client import HubClient, Json, open_client
from hub_standalone.commands.connection import make_token
from hub_standalone.demo.college import College, Credentials, serve_college
from hub_standalone.demo.lms import open_lms
from hub_standalone.demo.simulated.moodle import Moodle
from hub_standalone.demo.world import INDIA, build_world
from hub_standalone.keys import create_keys, read_token_secret
from hub_standalone.local import LocalSettings
from hub_standalone.main import open_system
from hub_standalone.settings import StandaloneSettings

FOLDER = Path(".hub/demo")
COLLEGE_ID = "riverside-college"
SEED = 2026
_PREFERRED_PORT = 8000


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Everything the demo acts with. ``log`` says where the system's log goes meanwhile.

    ``webhooks_url`` is where pushes go, if that is another address than the hub gives to the outside.
    """

    url: str
    token: str
    client: HubClient
    college_id: str
    college: College
    lms: Moodle
    credentials: Credentials
    log: str
    webhooks_url: str | None = None

    def webhook_url(self, integration: Json) -> str:
        """Where this college pushes to."""
        url: str = integration["webhook"]["url"]
        if self.webhooks_url is None:
            return url
        return self.webhooks_url.rstrip("/") + url[url.index("/api/webhooks/") :]


@asynccontextmanager
async def set_scene(folder: Path) -> AsyncIterator[Scene]:
    """The college and the system, running while the block runs. What a former demo left in the folder is removed."""
    with _own_folder(folder):
        settings = _settings(folder)
        token = mint_token(
            read_token_secret(settings.keys_folder) or "",
            subject="principal@riverside",
            role=Role.PRINCIPAL,
            college_id=COLLEGE_ID,
            now=datetime.now(UTC),
            lifetime_s=MAX_LIFETIME_S,
        )
        log_file = folder / "hub.log"
        credentials = _credentials()
        college, lms = _college(credentials)
        with log_file.open("wb", buffering=0) as log:
            redactor = Redactor()
            configure_logging(service="demo", level=settings.log_level, processors=[redactor], stream=log)
            async with (
                serve_college(college),
                open_system(settings, redactor=redactor) as url,
                open_client(url, token) as client,
            ):
                yield Scene(
                    url=url,
                    token=token,
                    client=client,
                    college_id=COLLEGE_ID,
                    college=college,
                    lms=lms,
                    credentials=credentials,
                    log=str(log_file),
                )


@asynccontextmanager
async def visit(url: str, *, college_url: str, webhooks_url: str | None) -> AsyncIterator[Scene]:
    """The college beside a hub that runs elsewhere, which reaches it at ``college_url``: the port is served here.

    Each visit is a college of its own, so the hub holds nothing of it yet.
    """
    college_id = f"{COLLEGE_ID}-{secrets.token_hex(3)}"
    token = make_token(load_settings(LocalSettings), role=Role.PRINCIPAL, college=college_id)
    credentials = _credentials()
    college, lms = _college(credentials)
    async with serve_college(college, public_url=college_url), open_client(url, token) as client:
        yield Scene(
            url=url,
            token=token,
            client=client,
            college_id=college_id,
            college=college,
            lms=lms,
            credentials=credentials,
            log="the hub's own log",
            webhooks_url=webhooks_url,
        )


def _credentials() -> Credentials:
    return Credentials(
        erp_token=secrets.token_urlsafe(24), biometric_key=secrets.token_urlsafe(24), college_code="12345"
    )


def _college(credentials: Credentials) -> tuple[College, Moodle]:
    today = datetime.now(INDIA).date()
    lms = open_lms(SEED, today)
    return College(build_world(SEED, today), credentials, lms), lms


@contextmanager
def _own_folder(folder: Path) -> Iterator[None]:
    """The folder, empty, and for this process alone."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder)
    try:
        lock.acquire()
    except Conflict as error:
        raise Conflict(f"Another demo is running in {folder}; stop it first.", code="demo_running") from error
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        yield
    finally:
        lock.release()


def _settings(folder: Path) -> StandaloneSettings:
    """Settings of the demo's own: whatever the environment and ``.env`` say of keys and addresses is left alone."""
    keys_folder = folder / "keys"
    create_keys(keys_folder)
    return StandaloneSettings(
        _env_file=None,
        keys_folder=keys_folder,
        public_keys_file=keys_folder / "public.json",
        token_secret=read_token_secret(keys_folder),
        jwks_url=None,
        token_issuer=None,
        token_audience=None,
        token_max_lifetime_s=MAX_LIFETIME_S,
        fetcher_keys_file=keys_folder / "fetcher.json",
        fetcher_keys=None,
        gateway_keys_file=keys_folder / "gateway.json",
        gateway_keys=None,
        allowed_networks=("127.0.0.0/8",),
        database=folder / "hub.db",
        http_host="127.0.0.1",
        http_port=_free_port(),
    )


def _free_port() -> int:
    """The port the documentation speaks of, or any other if that is taken."""
    for port in (_PREFERRED_PORT, 0):
        try:
            with socket.create_server(("127.0.0.1", port)) as listener:
                return int(listener.getsockname()[1])
        except OSError:
            continue
    raise Conflict("no port is free on this machine")
