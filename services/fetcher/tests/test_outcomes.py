"""What becomes of a walk whose source answers in other formats, in part, with rules of its own, or not at all."""

import gzip
from collections.abc import Callable
from typing import Any

import pytest
from hub_fetcher.walking.reading import Limits
from hub_model.errors import ErrorClass, TransientError
from hub_model.messages import StreamFinished, SyncFailed

ROWS = [{"id": number} for number in range(1, 5)]
ESSL = (
    '<?xml version="1.0"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
    "<GetTransactionsLogResponse><GetTransactionsLogResult>Logs Count:2</GetTransactionsLogResult>"
    "<strDataList>0101\t2026-07-20 08:31:10\tin&#13;\n0102\t2026-07-20 08:32:00\t&#13;\n</strDataList>"
    "</GetTransactionsLogResponse></soap:Body></soap:Envelope>"
)


def by_page(college: Any, *answers: Any) -> None:
    """Each page is one of these; a page beyond them is empty."""

    def answer(asked: Any) -> Any:
        number = int(asked.query.get("page", 1))
        return answers[number - 1] if number <= len(answers) else college.json({"data": []})

    college.answer = answer


async def test_soap_with_lines_inside_becomes_records(college: Any, walk_all: Any, answer: Any) -> None:
    college.answer = lambda asked: answer(ESSL.encode(), headers={"Content-Type": "text/xml; charset=utf-8"})
    inside = "Envelope.Body.GetTransactionsLogResponse.strDataList"
    text = {"delimiter": "\t", "columns": ["code", "at", "direction"], "inside": inside}
    walked = await walk_all({"format": "text", "text": text, "pagination": {"type": "none"}})
    assert walked.records == [
        {"code": "0101", "at": "2026-07-20 08:31:10", "direction": "in"},
        {"code": "0102", "at": "2026-07-20 08:32:00", "direction": ""},
    ]
    assert walked.last.complete
    assert "text/xml" in college.asked[0].headers["accept"]


async def test_one_child_of_xml_is_a_list_of_one(college: Any, walk_all: Any, answer: Any) -> None:
    pages = [b"<d><student><id>007</id></student></d>", b"<d><student><id>8</id></student><student/></d>", b"<d/>"]
    by_page(college, *(answer(page) for page in pages))
    walked = await walk_all({"format": "xml", "recordsPath": "d.student", "pagination": {"type": "page"}})
    assert walked.records == [{"id": "007"}, {"id": "8"}, ""]


async def test_ragged_lines_are_told_and_the_stream_is_incomplete(college: Any, walk_all: Any, answer: Any) -> None:
    pages = [b"id,name\n1,Asha\n2,Rao, Rahul\n", b"id,name\n3\n4,Meera\n", b"id,name\n"]
    by_page(college, *(answer(page) for page in pages))
    walked = await walk_all({"format": "csv", "pagination": {"type": "page"}}, limits=Limits(pages=1))
    assert isinstance(walked.last, StreamFinished)
    assert not walked.last.complete
    assert any(warning.startswith("2 lines") for warning in walked.last.warnings)
    assert walked.records[1] == {"#cells": ["2", "Rao", " Rahul"]}
    assert walked.steps > 2


async def test_what_the_source_says_it_left_out_is_told_with_codes_and_counts(college: Any, walk_all: Any) -> None:
    warning = {"item": "canary", "itemid": 4, "warningcode": "nopermissions", "message": "canary"}
    by_page(college, *(college.json({"data": [row], "warnings": [warning]}) for row in ROWS))
    walked = await walk_all({"pagination": {"type": "page"}}, limits=Limits(pages=1, ahead=1))
    assert walked.records == ROWS
    assert not walked.last.complete
    assert any("4 times" in told and "nopermissions" in told for told in walked.last.warnings)
    assert "canary" not in walked.last.model_dump_json()


IGNORE = [{"httpCodes": [404], "action": "IGNORE"}]


async def test_a_refusal_that_is_ignored_ends_a_walk_at_its_first_page(college: Any, walk_all: Any) -> None:
    college.answer = lambda asked: college.json({}, 404)
    walked = await walk_all({"responseFilters": IGNORE})
    assert isinstance(walked.last, StreamFinished)
    assert (walked.records, walked.last.complete) == ([], False)
    assert any("404" in told for told in walked.last.warnings)


async def test_the_same_refusal_in_the_middle_of_a_walk_is_an_error(college: Any, walk_all: Any) -> None:
    by_page(college, college.json({"data": ROWS[:2]}), college.json({}, 404))
    walked = await walk_all({"responseFilters": IGNORE, "pagination": {"type": "page"}})
    assert isinstance(walked.last, SyncFailed)
    assert (walked.last.code, walked.last.error_class) == ("answer_refused", ErrorClass.CONFIG)
    assert walked.records == ROWS[:2]


