"""A record as its row has it, to and fro; and what a batch writes."""

from collections.abc import Mapping
from dataclasses import dataclass

from hub_model.records import Outcome, StoredRecord

from hub_storage.adapters.sqlite.record_tables import NewRow, indexed_date, indexed_student
from hub_storage.entries import Entry, described
from hub_storage.json_text import to_value
from hub_storage.merging import Decision, Rules, StoredRow
from hub_storage.versions import instant


@dataclass(frozen=True, slots=True)
class RecordRow:
    """The columns that are read."""

    key: str
    data: str
    sources: str
    deleted: int
    created_at: int
    updated_at: int

    def to_record(self) -> StoredRecord:
        """The record for a reader."""
        entries: dict[str, Entry] = to_value(self.sources)
        return StoredRecord(
            key=self.key,
            data=to_value(self.data),
            deleted=bool(self.deleted),
            created_at=instant(self.created_at),
            updated_at=instant(self.updated_at),
            sources={integration_id: described(entry) for integration_id, entry in entries.items()},
        )

    def to_rules(self) -> StoredRow:
        """The record for the rules of a merge."""
        return StoredRow(self.data, to_value(self.sources), bool(self.deleted), self.created_at, self.updated_at)


@dataclass(frozen=True, slots=True)
class Plan:
    """The outcome of every write, the rows to store, and by how many the live records grow."""

    outcomes: list[Outcome]
    rows: list[NewRow]
    growth: int


def settle(rules: Rules, entries: Mapping[str, Entry | None]) -> dict[str, Outcome]:
    """The outcomes, by key, that follow from what the integration wrote last: nothing is to be written for these."""
    known = ((write, entries.get(write.key)) for write in rules.batch.writes)
    return {write.key: outcome for write, entry in known if (outcome := rules.settled(write, entry))}


def plan_merge(rules: Rules, outcomes: Mapping[str, Outcome], stored: Mapping[str, RecordRow]) -> Plan:
    """Decide on every write of the batch, beyond those that are settled; each key occurs in it once."""
    told: list[Outcome] = []
    rows: list[NewRow] = []
    growth = 0
    for write in rules.batch.writes:
        if outcome := outcomes.get(write.key):
            told.append(outcome)
            continue
        row = stored.get(write.key)
        decision = rules.decide(write, row.to_rules() if row else None)
        told.append(decision.outcome)
        rows.append(_new_row(decision))
        growth += (decision.outcome is Outcome.INSERTED) - (decision.outcome is Outcome.DELETED)
    return Plan(told, rows, growth)


def _new_row(decision: Decision) -> NewRow:
    return (
        decision.key,
        decision.data,
        decision.sources,
        int(decision.deleted),
        decision.created_at,
        decision.updated_at,
        indexed_student(decision.key, decision.data),
        indexed_date(decision.data),
    )
