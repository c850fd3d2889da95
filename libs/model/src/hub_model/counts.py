"""How many records met which fate. The numbers always add up, and a test holds them to it."""

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from hub_model.records import Outcome


class Counts(BaseModel):
    """Totals of one batch, stream or run.

    ``fetched`` = inserted + updated + replaced + unchanged + stale + deleted + duplicate + rejected + skipped.
    ``skipped`` are records a mapping's condition leaves out on purpose.
    """

    model_config = ConfigDict(frozen=True)

    fetched: int = 0
    inserted: int = 0
    updated: int = 0
    replaced: int = 0
    unchanged: int = 0
    stale: int = 0
    deleted: int = 0
    duplicate: int = 0
    rejected: int = 0
    skipped: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts.model_construct(
            **{name: getattr(self, name) + getattr(other, name) for name in type(self).model_fields}
        )

    @property
    def settled(self) -> int:
        """How many of the fetched records have a known fate."""
        return sum(int(getattr(self, name)) for name in type(self).model_fields) - self.fetched

    @property
    def changed(self) -> int:
        """How many records in the store differ from before."""
        return self.inserted + self.updated + self.replaced + self.deleted

    @classmethod
    def of_outcomes(cls, outcomes: Iterable[Outcome], *, rejected: int = 0, skipped: int = 0) -> "Counts":
        """Counts of one written batch."""
        tally = dict.fromkeys((outcome.value for outcome in Outcome), 0)
        fetched = rejected + skipped
        for outcome in outcomes:
            tally[outcome] += 1
            fetched += 1
        return cls(fetched=fetched, rejected=rejected, skipped=skipped, **tally)
