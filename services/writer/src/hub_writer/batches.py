"""From a transformed batch to what the store takes and to its counts. Pure."""

from collections.abc import Sequence
from datetime import datetime
from itertools import chain, repeat
from typing import Any

from hub_model.base import parse_datetime
from hub_model.counts import Counts
from hub_model.errors import InvalidInput
from hub_model.ids import derived_id
from hub_model.logs import RejectedRecord
from hub_model.messages import BatchTransformed
from hub_model.records import Outcome, RecordWrite
from hub_storage.json_text import to_text
from hub_storage.records import MergeBatch

# A store holds documents of 64 levels for certain, and a raw record lies within one.
_MAX_LEVELS = 60


def merge_of(batch: BatchTransformed, now: datetime, connected: frozenset[str] | None = None) -> MergeBatch:
    """The batch as the store merges it, under the id that every delivery of it shares.

    ``connected`` are the integrations that the college has; None: not known.
    """
    versions: dict[str, datetime] = {}  # most records of a batch carry the same one
    return MergeBatch(
        id=batch.message_id,
        college_id=batch.college_id,
        data_type=batch.data_type,
        integration_id=batch.integration_id,
        run_id=batch.run_id,
        writes=[_write(batch, index, versions) for index in range(len(batch.records))],
        merged_at=now,
        observed_at=batch.observed_at,
        is_partial=batch.origin.is_partial,
        connected=connected,
    )


def _write(batch: BatchTransformed, index: int, versions: dict[str, datetime]) -> RecordWrite:
    record = batch.records[index]
    try:
        text = record["version"]
        version = versions.get(text)
        if version is None:
            version = versions[text] = parse_datetime(text)
        return RecordWrite(
            key=record["key"],
            data=record["data"],
            content_hash=record["hash"],
            version=version,
            source_id=record.get("sourceId"),
            deleted=record.get("deleted", False),
        )
    except (KeyError, TypeError, ValueError) as error:
        # The error's own text may quote the record, so it is not passed on.
        raise InvalidInput(
            f"record {index} of batch {batch.sequence} is not a canonical record", code="malformed_batch"
        ) from error


def rejected_records(batch: BatchTransformed, now: datetime) -> list[RejectedRecord]:
    """The rejects of the batch, each under an id that stays the same when the batch comes again."""
    return [
        RejectedRecord(
            id=derived_id(batch.message_id, "reject", reject.index),
            college_id=batch.college_id,
            integration_id=batch.integration_id,
            run_id=batch.run_id,
            data_type=batch.data_type,
            raw=_storable(reject.raw),
            issues=reject.issues,
            mapping_version=batch.mapping_version,
            at=now,
        )
        for reject in batch.rejects
    ]


def _storable(raw: Any) -> Any:
    """The raw record; as its JSON text where it is nested deeper than every store holds."""
    containers = [raw]
    for _ in range(_MAX_LEVELS + 1):
        containers = [
            inner
            for outer in containers
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not containers:
            return raw
    return to_text(raw)


def counts_of(batch: BatchTransformed, outcomes: Sequence[Outcome]) -> Counts:
    """The fate of every record that was fetched.

    Invariant: the fates of a batch add up to the records it was fetched with.
    """
    if len(outcomes) != len(batch.records):
        raise RuntimeError(f"{len(batch.records)} records were merged and {len(outcomes)} outcomes reported")
    return Counts.of_outcomes(
        chain(outcomes, repeat(Outcome.DUPLICATE, batch.duplicates)),
        rejected=len(batch.rejects),
        skipped=batch.skipped,
    )
