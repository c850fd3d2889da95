"""Whose push it is: judged by the one scheme of its integration, and never by what the request claims to be."""

import hmac
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv6Address, ip_address

import orjson
from hub_model.errors import Unauthenticated, Unavailable
from hub_model.webhooks import SecretPlacement, SignatureHeader, WebhookScheme
from hub_security.jws import check_validity, read_signed
from hub_security.signatures import UNVERIFIED, verify_hmac, verify_legacy, verify_standard, verify_token

from hub_webhook_gateway.endpoints import Endpoint
from hub_webhook_gateway.key_sets import KeySets
from hub_webhook_gateway.requests import WebhookHeaders

KEYS_UNAVAILABLE = "keys_unavailable"

# Events are far smaller, and a forged token costs the more the larger it is.
_MAX_TOKEN_BYTES = 64 * 1024
_NOBODYS_KEY = b"an unknown address costs as much as a known one"


# Not frozen, though nobody changes one: there is one of each for every request.
@dataclass(slots=True)
class PushRequest:
    """``secret`` is what followed the id in the address; ``client`` is the sender's address."""

    headers: WebhookHeaders
    body: bytes
    secret: str | None
    client: str


@dataclass(slots=True)
class Proof:
    """What is known of a push that was verified: the id its sender has for it, and its body where that was read."""

    message_id: str | None = None
    document: object = None
    is_read: bool = False


class Verifier:
    """Raises Unauthenticated for whatever is not proven; Unavailable while the sender's keys cannot be had."""

    def __init__(self, key_sets: KeySets) -> None:
        self._key_sets = key_sets

    async def verify(self, endpoint: Endpoint, request: PushRequest, now: datetime) -> Proof:
        webhook = endpoint.webhook
        if request.secret is not None and not webhook.is_in_address:
            raise refused("something follows the webhook's address, where this integration has no secret")
        if webhook.jwt is not None:
            proof = await self._verify_claims(endpoint, webhook.jwt.jwks_url, request.body, now)
        elif webhook.secret_placement is not None:
            proof = _verify_token(endpoint, webhook.secret_placement, request, now)
        else:
            proof = _verify_signature(endpoint, webhook.signature, request, now)
        _check_network(endpoint, request.client)
        return proof

    async def _verify_claims(self, endpoint: Endpoint, jwks_url: str, body: bytes, now: datetime) -> Proof:
        # Some send the token as JSON text.
        token = body.decode("latin-1").strip().removeprefix('"').removesuffix('"')
        keys = self._key_sets.at(jwks_url)
        try:
            claims = await read_signed(token, keys, now, max_bytes=_MAX_TOKEN_BYTES)
            check_validity(claims, int(now.timestamp()))
        except Unauthenticated as error:
            raise refused(str(error)) from error
        except Unavailable as error:
            raise Unavailable(
                f"the keys at 'jwksUrl' cannot be fetched ({keys.failure}): check that address",
                code=KEYS_UNAVAILABLE,
                retry_after_s=error.retry_after_s,
                public="The keys that this event is signed with cannot be fetched now; send it again.",
            ) from error
        if not endpoint.pushes.has_claims(claims):
            raise refused("the token does not say what 'claims' asks for: it is somebody else's event")
        return Proof(document=claims, is_read=True)


def verify_nobody(body: bytes) -> Unauthenticated:
    """The error for an address that leads nowhere, after as much work as one that does."""
    hmac.digest(_NOBODYS_KEY, body, "sha256")
    return refused("there is no such webhook address, or it is disabled")


def _verify_signature(endpoint: Endpoint, form: SignatureHeader | None, request: PushRequest, now: datetime) -> Proof:
    secrets, headers = endpoint.secrets_at(now), request.headers
    if form is not None:
        verify_hmac(secrets, request.body, headers.only(form.name), form)
        return Proof()
    if endpoint.webhook.scheme is WebhookScheme.STANDARD:
        return Proof(message_id=verify_standard(secrets, headers.decoded(), request.body, now))
    if headers.is_standard:
        # An attacker must not choose the weaker of two schemes.
        raise refused("the request has headers of Standard Webhooks, but this integration's scheme is legacy")
    signature = headers.signature
    verify_legacy(secrets, request.body, None if signature is None else signature.decode("latin-1"))
    return Proof()


def _verify_token(endpoint: Endpoint, form: SecretPlacement, request: PushRequest, now: datetime) -> Proof:
    proof, secrets = Proof(), endpoint.secrets_at(now)
    if form.placement == "address":
        verify_token(secrets, request.secret, place="the secret behind the address")
    elif form.placement == "header":
        given = request.headers.only(form.name)
        if given is not None and not given.startswith(form.prefix):
            raise refused(f"the header {form.name} does not begin with {form.prefix}")
        verify_token(secrets, given and given.removeprefix(form.prefix), place=f"the header {form.name}")
    else:
        try:
            # Not strictly: that takes long, and what is not signed has to be read before it can be trusted.
            proof = Proof(document=orjson.loads(request.body), is_read=True)
        except orjson.JSONDecodeError:
            # Not what is wrong where: each reason is a line in the college's log, and anyone may send anything.
            raise refused("no token can be read: the body is not JSON") from None
        found = endpoint.pushes.token_in(proof.document)
        verify_token(secrets, found if isinstance(found, str) else None, place=f"the field {form.name}")
    return proof


def _check_network(endpoint: Endpoint, client: str) -> None:
    """After the secret: whoever has none must not fill the college's log with addresses."""
    if not endpoint.networks:
        return
    try:
        address = ip_address(client)
    except ValueError:
        raise refused("the sender's address is not known, but 'allowedNetworks' names some") from None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped  # how a proxy that listens for both writes 203.0.113.5
    if not any(address in network for network in endpoint.networks):
        raise refused(f"it came from {client}, which is in none of 'allowedNetworks'")


def refused(reason: str) -> Unauthenticated:
    """``reason`` is for the college's log; the sender is told the same in every case."""
    return Unauthenticated(reason, code="signature_invalid", public=UNVERIFIED)
