"""One exchange for a token, over the guarded transport."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from hub_model.auth import MAX_TOKEN_LIFE
from hub_model.errors import TransientError

from hub_fetcher.responses.classify import error_of
from hub_fetcher.transport import Patience, Transport

EXCHANGE_DEADLINE_S = 30.0
MAX_TOKEN_CHARS = 16_384

_PATIENCE = Patience(max_body_bytes=262_144, deadline_s=EXCHANGE_DEADLINE_S)


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A request that a token is the answer to. ``label`` names it in errors. Only that and the method are shown."""

    url: str = field(repr=False)
    label: str
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Bought:
    """What was got for it: a token, how long it lives, and what the next one is bought with if that has changed."""

    token: str = field(repr=False)
    life: timedelta
    refresh_token: str | None = field(default=None, repr=False)


ReadAnswer = Callable[[int, bytes], Bought]


async def exchange(transport: Transport, request: TokenRequest, read: ReadAnswer) -> Bought:
    """The token; TransientError where trying again may help, else what ``read`` makes of the answer."""
    response, body = await transport.exchange(
        request.method,
        request.url,
        headers={"Accept": "application/json", **request.headers},
        body=request.body,
        label=request.label,
        patience=_PATIENCE,
    )
    error = error_of(response.status_code, response.headers, body, label=request.label, now=transport.clock())
    if isinstance(error, TransientError):
        raise error
    return read(response.status_code, body)


def is_token(value: object) -> bool:
    """Whether a request can carry it."""
    is_text = isinstance(value, str) and value.isascii() and value.isprintable()
    return is_text and 0 < len(str(value).strip()) <= MAX_TOKEN_CHARS


def life_of(seconds: float | None, *, default: timedelta) -> timedelta:
    """A life that makes sense: neither over already nor endless."""
    if seconds is None or not seconds > 0:
        return default
    return timedelta(seconds=min(seconds, MAX_TOKEN_LIFE.total_seconds()))
