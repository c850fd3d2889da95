"""Properties over random mappings and records: the compiled form is what the rules say, and nothing breaks it."""

import json
from collections.abc import Mapping as AnyMapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from hub_mapping import compile_conditions, compile_mapping
from hub_mapping.filling import Filler
from hub_mapping.kinds import Read, reader
from hub_mapping.schemas import SCHEMAS, Field, Kind
from hub_mapping.shapes import Shapes
from hub_mapping.transforms import TRANSFORMS
from hub_mapping.vocabularies import Unmapped
from hub_model.errors import InvalidInput, Issue
from hub_model.mappings import Candidate, Mapping, Rule
from hub_model.records import DataType
from hypothesis import given, settings
from hypothesis import strategies as st

OBSERVED = datetime(2024, 1, 20, 12, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Kolkata")

NAMES = ["a", "b", "a.b", "student_id", "studentId", "name", "attendance", "date", "subject", "marks", "0", "$x", ""]
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-5, 5)
    | st.floats()
    | st.text(st.characters(exclude_categories=[]))
    | st.sampled_from(
        ["2024-01-15", "15/01/2024", " P ", "absent", "CS01", "007", "85.5", "1,234", "09:30", "a,b", "\0"]
    )
)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=3), inner),
    max_leaves=8,
)
records = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), json_values, max_size=8)
# Records whose canonical fields are right, so that what the rules make of the rest decides.
sound = st.dictionaries(st.sampled_from(["a", "b", "a.b", "0", "x"]), json_values | scalars, max_size=5).map(
    lambda rest: {"studentId": "CS01", "date": "2024-01-15", "attendance": "P", **rest}
)
paths = st.sampled_from(
    ["a", "b", "a.b", "a.0", "a.b.0", "b.a.b", "name", "student_id", "nowhere.x", "a.*", "*.a", "*", "a.*.b.*"]
)
steps = st.sampled_from(
    [
        "trim", "lower", "upper", "string", "boolean", "integer", "decimal", "date", "time", "datetime", "coalesce",
        ["null_if", "P", "0"], ["map", {"P": "present", "007": "absent"}], ["map", {"P": "present"}, "late"],
        ["date", "%d/%m/%Y"], ["date", "epoch_s"], ["datetime", "iso"], ["time", "iso"], ["split", ","],
        ["split", ",", 1], ["concat", "-", "b", "a.0"], ["coalesce", "b"], ["decimal", {"grouping": ","}],
        "first", "last", "values", "strip_html", "urlencode", "date_parts", "ref_id", "hash", "unknown", ["tail", "a"],
        ["regex", "[0-9]+"], ["regex", "(a)|b"], ["multiply", 100], ["multiply", 0.01, 2], ["add_seconds", "b"],
        ["add_seconds", 60], ["template", "{}-{b}"], ["filter", {"path": "a", "exists": True}], ["pluck", "a.b"],
        ["find", "a", "b", "a"], ["find", "b", "a"], ["rank", "a.*", {"highest": "present", "zero": "absent"}],
        ["map", {"*0*": "present"}], ["date", ["%d/%m/%Y", "iso"]], ["time", "iso", {"seconds": "cut"}],
    ]
)  # fmt: skip
TARGETS = ["studentId", "name", "attendance", "date", "subject", "remarks", "checkInAt", "startTime", "extensions.x"]
conditions = st.fixed_dictionaries({"path": paths}, optional={"not": st.booleans()}).flatmap(
    lambda condition: st.sampled_from([{"exists": True}, {"equals": None}, {"equals": "P"}, {"matches": "[0-9]"}]).map(
        lambda test: {**condition, **test}
    )
)
candidate = st.fixed_dictionaries(
    {"from": paths | st.lists(paths, min_size=1, max_size=2)},
    optional={"do": st.lists(steps, max_size=2), "when": st.lists(conditions, max_size=2)},
) | st.fixed_dictionaries({"const": st.sampled_from(["absent", "2024-01-15", 5, None])})
rule = st.fixed_dictionaries(
    {"to": st.sampled_from(TARGETS), "from": paths | st.lists(paths | candidate, min_size=1, max_size=3)},
    optional={"do": st.lists(steps, max_size=3), "required": st.booleans()},
)
mappings = st.builds(
    lambda rules, **rest: {"rules": list({rule["to"]: rule for rule in rules}.values()), **rest},
    st.lists(rule, max_size=6),
    deleted=st.none() | paths,
    sourceId=st.none() | paths,
    when=st.lists(conditions, max_size=1),
    deletedWhen=st.lists(conditions, max_size=1),
)


