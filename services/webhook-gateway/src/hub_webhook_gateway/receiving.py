"""One webhook request, from its first byte to its answer. The order of the steps is the defence:

rate limit, size, headers, signature, JSON, records, receipt, messages, answer. Nothing is parsed before its
signature holds, but for a body that has its own proof in it; no signature is computed before the limits, and 202 is
said only when the messages, or the new due time, are durable.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from ipaddress import IPv4Network, IPv6Network

import orjson
import structlog
from hub_model.base import format_datetime
from hub_model.errors import (
    Conflict,
    HubError,
    InvalidInput,
    RateLimited,
    TransientError,
    Unauthenticated,
    Unavailable,
)
from hub_model.records import DataType
from hub_model.webhooks import WebhookScheme
from hub_runtime.http import problem_response
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from hub_webhook_gateway.college_log import CollegeLog
from hub_webhook_gateway.early_syncs import EarlySyncs
from hub_webhook_gateway.endpoints import Endpoint, Endpoints
from hub_webhook_gateway.intake import Event, Intake
from hub_webhook_gateway.limits import TokenBuckets, client_address
from hub_webhook_gateway.payload import parse_body
from hub_webhook_gateway.requests import BodyReader, check_headers, waits_for_leave
from hub_webhook_gateway.shapes import read_push, split
from hub_webhook_gateway.verifying import KEYS_UNAVAILABLE, Proof, PushRequest, Verifier, verify_nobody

log = structlog.get_logger(__name__)

_NOT_STORED = "The event could not be stored; send it again."
_MAX_DISCARDED_BYTES = 1024 * 1024
_DISCARD_DEADLINE_S = 2.0
_OF_THE_HUB = (WebhookScheme.LEGACY, WebhookScheme.STANDARD)


@dataclass(frozen=True, kw_only=True)
class WebhookReceiver:
    """The ASGI app behind ``POST /api/webhooks/integrations/{id}``; the router has matched the path."""

    endpoints: Endpoints
    verifier: Verifier
    intake: Intake
    early_syncs: EarlySyncs
    college_log: CollegeLog
    per_endpoint: TokenBuckets
    per_client: TokenBuckets
    clock: Callable[[], datetime]
    max_body_bytes: int
    body_deadline_s: float
    trusted_proxies: Sequence[IPv4Network | IPv6Network]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        integration_id: str = scope["path_params"]["id"]
        reader = BodyReader(receive)
        try:
            client = self._check_rates(scope, integration_id)
            headers = check_headers(scope["headers"], max_bytes=self.max_body_bytes)
            body = await reader.read(max_bytes=self.max_body_bytes, deadline_s=self.body_deadline_s)
        except (HubError, HTTPException) as error:
            # The connection stays open only if the end of the body is found now.
            is_read = not _is_cut_off(error, scope) and await reader.discard(
                max_bytes=_MAX_DISCARDED_BYTES, deadline_s=_DISCARD_DEADLINE_S
            )
            closing = {} if is_read else {"connection": "close"}
            await problem_response(error, scope, headers=closing)(scope, receive, send)
            return
        if body is None:
            return  # the sender went away, and will send it again
        try:
            secret = scope["path_params"].get("secret")
            answer = await self._take(integration_id, PushRequest(headers, body, secret, client))
        except TransientError as error:
            log.warning("webhook.not_stored", integration_id=integration_id, error_code=error.code, error=str(error))
            public = error.public if error.code == KEYS_UNAVAILABLE else _NOT_STORED
            raise Unavailable(str(error), retry_after_s=error.retry_after_s, public=public) from error
        await _answer(answer, send)

    def _check_rates(self, scope: Scope, integration_id: str) -> str:
        """The client's address, if it may send one more."""
        client = client_address(scope, self.trusted_proxies)
        wait_s = self.per_client.take(client)
        wait_s = wait_s or self.per_endpoint.take(integration_id)
        if wait_s:
            raise RateLimited("too many webhooks at once; send this one again later", retry_after_s=wait_s)
        return client

    async def _take(self, integration_id: str, request: PushRequest) -> "_Answer":
        """Make of a push what it is for; return what to answer when that is durable."""
        now = self.clock()
        endpoint = await self.endpoints.find(integration_id)
        if endpoint is None:
            raise verify_nobody(request.body)
        try:
            proof = await self._verify(endpoint, request, now)
            if endpoint.pushes.wanted is not None:
                return await self._sync(endpoint, endpoint.pushes.wanted(_document(proof, request)), now)
            return await self._keep(endpoint, proof, request.body, now)
        except (Unauthenticated, InvalidInput, Conflict) as error:
            self.college_log.refused(endpoint, error, now)
            raise

    async def _verify(self, endpoint: Endpoint, request: PushRequest, now: datetime) -> Proof:
        try:
            proof = await self.verifier.verify(endpoint, request, now)
        except Unavailable as error:
            self.college_log.refused(endpoint, error, now)  # the address of the keys is the college's own
            raise
        if endpoint.webhook.scheme in _OF_THE_HUB:
            request.headers.require_json()
        return proof

    async def _keep(self, endpoint: Endpoint, proof: Proof, body: bytes, now: datetime) -> "_Answer":
        push = read_push(parse_body(body), data_types=endpoint.data_types, default=endpoint.default)
        event = Event(
            key=proof.message_id or push.event_id,
            body=body,
            data_type=push.data_type,
            batches=list(split(push.records, len(body))),
        )
        taken = await self.intake.take(endpoint, event, now)
        if taken.is_duplicate:
            return _Answer(HTTPStatus.OK, {"status": "duplicate", "eventId": taken.run_id})
        return _Answer(HTTPStatus.ACCEPTED, {"status": "accepted", "eventId": taken.run_id})

    async def _sync(self, endpoint: Endpoint, data_types: frozenset[DataType] | None, now: datetime) -> "_Answer":
        if not data_types:
            self.college_log.ignored(endpoint, now)
            return _Answer(HTTPStatus.OK, {"status": "ignored"})
        due = await self.early_syncs.ask(endpoint, data_types, now)
        sync_at = format_datetime(due) if due else None
        return _Answer(HTTPStatus.ACCEPTED, {"status": "accepted", "syncAt": sync_at})


@dataclass(slots=True)
class _Answer:
    code: int
    fields: Mapping[str, str | None]


def _is_cut_off(error: Exception, scope: Scope) -> bool:
    """Whether nothing more should be read: the sender is too slow, or has not begun to send."""
    is_late = isinstance(error, HTTPException) and error.status_code == HTTPStatus.REQUEST_TIMEOUT
    return is_late or waits_for_leave(scope["headers"])


def _document(proof: Proof, request: PushRequest) -> object:
    if proof.is_read:
        return proof.document
    try:
        return parse_body(request.body)
    except InvalidInput:
        if request.secret is None:
            raise
        return None  # devices send what they like; for rules, it has no fields


async def _answer(answer: _Answer, send: Send) -> None:
    body = orjson.dumps(answer.fields)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": answer.code, "headers": headers})
    await send({"type": "http.response.body", "body": body})
