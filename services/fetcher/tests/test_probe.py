"""A connection test says which step fails and what to do about it."""

from typing import Any

import pytest
from hub_fetcher.probe import check_connection
from hub_fetcher.sources import Sources
from hub_model.messages import ProbeCheck

ROWS = [{"studentId": "canary-1", "name": "canary"}]
TWO = {"students": "/students", "marks": "/marks"}


async def probe(sources: Sources, integration: Any, deadline_s: float = 5) -> tuple[dict[str, bool], list[ProbeCheck]]:
    checks = await check_connection(integration, sources, deadline_s=deadline_s)
    return {check.name: check.ok for check in checks}, list(checks)


async def test_a_good_connection_passes_every_check_in_order(
    college: Any, sources: Sources, make_integration: Any
) -> None:
    body = {"data": ROWS, "pagination": {"page": 1, "limit": 1, "total": 250}}
    college.answer = lambda asked: college.json(body if asked.path != "/" else {}, 200 if asked.path != "/" else 404)
    results, checks = await probe(sources, make_integration(endpoints=TWO))
    assert results == dict.fromkeys(
        ["address", "reachable", "credentials", "endpoint:students", "endpoint:marks"], True
    )
    assert "1 records of 250" in checks[3].detail
    assert "page" in checks[3].detail
    assert "canary" not in str(checks)


async def test_the_first_request_carries_no_credential(college: Any, sources: Sources, make_integration: Any) -> None:
    college.answer = lambda asked: college.json(ROWS)
    await probe(sources, make_integration())
    assert "authorization" not in college.asked[0].headers
    assert "authorization" in college.asked[1].headers


async def test_an_address_that_is_not_allowed_fails_the_first_check(sources: Sources, make_integration: Any) -> None:
    results, checks = await probe(sources, make_integration(baseUrl="http://10.0.0.7"))
    assert results == {"address": False}
    assert checks[0].fix


async def test_a_host_that_does_not_answer_fails_the_second_check(sources: Sources, make_integration: Any) -> None:
    results, _ = await probe(sources, make_integration(baseUrl="http://127.0.0.1:1099"))
    assert results == {"address": True, "reachable": False}


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_credentials_fail_their_check(
    college: Any, sources: Sources, make_integration: Any, status: int
) -> None:
    college.answer = lambda asked: college.json({}, status)
    results, checks = await probe(sources, make_integration())
    assert results == {"address": True, "reachable": True, "credentials": False, "endpoint:students": False}
    assert "Enter them again" in checks[2].fix


async def test_a_missing_credential_fails_its_check(college: Any, sources: Sources, make_integration: Any) -> None:
    results, _ = await probe(sources, make_integration(secrets={}))
    assert results == {"address": True, "reachable": True, "credentials": False}


async def test_each_endpoint_is_judged_by_itself(college: Any, sources: Sources, make_integration: Any) -> None:
    answers = {"/students": college.json(ROWS), "/marks": college.json({"success": False, "message": "canary"})}
    college.answer = lambda asked: answers.get(asked.path, college.json({}, 404))
    results, checks = await probe(sources, make_integration(endpoints={**TWO, "faculty": "/faculty"}))
    assert results["credentials"]
    assert (results["endpoint:students"], results["endpoint:marks"], results["endpoint:faculty"]) == (
        True,
        False,
        False,
    )
    assert "404" in checks[5].detail
    assert "path" in checks[5].fix
    assert "canary" not in str(checks)


async def test_an_endpoint_without_records_passes_and_says_so(
    college: Any, sources: Sources, make_integration: Any
) -> None:
    college.answer = lambda asked: college.json({"data": []})
    results, checks = await probe(sources, make_integration())
    assert results["endpoint:students"]
    assert "no records" in checks[3].detail


async def test_a_source_that_takes_too_long_still_gets_an_answer(
    college: Any, sources: Sources, make_integration: Any, answer: Any
) -> None:
    college.answer = lambda asked: college.json({}) if asked.path == "/" else answer(b" " * 1000, drip_s=0.01)
    results, checks = await probe(sources, make_integration(), deadline_s=0.3)
    assert results == {"address": True, "reachable": True, "time": False}
    assert checks[-1].fix


async def test_an_integration_that_is_gone_gets_an_answer(sources: Sources) -> None:
    results, _ = await probe(sources, None)
    assert results == {"integration": False}


async def test_a_bug_gets_an_answer(sources: Sources, make_integration: Any) -> None:
    broken = make_integration().model_copy(update={"settings": None})
    results, checks = await probe(sources, broken)
    assert results == {"internal": False}
    assert "NoneType" not in str(checks)
