"""One webhook request, from its first byte to its answer. The order of the steps is the defence:

rate limit, size, headers, signature, JSON, records, receipt, messages, answer. Nothing is parsed before its
signature holds, no signature is computed before the limits, and 202 is said only when the messages are durable.
"""

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from ipaddress import IPv4Network, IPv6Network

import orjson
import structlog
from hub_model.errors import (
    Conflict,
    HubError,
    InvalidInput,
    RateLimited,
    TransientError,
    Unauthenticated,
    Unavailable,
)
from hub_model.integrations import WebhookScheme
from hub_runtime.http import problem_response
from hub_security.signatures import UNVERIFIED, verify_legacy, verify_standard
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from hub_webhook_gateway.endpoints import Endpoint, Endpoints
from hub_webhook_gateway.intake import Event, Intake, Taken
from hub_webhook_gateway.limits import TokenBuckets, client_address
from hub_webhook_gateway.payload import parse_body
from hub_webhook_gateway.refusals import Refusals
from hub_webhook_gateway.requests import BodyReader, WebhookHeaders, check_headers, waits_for_leave
from hub_webhook_gateway.shapes import read_push, split

log = structlog.get_logger(__name__)

_NOT_STORED = "The event could not be stored; send it again."
_MAX_DISCARDED_BYTES = 1024 * 1024
_DISCARD_DEADLINE_S = 2.0
_NOBODYS_KEY = b"an unknown address costs as much as a known one"


@dataclass(frozen=True, kw_only=True)
class WebhookReceiver:
    """The ASGI app behind ``POST /api/webhooks/integrations/{id}``; the router has matched the path."""

    endpoints: Endpoints
    intake: Intake
    refusals: Refusals
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
            self._check_rates(scope, integration_id)
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
            taken = await self._take(scope, integration_id, headers, body)
        except TransientError as error:
            log.warning("webhook.not_stored", integration_id=integration_id, error_code=error.code, error=str(error))
            raise Unavailable(str(error), retry_after_s=error.retry_after_s, public=_NOT_STORED) from error
        await _answer(taken, send)

    def _check_rates(self, scope: Scope, integration_id: str) -> None:
        wait_s = self.per_client.take(client_address(scope, self.trusted_proxies))
        wait_s = wait_s or self.per_endpoint.take(integration_id)
        if wait_s:
            raise RateLimited("too many webhooks at once; send this one again later", retry_after_s=wait_s)

    async def _take(self, scope: Scope, integration_id: str, headers: WebhookHeaders, body: bytes) -> Taken:
        now = self.clock()
        endpoint = await self.endpoints.find(integration_id)
        if endpoint is None:
            hmac.digest(_NOBODYS_KEY, body, "sha256")
            raise Unauthenticated(
                "there is no such webhook address, or it is disabled", code="signature_invalid", public=UNVERIFIED
            )
        try:
            message_id = _verify(endpoint, headers, scope, body, now)
            push = read_push(parse_body(body), data_types=endpoint.data_types, default=endpoint.default)
            event = Event(
                key=message_id or push.event_id,
                body=body,
                data_type=push.data_type,
                batches=list(split(push.records, len(body))),
            )
            return await self.intake.take(endpoint, event, now)
        except (Unauthenticated, InvalidInput, Conflict) as error:
            self.refusals.note(endpoint, error, now)
            raise


def _verify(endpoint: Endpoint, headers: WebhookHeaders, scope: Scope, body: bytes, now: datetime) -> str | None:
    """Raise Unauthenticated unless the integration's own scheme holds; return the id a standard event has."""
    secrets = endpoint.secrets_at(now)
    if endpoint.scheme is WebhookScheme.STANDARD:
        decoded = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        return verify_standard(secrets, decoded, body, now)
    if headers.is_standard:
        # Judged by what the request claims to be: an attacker must not choose the weaker of two schemes.
        raise Unauthenticated(
            "the request has headers of Standard Webhooks, but this integration's scheme is legacy",
            code="signature_invalid",
            public=UNVERIFIED,
        )
    verify_legacy(secrets, body, None if headers.signature is None else headers.signature.decode("latin-1"))
    return None


def _is_cut_off(error: Exception, scope: Scope) -> bool:
    """Whether nothing more should be read: the sender is too slow, or has not begun to send."""
    is_late = isinstance(error, HTTPException) and error.status_code == HTTPStatus.REQUEST_TIMEOUT
    return is_late or waits_for_leave(scope["headers"])


async def _answer(taken: Taken, send: Send) -> None:
    body = orjson.dumps({"status": "duplicate" if taken.is_duplicate else "accepted", "eventId": taken.run_id})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200 if taken.is_duplicate else 202, "headers": headers})
    await send({"type": "http.response.body", "body": body})
