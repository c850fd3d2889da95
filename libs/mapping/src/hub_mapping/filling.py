"""Fills canonical fields from one raw record: by rule, or from the field of the same name."""

from collections.abc import Mapping
from typing import Any

from hub_model.errors import InvalidInput, Issue

from hub_mapping.paths import compile_presence
from hub_mapping.rules import CompiledRule
from hub_mapping.schemas import EXTENSIONS, Field
from hub_mapping.shapes import Shapes
from hub_mapping.vocabularies import Unmapped


class Filler:
    """The rules and defaults of one mapping, in the order they are applied."""

    def __init__(self, fields: Mapping[str, Field], rules: tuple[CompiledRule, ...], shapes: Shapes) -> None:
        self._shapes = shapes
        told = [(rule, compile_presence(rule.paths)) for rule in rules]
        self._rules = tuple((rule.field.name, rule.produce, is_told) for rule, is_told in told if rule.entry is None)
        self._entries = tuple(
            (rule.field.name, rule.entry, rule.produce, is_told) for rule, is_told in told if rule.entry is not None
        )
        self._fallbacks = {field.name: field.words.fallback for field in fields.values() if field.words is not None}

    def fill(self, raw: Mapping[str, Any], issues: list[Issue], *, is_partial: bool = False) -> dict[str, Any]:
        """The canonical fields that ``raw`` has a value for, or says null of; what is wrong goes to ``issues``.

        A rule fills its field in every record, with null or its default if need be; unless the record is partial:
        then a rule at whose paths nothing is said leaves its field alone.
        """
        # The two loops are alike, and apart: this is where most of the time of a sync is spent.
        data: dict[str, Any] = {}
        strays: dict[str, object] | None = None
        shape = self._shapes.shape_of(raw)
        copies = shape.every
        # Most values are plain text: for those of a record together this says what their readers would, one by one.
        if shape.plain is not None and (texts := shape.plain.texts(raw)) is not None:
            data.update(zip(shape.plain.names, texts, strict=True))
            copies = shape.others
        for name, raw_name, read, _plain_length in copies:
            value = raw[raw_name]
            try:
                value = read(value)
            except InvalidInput as error:
                issues.append(_issue(name, error))
                continue
            if type(value) is Unmapped:
                strays, value = {**(strays or {}), f"{name}Raw": value.raw}, self._fallbacks[name]
            data[name] = value
        for name, produce, is_told in self._rules:
            if is_partial and not is_told(raw):
                continue
            try:
                value = produce(raw)
            except InvalidInput as error:
                issues.append(_issue(name, error))
                continue
            if type(value) is Unmapped:
                strays, value = {**(strays or {}), f"{name}Raw": value.raw}, self._fallbacks[name]
            data[name] = value
        if self._entries:
            self._fill_entries(raw, data, issues, is_partial=is_partial)
        if strays is not None:
            data[EXTENSIONS] = {**(data.get(EXTENSIONS) or {}), **strays}
        return data

    def _fill_entries(
        self, raw: Mapping[str, Any], data: dict[str, Any], issues: list[Issue], *, is_partial: bool
    ) -> None:
        for name, entry, produce, is_told in self._entries:
            if is_partial and not is_told(raw):
                continue
            # A copy: what is there may be the raw record's own object.
            entries = data[name] = dict(data.get(name) or {})
            try:
                value = produce(raw)
            except InvalidInput as error:
                issues.append(_issue(name, error, entry))
                continue
            if value is not None:
                entries[entry] = value


def _issue(name: str, error: InvalidInput, entry: str = "") -> Issue:
    # Without a name it is the record itself; $deleted is what the mapping calls deleted.
    parts = [name.removeprefix("$"), entry]
    pointer = "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in parts if part)
    return Issue(pointer, error.code, str(error))