def try_compile(document: AnyMapping[str, object], data_type: DataType = DataType.ATTENDANCE) -> Any:
    """None where the mapping is refused, as one whose map gives words its field does not have."""
    try:
        return compile_mapping(Mapping.model_validate(document), data_type, time_zone=ZONE.key)
    except InvalidInput:
        return None


def follow(value: object, steps: list[str]) -> object:
    """A path, the slow and obvious way."""
    found = follow_all(value, steps)
    if "*" in steps:
        return [entry for entry in found if entry is not None] or None
    return found[0] if found else None


def follow_all(value: object, steps: list[str]) -> list[object]:
    if not steps:
        return [value]
    if steps[0] == "*":
        entries = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
        return [found for entry in entries for found in follow_all(entry, steps[1:])]
    plain = steps.index("*") if "*" in steps else len(steps)
    if isinstance(value, dict):
        for length in range(plain, 0, -1):
            name = ".".join(steps[:length])
            if name in value:
                return follow_all(value[name], steps[length:])
    if isinstance(value, list) and steps[0] in {str(place) for place in range(len(value))}:
        return follow_all(value[int(steps[0])], steps[1:])
    return []


def run_steps(value: object, do: list[Any], record: dict[str, object]) -> object:
    for step in do:
        word, arguments = (step, []) if isinstance(step, str) else (str(step[0]), step[1:])
        transform = TRANSFORMS[word]
        if isinstance(value, Unmapped) or (value in (None, "") and not transform.sees_missing):
            continue
        value = transform.build(arguments, ZONE)(value, record)
    return value


def value_of(origin: str | Candidate, record: dict[str, object]) -> object:
    """What one path or candidate gives."""
    if isinstance(origin, str):
        return follow(record, origin.split("."))
    if not compile_conditions(origin.when)(record):
        return None
    if origin.from_ is None:
        return origin.const
    tried = [origin.from_] if isinstance(origin.from_, str) else origin.from_
    found = [follow(record, path.split(".")) for path in tried]
    return run_steps(next((value for value in found if value not in (None, "")), None), origin.do, record)


def interpret(rule: Rule, record: dict[str, object]) -> object:
    """The value of a rule, the slow and obvious way: everything is looked up and built anew."""
    name, _, entry = rule.to.partition(".")
    field = Field(rule.to, Kind.JSON) if entry else SCHEMAS[DataType.ATTENDANCE][name]
    value, unmapped = None, None
    for origin in [rule.from_] if isinstance(rule.from_, str) else rule.from_ or []:
        value = value_of(origin, record)
        if isinstance(value, Unmapped):
            value, unmapped = None, unmapped or value
        if value not in (None, ""):
            break
    value = run_steps(unmapped if value in (None, "") and unmapped else value, rule.do, record)
    if isinstance(value, Unmapped) and field.kind is not Kind.WORD:
        raise InvalidInput("", code="unmapped")
    value = None if value in (None, "") else reader(field, ZONE)(value)
    if value is None and rule.required:
        raise InvalidInput("", code="missing")
    return value


@settings(max_examples=300, deadline=None)
@given(mappings, st.lists(sound, min_size=1, max_size=4))
def test_a_compiled_rule_gives_what_a_slow_interpreter_gives(
    document: dict[str, Any], raws: list[dict[str, object]]
) -> None:
    mapping = try_compile({"rules": document["rules"]})
    if mapping is None:
        return
    rules = [Rule.model_validate(rule) for rule in document["rules"]]
    for raw in raws:
        batch = mapping.map_batch([raw], observed_at=OBSERVED)
        codes = {issue["pointer"]: issue["code"] for reject in batch.rejects for issue in reject.issues}
        for rule in rules:
            pointer = "/" + rule.to.replace(".", "/")
            try:
                expected = interpret(rule, raw)
            except InvalidInput as error:
                assert codes[pointer] == error.code  # noqa: PT017 - either outcome is right, and is checked
                continue
            assert codes.get(pointer) in {None, "missing"}
            if batch.records:
                assert_filled(batch.records[0]["data"], rule, expected)


def assert_filled(data: dict[str, Any], rule: Rule, expected: object) -> None:
    name, _, entry = rule.to.partition(".")
    if entry:
        assert data[name].get(entry) == expected
    elif isinstance(expected, Unmapped):
        assert (data[name], data["extensions"][f"{name}Raw"]) == ("unknown", expected.raw)
    else:
        assert data[name] == expected


