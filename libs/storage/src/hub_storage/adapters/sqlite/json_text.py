"""JSON as the store writes it: plain values only, so that another store could hold them as well."""

from typing import Any

import orjson
from hub_model.encoded import Encoded
from hub_model.errors import InvalidInput

# Without these orjson would quietly write instants and dataclasses as text, and they would come back as text.
_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_SUBCLASS


def to_text(value: object) -> str:
    """The value as JSON text; InvalidInput if it is not plain JSON."""
    try:
        return orjson.dumps(value, default=_known_text, option=_OPTIONS).decode()
    except TypeError as error:
        # orjson's own message may quote the value.
        raise InvalidInput("only plain JSON with integers of 64 bits can be stored") from error


def _known_text(value: object) -> orjson.Fragment:
    """The text of a value that remembers it; TypeError for what is not plain JSON."""
    if isinstance(value, Encoded):
        return orjson.Fragment(value.json)
    raise TypeError


def to_value(text: str) -> Any:
    """The value of what :func:`to_text` wrote."""
    return orjson.loads(text)
