"""Text, numbers and JSON values: exact, or refused."""

import math
from decimal import Decimal

import pytest
from hub_mapping.json_values import MAX_DEPTH, MAX_NODES, MAX_TEXT, check_json
from hub_mapping.numbers import decimal_reader, to_decimal, to_integer
from hub_mapping.texts import clean_text, number_text
from hub_model.errors import InvalidInput
from hypothesis import given
from hypothesis import strategies as st


def refusal(call: object, *arguments: object) -> str:
    """The code with which ``call`` refuses these arguments."""
    assert callable(call)
    with pytest.raises(InvalidInput) as refused:
        call(*arguments)
    return refused.value.code


@pytest.mark.parametrize(
    ("value", "number"),
    [(5, 5), (-5, -5), (5.0, 5), ("5", 5), (" -12 ", -12), ("12.0", 12), ("0", 0), (2**63 - 1, 2**63 - 1)],
)
def test_an_integer_is_taken_as_it_is(value: object, number: int) -> None:
    found = to_integer(value)
    assert found == number
    assert type(found) is int


@pytest.mark.parametrize(
    "value",
    [
        12.7,
        "12.7",
        "007",
        "+5",
        "1e3",
        "1,000",
        True,
        False,
        "true",
        [],
        {},
        2**63,
        str(2**63),
        -(2**63) - 1,
        "5" * 5000,
        "٣",
    ],
)
def test_nothing_is_rounded_or_coerced_to_an_integer(value: object) -> None:
    assert refusal(to_integer, value) in {"not_an_integer", "wrong_type", "out_of_range", "inexact", "not_a_number"}


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (85.5, 85.5),
        ("85.5", 85.5),
        (" 85.50 ", 85.5),
        (8.0, 8),
        ("8.00", 8),
        ("007", 7),
        ("8E+1", 80),
        ("-0.0", 0),
        (-0.0, 0),
        ("123456789012.345", 123456789012.345),
        (66.66666666666667, 66.66666666666667),
        ("9007199254740993", 9007199254740993),
    ],
)
def test_a_decimal_has_one_canonical_form(value: object, number: float) -> None:
    found = to_decimal(value)
    assert found == number
    assert type(found) is type(number)
    assert math.copysign(1, found or 1) == math.copysign(1, number or 1)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (math.nan, "not_finite"),
        (math.inf, "not_finite"),
        ("nan", "not_a_number"),
        ("1e400", "not_finite"),
        ("1e99999", "not_a_number"),
        ("1e-400", "inexact"),
        ("0.1234567890123456789", "inexact"),
        (1e300, "inexact"),
        (9007199254740994.0, "inexact"),
        (float(2**53 + 1), "inexact"),
        ("85,5", "not_a_number"),
        ("85%", "not_a_number"),
        ("AB", "not_a_number"),
        ("-", "not_a_number"),
        ("1_000", "not_a_number"),
        ("0x10", "not_a_number"),
        (True, "wrong_type"),
        ([85], "wrong_type"),
        (2**63, "out_of_range"),
        ("9" * 30, "inexact"),
    ],
)
def test_a_number_that_cannot_be_kept_exactly_is_refused(value: object, code: str) -> None:
    assert refusal(to_decimal, value) == code


@pytest.mark.parametrize("blank", [None, "", "  "])
def test_blank_is_no_number(blank: object) -> None:
    assert to_decimal(blank) is None
    assert to_integer(blank) is None


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15, places=4))
def test_decimal_text_is_exact_or_refused(number: Decimal) -> None:
    try:
        found = to_decimal(format(number, "f"))
    except InvalidInput:
        assert len(number.normalize().as_tuple().digits) > 15
        return
    assert Decimal(repr(found)) == number


