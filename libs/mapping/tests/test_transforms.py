"""The vocabulary of ``do``."""

from zoneinfo import ZoneInfo

import pytest
from hub_mapping.transforms import TRANSFORMS
from hub_mapping.vocabularies import Unmapped
from hub_model.errors import InvalidInput
from pydantic import JsonValue

INDIA = ZoneInfo("Asia/Kolkata")


def apply(do: JsonValue, value: object, record: dict[str, object] | None = None) -> object:
    name, *arguments = [do] if isinstance(do, str) else do
    return TRANSFORMS[name].build(arguments, INDIA)(value, record or {})


def refusal(do: JsonValue, value: object) -> str:
    with pytest.raises(InvalidInput) as refused:
        apply(do, value)
    return refused.value.code


@pytest.mark.parametrize("name", TRANSFORMS)
def test_every_transform_does_what_its_example_says(name: str) -> None:
    example = TRANSFORMS[name].example
    found = apply(example.do, example.value, dict(example.record))
    if isinstance(found, Unmapped):
        found = None
    assert found == example.gives
    assert type(found) is type(example.gives)


def test_the_vocabulary_is_what_the_documentation_promises() -> None:
    assert set(TRANSFORMS) == {
        "trim", "lower", "upper", "string", "boolean", "null_if", "map", "integer", "decimal",
        "date", "time", "datetime", "concat", "split", "coalesce", "regex", "tail", "strip_html", "urlencode", "rank",
        "unknown", "multiply", "date_parts", "add_seconds", "template", "hash", "first", "last", "values", "filter",
        "pluck", "find", "ref_id",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("do", "value", "result"),
    [
        ("trim", 101, "101"),
        ("trim", [" a ", 2], ["a", "2"]),
        ("string", "007", "007"),
        ("string", " x ", " x "),
        ("string", 8.0, "8"),
        ("string", True, "true"),
        ("boolean", False, False),
        ("boolean", " NO ", False),
        ("boolean", 1, True),
        ("boolean", " ", None),
        (["null_if", "-"], 5, 5),
        (["null_if", 0], 0, None),
        (["null_if", 0], "0", None),
        (["null_if", "-"], ["-"], ["-"]),
        (["map", {"1": "a", "true": "b"}], 1, "a"),
        (["map", {"1": "a", "true": "b"}], True, "b"),
        (["map", {"1": "a"}], 1.0, "a"),
        (["map", {"x": None}], "X", None),
        (["map", {"x": "y"}, "z"], "other", "z"),
        (["map", {"x": "y"}, None], "other", None),
        ("decimal", "85.5", 85.5),
        (["date", "iso"], "2024-01-14T20:00:00Z", "2024-01-15"),
        (["date", "epoch_s", "UTC"], 1705257000, "2024-01-14"),
        (["date", "%d/%m/%Y %H:%M"], "15/01/2024 09:30", "2024-01-15"),
        (["time", "epoch_s"], 1705311000, "15:00"),
        (["datetime", "%d/%m/%Y %H:%M", "UTC"], "15/01/2024 09:30", "2024-01-15T09:30:00.000000Z"),
        (["split", ",", 0], "a, b", "a"),
        (["split", ",", -1], "a, b", "b"),
        (["split", ",", 5], "a, b", None),
        (["split", ","], " , ", []),
        (["concat", "-"], ["a", None, " ", 3], "a-3"),
        (["concat", " "], None, None),
        ("coalesce", [None, " ", "b"], "b"),
        ("coalesce", 0, 0),
        (["map", {"*quiz*": "quiz", "final": "endterm"}, "other"], "Pop-QUIZ 3", "quiz"),
        (["map", {"*_question": "quiz"}, "other"], "SHORT_ANSWER_QUESTION", "quiz"),
        (["map", {"*_question": "quiz"}, "other"], "QUESTION_x", "other"),
        (["map", {"a*b*c": 1}, 0], "a-b-b-c", 1),
        (["map", {"a*a": 1}, 0], "a", 0),
        (["map", {"a*b": 1, "axb": 2}], "AXB", 2),
        (["map", {"a*": 1, "ab*": 2}], "abc", 1),
        (["regex", "course_([0-9]+)"], "group_7", None),
        (["regex", "[0-9]+"], "a12b", "12"),
        (["regex", "([A-Z]+)-([0-9]+)", 2], "CS-101", "101"),
        (["regex", "([A-Z]+)-([0-9]+)", 0], "x CS-101", "CS-101"),
        (["regex", "(x)|(y)", 1], "y", None),
        (["regex", "[0-9]+"], 101, "101"),
        (["regex", "[a-z]"], ["1a", "2"], ["a", None]),
        (["regex", "é+"], "caféé", "éé"),
        (["tail", "#"], "Tardy", "Tardy"),
        (["tail", "/"], ["a/b", "c/"], ["b", ""]),
        ("strip_html", "plain  text\n", "plain text"),
        ("strip_html", "<p></p>", None),
        ("strip_html", "a < b &amp;&nbsp;c<br>d<script>x</script>", "a < b & c d"),
        ("strip_html", "1 <b", "1 <b"),
        (
            ["strip_html", "hi"],
            '<span class="multilang" lang="en">Math</span><span class="multilang" lang="hi">\u0917</span> 1',
            "\u0917 1",
        ),
        (
            ["strip_html", "fr"],
            '<span lang="en" class="multilang">Math<b>s</b></span> <span lang="hi" class="multilang">x</span>',
            "Maths",
        ),
        ("urlencode", "a b/c?d=\u0917", "a%20b%2Fc%3Fd%3D%E0%A4%97"),
        (["multiply", 100], "0.07", 7),
        (["multiply", 100], 1.15, 115),
        (["multiply", 0.1], 3, 0.3),
        (["multiply", 100, 2], 0.123456789, 12.35),
        (["multiply", 100, 0], 0.125, 13),
        (["multiply", -1, 1], 0.25, -0.3),
        (["date", ["%d-%m-%Y", "iso"]], "20-07-2026", "2026-07-20"),
        (["date", ["%d-%m-%Y", "iso"]], "2026-07-19T20:00:00Z", "2026-07-20"),
        (["date", ["iso", "epoch_s"]], 1784516400, "2026-07-20"),
        (
            ["datetime", ["%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M"], "UTC"],
            "20/07/2026 08:31",
            "2026-07-20T08:31:00.000000Z",
        ),
        (["time", ["%H:%M", "%I:%M %p"]], "01:30 PM", "13:30"),
        (["time", {"seconds": "cut"}], "9:30:59", "09:30"),
        (["time", "iso", {"seconds": "cut"}], "2026-07-20T03:00:21Z", "08:30"),
        (["time", "iso", "UTC", {"seconds": "cut"}], "2026-07-20T03:00:21Z", "03:00"),
        ("date_parts", {"year": "2026", "month": 2.0, "day": 28, "more": 1}, "2026-02-28"),
        (["add_seconds", 3600], 1784516400, 1784520000),
        (["add_seconds", 90], "1784516400", 1784516490),
        (["add_seconds", 0.5], 1784516400, 1784516400.5),
        (["add_seconds", 3600], "2026-07-20T08:30:00Z", "2026-07-20T09:30:00.000000Z"),
        (["add_seconds", -60], "2026-07-20T08:30:00", "2026-07-20T02:59:00.000000Z"),
        (["add_seconds", "nowhere"], 1784516400, None),
        (["template", "{}"], 5, "5"),
        (["template", "a{}b{}c"], " x ", "axbxc"),
        (["template", "{} {nowhere}"], "x", None),
        ("hash", None, None),
        ("first", "x", "x"),
        ("first", [], None),
        ("first", ["", None, 0], 0),
        ("last", [1, "", None], 1),
        ("last", {"a": 1}, {"a": 1}),
        ("values", [1], [1]),
        (["filter", {"path": "", "equals": "b"}], ["a", "B"], ["B"]),
        (
            ["filter", [{"path": "a", "exists": True}, {"path": "a", "equals": 1, "not": True}]],
            [{"a": 1}, {"a": 2}, 3],
            [{"a": 2}],
        ),
        (["filter", {"path": "a", "exists": True}], [{}], None),
        (["pluck", "a.b"], {"a": {"b": 1}}, 1),
        (["pluck", "a.*"], [{"a": [1, 2]}, 5, {"a": []}], [[1, 2]]),
        (["pluck", "a"], [{}], None),
        ("ref_id", 57, "57"),
        ("ref_id", {"href": "https://x.edu/users/u-57/"}, "u-57"),
        ("ref_id", {"id": 57, "href": "x/y"}, "57"),
        ("ref_id", {"type": "user"}, None),
    ],
)
def test_a_transform_gives(do: JsonValue, value: object, result: object) -> None:
    found = apply(do, value)
    assert found == result
    assert type(found) is type(result)


