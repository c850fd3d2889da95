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
    assert found == example.gives
    assert type(found) is type(example.gives)


def test_the_vocabulary_is_what_the_documentation_promises() -> None:
    assert set(TRANSFORMS) == {
        "trim", "lower", "upper", "string", "boolean", "null_if", "map", "integer", "decimal",
        "date", "time", "datetime", "concat", "split", "coalesce",
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
    ],
)
def test_wrong_arguments_are_refused_when_the_step_is_built(do: list[JsonValue]) -> None:
    with pytest.raises(InvalidInput) as refused:
        TRANSFORMS[str(do[0])].build(do[1:], INDIA)
    assert refused.value.code in {"bad_arguments", "bad_format", "bad_path"}
