"""Idempotency-Key: the same request, sent again, gets the first answer and does no work.

A request whose answer nobody knows, because its process died or the store failed, may be sent again as well: what it
makes has one id in all attempts, so that the second finds what the first has made.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from fastapi import Request, Response
from hub_model.errors import Unavailable
from hub_model.ids import new_id
from hub_storage.repositories import StoredReply
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
    work: Callable[[str], Awaitable[Reply]],
) -> Response:
    """Do the work, which gets the id of what it makes, or give the stored answer of the first request with this key.

    A request that fails may be mended and sent again with the same key.
    """
    if key is None:
        return _response(await work(new_id()))
    fingerprint = await _fingerprint(request)
    started_at = backend.clock()
    begun = await backend.idempotency_keys.begin(
        caller.college_id, key, fingerprint=fingerprint, now=started_at, made_id=new_id()
    )
    if isinstance(begun, StoredReply):
        return Response(
            begun.body,
            status_code=begun.status,
            headers={**begun.headers, "idempotency-replayed": "true"},
            media_type="application/json",
        )
    try:
        reply = await _in_time(work(begun), backend.keyed_limit_s)
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


async def _in_time(work: Awaitable[Reply], limit_s: float) -> Reply:
    """The reply, if it comes while the key is still this request's own."""
    scope = asyncio.timeout(limit_s)
    try:
        async with scope:
            return await work
    except TimeoutError as error:
        if not scope.expired():
            raise
        raise Unavailable(
            f"the request took longer than {limit_s:g} s",
            public="The hub did not get it done in time. Send it again with the same Idempotency-Key.",
        ) from error


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