def test_concat_and_coalesce_read_other_fields_of_the_record() -> None:
    record: dict[str, object] = {"name": {"last": "Rao"}, "alt": 7, "blank": ""}
    assert apply(["concat", ", ", "name.last", "nowhere", "blank", "alt"], None, record) == "Rao, 7"
    assert apply(["coalesce", "blank", "alt"], None, record) == 7


def test_a_word_that_the_map_does_not_list_is_kept_and_never_guessed() -> None:
    assert apply(["map", {"P": "present"}], " Late ") == Unmapped("Late")
    assert apply(["map", {"P": "present"}], False) == Unmapped(False)
    assert apply(["map", {"P": "present"}], 10**30) == Unmapped(str(10**30))


@pytest.mark.parametrize(
    ("do", "value"),
    [
        ("trim", True),
        ("lower", {}),
        ("upper", [[1]]),
        ("string", None),
        ("boolean", "maybe"),
        ("boolean", 2),
        ("boolean", []),
        ("integer", "12.7"),
        ("decimal", "1,234"),
        (["map", {"a": "b"}], ["a"]),
        (["map", {"a": "b"}], "x" * 300),
        ("date", "15/01/2024"),
        (["date", "%d/%m/%Y"], "2024-01-15"),
        (["date", "epoch_s"], "soon"),
        (["time", "iso"], "2024-01-15T09:30:15"),
        (["split", ","], 5),
        (["split", ","], "," * 600),
        (["concat", " "], {}),
        (["concat", " "], [True]),
        (["regex", "a"], "\ud800"),
        (["regex", "a"], "x" * 20_000),
        (["regex", "a"], {}),
        (["tail", "#"], {"a": 1}),
        ("strip_html", "<" * 20_000),
        ("strip_html", "&\ud800"),
        ("strip_html", True),
        ("urlencode", "\ud800"),
        (["multiply", 100], "much"),
        (["multiply", 100], True),
        (["multiply", 100], 0.12345678901234568),
        (["multiply", 1000], 2**62),
        (["date", ["%d-%m-%Y", "iso"]], "20/07/2026"),
        (["time", "iso"], "2026-07-20T03:00:21Z"),
        ("date_parts", "2026-07-20"),
        ("date_parts", {"year": 2026, "month": 7}),
        ("date_parts", {"year": 0, "month": 7, "day": 20}),
        ("date_parts", {"year": 2026, "month": 2, "day": 30}),
        ("date_parts", {"year": 1, "month": 2, "day": 3}),
        (["add_seconds", 60], "soon"),
        (["add_seconds", 60], [1]),
        (["template", "{}"], [1]),
        (["template", "{}"], True),
        ("values", "x"),
        (["filter", {"path": "a", "exists": True}], {"a": 1}),
        (["pluck", "a"], "x"),
        ("ref_id", []),
        ("unknown", []),
        (["rank", "g", {"highest": "present"}], []),
        (["rank", "g", {"highest": "present"}], "P"),
    ],
)
def test_a_transform_refuses_what_it_would_have_to_guess(do: JsonValue, value: object) -> None:
    assert refusal(do, value)