@settings(max_examples=250, deadline=None)
@given(
    mappings,
    st.lists(json_values | records, max_size=6),
    st.sampled_from([data_type for data_type in DataType if data_type is not DataType.CUSTOM]),
)
def test_mapping_never_raises_and_loses_no_record(
    document: dict[str, Any], raws: list[object], data_type: DataType
) -> None:
    mapping = try_compile(document, data_type) or try_compile({}, data_type)
    before = repr(raws)
    batch = mapping.map_batch(raws, observed_at=OBSERVED)
    assert len(batch.records) + len(batch.rejects) + batch.duplicates + batch.skipped == len(raws)
    assert repr(raws) == before
    assert len({record["key"] for record in batch.records}) == len(batch.records)
    assert all(reject.issues and reject.raw is raws[reject.index] for reject in batch.rejects)
    for record in batch.records:
        assert all(isinstance(part, str) for part in json.loads(record["key"]))
        assert orjson.loads(orjson.dumps(record)) == record
    mapping.unmapped_fields(raws)


@settings(max_examples=120, deadline=None)
@given(records)
def test_a_custom_record_is_kept_whole_or_rejected(raw: dict[str, object]) -> None:
    mapping = try_compile({"key": ["name"]}, DataType.CUSTOM)
    batch = mapping.map_batch([raw], observed_at=OBSERVED)
    for record in batch.records:
        data = record["data"]
        assert {name: value for name, value in raw.items() if name != "name"} == {
            name: value for name, value in data.items() if name != "name"
        }
        assert orjson.loads(orjson.dumps(data)) == data


@settings(max_examples=120, deadline=None)
@given(mappings, st.lists(records, max_size=6))
def test_mapping_is_deterministic_whatever_was_mapped_before(
    document: dict[str, Any], raws: list[dict[str, object]]
) -> None:
    first, second = try_compile(document), try_compile(document)
    if first is None or second is None:
        return
    for raw in reversed(raws):
        second.map_batch([raw], observed_at=OBSERVED)
    expected = first.map_batch(raws, observed_at=OBSERVED)
    assert repr(second.map_batch(raws, observed_at=OBSERVED)) == repr(expected)
    assert repr(first.map_batch(raws, observed_at=OBSERVED)) == repr(expected)


@settings(max_examples=300, deadline=None)
@given(st.lists(steps, max_size=4), json_values, records)
def test_no_transform_raises_anything_but_invalid_input(
    do: list[Any], value: object, record: dict[str, object]
) -> None:
    for step in do:
        word, arguments = (step, []) if isinstance(step, str) else (step[0], step[1:])
        if value is None or isinstance(value, Unmapped):
            return
        try:
            value = TRANSFORMS[word].build(arguments, ZONE)(value, record)
        except InvalidInput:
            return


plain_texts = st.text(st.characters(codec="ascii"), max_size=12) | st.sampled_from(
    ["", " ", " a ", "\0", "a\0", "a\u0301", "\u00a0", "x" * 256, "x" * 257, "\x1f a", "007", "A@B.EDU"]
)


def fill(fields: list[Field], raw: dict[str, object]) -> tuple[dict[str, object], list[Issue]]:
    """What is made of the raw fields of the same names."""
    readers: dict[str, Read] = {field.name: reader(field, ZONE) for field in fields}
    known = {field.name: field for field in fields}
    issues: list[Issue] = []
    return Filler(known, (), Shapes(readers, known, everything=False)).fill(raw, issues), issues


@settings(max_examples=400)
@given(st.data())
def test_fields_taken_together_are_what_they_are_one_by_one(data: st.DataObject) -> None:
    schema = SCHEMAS[data.draw(st.sampled_from([name for name in SCHEMAS if len(SCHEMAS[name]) > 1]))]
    candidates = [name for name in schema if name != "extensions"]
    names = data.draw(st.lists(st.sampled_from(candidates), min_size=2, max_size=8, unique=True))
    fields = [schema[name] for name in names]
    # Plain but for one, as it would mostly be: a single value that is not plain sends a record the other way.
    raw: dict[str, object] = dict.fromkeys(names, data.draw(st.sampled_from(["a", " b ", "007"])))
    raw[data.draw(st.sampled_from(names))] = data.draw(plain_texts | scalars)
    together, issues = fill(fields, raw)
    alone = [fill([field], {field.name: raw[field.name]}) for field in fields]
    extensions = {name: raw for taken, _ in alone for name, raw in (taken.pop("extensions", None) or {}).items()}
    expected = {name: value for taken, _ in alone for name, value in taken.items()}
    if "extensions" in together or extensions:
        expected["extensions"] = extensions
    assert together == expected
    assert {issue.pointer for issue in issues} == {issue.pointer for _, found in alone for issue in found}
