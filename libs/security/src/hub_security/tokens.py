"""Bearer tokens: signed, with a short life. Times and parties are checked here, against the caller's clock."""

import re
from datetime import UTC, datetime
from typing import Any

import jwt
from hub_model.errors import InvalidInput, Unauthenticated

from hub_security.jwks import KeySource, checked_secret
from hub_security.jws import LEEWAY_S, NOT_SIGNED, check_validity, read_signed, seconds_of
from hub_security.roles import Principal, Role, role_of

MAX_TOKEN_BYTES = 8 * 1024
DEFAULT_LIFETIME_S = 3600
MAX_LIFETIME_S = 12 * 3600

_COLLEGE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


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
        claims = await read_signed(token, self._keys, now, max_bytes=MAX_TOKEN_BYTES)
        self._check_times(claims, int(now.timestamp()))
        self._check_parties(claims)
        return _principal(claims)

    def _check_times(self, claims: dict[str, Any], now_s: int) -> None:
        expires_s = seconds_of(claims, "exp")
        issued_s = seconds_of(claims, "iat") if "iat" in claims else now_s
        check_validity(claims, now_s)
        if issued_s > now_s + LEEWAY_S:
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
    return Unauthenticated(reason, public=NOT_SIGNED)
