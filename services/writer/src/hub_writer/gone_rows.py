"""Merging a batch some of whose deletes tell nothing but the source's own id of the row that is gone."""

from collections.abc import Sequence
from dataclasses import replace

from hub_model.ids import derived_id
from hub_model.records import Outcome
from hub_storage.records import MergeBatch, RecordStore

# Of a row that made several records, the last of these that any of them had is told.
_WEIGHTS = (Outcome.UNCHANGED, Outcome.STALE, Outcome.UPDATED, Outcome.DELETED)


async def merge_all(records: RecordStore, batch: MergeBatch) -> Sequence[Outcome]:
    """The outcome of each write. A delete without a key concerns the records that the row made, if there are any.

    These are merged first and by themselves: the row of another id may have taken the key since. Where the batch comes
    again, such a delete may find its record in other hands, and is UNCHANGED then.
    """
    unnamed = [index for index, write in enumerate(batch.writes) if not write.key]
    if not unnamed:
        return await records.merge(batch)
    rows = {str(batch.writes[index].source_id): index for index in unnamed}
    keys = await records.keys_of_rows(batch.college_id, batch.data_type, batch.integration_id, list(rows))
    found = [(rows[source_id], key) for key, source_id in sorted(keys.items())]
    deletes = [replace(batch.writes[index], key=key) for index, key in found]
    named = [index for index, write in enumerate(batch.writes) if write.key]
    outcomes = [Outcome.UNCHANGED] * len(batch.writes)
    told = await records.merge(replace(batch, id=derived_id(batch.id, "gone rows"), writes=deletes))
    for (index, _), outcome in zip(found, told, strict=True):
        outcomes[index] = max(outcomes[index], outcome, key=_WEIGHTS.index)
    rest = await records.merge(replace(batch, writes=[batch.writes[index] for index in named]))
    for index, outcome in zip(named, rest, strict=True):
        outcomes[index] = outcome
    return outcomes
