"""Which hub a command talks to, and as whom."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import typer
from hub_messaging.clock import utc_now
from hub_model.errors import InvalidInput
from hub_runtime.settings import load_settings
from hub_security.roles import Role
from hub_security.tokens import mint_token
from rich.console import Console

from hub_standalone.client import HubClient, open_client
from hub_standalone.local import LocalSettings

DEFAULT_COLLEGE = "my-college"

UrlOption = Annotated[
    str | None, typer.Option("--url", envvar="HUB_URL", help="Address of the hub.", show_default="the local hub")
]
TokenOption = Annotated[
    str | None,
    typer.Option("--token", envvar="HUB_TOKEN", help="Who you are.", show_default="made with the development key"),
]
CollegeOption = Annotated[
    str, typer.Option("--college", envvar="HUB_COLLEGE", help="The college, where no token says it.")
]


@asynccontextmanager
async def connect(url: str | None, token: str | None, college: str) -> AsyncIterator[HubClient]:
    """A client as the options say; without a token, as the Principal of ``college`` by the development key."""
    settings = load_settings(LocalSettings)
    if token is None:
        token = make_token(settings, role=Role.PRINCIPAL, college=college)
        Console(stderr=True).print(f"No HUB_TOKEN: acting as Principal of {college} by the development key.")
    async with open_client(url or settings.url, token) as client:
        yield client


def make_token(settings: LocalSettings, *, role: Role, college: str, hours: float = 1.0) -> str:
    """A token the local hub accepts; InvalidInput if there is no secret to sign it with."""
    secret = settings.signing_secret()
    if secret is None:
        raise InvalidInput("There is no secret to sign a token with: run `hub keys`, or set HUB_TOKEN.")
    if hours * 3600 > settings.token_max_lifetime_s:
        raise InvalidInput(
            f"The hub lets tokens live {settings.token_max_lifetime_s} s at most; "
            f"set HUB_TOKEN_MAX_LIFETIME_S={round(hours * 3600)} where it runs and here, or ask for fewer --hours."
        )
    return mint_token(
        secret,
        subject=f"{role.value.lower()}@{college}",
        role=role,
        college_id=college,
        now=utc_now(),
        lifetime_s=round(hours * 3600),
    )
