"""A store of one record in memory: what the rules of a merge make of it, by themselves."""

from hub_model.records import Outcome, StoredRecord

from hub_storage.entries import Entry, described
from hub_storage.json_text import to_text, to_value
from hub_storage.merging import Rules, StoredRow
from hub_storage.records import MergeBatch
from hub_storage.testing.record_versions import KEY
from hub_storage.versions import instant


class OneRecord:
    """Under the key ``KEY``; ``writes`` counts how often it was written."""

    def __init__(self) -> None:
        self.row: StoredRow | None = None
        self.writes = 0

    def merge(self, batch: MergeBatch) -> Outcome:
        rules, (write,) = Rules(batch), batch.writes
        outcome = rules.settled(write, self.row.sources.get(batch.integration_id) if self.row else None)
        if outcome is not None:
            return outcome
        decision = rules.decide(write, self.row)
        self.writes += 1
        self.row = StoredRow(
            to_text(decision.data),
            to_value(to_text(decision.sources)),
            decision.deleted,
            decision.created_at,
            decision.updated_at,
        )
        return decision.outcome

    def entry(self, integration: str = "erp") -> Entry:
        assert self.row is not None
        return self.row.sources[integration]

    def record(self) -> StoredRecord:
        assert self.row is not None
        return StoredRecord(
            key=KEY,
            data=to_value(self.row.data),
            deleted=self.row.deleted,
            created_at=instant(self.row.created_at),
            updated_at=instant(self.row.updated_at),
            sources={name: described(entry) for name, entry in self.row.sources.items()},
        )
