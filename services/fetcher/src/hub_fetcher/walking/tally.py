"""What was counted of a stream's records on the way to what the walk gives. It travels in the chain's messages."""

from typing import Any

from hub_model.base import Value
from pydantic import Field

from hub_fetcher.walking.shaping import Shaped

# Where a message's position holds the tally, and the place beside it.
STREAM = "stream"


class Tally(Value):
    """``looked`` records were shaped to ``shaped``; ``unlisted`` of them had no list to be taken apart.

    ``unmatched`` counts the records without a row, and ``ambiguous`` those that found several different ones, by the
    joined field; ``dropped`` the rows that a table could not keep, by why. ``bytes`` is the size of the table that is
    read. ``undated`` and ``future`` count the records without a time of their own, and with one that is yet to come.
    """

    looked: int = 0
    shaped: int = 0
    unlisted: int = 0
    unmatched: dict[str, int] = Field(default_factory=dict)
    ambiguous: dict[str, int] = Field(default_factory=dict)
    dropped: dict[str, int] = Field(default_factory=dict)
    bytes: int = 0
    undated: int = 0
    future: int = 0

    @classmethod
    def of(cls, position: dict[str, Any]) -> "Tally":
        """The tally in a message's position; an empty one where there is none."""
        return cls.model_validate(position.get(STREAM, {}))

    def with_times(self, undated: int, future: int) -> "Tally":
        """The tally with so many more records whose own time says nothing, or lies ahead."""
        return self.model_copy(update={"undated": self.undated + undated, "future": self.future + future})

    def with_shaped(self, looked: int, shaped: Shaped) -> "Tally":
        """The tally with what so many more records became."""
        return self.model_copy(
            update={
                "looked": self.looked + looked,
                "shaped": self.shaped + len(shaped.records),
                "unlisted": self.unlisted + shaped.unlisted,
                "unmatched": added(self.unmatched, shaped.unmatched),
                "ambiguous": added(self.ambiguous, shaped.ambiguous),
            }
        )

    def with_kept(self, size: int, dropped: dict[str, int]) -> "Tally":
        """The tally with rows of this size that a table keeps, and those that it does not."""
        return self.model_copy(update={"bytes": self.bytes + size, "dropped": added(self.dropped, dropped)})


def added(counts: dict[str, int], more: dict[str, int]) -> dict[str, int]:
    """Both counts together."""
    return {name: counts.get(name, 0) + more.get(name, 0) for name in {**counts, **more}} if more else counts
