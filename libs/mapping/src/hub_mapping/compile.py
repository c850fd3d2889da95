"""Compiles a mapping, once per version, to what maps its records."""

import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from zoneinfo import ZoneInfo

from hub_model.conditions import Condition
from hub_model.mappings import Mapping, Rule
from hub_model.records import DataType

from hub_mapping.compiled import CompiledMapping, Plan
from hub_mapping.conditions import Holds, add_conditions
from hub_mapping.deletion import is_deleted
from hub_mapping.flaws import flaw
from hub_mapping.keys import KEY_PARTS
from hub_mapping.kinds import Read, reader
from hub_mapping.origins import paths_of
from hub_mapping.paths import compile_path
from hub_mapping.problems import Problems
from hub_mapping.rules import CompiledRule, compile_rule
from hub_mapping.schemas import DELETED, OPEN_FIELDS, SCHEMAS, SOURCE_ID, SOURCE_UPDATED_AT, Field, Kind, custom_field
from hub_mapping.transforms.times import find_zone
from hub_mapping.validate import NAME_PARTS

_FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


def compile_mapping(mapping: Mapping, data_type: DataType, *, time_zone: str, deletes: bool = False) -> CompiledMapping:
    """The compiled form of ``mapping``; ``time_zone`` is the integration's, for a mapping that names none.

    With ``deletes`` every record is a delete (``Endpoint.deletes``): its key is all it needs.

    Raises InvalidInput with every problem, each with its JSON Pointer into the mapping.
    """
    return _Compiler(mapping, data_type, time_zone, deletes=deletes).compile()


