"""The demo's check must see every kind of difference, or its approval means nothing."""

import copy
from collections.abc import Callable
from datetime import date
from typing import Any

import httpx2
import orjson
import pytest
from hub_model.records import DataType
from hub_standalone.client import HubClient
from hub_standalone.demo.check import differences
from hub_standalone.demo.truth import Truth, truth
from hub_standalone.demo.world import build_world

RUNS = [{"id": "r1", "integrationId": "i1"}, {"id": "r2", "integrationId": "i2"}]
Shelves = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def expected() -> Truth:
    """A small part of the college: enough of everything."""
    whole = truth(build_world(7, date(2026, 3, 17)))
    return Truth(
        records={data_type: dict(list(rows.items())[:9]) for data_type, rows in whole.records.items()},
        rejects=whole.rejects,
    )


@pytest.fixture
def shelves(expected: Truth) -> Shelves:
    """What a hub would answer that has everything right."""
    stored = {
        data_type.value: [{"key": str(number), "data": copy.deepcopy(row), "deleted": False} for number, row in rows]
        for data_type, rows in ((name, enumerate(found.values())) for name, found in expected.records.items())
    }
    rejects = [{"raw": row, "issues": [{"pointer": "/date"}], "runId": "r1"} for row in expected.rejects]
    return stored | {"rejects": rejects}


async def found(expected: Truth, shelves: Shelves) -> list[str]:
    def answer(request: httpx2.Request) -> httpx2.Response:
        items = shelves[request.url.path.rpartition("/")[2]]
        if "runId" in request.url.params:
            items = [item for item in items if item["runId"] == request.url.params["runId"]]
        first = int(request.url.params.get("cursor", 0))
        rest = str(first + 4) if first + 4 < len(items) else None
        return httpx2.Response(200, content=orjson.dumps({"items": items[first : first + 4], "nextCursor": rest}))

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer), base_url="http://hub") as http:
        return await differences(HubClient(http), expected, runs=RUNS)


async def test_what_is_right_is_approved(expected: Truth, shelves: Shelves) -> None:
    assert await found(expected, shelves) == []


@pytest.mark.parametrize("data_type", [data_type for data_type in DataType if data_type is not DataType.CUSTOM])
async def test_a_missing_record_is_seen(expected: Truth, shelves: Shelves, data_type: DataType) -> None:
    shelves[data_type.value].pop()
    (line,) = await found(expected, shelves)
    assert line.startswith(data_type.value)
    assert "missing" in line


async def test_every_difference_of_a_field_is_seen(expected: Truth, shelves: Shelves) -> None:
    for data_type, rows in expected.records.items():
        row = next(iter(rows.values()))
        for name in row:
            for change in (None, "other", 0):
                altered = copy.deepcopy(shelves)
                altered[data_type.value][0]["data"][name] = change
                assert (row[name] == change) or await found(expected, altered), (data_type, name, change)


def _twice(shelves: Shelves) -> None:
    shelves["marks"].append(shelves["marks"][0])


def _unknown(shelves: Shelves) -> None:
    shelves["marks"][0]["data"]["examId"] = "another"


def _extra_field(shelves: Shelves) -> None:
    shelves["marks"][0]["data"]["remarks"] = "good"


def _text_for_number(shelves: Shelves) -> None:
    shelves["marks"][0]["data"]["maxMarks"] = "20"


def _deleted(shelves: Shelves) -> None:
    shelves["students"][0]["deleted"] = True


def _no_reject(shelves: Shelves) -> None:
    shelves["rejects"].clear()


def _another_reject(shelves: Shelves) -> None:
    shelves["rejects"].append({"raw": {"studentId": "x"}, "issues": [{}], "runId": "r1"})


def _reject_of_the_other_run(shelves: Shelves) -> None:
    shelves["rejects"].append({"raw": {"studentId": "x"}, "issues": [{}], "runId": "r2"})


def _reject_twice(shelves: Shelves) -> None:
    shelves["rejects"] *= 2


def _reject_without_reason(shelves: Shelves) -> None:
    shelves["rejects"][0]["issues"] = []


@pytest.mark.parametrize(
    "spoil",
    [
        _twice,
        _unknown,
        _extra_field,
        _text_for_number,
        _deleted,
        _no_reject,
        _another_reject,
        _reject_of_the_other_run,
        _reject_twice,
        _reject_without_reason,
    ],
)
async def test_anything_else_that_is_wrong_is_seen(
    expected: Truth, shelves: Shelves, spoil: Callable[[Shelves], None]
) -> None:
    spoil(shelves)
    assert await found(expected, shelves)


async def test_what_another_run_rejected_does_not_count(expected: Truth, shelves: Shelves) -> None:
    shelves["rejects"].append({"raw": {}, "issues": [], "runId": "r0"})
    assert await found(expected, shelves) == []
