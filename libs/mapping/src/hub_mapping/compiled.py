"""A compiled mapping: raw records in, canonical records and rejects out. Pure, and the same for the same input."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from hub_model.base import format_datetime
from hub_model.encoded import EncodedObject
from hub_model.errors import Issue
from hub_model.messages import MAX_RECORD_GROWTH_BYTES, Reject
from hub_model.records import DataType
from hub_model.rivals import Losses

from hub_mapping.alike import Canonical, settle_alike
from hub_mapping.conditions import Holds
from hub_mapping.filling import Filler
from hub_mapping.flaws import kind_of
from hub_mapping.keys import content_hash, key_of
from hub_mapping.kinds import Read
from hub_mapping.rules import CompiledRule, shown
from hub_mapping.schemas import DELETED, RECORD_STATUS, SOURCE_ID, SOURCE_UPDATED_AT, Field
from hub_mapping.shapes import Shapes
from hub_mapping.unmapped import unmapped_paths
from hub_mapping.validate import COMPLETION, IDENTITY

# What becomes of a record that the mapping does not want.
_SKIPPED: Canonical = {}

# What surrounds data, key and source id of a record on the wire, rounded up; and a character at its longest in JSON.
_FRAME_BYTES = 192
_CHARACTER_BYTES = 6


@dataclass(frozen=True, slots=True)
class MappedBatch:
    """What became of a batch. Every raw record is a record, a reject, a duplicate or skipped.

    ``overruled`` records said something else than another of their key, and were no other state of the same row: of the
    same time or of none, or of another row by its ``sourceId``. ``undecided`` ones were of another time, and one of the
    two tells no ``sourceId``.
    """

    records: list[Canonical]
    rejects: list[Reject]
    duplicates: int
    skipped: int
    overruled: int = 0
    undecided: int = 0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a mapping compiles to.

    ``defaults`` read the raw field of the same name; with ``everything`` all other raw fields are kept too.
    ``required`` is what every record must have, ``key_parts`` what identifies it. ``wanted`` and ``gone`` are the
    conditions of the mapping, if it has any; ``deletes``: every record is a delete.
    """

    data_type: DataType
    fields: Mapping[str, Field]
    rules: tuple[CompiledRule, ...]
    defaults: Mapping[str, Read]
    everything: bool
    required: tuple[str, ...]
    key_parts: tuple[tuple[str, ...], ...]
    wanted: Holds | None = None
    gone: Holds | None = None
    deletes: bool = False


