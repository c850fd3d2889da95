"""Cutting a page's records into pieces that fit into a message.

A piece never spans two pages: then the pieces of a page, and their numbers, are the same however often it is fetched
and wherever a stretch ends, and a repetition is recognised as one.
"""

from collections.abc import Iterator
from typing import Any

import orjson
from hub_model.encoded import EncodedArray
from hub_model.errors import ErrorClass, SourceError
from hub_model.messages import MAX_BATCH_RECORDS, MAX_MESSAGE_BYTES

# Half of a message, so that the canonical form of the records, and their rejects, fit into one as well.
MAX_BATCH_BYTES = MAX_MESSAGE_BYTES // 2


def cut(records: list[Any], encoded: bytes, *, page: int, most_bytes: int = MAX_BATCH_BYTES) -> Iterator[EncodedArray]:
    """The records in order, in pieces of at most 500 and ``most_bytes``. ``encoded`` is the JSON of them all.

    Raises SourceError where a single record is larger; it names the page and nothing of the record.
    """
    if len(records) <= MAX_BATCH_RECORDS and len(encoded) <= most_bytes:
        if records:
            yield EncodedArray(records, encoded)
        return
    start = 0
    fitting = max(1, min(MAX_BATCH_RECORDS, len(records) * most_bytes // len(encoded)))
    while start < len(records):
        length = fitting
        piece = _encoded(records, start, length)
        while len(piece.json) > most_bytes:
            if length == 1:
                raise _record_too_large(page, most_bytes)
            length = max(1, length // 2)
            piece = _encoded(records, start, length)
        yield piece
        start += length


def _encoded(records: list[Any], start: int, length: int) -> EncodedArray:
    piece = records[start : start + length]
    return EncodedArray(piece, orjson.dumps(piece))


def _record_too_large(page: int, most_bytes: int) -> SourceError:
    return SourceError(
        f"a record on page {page} is larger than {most_bytes} bytes",
        error_class=ErrorClass.DATA,
        code="record_too_large",
        public=f"A record on page {page} of the source's answer is larger than {most_bytes // 1024} KiB. Ask the "
        "source for fewer fields, keep fewer with 'fields', or check the endpoint's 'recordsPath'.",
    )
