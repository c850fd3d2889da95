"""Keeps secrets out of logs: a registry of the secrets in use, names that always hold one, and bare URLs."""

import base64
import json
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping, MutableMapping
from enum import Enum, auto
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

REDACTED = "[redacted]"
MIN_SECRET_CHARS = 6

_WINDOW = 4
_MAX_SECRETS = 10_000
_MAX_DEPTH = 8
_MAX_CLEAN = 4_096
_MAX_CLEAN_CHARS = 128
_SECRET_NAMES = frozenset(["authorization", "proxyauthorization", "cookie", "setcookie", "xapikey"])
_SECRET_ENDINGS = ("apikey", "password", "passwd", "secret", "signature", "token", "privatekey")
_CREDENTIALS = re.compile(r"(?<=://)[^/\s?#@]+@")
_QUERY = re.compile(r"((?:https?://[^\s?\"'<>]+)|(?:(?<=[\s\"'])/[^\s?\"'<>]*))\?[^\s\"'<>]+")
_URL_NAMES = frozenset(["url", "path", "target", "uri", "location", "href", "rawpath"])


class Redactor:
    """Replaces secrets in text and in log events; as a structlog processor it stands right before the renderer.

    Each secret is also found in its base64, URL-encoded and JSON-escaped forms, within Basic credentials, and line by
    line. Secrets shorter than six characters are not looked for: they would blank out ordinary words.
    """

    def __init__(self) -> None:
        self._secrets: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        # The first characters of each form lead to the forms, longest first: searching costs the same for ten
        # secrets and for ten thousand.
        self._forms: dict[str, tuple[str, ...]] = {}
        # Short texts that were searched and hold nothing. A new secret makes a new set, so that a search that is
        # under way in another thread notes its outcome in the old one.
        self._clean: set[str] = set()

    def add(self, secret: str) -> None:
        """Look for this secret from now on; the longest unused of very many is forgotten."""
        if secret in self._secrets:
            self._secrets.move_to_end(secret)
            return
        if len(secret) < MIN_SECRET_CHARS:
            return
        forms = tuple(_forms_of(secret))
        self._secrets[secret] = forms
        for form in forms:
            known = {*self._forms.get(form[:_WINDOW], ()), form}
            self._forms[form[:_WINDOW]] = tuple(sorted(known, key=len, reverse=True))
        self._clean = set()
        while len(self._secrets) > _MAX_SECRETS:
            _, forgotten = self._secrets.popitem(last=False)
            self._forget(forgotten)

    def redact(self, text: str) -> str:
        """The text without known secrets, credentials in URLs, and query strings."""
        # This runs for every field of every line, and most of them say the same again and again.
        clean = self._clean
        if text in clean:
            return text
        redacted = self._redact(text)
        if redacted == text and len(text) <= _MAX_CLEAN_CHARS:
            if len(clean) >= _MAX_CLEAN:
                clean.clear()
            clean.add(text)
        return redacted

    def _redact(self, text: str) -> str:
        if "@" in text:
            text = _CREDENTIALS.sub(f"{REDACTED}@", text)
        if "?" in text:
            text = _QUERY.sub(rf"\1?{REDACTED}", text)
        forms = self._forms
        hits = [start for start in range(len(text) - _WINDOW + 1) if text[start : start + _WINDOW] in forms]
        return self._replaced(text, hits) if hits else text

    def __call__(self, logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """The structlog processor."""
        return {name: self._value(name, value, 0) for name, value in event.items()}

    def _value(self, name: str, value: Any, depth: int) -> Any:
        kind = _kind_of(name)
        if kind is _Kind.SECRET or depth > _MAX_DEPTH:
            return value if value is None or isinstance(value, bool) else REDACTED
        if isinstance(value, str):
            return self.redact(value.split("?", 1)[0] if kind is _Kind.ADDRESS else value)
        if value is None or isinstance(value, int | float):
            return value
        if isinstance(value, Mapping):
            return {key: self._value(str(key), item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._value(*_named(name, item), depth + 1) for item in value]
        text = bytes(value).decode("utf-8", "backslashreplace") if isinstance(value, bytes | bytearray) else str(value)
        return self._value(name, text, depth)

    def _replaced(self, text: str, hits: list[int]) -> str:
        pieces: list[str] = []
        end = 0
        for hit in hits:
            form = self._form_at(text, hit) if hit >= end else None
            if form is not None:
                pieces += [text[end:hit], REDACTED]
                end = hit + len(form)
        return "".join([*pieces, text[end:]])

    def _form_at(self, text: str, position: int) -> str | None:
        for form in self._forms.get(text[position : position + _WINDOW], ()):
            if text.startswith(form, position):
                return form
        return None

    def _forget(self, forms: tuple[str, ...]) -> None:
        for form in forms:
            kept = tuple(other for other in self._forms.get(form[:_WINDOW], ()) if other != form)
            if kept:
                self._forms[form[:_WINDOW]] = kept
            else:
                self._forms.pop(form[:_WINDOW], None)


class _Kind(Enum):
    PLAIN = auto()
    SECRET = auto()
    ADDRESS = auto()


def is_secret_name(name: str) -> bool:
    """Whether a header or field of this name holds a secret, whatever its value."""
    return _kind_of(name) is _Kind.SECRET


@lru_cache(maxsize=1024)
def _kind_of(name: str) -> _Kind:
    folded = name.lower().replace("-", "").replace("_", "")
    if folded in _SECRET_NAMES or folded.endswith(_SECRET_ENDINGS):
        return _Kind.SECRET
    return _Kind.ADDRESS if folded in _URL_NAMES else _Kind.PLAIN


def _named(name: str, item: Any) -> tuple[str, Any]:
    """A (header, value) pair is judged by the header's name, everything else by the name of its list."""
    if isinstance(item, tuple | list) and len(item) == 2 and isinstance(item[0], str | bytes):
        header = item[0] if isinstance(item[0], str) else item[0].decode("latin-1")
        return (header, item[1]) if is_secret_name(header) else (name, item)
    return name, item


def _forms_of(secret: str) -> Iterator[str]:
    for text in {secret, *(line for line in secret.splitlines() if len(line) >= MIN_SECRET_CHARS)}:
        raw = text.encode("utf-8", "surrogatepass")
        url = quote(raw, safe="")
        found = {text, url, quote_plus(raw), re.sub("%..", lambda match: match[0].lower(), url)}
        found |= {json.dumps(text)[1:-1], repr(text)[1:-1]}
        for shift in range(3):
            # Where the secret begins within a base64 group decides how it is spelt (user:password, for instance);
            # the characters it shares with its neighbours are left out.
            encoded = base64.b64encode(bytes(shift) + raw).decode().rstrip("=")
            inner = encoded[(0, 2, 3)[shift] : len(encoded) - (0 if (shift + len(raw)) % 3 == 0 else 1)]
            found |= {inner, inner.replace("+", "-").replace("/", "_")}
        yield from (form for form in found if len(form) >= MIN_SECRET_CHARS)