class CompiledMapping:
    """The mapping of one endpoint, ready for any number of batches."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._shapes = Shapes(plan.defaults, plan.fields, everything=plan.everything)
        self._filler = Filler(plan.fields, plan.rules, self._shapes)
        self._key_of = key_of(plan.key_parts)
        self._key_fields = tuple(name for part in plan.key_parts for name in part)
        self._identify = IDENTITY.get(plan.data_type)
        self._complete = COMPLETION.get(plan.data_type)
        self._wanted = plan.wanted
        self._gone: Holds | None = (lambda _raw: True) if plan.deletes else plan.gone

    def map_batch(self, records: Sequence[object], *, observed_at: datetime, is_partial: bool = False) -> MappedBatch:
        """Map every record. Never raises, whatever JSON they are.

        Of several records with one key one is kept, see ``alike``. ``observed_at`` is the version of a record whose
        source gives none, and no version is later than it. ``is_partial``: the records may hold only what has changed,
        as pushed ones do, so what they do not mention stays as it is stored, or as an older one of the same key says.
        """
        observed = format_datetime(observed_at)
        kept: dict[str, Canonical] = {}
        alike: dict[str, list[Canonical]] = {}
        rejects: list[Reject] = []
        skipped, losses = 0, Losses()
        for index, raw in enumerate(records):
            issues: list[Issue] = []
            mapped = self._map(raw, observed, issues, is_partial=is_partial)
            if not mapped:
                if mapped is _SKIPPED:
                    skipped += 1
                    continue
                rejects.append(Reject.model_construct(index=index, raw=raw, issues=[_plain(issue) for issue in issues]))
                continue
            key = mapped["key"] or f"row {mapped['sourceId']}"
            first = kept.setdefault(key, mapped)
            if first is not mapped:
                alike.setdefault(key, [first]).append(mapped)
        gone: list[Canonical] = []
        for key, of_one in alike.items():
            (kept[key], *others), lost = settle_alike(of_one, observed, is_partial=is_partial)
            gone += others
            losses += lost
        told = [*kept.values(), *gone]
        duplicates = len(records) - len(rejects) - len(told) - skipped
        return MappedBatch(told, rejects, duplicates, skipped, losses.overruled, losses.undecided)

    def unmapped_fields(self, sample: Sequence[object]) -> list[str]:
        """The paths in sample records that fill nothing, for a person to look over."""
        used = {path for rule in self._plan.rules for path in rule.paths}
        for record in sample:
            if isinstance(record, dict):
                used |= {raw for _name, raw, _read, _length in self._shapes.shape_of(record).every}
        return unmapped_paths(sample, used)

    def _map(self, raw: object, observed: str, issues: list[Issue], *, is_partial: bool) -> Canonical | None:
        """The canonical record, or None and everything that is wrong with it, or that it is skipped."""
        if type(raw) is not dict:
            issues.append(Issue("", "not_an_object", f"A record is an object; this one is {kind_of(raw)}."))
            return None
        data = self._filler.fill(raw, issues, is_partial=is_partial)
        source_id, updated_at = data.pop(SOURCE_ID, None), data.pop(SOURCE_UPDATED_AT, None)
        deleted = data.pop(DELETED, False) or data.get(RECORD_STATUS) == "deleted"
        if self._gone is not None:
            deleted = deleted or self._gone(raw)
        if self._wanted is not None and not deleted and not self._wanted(raw) and not _is_unclear(issues):
            return _SKIPPED
        if deleted:
            data = {name: data[name] for name in self._key_fields if name in data}
            issues[:] = [issue for issue in issues if issue.pointer[1:] in self._key_fields]
        self._validate(data, deleted, issues)
        key = ""
        if not issues:
            key = self._key_of(data)
        elif not deleted or source_id is None or any(issue.code != "missing" for issue in issues):
            return None
        else:
            # Hardly anything is left of what is gone: who writes it finds the record by the source's row.
            data = {}
            issues.clear()
        payload = orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
        mapped: Canonical = {
            "key": key,
            "data": EncodedObject(data, payload),
            "hash": content_hash(payload, deleted=deleted),
            "version": updated_at if updated_at is not None and updated_at < observed else observed,
        }
        if source_id is not None:
            mapped["sourceId"] = source_id
        if deleted:
            mapped["deleted"] = True
        return mapped if _may_travel(mapped, payload, raw, issues) else None

    def _validate(self, data: dict[str, Any], deleted: bool, issues: list[Issue]) -> None:
        found: list[Issue] = []
        if self._identify is not None:
            found += self._identify(data)
        if self._complete is not None and not deleted:
            found += self._complete(data)
        for name in self._plan.required:
            if data.get(name) is None and not (deleted and name not in self._key_fields):
                found.append(Issue(f"/{name}", "missing", self._missing_message(name)))
        if found:
            known = {issue.pointer for issue in issues}
            issues += [issue for issue in found if issue.pointer not in known]

    def _missing_message(self, name: str) -> str:
        for rule in self._plan.rules:
            if rule.field.name == name:
                return f"Has no value at {shown(rule.paths)}. Correct the path, or give a default."
        return f"Has no value: the source has no field {name}. Map {name} to the field that holds it."


def _is_unclear(issues: list[Issue]) -> bool:
    """Whether the record may be a delete, with a marker that cannot be read."""
    return any(issue.pointer == "/deleted" for issue in issues)


def _may_travel(mapped: Canonical, payload: bytes, raw: object, issues: list[Issue]) -> bool:
    """Whether the record is not so much larger than the raw one that its batch might outgrow a message."""
    key, source_id = mapped["key"], mapped.get("sourceId", "")
    # A quick bound first: nearly every record is small.
    bound = len(payload) + _CHARACTER_BYTES * (len(key) + len(source_id)) + _FRAME_BYTES
    if bound <= MAX_RECORD_GROWTH_BYTES:
        return True
    size = len(payload) + len(orjson.dumps([key, source_id])) + _FRAME_BYTES
    growth = size - _encoded_size(raw)
    if growth <= MAX_RECORD_GROWTH_BYTES:
        return True
    message = f"The mapping makes it {growth} bytes larger than the source's record; map fewer or shorter fields."
    issues.append(Issue("", "too_large", message))
    return False


def _encoded_size(raw: object) -> int:
    try:
        return len(orjson.dumps(raw))
    except orjson.JSONEncodeError:
        return 0  # half a surrogate pair and the like: such a record never came in a message


def _plain(issue: Issue) -> dict[str, str]:
    return {"pointer": issue.pointer, "code": issue.code, "message": issue.message}
