"""What becomes of a page's records before they are cut: parent's values, explode, when, joins, fields. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from hub_mapping.conditions import compile_conditions
from hub_mapping.paths import compile_walk
from hub_mapping.shaping import compile_explode, compile_fields
from hub_model.endpoints import Stream
from hub_model.errors import ErrorClass, InvalidInput, SourceError
from hub_model.messages import Fault

from hub_fetcher.responses.records import encode_records
from hub_fetcher.walking.joins import Joiner

# What one page may become: lists beside each other multiply, and each part carries what stands beside them.
MAX_SHAPED = 300_000
MAX_SHAPED_BYTES = 128 * 1024 * 1024
# The fault of a record that has no row for a join that has to find one.
NO_MATCH = "no_match"
_AT_ONCE_BYTES = 4 * 1024 * 1024
_UTC = ZoneInfo("UTC")


@dataclass(slots=True)
class Shaped:
    """Records with those that are of no use, by ``faults``; and how many found no row to join, by the field's name.

    ``ambiguous`` are those that found several different ones. ``unlisted`` had no list to be taken apart.
    """

    records: list[Any] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    unmatched: Counter[str] = field(default_factory=Counter)
    ambiguous: Counter[str] = field(default_factory=Counter)
    unlisted: int = 0


class Shaper:
    """One stream's shape. Where it ``is_plain``, records are passed on as they are, and nobody need call it.

    ``zone`` is the college's, for what ``fields`` do with times.
    """

    def __init__(self, stream: Stream, joiner: Joiner | None = None, *, zone: ZoneInfo = _UTC) -> None:
        self._explode = compile_explode(stream.explode) if stream.explode else None
        first = stream.explode[0] if stream.explode else None
        is_told = first is not None and first.on_no_records == "skip"
        self._list = compile_walk(first.path) if first is not None and is_told else None
        self._holds = compile_conditions(stream.when) if stream.when else None
        self._joiner = joiner
        self._prune = compile_fields(stream.fields, zone) if stream.fields else None
        self.is_plain = not (stream.explode or stream.when or stream.fields or joiner)
        # Whether one record in is one record out, so that the source's own total is theirs too.
        self.keeps_count = not (stream.explode or stream.when)

    def shape(self, records: Sequence[Any], parent: dict[str, Any] | None = None) -> Shaped:
        """The records in order. What is no object has no shape; it is passed on, to be rejected where all are.

        SourceError where one page becomes more records than a worker can hold.
        """
        shaped = Shaped()
        for record in records:
            if not isinstance(record, dict):
                shaped.records.append(record)
                continue
            whole = record if parent is None else {**record, "parent": parent}
            if self._list is not None and next(self._list(whole), None) is None:
                shaped.unlisted += 1
            try:
                for part in self._parts(whole):
                    self._finish(part, shaped)
                    if len(shaped.records) > MAX_SHAPED:
                        raise too_much(f"more than {MAX_SHAPED:,} records")
            except InvalidInput as error:
                self._fault(whole, error.code, str(error), shaped)
        if self._joiner is not None:
            self._joiner.forget()
        return shaped

    def _parts(self, record: dict[str, Any]) -> Iterator[dict[str, Any]]:
        parts = self._explode(record) if self._explode else iter((record,))
        return filter(self._holds, parts) if self._holds else parts

    def _finish(self, record: dict[str, Any], shaped: Shaped) -> None:
        if self._joiner is not None:
            record, missing, ambiguous = self._joiner.join(record)
            shaped.unmatched.update(join.as_ for join in missing)
            shaped.ambiguous.update(join.as_ for join in ambiguous)
            required = next((join for join in missing if join.required), None)
            if required is not None:
                words = f"No row of '{required.stream}' has this record's '{required.left}'."
                self._fault(record, NO_MATCH, words, shaped)
                return
        shaped.records.append(self._prune(record) if self._prune else record)

    def _fault(self, record: dict[str, Any], code: str, message: str, shaped: Shaped) -> None:
        shaped.faults.append(Fault(index=len(shaped.records), code=code, message=message))
        shaped.records.append(record)


def encode_shaped(records: Sequence[Any]) -> bytes:
    """Their JSON, written piece by piece: shaped records share what they hold, and written out they do not.

    SourceError where that would be more than MAX_SHAPED_BYTES.
    """
    pieces: list[bytes] = []
    start = size = 0
    length = 1
    while start < len(records):
        piece = encode_records(list(records[start : start + length]))[1:-1]
        pieces.append(piece)
        start, size = start + length, size + len(piece)
        if size > MAX_SHAPED_BYTES:
            raise too_much(f"more than {MAX_SHAPED_BYTES // 1024**2} MiB")
        length = max(1, min(4 * length, _AT_ONCE_BYTES * start // max(1, size)))
    return b"[" + b",".join(pieces) + b"]"


def too_much(what: str) -> SourceError:
    """The error of a page that grows beyond all measure."""
    return SourceError(
        f"a page becomes {what} by 'explode' and 'joins'",
        error_class=ErrorClass.CONFIG,
        code="page_grows",
        public=f"One page of the source's answer becomes {what} by 'explode' and 'joins'. Take fewer lists apart, keep "
        "fewer 'fields' of what is joined, or ask for smaller pages.",
    )
