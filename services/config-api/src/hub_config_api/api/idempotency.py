"""Idempotency-Key: the same request, sent again, gets the first answer and does no work."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from fastapi import Request, Response
from pydantic import BaseModel

from hub_config_api.backend import Backend
from hub_config_api.caller import Caller


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. ``replayed`` is what a repetition gets instead of ``body``: a secret is not stored to be repeated."""

    status: int
    body: BaseModel
    headers: dict[str, str] = field(default_factory=dict)
    replayed: BaseModel | None = None


async def answer_once(
    backend: Backend,
    caller: Caller,
    request: Request,
    key: str | None,
    work: Callable[[], Awaitable[Reply]],
) -> Response:
    """Do the work, or give the stored answer of the first request with this key.

    A request that fails leaves no trace, so that it may be mended and sent again with the same key.
    """
    if key is None:
        return _response(await work())
    fingerprint = await _fingerprint(request)
    started_at = backend.clock()
    stored = await backend.idempotency_keys.begin(caller.college_id, key, fingerprint=fingerprint, now=started_at)
    if stored is not None:
        return Response(
            stored.body,
            status_code=stored.status,
            headers={**stored.headers, "idempotency-replayed": "true"},
            media_type="application/json",
        )
    try:
        reply = await work()
    except BaseException:
        await backend.idempotency_keys.abandon(caller.college_id, key, started_at=started_at)
        raise
    await backend.idempotency_keys.finish(
        caller.college_id,
        key,
        started_at=started_at,
        status=reply.status,
        headers=reply.headers,
        body=(reply.replayed or reply.body).model_dump_json(by_alias=True),
    )
    return _response(reply)


def _response(reply: Reply) -> Response:
    return Response(
        reply.body.model_dump_json(by_alias=True),
        status_code=reply.status,
        headers=reply.headers,
        media_type="application/json",
    )


async def _fingerprint(request: Request) -> str:
    """What makes two requests the same: method, path and body."""
    digest = hashlib.sha256(f"{request.method} {request.url.path}\n".encode())
    digest.update(await request.body())
    return digest.hexdigest()
