"""JSON as the stores take it: plain values only, so that each of them can hold the same."""

from typing import Any

import orjson
from hub_model.encoded import Encoded
from hub_model.errors import InvalidInput, TooLarge

# Without these orjson would quietly write instants and dataclasses as text, and they would come back as text.
_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_SUBCLASS
# What MongoDB can hold in one document. Its form of JSON takes more room than the text, so it may refuse less.
_MAX_DOCUMENT_BYTES = 16 * 1024 * 1024


def to_text(value: object) -> str:
    """The value as JSON text; InvalidInput if it is not plain JSON."""
    return _dump(value).decode()


def document_text(document: object) -> str:
    """The same for a document, which has a largest size: TooLarge beyond it."""
    text = _dump(document)
    if len(text) > _MAX_DOCUMENT_BYTES:
        raise TooLarge(f"a document of {len(text)} bytes is larger than the {_MAX_DOCUMENT_BYTES} a store holds")
    return text.decode()


def to_value(text: str) -> Any:
    """The value of what :func:`to_text` wrote."""
    return orjson.loads(text)


def _dump(value: object) -> bytes:
    try:
        return orjson.dumps(value, default=_known_text, option=_OPTIONS)
    except TypeError as error:
        # orjson's own message may quote the value.
        raise InvalidInput("only plain JSON with integers of 64 bits can be stored") from error


def _known_text(value: object) -> orjson.Fragment:
    """The text of a value that remembers it; TypeError for what is not plain JSON."""
    if isinstance(value, Encoded):
        return orjson.Fragment(value.json)
    raise TypeError