@pytest.mark.parametrize(
    "do",
    [
        ["trim", "x"],
        ["integer", 5],
        ["null_if"],
        ["null_if", ["-"]],
        ["map"],
        ["map", {}],
        ["map", "P"],
        ["map", {"P": ["present"]}],
        ["map", {"P": "present"}, {}],
        ["map", {"P": "present"}, None, None],
        ["map", {"P": "present", " p": "absent"}],
        ["decimal", {"comma": True}],
        ["decimal", {"grouping": "."}],
        ["decimal", {"grouping": 5}],
        ["decimal", {"point": "x"}],
        ["decimal", {"percent": "yes"}],
        ["decimal", ","],
        ["date", "%H:%M"],
        ["date", "%d/%m"],
        ["time", "%d/%m/%Y"],
        ["date", "%d/%m/%Y", "Nowhere/Land"],
        ["date", "%d/%m/%Y", "../etc/passwd"],
        ["date", 5],
        ["datetime", "epoch"],
        ["split"],
        ["split", ""],
        ["split", ",", True],
        ["split", ",", 10_000],
        ["concat"],
        ["concat", " ", ""],
        ["concat", " ", *["a"] * 11],
        ["coalesce", 5],
        ["map", {"*": "all"}],
        ["map", {" ": "blank"}],
        ["map", {f"*{place}": "x" for place in range(60)}],
        ["regex"],
        ["regex", 5],
        ["regex", "("],
        ["regex", "a", 1],
        ["regex", "(a)", -1],
        ["regex", "(a)", "a"],
        ["regex", "(?=a)"],
        ["regex", "a" * 201],
        ["tail"],
        ["tail", ""],
        ["strip_html", 5],
        ["urlencode", "x"],
        ["multiply"],
        ["multiply", "100"],
        ["multiply", 0],
        ["multiply", True],
        ["multiply", 100, 2.5],
        ["multiply", 100, 11],
        ["date", []],
        ["date", ["%d/%m/%Y", "%m/%d/%Y"]],
        ["date", ["%d/%m/%y", "%y/%m/%d"]],
        ["date", ["epoch_s", "epoch_ms"]],
        ["date", ["%d/%m/%Y", 5]],
        ["date", ["%d/%m/%Y", "%H:%M"]],
        ["date", "iso", {"seconds": "cut"}],
        ["time", {"seconds": "round"}],
        ["time", ["%H:%M", "%M:%H"]],
        ["date_parts", "x"],
        ["add_seconds"],
        ["add_seconds", None],
        ["add_seconds", True],
        ["add_seconds", "$.a"],
        ["template"],
        ["template", "no place"],
        ["template", "{a"],
        ["template", "{a}}"],
        ["template", "{$.a}"],
        ["template", "{a}" * 11],
        ["hash", 5],
        ["first", 1],
        ["filter"],
        ["filter", []],
        ["filter", "x"],
        ["filter", {"path": "a"}],
        ["filter", {"path": "a", "matches": "("}],
        ["filter", [{"path": "a", "exists": True}] * 21],
        ["pluck"],
        ["find", "a"],
        ["find", "a", "b", "c", "d"],
        ["rank", "a"],
        ["rank", "a", {}],
        ["rank", "a", {"lowest": "absent"}],
        ["rank", "a", {"zero": []}],
    ],
)
def test_wrong_arguments_are_refused_when_the_step_is_built(do: list[JsonValue]) -> None:
    with pytest.raises(InvalidInput) as refused:
        TRANSFORMS[str(do[0])].build(do[1:], INDIA)
    assert refused.value.code in {"bad_arguments", "bad_format", "bad_path", "bad_pattern"}


