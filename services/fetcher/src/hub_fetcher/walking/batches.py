"""Cutting a page's records into messages that fit.

A batch never spans two pages: then the batches of a page, and their numbers, are the same however often it is fetched
and wherever a stretch ends, and a repetition is recognised as one.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from hashlib import blake2b
from typing import Any

import orjson
from hub_model.encoded import EncodedArray
from hub_model.errors import ErrorClass, SourceError
from hub_model.messages import MAX_BATCH_RECORDS, MAX_MESSAGE_BYTES, BatchFetched, Fault, PageRequested
from hub_model.records import Origin

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


def batches_of(
    request: PageRequested,
    first: int,
    pieces: Sequence[EncodedArray],
    faults: Sequence[Fault],
    *,
    total: int | None,
    deletes: bool,
    has_editions: bool,
) -> list[BatchFetched]:
    """The pieces as the stream's batches from number ``first`` on. ``faults`` count through all of them.

    With ``has_editions`` each tells what it held (``BatchFetched.edition``).
    """
    if request.data_type is None:
        raise AssertionError("a table has pieces, and no batches")
    batches, start = [], 0
    for sequence, piece in enumerate(pieces, first):
        end = start + len(piece)
        within = [fault for fault in faults if start <= fault.index < end]
        # Not validated: the records are the source's own, and validating would copy every one of them.
        batch = BatchFetched.model_construct(
            college_id=request.college_id,
            integration_id=request.integration_id,
            run_id=request.run_id,
            data_type=request.data_type,
            sequence=sequence,
            origin=Origin.POLL,
            # A record that moves while the pages are read is on two of them, and they are written in any order.
            observed_at=request.observed_at + timedelta(microseconds=sequence),
            records=piece,
            expected_records=total,
            deletes=deletes,
            edition=blake2b(piece.json, digest_size=8).hexdigest() if has_editions else "",
            faults=tuple(fault.model_copy(update={"index": fault.index - start}) for fault in within),
        )
        batches.append(batch)
        start = end
    return batches


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