@pytest.mark.parametrize(
    ("options", "text", "number"),
    [
        ({"grouping": ","}, "1,23,456.50", 123456.5),
        ({"grouping": ","}, "1,234,567", 1234567),
        ({"grouping": ","}, "85.5", 85.5),
        ({"grouping": ".", "point": ","}, "1.234,5", 1234.5),
        ({"point": ","}, "85,5", 85.5),
        ({"percent": True}, "85.00 %", 85),
        ({"percent": True}, "85", 85),
        ({"grouping": " "}, "-1 234", -1234),
    ],
)
def test_numbers_as_people_write_them_are_read_on_request(options: dict[str, object], text: str, number: float) -> None:
    settings = {"grouping": "", "point": ".", "percent": False} | options
    read = decimal_reader(**settings)
    assert read(text) == number
    assert read(number) == number
    assert read(" ") is None


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"grouping": ","}, "85,5"),
        ({"grouping": ","}, "1,2345"),
        ({"grouping": ","}, ",123"),
        ({"grouping": ","}, "12,34,"),
        ({"point": ","}, "85.5"),
        ({"percent": True}, "%"),
        ({"percent": True}, "85 %%"),
        ({"percent": False}, "85 %"),
    ],
)
def test_grouping_in_the_wrong_place_is_refused(options: dict[str, object], text: str) -> None:
    settings = {"grouping": "", "point": ".", "percent": False} | options
    assert refusal(decimal_reader(**settings), text) == "not_a_number"


def test_text_is_trimmed_and_composed() -> None:
    assert clean_text("  CS01\n", 10) == "CS01"
    assert clean_text("Jose\u0301", 10) == "Jos\u00e9"
    assert clean_text(" \t ", 10) is None
    assert clean_text("007", 10) == "007"


@pytest.mark.parametrize(
    ("text", "code"), [("a\0b", "nul"), ("é\0", "nul"), ("a\ud800", "not_unicode"), ("a" * 11, "too_long")]
)
def test_text_no_store_can_hold_is_refused(text: str, code: str) -> None:
    assert refusal(clean_text, text, 10) == code


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (101, "101"),
        (8.0, "8"),
        (8.5, "8.5"),
        (1e-7, "0.0000001"),
        (12345678901234567890, "12345678901234567890"),
        (-0.0, "0"),
    ],
)
def test_a_number_is_written_out_exactly(number: object, text: str) -> None:
    assert number_text(number) == text


@pytest.mark.parametrize("value", [True, None, [], {}, math.nan, math.inf, 1e22, 10**70])
def test_what_has_no_exact_text_is_refused(value: object) -> None:
    assert refusal(number_text, value) in {"wrong_type", "not_finite", "inexact", "too_long"}


def nested(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        1,
        1.5,
        "",
        "007 ",
        [],
        {},
        {"a": [1, {"b": None}]},
        {"é": "é"},
        nested(MAX_DEPTH - 1),
        [0] * MAX_NODES,
    ],
)
def test_json_that_can_be_stored_is_kept_as_it_is(value: object) -> None:
    assert check_json(value) is value


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({"$where": 1}, "bad_name"),
        ({"a.b": 1}, "bad_name"),
        ({"": 1}, "bad_name"),
        ({"__proto__": 1}, "bad_name"),
        ({"a\0": 1}, "bad_name"),
        ({"a" * 129: 1}, "bad_name"),
        ({"\udc00": 1}, "not_unicode"),
        ([{"x": {"$a": 1}}], "bad_name"),
        ({"x": "a\0"}, "nul"),
        ({"x": "\ud800"}, "not_unicode"),
        ({"x": "a" * (MAX_TEXT + 1)}, "too_long"),
        ([math.nan], "not_finite"),
        ([1e300], "inexact"),
        ([2**63], "out_of_range"),
        (nested(MAX_DEPTH), "too_deep"),
        (nested(100_000), "too_deep"),
        ([0] * (MAX_NODES + 1), "too_long"),
        ([object()], "wrong_type"),
    ],
)
def test_json_that_a_store_would_break_on_is_refused(value: object, code: str) -> None:
    assert refusal(check_json, value) == code
