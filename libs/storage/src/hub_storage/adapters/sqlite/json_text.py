"""JSON as the store writes it: plain values only, so that another store could hold them as well."""

from typing import Any

import orjson
from hub_model.errors import InvalidInput

# Without these orjson would quietly write instants and dataclasses as text, and they would come back as text.
_PLAIN = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


def to_text(value: object) -> str:
    """The value as JSON text; InvalidInput if it is not plain JSON."""
    try:
        return orjson.dumps(value, option=_PLAIN).decode()
    except TypeError as error:
        # orjson's own message may quote the value.
        raise InvalidInput("only plain JSON with integers of 64 bits can be stored") from error


def to_value(text: str) -> Any:
    """The value of what :func:`to_text` wrote."""
    return orjson.loads(text)
