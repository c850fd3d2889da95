"""Bearer tokens: compact JWS with a short life, checked more strictly than the library does.

The library verifies the signature and refuses unknown ``crit``; form, claims and times are checked here, against
the caller's clock. Key material named by the token itself (``jku``, ``x5u``, ``jwk``, ``x5c``) is refused, and
``kid`` is a dictionary key and nothing else.
"""

import base64
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import jwt
from hub_model.errors import InvalidInput, Unauthenticated

from hub_security.jwks import KeySource, checked_secret
from hub_security.roles import Principal, Role, role_of

MAX_TOKEN_BYTES = 8 * 1024
LEEWAY_S = 30
DEFAULT_LIFETIME_S = 3600
MAX_LIFETIME_S = 12 * 3600

_COMPACT = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+){2}")
_COLLEGE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_FORBIDDEN_HEADERS = frozenset(["jku", "x5u", "jwk", "x5c", "crit", "b64", "zip"])


class TokenVerifier:
    """Turns a bearer token into a Principal, or raises Unauthenticated.

    ``max_lifetime_s`` bounds exp - iat: a role that was taken away is gone after that. ``issuer`` and ``audience``
    are checked where they are given.
    """

    def __init__(
        self,
        keys: KeySource,
        *,
        issuer: str | None = None,
        audience: str | None = None,
        max_lifetime_s: int = DEFAULT_LIFETIME_S,
    ) -> None:
        if not 0 < max_lifetime_s <= MAX_LIFETIME_S:
            raise InvalidInput(f"a token may live between 1 and {MAX_LIFETIME_S} seconds")
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._max_lifetime_s = max_lifetime_s

    async def verify(self, token: str, now: datetime) -> Principal:
        """The caller. Raises Unauthenticated; Unavailable while the issuer's keys cannot be had."""
        header = _checked_header(token, self._keys.algorithms)
        key = await self._keys.find(header["alg"], header.get("kid"), now)
        if key is None:
            raise _refused("no key of the issuer fits this token")
        try:
            payload = jwt.PyJWS().decode(token, key, algorithms=[header["alg"]])
        except (jwt.InvalidTokenError, jwt.InvalidKeyError) as error:
            raise _refused("the token's signature is not valid") from error
        claims = _json_object(payload)
        self._check_times(claims, int(now.timestamp()))
        self._check_parties(claims)
        return _principal(claims)

    def _check_times(self, claims: dict[str, Any], now_s: int) -> None:
        expires_s = _seconds(claims, "exp")
        issued_s = _seconds(claims, "iat") if "iat" in claims else now_s
        not_before_s = _seconds(claims, "nbf") if "nbf" in claims else issued_s
        if expires_s + LEEWAY_S <= now_s:
            raise _refused("the token has expired")
        if issued_s > now_s + LEEWAY_S or not_before_s > now_s + LEEWAY_S:
            raise _refused("the token is not valid yet")
        if expires_s - issued_s > self._max_lifetime_s:
            raise _refused(f"the token lives longer than {self._max_lifetime_s} s")

    def _check_parties(self, claims: dict[str, Any]) -> None:
        if self._issuer is not None and claims.get("iss") != self._issuer:
            raise _refused("the token is from another issuer")
        if self._audience is not None:
            audience = claims.get("aud")
            if self._audience not in (audience if isinstance(audience, list) else [audience]):
                raise _refused("the token is for another audience")


def mint_token(
    secret: str,
    *,
    subject: str,
    role: Role,
    college_id: str,
    now: datetime,
    lifetime_s: int = DEFAULT_LIFETIME_S,
    issuer: str | None = None,
    audience: str | None = None,
) -> str:
    """An HS256 token, for development and tests; InvalidInput for a weak secret, a bad college or a long life."""
    if not _COLLEGE_ID.fullmatch(college_id):
        raise InvalidInput("a college id has 1 to 64 letters, digits, '_' or '-'")
    if not 0 < lifetime_s <= MAX_LIFETIME_S:
        raise InvalidInput(f"a token may live between 1 and {MAX_LIFETIME_S} seconds")
    issued_s = int(now.timestamp())
    claims = {
        "sub": subject,
        "role": role.value,
        "collegeId": college_id,
        "iat": issued_s,
        "exp": issued_s + lifetime_s,
        **({"iss": issuer} if issuer else {}),
        **({"aud": audience} if audience else {}),
    }
    return jwt.encode(claims, checked_secret(secret), algorithm="HS256")


def _checked_header(token: str, algorithms: Sequence[str]) -> dict[str, Any]:
    if len(token) > MAX_TOKEN_BYTES or not _COMPACT.fullmatch(token):
        raise _refused("this is not a compact token of at most 8 KiB")
    segments = [_decoded(segment) for segment in token.split(".")]
    header = _json_object(segments[0])
    if header.get("alg") not in algorithms:
        raise _refused(f"the token's algorithm is not one of {', '.join(algorithms)}")
    if named := _FORBIDDEN_HEADERS & header.keys():
        raise _refused(f"the token's header has {', '.join(sorted(named))}")
    if not isinstance(header.get("kid", ""), str):
        raise _refused("the token's kid is not text")
    return header


def _decoded(segment: str) -> bytes:
    """The bytes of one segment in its only accepted spelling: decoders ignore the last character's unused bits."""
    try:
        raw = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except ValueError:
        raise _refused("the token is not base64url") from None
    if base64.urlsafe_b64encode(raw).decode().rstrip("=") != segment:
        raise _refused("the token is not canonical base64url")
    return raw


def _json_object(raw: bytes) -> dict[str, Any]:
    try:
        document = json.loads(raw.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise _refused("the token does not hold plain JSON") from None
    if not isinstance(document, dict):
        raise _refused("the token does not hold JSON objects")
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a name occurs twice")
    return document


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _seconds(claims: dict[str, Any], name: str) -> int:
    """A time claim, which must be a plain whole number: text, booleans and 1e308 are not."""
    value = claims.get(name)
    if type(value) is not int or value < 0:
        raise _refused(f"the token's {name} is not a whole number of seconds")
    return value


def _principal(claims: dict[str, Any]) -> Principal:
    subject, college_id = claims.get("sub"), claims.get("collegeId")
    if not isinstance(subject, str) or not 1 <= len(subject) <= 256 or not subject.isprintable():
        raise _refused("the token names no subject")
    if not isinstance(college_id, str) or not _COLLEGE_ID.fullmatch(college_id):
        raise _refused("the token names no college")
    return Principal(
        subject=subject,
        role=role_of(claims.get("role")),
        college_id=college_id,
        expires_at=datetime.fromtimestamp(claims["exp"], tz=UTC),
    )


def _refused(reason: str) -> Unauthenticated:
    return Unauthenticated(reason, public="A valid bearer token is required.")
