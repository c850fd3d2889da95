"""Where the walk of a stream stands, around the pages of its present request, whose position it travels with."""

from typing import Any, Literal

from hub_model.base import Value
from hub_model.errors import ErrorClass, SourceError
from pydantic import Field

from hub_fetcher.walking.incremental import Plan
from hub_fetcher.walking.tally import STREAM, Tally, added

# A stream tells this many different warnings of its rows, and how many more there were.
_MOST_WARNINGS = 5
_NOTHING = Tally()


class Refusal(Value):
    """An error of one row of the parent table, kept in case that all of them end so."""

    error_class: ErrorClass
    code: str
    public: str
    detail: str

    def to_error(self, rows: int, stream: str) -> SourceError:
        """The error of a stream none of whose rows could be read."""
        return SourceError(
            f"none of the {rows} rows of {stream} could be read: {self.detail}",
            error_class=self.error_class,
            code=self.code,
            public=f"None of the {rows} rows of '{stream}' could be read. {self.public}",
        )


class Place(Value):
    """``phase``: the deletes are read before the records. ``piece`` and ``offset`` name the present row of the parent
    table, or the next piece of the table that the stream takes its rows from.

    ``asked`` rows were done with, ``refused`` of them left out, by the code of their error; ``refusal`` is the first
    of those as long as nothing else was read. ``remarks``, ``warnings`` (with the rest counted) and ``complete`` are
    what the requests that are over had to say. ``plan`` are the windows that are asked for, ``window`` the present one,
    ``token`` the last mark that was seen.
    """

    phase: Literal["deletes", "records"] = "records"
    piece: int = 0
    offset: int = 0
    asked: int = 0
    refused: dict[str, int] = Field(default_factory=dict)
    refusal: Refusal | None = None
    remarks: dict[str, int] = Field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    more_warnings: int = 0
    complete: bool = True
    plan: Plan | None = None
    window: int = 0
    token: str | None = None

    @classmethod
    def of(cls, position: dict[str, Any]) -> "Place":
        """The place in a message's position; the first one where there is none."""
        return cls.model_validate(position.get(STREAM, {}))

    def warned(self, warnings: tuple[str, ...]) -> "Place":
        """The place with these warnings too."""
        told, more = self.warnings, self.more_warnings
        for warning in warnings:
            if warning in told or len(told) >= _MOST_WARNINGS:
                more += 1
            else:
                told = (*told, warning)
        return self.model_copy(update={"warnings": told, "more_warnings": more})

    def refused_row(self, error: SourceError) -> "Place":
        """The place after a row that could not be read."""
        first = Refusal(error_class=error.error_class, code=error.code, public=error.public, detail=str(error))
        is_first = not self.asked
        return self.model_copy(
            update={
                "asked": self.asked + 1,
                "refused": added(self.refused, {error.code: 1}),
                "refusal": first if is_first else self.refusal,
            }
        )


def first_place(position: dict[str, Any], *, has_deletes: bool) -> Place:
    """The place in a message's position; with the deletes to begin with, where nothing was asked yet."""
    place = Place.of(position)
    is_untold = place.plan is not None and not place.plan.deletes_known
    if has_begun(position) or not has_deletes or is_untold:
        return place
    return place.model_copy(update={"phase": "deletes"})


def has_begun(position: dict[str, Any]) -> bool:
    """Whether a request was made; before that a position may hold a plan of windows alone."""
    return "source" in position


def to_message(place: Place, tally: Tally = _NOTHING) -> dict[str, Any]:
    """What joins the position's own fields in a message; nothing where there is nothing to say."""
    written: dict[str, Any] = {}
    for part in (place, tally):
        written |= part.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return {STREAM: written} if written else {}
