"""What becomes of a page's records before they are cut: parent's values, explode, when, joins, fields. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from hub_mapping.conditions import compile_conditions
from hub_mapping.shaping import compile_explode, compile_fields
from hub_model.endpoints import Stream
from hub_model.errors import InvalidInput
from hub_model.messages import Fault

from hub_fetcher.walking.joins import Joiner

_UTC = ZoneInfo("UTC")


@dataclass(slots=True)
class Shaped:
    """Records with those that are of no use, by ``faults``; and how many found no row to join, by the field's name."""

    records: list[Any] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    unmatched: Counter[str] = field(default_factory=Counter)


class Shaper:
    """One stream's shape. Where it ``is_plain``, records are passed on as they are, and nobody need call it.

    ``zone`` is the college's, for what ``fields`` do with times.
    """

    def __init__(self, stream: Stream, joiner: Joiner | None = None, *, zone: ZoneInfo = _UTC) -> None:
        self._explode = compile_explode(stream.explode) if stream.explode else None
        self._holds = compile_conditions(stream.when) if stream.when else None
        self._joiner = joiner
        self._prune = compile_fields(stream.fields, zone) if stream.fields else None
        self.is_plain = not (stream.explode or stream.when or stream.fields or joiner)
        # Whether one record in is one record out, so that the source's own total is theirs too.
        self.keeps_count = not (stream.explode or stream.when)

    def shape(self, records: Sequence[Any], parent: dict[str, Any] | None = None) -> Shaped:
        """The records in order. What is no object has no shape; it is passed on, to be rejected where all are."""
        shaped = Shaped()
        for record in records:
            if not isinstance(record, dict):
                shaped.records.append(record)
                continue
            whole = record if parent is None else {**record, "parent": parent}
            try:
                for part in self._parts(whole):
                    self._finish(part, shaped)
            except InvalidInput as error:
                self._fault(whole, error.code, str(error), shaped)
        return shaped

    def _parts(self, record: dict[str, Any]) -> Iterator[dict[str, Any]]:
        parts = self._explode(record) if self._explode else iter((record,))
        return filter(self._holds, parts) if self._holds else parts

    def _finish(self, record: dict[str, Any], shaped: Shaped) -> None:
        if self._joiner is not None:
            record, missing = self._joiner.join(record)
            shaped.unmatched.update(join.as_ for join in missing)
            required = next((join for join in missing if join.required), None)
            if required is not None:
                words = f"No row of '{required.stream}' has this record's '{required.left}'."
                self._fault(record, "no_match", words, shaped)
                return
        shaped.records.append(self._prune(record) if self._prune else record)

    def _fault(self, record: dict[str, Any], code: str, message: str, shaped: Shaped) -> None:
        shaped.faults.append(Fault(index=len(shaped.records), code=code, message=message))
        shaped.records.append(record)
