"""Where a token's verification key comes from: one shared secret, or an identity provider's JSON Web Key Set."""

import asyncio
import json
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from hub_model.errors import InvalidInput, TransientError, Unavailable
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from jwt.exceptions import InvalidKeyError

VerificationKey = bytes | RSAPublicKey | EllipticCurvePublicKey

MIN_SHARED_KEY_BYTES = 32
MIN_RSA_BITS = 2048
MAX_KEY_SET_BYTES = 256 * 1024

_FRESH = timedelta(minutes=10)
_STALE = timedelta(hours=1)
_REFRESH_EVERY = timedelta(seconds=60)
_RETRY_EVERY = timedelta(seconds=5)
_KEY_ID = re.compile(r"[\x21-\x7e]{1,256}")


class KeySource(ABC):
    """Finds the key for a token's header. ``algorithms`` are the only ones a token may name."""

    algorithms: tuple[str, ...]

    @abstractmethod
    async def find(self, algorithm: str, key_id: str | None, now: datetime) -> VerificationKey | None:
        """The key; None if there is none for this header. Raises Unavailable if that cannot be known."""


class SharedKey(KeySource):
    """HS256 with a secret that the issuer shares."""

    algorithms = ("HS256",)

    def __init__(self, secret: str) -> None:
        self._secret = checked_secret(secret)

    async def find(self, algorithm: str, key_id: str | None, now: datetime) -> VerificationKey:
        return self._secret


@dataclass(frozen=True, slots=True)
class _Key:
    algorithm: str
    key: VerificationKey


class JwksCache(KeySource):
    """RS256 and ES256 keys of a key set, which ``fetch`` returns as bytes.

    Keys are renewed after ten minutes, and for an unknown key id at most once a minute. Whoever needs a key that is
    just being fetched waits for it. When the set cannot be fetched, the last one serves for an hour; then every token
    is answered by Unavailable, and ``failure`` is why.
    """

    algorithms = ("RS256", "ES256")

    def __init__(self, fetch: Callable[[], Awaitable[bytes]]) -> None:
        self._fetch = fetch
        self._keys: Mapping[str | None, _Key] = {}
        self._fetched_at: datetime | None = None
        self.failure = ""
        self._tried_at: datetime | None = None
        self._lock = asyncio.Lock()

    async def find(self, algorithm: str, key_id: str | None, now: datetime) -> VerificationKey | None:
        if self._is_due(key_id, now) and not (self._lock.locked() and self._is_known(key_id, now)):
            async with self._lock:
                if self._is_due(key_id, now):  # another request may have renewed it while this one waited
                    await self._renew(now)
        if self._is_stale(now):
            raise Unavailable("the identity provider's keys cannot be fetched", retry_after_s=5)
        found = self._keys.get(key_id)
        return found.key if found is not None and found.algorithm == algorithm else None

    def _is_stale(self, now: datetime) -> bool:
        return self._fetched_at is None or now - self._fetched_at > _STALE

    def _is_known(self, key_id: str | None, now: datetime) -> bool:
        return key_id in self._keys and not self._is_stale(now)

    def _is_due(self, key_id: str | None, now: datetime) -> bool:
        if self._tried_at is None:
            return True
        if self._fetched_at is None:
            return now - self._tried_at >= _RETRY_EVERY
        if now - self._tried_at < _REFRESH_EVERY:
            return False
        return key_id not in self._keys or now - self._fetched_at >= _FRESH

    async def _renew(self, now: datetime) -> None:
        try:
            self._keys = parse_key_set(await self._fetch())
            self._fetched_at = now
        except (TransientError, InvalidInput) as error:
            # The keys at hand stay valid for a while; find() says so when they no longer are.
            self.failure = str(error)
        # Not before: who comes meanwhile would take the keys at hand for all there are.
        self._tried_at = now


def parse_key_set(body: bytes) -> Mapping[str | None, _Key]:
    """The usable keys by id; a single usable key also stands under None, for tokens that name no key.

    Keys for other purposes are skipped, and so are symmetric ones, RSA below 2048 bits, and every key of an id that
    occurs twice. InvalidInput if nothing usable is left.
    """
    if len(body) > MAX_KEY_SET_BYTES:
        raise InvalidInput("the key set is too large")
    try:
        entries = json.loads(body)["keys"]
        dictionaries = [entry for entry in entries if isinstance(entry, dict)]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InvalidInput("the identity provider did not answer with a key set") from error
    ids = Counter(entry["kid"] for entry in dictionaries if isinstance(entry.get("kid"), str))
    keys: dict[str | None, _Key] = {}
    for entry in dictionaries:
        key_id = entry.get("kid")
        if key_id is not None and (not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id) or ids[key_id] > 1):
            continue
        if (key := _usable(entry)) is not None:
            keys[key_id] = key
    if len(keys) == 1 and len(entries) == 1:
        keys[None] = next(iter(keys.values()))
    elif None in keys:
        del keys[None]  # nobody could say which of several keys a token without an id means
    if not keys:
        raise InvalidInput("the key set holds no RS256 or ES256 signing key")
    return keys


def checked_secret(secret: str) -> bytes:
    """The bytes of a shared key; InvalidInput if it is too short to sign with."""
    raw = secret.encode()
    if len(raw) < MIN_SHARED_KEY_BYTES:
        raise InvalidInput(
            f"the shared token key (HUB_TOKEN_SECRET) needs at least {MIN_SHARED_KEY_BYTES} bytes; it has {len(raw)}"
        )
    return raw


def _usable(entry: dict[str, Any]) -> _Key | None:
    operations = entry.get("key_ops")
    if entry.get("use", "sig") != "sig" or (isinstance(operations, list) and "verify" not in operations):
        return None
    try:
        match entry.get("kty"), entry.get("alg"):
            case "RSA", None | "RS256":
                rsa = RSAAlgorithm.from_jwk(entry)
                if isinstance(rsa, RSAPublicKey) and rsa.key_size >= MIN_RSA_BITS:
                    return _Key("RS256", rsa)
            case "EC", None | "ES256" if entry.get("crv") == "P-256":
                point = ECAlgorithm.from_jwk(entry)
                if isinstance(point, EllipticCurvePublicKey):
                    return _Key("ES256", point)
    except (InvalidKeyError, ValueError, TypeError):
        return None
    return None