STATUSES = [{"id": 31, "acronym": "P", "grade": 2}, {"id": "32", "acronym": "A", "grade": 0}, "x", {"id": 33}]


@pytest.mark.parametrize(
    ("value", "found"), [("31", "P"), (31, "P"), (" 32 ", "A"), (33, None), ("031", None), (True, None), ([], None)]
)
def test_find_looks_an_entry_up_by_its_id_as_text(value: object, found: object) -> None:
    assert apply(["find", "statuses", "id", "acronym"], value, {"statuses": STATUSES}) == found
    by_name = {"statuses": {str(place): entry for place, entry in enumerate(STATUSES)}}
    assert apply(["find", "statuses", "id", "acronym"], value, by_name) == found
    assert apply(["find", "nowhere", "id", "acronym"], value, {}) is None


def test_find_gives_the_whole_entry_where_no_more_is_asked() -> None:
    assert apply(["find", "statuses", "id"], 31, {"statuses": STATUSES}) == STATUSES[0]


@pytest.mark.parametrize(
    ("grades", "value", "word"),
    [
        ([2, 0, 1, 1], 2, "present"),
        ([2, 0, 1, 1], "2.0", "present"),
        ([2, 0, 1, 1], 0, "absent"),
        ([2, 0, 1, 1], 1, Unmapped(1)),
        ([2, 1], 1, Unmapped(1)),
        ([0, 0], 0, Unmapped(0)),
        ([2, 2], 2, Unmapped(2)),
        ([None, "3", 0], 3, "present"),
        ([], 2, Unmapped(2)),
    ],
)
def test_a_rank_is_given_only_where_there_is_an_order(grades: list[object], value: object, word: object) -> None:
    statuses: dict[str, object] = {"statuses": [{"grade": grade} for grade in grades]}
    assert apply(["rank", "statuses.*.grade", {"highest": "present", "zero": "absent"}], value, statuses) == word


def test_a_hash_is_the_same_for_the_same_parts_and_for_nothing_else() -> None:
    def hash_of(value: object, time: object) -> object:
        return apply(["hash", "time"], value, {"time": time})

    assert hash_of("57", 1) == hash_of(57, " 1 ")
    different = [("5", "71"), ("57", "1"), ("1", "57"), (None, "57"), ("57", None), ("0057", "1")]
    assert len({hash_of(*parts) for parts in different}) == len(different)