class _Compiler:
    """One compilation: what was found so far, and what is wrong."""

    def __init__(self, mapping: Mapping, data_type: DataType, time_zone: str, *, deletes: bool) -> None:
        self._mapping = mapping
        self._data_type = data_type
        self._deletes = deletes
        self._problems = Problems()
        self._zone = ZoneInfo("UTC")
        with self._problems.at("/timeZone"):
            self._zone = find_zone(mapping.time_zone or time_zone)
        self._fields = dict(SCHEMAS[data_type])
        self._rules: dict[str, CompiledRule] = {}

    def compile(self) -> CompiledMapping:
        key_parts = self._key_parts()
        for place, rule in enumerate(self._mapping.rules):
            self._add_rule(rule, f"/rules/{place}")
        self._add_own(SOURCE_ID, "/sourceId", self._mapping.source_id, reader(self._fields[SOURCE_ID], self._zone))
        self._add_own(DELETED, "/deleted", self._mapping.deleted, is_deleted)
        self._add_updated_at()
        wanted = self._conditions(self._mapping.when, "/when")
        gone = self._conditions(self._mapping.deleted_when, "/deletedWhen")
        required = tuple(field.name for field in self._fields.values() if field.required)
        if self._mapping.only:
            keys = {name for part in key_parts for name in part}
            self._check_required([name for name in required if not self._deletes or name in keys])
        self._problems.raise_any(f"The mapping of {self._data_type}")
        is_custom = self._data_type is DataType.CUSTOM
        return CompiledMapping(
            Plan(
                data_type=self._data_type,
                fields=self._fields,
                rules=tuple(self._rules.values()),
                defaults=self._defaults(),
                # A custom record has no canonical fields: without rules, all it has is taken.
                everything=is_custom and not self._mapping.rules and not self._mapping.only,
                required=required,
                key_parts=key_parts,
                wanted=wanted,
                gone=gone,
                deletes=self._deletes,
            )
        )

    def _key_parts(self) -> tuple[tuple[str, ...], ...]:
        names = self._mapping.key
        if self._data_type is not DataType.CUSTOM:
            if names:
                message = f"What identifies {self._data_type} is fixed; leave key out."
                self._problems.add("/key", "not_allowed", message)
            return KEY_PARTS[self._data_type]
        if not names or len(set(names)) < len(names):
            message = 'Name the fields that identify a custom record, each once, such as ["bookId"].'
            self._problems.add("/key", "missing", message)
        for place, name in enumerate(names):
            with self._problems.at(f"/key/{place}"):
                if not _FIELD_NAME.fullmatch(name):
                    raise flaw("bad_name", "A field's name is letters, digits and _, and begins with a letter.")
                if name in SCHEMAS[DataType.CUSTOM]:
                    raise flaw("not_allowed", f"{name} describes the source's row; name a field of the record.")
            self._fields.setdefault(name, Field(name, Kind.ID, required=True, max_length=256))
        return tuple((name,) for name in names)

    def _add_rule(self, rule: Rule, pointer: str) -> None:
        name, _, entry = rule.to.partition(".")
        field = self._field(name, f"{pointer}/to")
        if field is None:
            return
        if rule.to in self._rules:
            self._problems.add(f"{pointer}/to", "duplicate", f"{rule.to} has a rule already; a field has one.")
        elif entry and name not in OPEN_FIELDS:
            message = f"Only {' and '.join(sorted(OPEN_FIELDS))} have entries; write {name} alone."
            self._problems.add(f"{pointer}/to", "unknown_field", message)
        else:
            filled = Field(rule.to, Kind.JSON if field.kind is Kind.OBJECT else Kind.TEXT) if entry else field
            produce = compile_rule(rule, filled, self._zone, problems=self._problems, pointer=pointer)
            if produce is not None:
                self._rules[rule.to] = CompiledRule(field, entry or None, produce, paths_of(rule))

    def _field(self, name: str, pointer: str) -> Field | None:
        if name not in self._fields and self._data_type is DataType.CUSTOM:
            self._fields[name] = custom_field(name)
        if name not in self._fields:
            close = get_close_matches(name, self._fields, n=1)
            hint = f"Did you mean {close[0]}? " if close else ""
            allowed = ", ".join(sorted(self._fields))
            message = f"There is no such field. {hint}The fields of {self._data_type}: {allowed}."
            self._problems.add(pointer, "unknown_field", message)
        return self._fields.get(name)

    def _add_own(self, name: str, pointer: str, path: str | None, read: Callable[[object], object]) -> None:
        """One of the mapping's own paths, as a rule for a field that is not in the data."""
        if path is None:
            return
        if name in self._rules:
            self._problems.add(pointer, "duplicate", f"A rule fills {name} already; give one of the two.")
        with self._problems.at(pointer):
            pick = compile_path(path)
            self._rules[name] = CompiledRule(Field(name, Kind.JSON), None, lambda raw: read(pick(raw)), (path,))

    def _add_updated_at(self) -> None:
        rule = self._mapping.updated_at
        if rule is None:
            return
        if SOURCE_UPDATED_AT in self._rules:
            message = f"A rule fills {SOURCE_UPDATED_AT} already; give one of the two."
            self._problems.add("/updatedAt", "duplicate", message)
        field = self._fields[SOURCE_UPDATED_AT]
        produce = compile_rule(rule, field, self._zone, problems=self._problems, pointer="/updatedAt")
        if produce is not None:
            self._rules[SOURCE_UPDATED_AT] = CompiledRule(field, None, produce, paths_of(rule))

    def _conditions(self, conditions: Sequence[Condition], pointer: str) -> Holds | None:
        return add_conditions(conditions, self._problems, pointer) if conditions else None

    def _check_required(self, required: Sequence[str]) -> None:
        """With ``only``, what has no rule has no value."""
        for name in required:
            derived = name == "name" and any(part in self._rules for part in NAME_PARTS)
            if name not in self._rules and not derived:
                message = f"No rule fills {name}, which every record of {self._data_type} must have."
                self._problems.add("/rules", "missing", message)

    def _defaults(self) -> dict[str, Read]:
        """The readers of the fields that are taken from the raw field of the same name."""
        if self._mapping.only:
            return {}
        return {name: reader(field, self._zone) for name, field in self._fields.items() if name not in self._rules}