async def test_a_passing_trouble_that_the_body_tells_of_is_tried_again(
    college: Any, walk_all: Any, sleeps: list[float]
) -> None:
    told = {"exception": "dml_read_exception", "errorcode": "dmlreadexception", "message": "canary"}
    college.answer = lambda asked: college.json(told if len(college.asked) == 1 else {"data": ROWS})
    walked = await walk_all({"pagination": {"type": "none"}})
    assert walked.records == ROWS
    assert len(sleeps) == 1


async def test_an_answer_that_breaks_off_is_asked_for_again_and_is_never_a_short_page(
    college: Any, walk_all: Any, answer: Any
) -> None:
    whole = college.json({"data": ROWS})
    torn = answer(whole.body[:-5], headers=whole.headers)
    college.answer = lambda asked: torn if len(college.asked) < 3 else whole
    assert (await walk_all({"pagination": {"type": "none"}})).records == ROWS
    college.answer = lambda asked: torn
    with pytest.raises(TransientError) as caught:
        await walk_all({"pagination": {"type": "none"}})
    assert caught.value.code == "truncated_response"


async def test_a_body_shorter_than_announced_is_never_a_short_page(college: Any, walk_all: Any, answer: Any) -> None:
    college.answer = lambda asked: answer(b'[{"id": 1}]' + b" " * 9, cut=9)
    with pytest.raises(TransientError):
        await walk_all({"pagination": {"type": "none"}})


@pytest.mark.parametrize("headers", [{}, {"Content-Encoding": "gzip"}, {"Content-Type": "application/gzip"}])
async def test_gzip_is_known_whatever_the_label_says(
    college: Any, walk_all: Any, answer: Any, headers: dict[str, str]
) -> None:
    body = college.json({"data": ROWS}).body
    college.answer = lambda asked: answer(gzip.compress(body), headers=headers)
    assert (await walk_all({"pagination": {"type": "none"}})).records == ROWS
    college.answer = lambda asked: answer(body, headers=headers)
    assert (await walk_all({"pagination": {"type": "none"}})).records == ROWS


@pytest.mark.parametrize("headers", [{}, {"Content-Encoding": "gzip"}])
@pytest.mark.parametrize("layers", [1, 2])
async def test_a_compression_bomb_fails_the_stream(
    college: Any, walk_all: Any, answer: Any, headers: dict[str, str], layers: int
) -> None:
    bomb = bytes(64_000_000)
    for _ in range(layers):
        bomb = gzip.compress(bomb, 9)
    college.answer = lambda asked: answer(bomb, headers=headers)
    walked = await walk_all({"pagination": {"type": "none"}})
    assert walked.last.code == "response_too_large"


@pytest.mark.parametrize("depth", [260, 900, 1500])
async def test_deep_json_fails_the_stream(college: Any, walk_all: Any, answer: Any, depth: int) -> None:
    college.answer = lambda asked: answer(b'{"data": [' + b"[" * depth + b"]" * depth + b"]}")
    walked = await walk_all({"pagination": {"type": "none"}})
    assert isinstance(walked.last, SyncFailed)
    assert walked.last.error_class is ErrorClass.DATA


@pytest.fixture
def oauth(make_integration: Any, college: Any) -> Callable[..., Any]:
    def make(**endpoint: Any) -> Any:
        return make_integration(
            authType="oauth",
            oauth={"tokenUrl": f"{college.url}/token", "clientId": "hub"},
            secrets={"clientSecret": "canary-secret"},
            endpoints={"students": {"path": "/students", "pagination": {"type": "none"}, **endpoint}},
        )

    return make


def expiring(college: Any, refusal: Any) -> None:
    """Every token but the second is refused, in this way."""

    def answer(asked: Any) -> Any:
        if asked.path == "/token":
            issued = sum(earlier.path == "/token" for earlier in college.asked)
            return college.json({"access_token": f"token-{issued}", "expires_in": 3600})
        return college.json(ROWS) if asked.headers["authorization"] == "Bearer token-2" else refusal

    college.answer = answer


async def test_an_expired_token_that_a_body_under_status_200_tells_of_is_renewed_once(
    college: Any, walk_all: Any, oauth: Callable[..., Any]
) -> None:
    expiring(college, college.json({"success": False, "message": "Token expired"}))
    assert (await walk_all(integration=oauth())).records == ROWS
    assert [asked.path for asked in college.asked] == ["/token", "/students", "/token", "/students"]


async def test_a_rule_may_ask_for_a_new_token(college: Any, walk_all: Any, oauth: Callable[..., Any]) -> None:
    expiring(college, college.json({"result": 9001}))
    rule = {"when": [{"path": "result", "equals": 9001}], "action": "REFRESH_TOKEN_THEN_RETRY"}
    assert (await walk_all(integration=oauth(responseFilters=[rule]))).records == ROWS


async def test_a_missing_right_is_no_reason_for_a_new_token(
    college: Any, walk_all: Any, oauth: Callable[..., Any]
) -> None:
    expiring(college, college.json({"errors": [{"message": "user not authorized to perform that action"}]}, 401))
    walked = await walk_all(integration=oauth())
    assert walked.last.code == "permission_missing"
    assert [asked.path for asked in college.asked] == ["/token", "/students"]
