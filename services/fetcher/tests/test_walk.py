"""Whole walks against a college's system that misbehaves: nothing lost, nothing twice, nothing silently green."""

import asyncio
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hub_fetcher.walking.reading import Limits
from hub_model.errors import ErrorClass, RateLimited, SourceError, Unavailable
from hub_model.messages import PageRequested, StreamFinished, SyncFailed
from hub_model.records import Origin

ROWS = [{"studentId": f"CS{number:05d}", "name": "Asha"} for number in range(1050)]


async def test_a_seed_style_source_arrives_whole_and_in_order(college: Any, walk_all: Any) -> None:
    college.serve_rows(ROWS)
    walked = await walk_all()
    assert walked.records == ROWS
    assert [batch.sequence for batch in walked.batches] == list(range(11))
    assert {batch.expected_records for batch in walked.batches} == {1050}
    assert {batch.origin for batch in walked.batches} == {Origin.POLL}
    end = walked.last
    assert isinstance(end, StreamFinished)
    assert (end.batches, end.pages, end.records, end.complete, end.warnings) == (11, 11, 1050, True, ())


async def test_of_a_record_on_two_pages_the_later_wins_whichever_is_written_last(college: Any, walk_all: Any) -> None:
    college.serve_rows(ROWS)
    walked = await walk_all(limits=Limits(pages=3))
    seen = [batch.observed_at for batch in walked.batches]
    # The time they were seen is what the store compares them by.
    assert seen == sorted(set(seen))


async def test_a_chain_of_short_stretches_gives_the_same_batches_as_one_long_stretch(
    college: Any, walk_all: Any
) -> None:
    college.serve_rows(ROWS)
    whole = await walk_all()
    for limits in (Limits(pages=1), Limits(pages=3, ahead=2), Limits(bytes=1), Limits(seconds=0)):
        cut = await walk_all(limits=limits)
        assert cut.steps > 2
        assert [(b.sequence, b.records) for b in cut.batches] == [(b.sequence, b.records) for b in whole.batches]
        assert cut.last == whole.last


async def test_a_repeated_stretch_gives_the_same_messages(college: Any, walk_all: Any) -> None:
    college.serve_rows(ROWS)
    first = await walk_all(limits=Limits(pages=4), most_steps=1)
    request = first.last
    assert isinstance(request, PageRequested)
    again = await walk_all(limits=Limits(pages=4), request=request, most_steps=1)
    longer = await walk_all(limits=Limits(pages=6), request=request, most_steps=1)
    assert again.messages[:-1] == longer.messages[: len(again.messages) - 1]


async def test_pages_are_asked_for_ahead_but_never_more_than_allowed(college: Any, walk_all: Any) -> None:
    college.serve_rows(ROWS, delay_s=0.02)
    walked = await walk_all(limits=Limits(ahead=4))
    assert walked.records == ROWS
    assert 2 <= college.most_at_once <= 4
    assert len(college.asked) == 11


async def test_a_slow_source_is_asked_for_four_pages_at_once(college: Any, walk_all: Any) -> None:
    """Each of the pages 2 to 5 is answered only when all four are asked for."""
    four = asyncio.Barrier(4)
    college.serve_rows(ROWS[:500])
    plain = college.answer

    async def reply(asked: Any) -> Any:
        if asked.query.get("page", "1") != "1":
            await four.wait()
        return await plain(asked)

    college.answer = reply
    async with asyncio.timeout(5):
        assert (await walk_all(limits=Limits(ahead=4))).records == ROWS[:500]


async def test_a_later_stretch_asks_ahead_from_its_first_request_on(college: Any, walk_all: Any) -> None:
    """Pages 3 to 6 are answered only when all four are asked for."""
    four = asyncio.Barrier(4)
    college.serve_rows(ROWS[:600])
    plain = college.answer

    async def reply(asked: Any) -> Any:
        if int(asked.query.get("page", "1")) > 2:
            await four.wait()
        return await plain(asked)

    walked = await walk_all(limits=Limits(pages=2), most_steps=1)
    college.answer = reply
    async with asyncio.timeout(5):
        rest = await walk_all(limits=Limits(pages=4), request=walked.last, most_steps=1)
    assert walked.records + rest.records == ROWS[:600]


async def test_a_source_that_is_waited_for_is_asked_for_more_at_once_also_in_the_next_stretch(
    college: Any, walk_all: Any
) -> None:
    """From page 6 on a page is answered only when eight are asked for. A slow source, so that a busy machine makes
    no answer late."""
    eight = asyncio.Barrier(8)
    rows = ROWS + [{"studentId": f"EE{number:05d}"} for number in range(1050)]
    college.serve_rows(rows, delay_s=0.1)
    plain = college.answer

    async def reply(asked: Any) -> Any:
        if int(asked.query.get("page", "1")) > 5:
            await eight.wait()
        return await plain(asked)

    college.answer = reply
    async with asyncio.timeout(5):
        walked = await walk_all(limits=Limits(pages=13, ahead=8), most_steps=1)
        assert walked.last.position["ahead"] == 8
        rest = await walk_all(limits=Limits(ahead=8), request=walked.last)
    assert walked.records + rest.records == rows
    assert len(college.asked) == 21


async def test_a_source_that_refuses_many_at_once_is_asked_for_fewer_at_once(
    college: Any, walk_all: Any, sleeps: list[float]
) -> None:
    """Pages 6 to 13 are refused together, then each is tried again."""
    eight = asyncio.Barrier(8)
    college.serve_rows(ROWS + ROWS[:250], delay_s=0.1)
    plain = college.answer
    refused: set[int] = set()
    again: list[int] = []

    async def reply(asked: Any) -> Any:
        page = int(asked.query.get("page", "1"))
        if page >= 6 and page not in refused:
            refused.add(page)
            await eight.wait()
            return college.json({}, 429, Retry_After="1")
        if page in refused:
            again.append(college.open_at_once)
        return await plain(asked)

    college.answer = reply
    async with asyncio.timeout(5):
        walked = await walk_all(limits=Limits(ahead=8))
    assert walked.records == ROWS + ROWS[:250]
    assert (len(again), sleeps) == (8, [1] * 8)
    assert max(again) <= 2


async def test_pages_ahead_are_bounded_in_bytes(college: Any, walk_all: Any) -> None:
    rows = [{"id": number, "note": "n" * 1000} for number in range(1050)]  # pages of a little more than 100 kB
    college.serve_rows(rows, delay_s=0.01)
    walked = await walk_all(limits=Limits(ahead_bytes=320_000))
    assert walked.records == rows
    assert college.most_at_once == 3


async def test_every_page_ahead_counts_as_the_largest_of_the_walk(college: Any, walk_all: Any) -> None:
    """Only the first page is large; a later stretch remembers it."""
    rows = [{"id": number, "note": "n" * (2000 if number < 100 else 1)} for number in range(1050)]
    college.serve_rows(rows, delay_s=0.01)
    limits = Limits(pages=3, ahead_bytes=450_000)
    walked = await walk_all(limits=limits, most_steps=1)
    assert walked.last.position["pageBytes"] > 200_000
    rest = await walk_all(limits=Limits(ahead_bytes=450_000), request=walked.last)
    assert walked.records + rest.records == rows
    assert college.most_at_once == 2


async def test_a_wrong_guess_ahead_changes_nothing(college: Any, walk_all: Any) -> None:
    """Offsets advance by the rows received; pages of uneven length make every guess wrong."""
    lengths = [100, 60, 100, 1, 100, 100]

    def answer(asked: Any) -> Any:
        offset = int(asked.query["offset"])
        length = lengths[len(college.asked) % len(lengths)]
        return college.json({"data": ROWS[offset : offset + length], "total": len(ROWS)})

    college.answer = answer
    walked = await walk_all({"pagination": {"type": "offset", "pageSize": 100}})
    assert walked.records == ROWS
    assert walked.last.complete


async def test_a_stretch_whose_time_is_up_takes_the_pages_under_way_and_asks_for_no_more(
    college: Any, walk_all: Any
) -> None:
    college.serve_rows(ROWS)
    times = iter([0.0, 1.0, 2.0, *[99.0] * 50])
    walked = await walk_all(limits=Limits(ahead=4, seconds=20), monotonic=lambda: next(times), most_steps=1)
    assert walked.last.pages == len(college.asked) == 6  # the first two pages, and four asked for after the second


async def test_an_error_of_a_page_asked_ahead_comes_to_light_in_its_turn(college: Any, walk_all: Any) -> None:
    def answer(asked: Any) -> Any:
        page = int(asked.query.get("page", 1))
        if page == 3:
            return college.json({"message": "gone"}, 404)
        return college.json(
            {"data": ROWS[(page - 1) * 100 : page * 100], "page": page, "limit": 100, "total": len(ROWS)}
        )

    college.answer = answer
    walked = await walk_all(limits=Limits(ahead=4))
    assert walked.records == ROWS[:200]
    assert isinstance(walked.last, SyncFailed)
    assert (walked.last.batches, walked.last.code, walked.last.error_class) == (2, "http_404", ErrorClass.CONFIG)


async def test_large_pages_are_cut_into_batches_that_fit(college: Any, walk_all: Any) -> None:
    rows = [{"id": number, "note": "n" * (3 if number % 7 else 20_000)} for number in range(1200)]
    college.answer = lambda asked: college.json(rows)
    walked = await walk_all()
    assert walked.records == rows
    assert all(len(batch.records) <= 500 for batch in walked.batches)
    assert all(len(orjson.dumps(batch.records)) <= 512 * 1024 for batch in walked.batches)
    assert all(orjson.loads(batch.records.json) == batch.records for batch in walked.batches)


async def test_a_record_larger_than_a_message_fails_the_stream_and_names_the_page_only(
    college: Any, walk_all: Any
) -> None:
    pages = {1: [{"id": 1}], 2: [{"id": 2}, {"id": 3, "photo": "canary" * 100_000}]}
    college.answer = lambda asked: college.json({"data": pages[int(asked.query["page"])]})
    walked = await walk_all({"pagination": {"type": "page"}})
    failed = walked.last
    assert (failed.code, failed.error_class, failed.batches) == ("record_too_large", ErrorClass.DATA, 1)
    assert "page 2" in failed.public
    assert "canary" not in failed.model_dump_json()


async def test_a_constant_cursor_fails_loudly(college: Any, walk_all: Any) -> None:
    served = iter(range(1000))
    college.answer = lambda asked: college.json({"data": [{"id": next(served)}], "next": "ABC"})
    walked = await walk_all({"pagination": {"type": "cursor", "cursorPath": "next"}})
    assert (walked.last.code, walked.last.batches) == ("pagination_loop", 2)
    assert len(college.asked) == 2


async def test_a_web_page_under_status_200_fails_loudly(college: Any, walk_all: Any, answer: Any) -> None:
    college.answer = lambda asked: answer(b"<html><h1>Welcome</h1></html>", headers={"Content-Type": "text/html"})
    walked = await walk_all()
    assert isinstance(walked.last, SyncFailed)
    assert walked.last.code == "web_page"


async def test_an_error_in_the_body_under_status_200_fails_loudly(college: Any, walk_all: Any) -> None:
    college.answer = lambda asked: college.json({"success": False, "error": "token expired", "data": None})
    walked = await walk_all()
    assert isinstance(walked.last, SyncFailed)
    assert walked.last.error_class is ErrorClass.AUTH


async def test_a_source_that_ignores_its_page_parameter_fails_loudly(college: Any, walk_all: Any) -> None:
    college.answer = lambda asked: college.json({"data": ROWS[:100], "at": len(college.asked)})
    walked = await walk_all({"pagination": {"type": "page"}})
    assert walked.last.code == "pagination_loop"
    assert walked.records == ROWS[:100]


async def test_a_loop_is_noticed_across_stretches(college: Any, walk_all: Any) -> None:
    numbers = iter(range(1000))
    college.answer = lambda asked: college.json(
        {"data": [{"id": next(numbers)}], "next": "ABCDE"[len(college.asked) % 5]}
    )
    walked = await walk_all({"pagination": {"type": "cursor", "cursorPath": "next"}}, limits=Limits(pages=1))
    assert walked.last.code == "pagination_loop"
    assert len(college.asked) == 6


async def test_records_that_move_on_a_later_page_are_an_error(college: Any, walk_all: Any) -> None:
    """Where the records are is decided on the first page."""
    pages = {1: {"data": ROWS[:100]}, 2: {"data": {"rows": ROWS[100:200]}}}
    college.answer = lambda asked: college.json(pages[int(asked.query["page"])])
    walked = await walk_all({"pagination": {"type": "page"}})
    assert walked.last.code == "records_missing"
    assert walked.records == ROWS[:100]


async def test_max_pages_ends_a_walk_with_an_error(college: Any, walk_all: Any) -> None:
    college.serve_rows(ROWS)
    walked = await walk_all({"maxPages": 3}, limits=Limits(ahead=4))
    assert walked.last.code == "too_many_pages"
    assert walked.records == ROWS[:300]
    assert len(college.asked) == 3


async def test_a_walk_of_exactly_max_pages_is_complete(college: Any, walk_all: Any) -> None:
    college.serve_rows(ROWS[:300])
    assert isinstance((await walk_all({"maxPages": 3})).last, StreamFinished)


async def test_a_next_link_to_another_origin_gets_no_request(college: Any, walk_all: Any) -> None:
    elsewhere = college.url.replace("127.0.0.1", "127.0.0.2")
    college.answer = lambda asked: college.json({"data": ROWS[:5], "next": f"{elsewhere}/students?page=2"})
    walked = await walk_all()
    assert walked.last.code == "cross_origin_next"
    assert walked.records == ROWS[:5]
    assert len(college.asked) == 1


async def test_no_content_is_an_empty_page(college: Any, walk_all: Any, answer: Any) -> None:
    college.answer = lambda asked: answer(status=204)
    walked = await walk_all()
    assert isinstance(walked.last, StreamFinished)
    assert (walked.last.batches, walked.last.pages, walked.last.complete) == (0, 1, True)


async def test_no_content_before_the_total_is_reached_is_not_complete(college: Any, walk_all: Any, answer: Any) -> None:
    def reply(asked: Any) -> Any:
        return college.json({"data": ROWS[:100], "total": 300}) if asked.query["page"] == "1" else answer(status=204)

    college.answer = reply
    walked = await walk_all({"pagination": {"type": "page"}})
    assert not walked.last.complete
    assert walked.last.warnings


async def test_a_total_in_a_header_is_used(college: Any, walk_all: Any) -> None:
    def reply(asked: Any) -> Any:
        offset = int(asked.query["offset"])
        return college.json(ROWS[offset : offset + 500], X_Total_Count=str(len(ROWS)))

    college.answer = reply
    walked = await walk_all({"pagination": {"type": "offset", "pageSize": 500}})
    assert walked.records == ROWS
    assert len(college.asked) == 3


async def test_a_link_header_is_followed_without_a_setting(college: Any, walk_all: Any) -> None:
    def reply(asked: Any) -> Any:
        page = int(asked.query.get("page", 1))
        link = f'</students?page={page + 1}>; rel="next"' if page < 11 else '</students?page=1>; rel="first"'
        return college.json(ROWS[(page - 1) * 100 : page * 100], Link=link)

    college.answer = reply
    assert (await walk_all()).records == ROWS


async def test_transient_errors_are_tried_three_times(college: Any, walk_all: Any, sleeps: list[float]) -> None:
    def reply(asked: Any) -> Any:
        return college.json({"data": ROWS[:3]}) if len(college.asked) % 3 == 0 else college.json({}, 500)

    college.answer = reply
    walked = await walk_all()
    assert walked.records == ROWS[:3]
    assert len(sleeps) == 2
    assert all(0 <= pause <= 8 for pause in sleeps)


@pytest.mark.parametrize(
    "how", [{"status": 502}, {"cut": 5, "body": b'{"data": [1, 2, 3]}'}, {"raw": b""}, {"raw": b"HTTP/1.1 nonsense"}]
)
async def test_a_source_in_trouble_raises_unavailable_when_nothing_was_read(
    college: Any, walk_all: Any, answer: Any, how: dict[str, Any]
) -> None:
    college.answer = lambda asked: answer(**how)
    with pytest.raises(Unavailable):
        await walk_all()
    assert len(college.asked) == 3


async def test_what_was_read_before_trouble_is_kept(college: Any, walk_all: Any) -> None:
    """The stretch ends at the page reached; only the next one, which reads nothing, raises."""

    def reply(asked: Any) -> Any:
        page = int(asked.query["page"])
        return college.json({"data": ROWS[(page - 1) * 100 : page * 100]}) if page < 3 else college.json({}, 503)

    college.answer = reply
    endpoint = {"pagination": {"type": "page"}}
    walked = await walk_all(endpoint, most_steps=1)
    assert walked.records == ROWS[:200]
    assert (walked.last.step, walked.last.pages, walked.last.sequence, walked.last.records) == (1, 2, 2, 200)
    with pytest.raises(Unavailable):
        await walk_all(endpoint, request=walked.last)


async def test_a_body_that_is_no_json_may_be_a_mishap_and_is_tried_again(
    college: Any, walk_all: Any, answer: Any, sleeps: list[float]
) -> None:
    bodies = [b"<html>busy</html>", b"", b'[{"id": 1}]']
    college.answer = lambda asked: answer(bodies[len(college.asked) - 1])
    assert (await walk_all()).records == [{"id": 1}]
    assert len(sleeps) == 2


async def test_a_short_wait_is_waited_for_inside(college: Any, walk_all: Any, sleeps: list[float]) -> None:
    def reply(asked: Any) -> Any:
        return college.json(ROWS[:3]) if len(college.asked) > 1 else college.json({}, 429, Retry_After="3")

    college.answer = reply
    assert (await walk_all()).records == ROWS[:3]
    assert sleeps == [3]


async def test_a_long_wait_is_not_waited_for(college: Any, walk_all: Any, sleeps: list[float]) -> None:
    college.answer = lambda asked: college.json({}, 429, Retry_After="120")
    with pytest.raises(RateLimited) as caught:
        await walk_all()
    assert (caught.value.retry_after_s, sleeps, len(college.asked)) == (120, [], 1)


async def test_a_long_wait_after_some_pages_parks_the_chain_until_then(college: Any, walk_all: Any, NOW: Any) -> None:
    def reply(asked: Any) -> Any:
        page = int(asked.query["page"])
        if page == 2:
            return college.json({}, 429, Retry_After="120")
        return college.json({"data": ROWS[:100]})

    college.answer = reply
    walked = await walk_all({"pagination": {"type": "page"}}, most_steps=1)
    assert walked.records == ROWS[:100]
    assert walked.last.parked == 1
    assert walked.last.position["resumeAt"] == (NOW + timedelta(seconds=120)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def test_a_body_over_the_limit_is_an_error(college: Any, walk_all: Any, answer: Any) -> None:
    college.answer = lambda asked: answer(b"[" + b" " * 4_000_001 + b"]")
    walked = await walk_all()
    assert (walked.last.code, walked.last.error_class) == ("response_too_large", ErrorClass.DATA)


async def test_a_changed_endpoint_ends_the_walk(college: Any, walk_all: Any, make_integration: Any) -> None:
    college.serve_rows(ROWS)
    walked = await walk_all(limits=Limits(pages=2), most_steps=1)
    changed = make_integration(endpoints={"students": {"path": "/students/v2"}})
    with pytest.raises(SourceError) as caught:
        await walk_all(integration=changed, request=walked.last)
    assert caught.value.code == "endpoint_changed"


async def test_pages_whose_place_stands_in_the_body_are_asked_for_ahead(college: Any, walk_all: Any) -> None:
    """As Hikvision's terminals do it: POST, the position in the body, MORE until the last page."""
    most = asyncio.Barrier(4)

    async def reply(asked: Any) -> Any:
        assert (asked.method, asked.headers["content-type"]) == ("POST", "application/json")
        wanted = orjson.loads(asked.body)["AcsEventCond"]
        start, size = wanted["searchResultPosition"], wanted["maxResults"]
        if start > 0 and start <= 4 * size:
            await most.wait()
        rows = ROWS[start : start + size]
        more = "MORE" if start + size < 300 else "OK"
        return college.json(
            {"AcsEvent": {"totalMatches": 300, "responseStatusStrg": more, "InfoList": rows[: 300 - start]}}
        )

    college.answer = reply
    endpoint = {
        "method": "POST",
        "body": {"AcsEventCond": {"searchID": "s", "major": 5}},
        "recordsPath": "AcsEvent.InfoList",
        "pagination": {
            "type": "offset",
            "injectInto": "body",
            "offsetParam": "AcsEventCond.searchResultPosition",
            "sizeParam": "AcsEventCond.maxResults",
            "pageSize": 30,
            "totalPath": "AcsEvent.totalMatches",
        },
    }
    async with asyncio.timeout(5):
        walked = await walk_all(endpoint, limits=Limits(ahead=4))
    assert walked.records == ROWS[:300]
    assert len(college.asked) == 10


async def test_a_refused_page_size_is_asked_for_smaller_and_remembered_in_the_next_stretch(
    college: Any, walk_all: Any
) -> None:
    """As Ed-Fi refuses what is over 500, and Canvas with other words."""

    def reply(asked: Any) -> Any:
        offset, limit = int(asked.query["offset"]), int(asked.query["limit"])
        if limit > 500:
            return college.json({"detail": "Limit must be omitted or set to a value between 0 and 500."}, 400)
        return college.json(ROWS[offset : offset + limit])

    college.answer = reply
    walked = await walk_all({"pagination": {"type": "offset", "pageSize": 1000}}, limits=Limits(pages=1))
    assert walked.records == ROWS
    assert [asked.query["limit"] for asked in college.asked] == ["1000", "500", "500", "500", "500"]
    assert walked.last.complete
    assert [warning for warning in walked.last.warnings if "1000" in warning and "500" in warning] == [
        *walked.last.warnings
    ]
    assert len(walked.last.warnings) == 1


async def test_a_refusal_that_no_size_mends_keeps_its_own_words(college: Any, walk_all: Any) -> None:
    college.answer = lambda asked: college.json({"error": "canary: invalid limit"}, 400)
    walked = await walk_all({"pagination": {"type": "offset", "pageSize": 8}})
    assert (walked.last.code, walked.last.error_class) == ("http_400", ErrorClass.CONFIG)
    assert "canary" not in walked.last.model_dump_json()
    assert [asked.query["limit"] for asked in college.asked] == ["8", "4", "2", "1"]


async def test_pages_that_are_too_large_are_asked_for_in_halves_in_the_middle_of_numbered_pages(
    college: Any, walk_all: Any
) -> None:
    rows = [{"id": number, "note": "n" * (60_000 if 200 <= number < 300 else 1)} for number in range(400)]

    def reply(asked: Any) -> Any:
        page, limit = int(asked.query["page"]), int(asked.query["limit"])
        return college.json({"data": rows[(page - 1) * limit : page * limit], "total": len(rows)})

    college.answer = reply
    walked = await walk_all({"pagination": {"type": "page", "pageSize": 100}})
    assert walked.records == rows
    assert walked.last.complete
    assert "pages of 50" in walked.last.warnings[0]


async def test_a_source_that_counts_first_is_asked_for_its_pages_ahead(college: Any, walk_all: Any) -> None:
    """As PowerSchool does it. The four first pages are answered only when all four are asked for."""
    four = asyncio.Barrier(4)

    async def reply(asked: Any) -> Any:
        if asked.path == "/students/count":
            return college.json({"count": len(ROWS)})
        page = int(asked.query["page"])
        if page <= 4:
            await four.wait()
        return college.json({"record": ROWS[(page - 1) * 100 : page * 100]})

    college.answer = reply
    endpoint = {"pagination": {"type": "page", "count": {"path": "/students/count?q=1", "totalPath": "count"}}}
    async with asyncio.timeout(5):
        walked = await walk_all({**endpoint, "recordsPath": "record"}, limits=Limits(ahead=4))
    assert walked.records == ROWS
    assert walked.last.complete
    assert len(college.asked) == 12
    assert {batch.expected_records for batch in walked.batches} == {1050}


async def test_a_cursor_in_a_header_and_a_link_to_an_inner_host_are_followed(college: Any, walk_all: Any) -> None:
    def by_header(asked: Any) -> Any:
        start = int(asked.query.get("pageToken", 0))
        more = {"Next_Page_Token": str(start + 100)} if start + 100 < len(ROWS) else {}
        return college.json(ROWS[start : start + 100], **more)

    def by_link(asked: Any) -> Any:
        page = int(asked.query.get("page", 1))
        following = f"http://10.1.2.3:8081/students?page={page + 1}" if page < 11 else None
        return college.json({"code": 0, "next": following, "data": ROWS[(page - 1) * 100 : page * 100]})

    header = {"type": "cursor", "cursorHeader": "Next-Page-Token", "cursorParam": "pageToken"}
    link = {"type": "next_url", "nextUrlPath": "next", "rebuildHost": True}
    for answer, pagination in ((by_header, header), (by_link, link)):
        college.answer = answer
        walked = await walk_all({"pagination": pagination}, limits=Limits(pages=2))
        assert walked.records == ROWS
        assert walked.last.complete


async def test_a_source_that_goes_no_deeper_says_so_in_words_that_help(college: Any, walk_all: Any) -> None:
    def reply(asked: Any) -> Any:
        offset = int(asked.query["offset"])
        if offset >= 1000:
            return college.json({"error": "Result window is too large, limit is 1000"}, 400)
        return college.json(ROWS[offset : offset + 100])

    college.answer = reply
    walked = await walk_all({"pagination": {"type": "offset"}})
    assert (walked.last.code, walked.records) == ("paging_too_deep", ROWS[:1000])
    assert "1000 records" in walked.last.public


async def test_a_walk_that_takes_too_long_ends_with_an_error_also_while_it_is_parked(
    college: Any, walk_all: Any, NOW: Any
) -> None:
    college.serve_rows(ROWS)
    walked = await walk_all({"maxDuration": "PT1H"}, limits=Limits(pages=2), most_steps=1)
    assert walked.last.position["beganAt"] == NOW.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    position = {**walked.last.position, "beganAt": "2026-01-15T08:59:59.000000Z"}
    with pytest.raises(SourceError) as caught:
        await walk_all({"maxDuration": "PT1H"}, request=walked.last.model_copy(update={"position": position}))
    assert caught.value.code == "too_long"
    position = {**walked.last.position, "beganAt": "2026-01-15T09:00:00.000000Z"}
    rest = await walk_all({"maxDuration": "PT1H"}, request=walked.last.model_copy(update={"position": position}))
    assert walked.records + rest.records == ROWS


async def test_an_endpoint_whose_row_is_not_there_is_an_error_and_no_request(college: Any, walk_all: Any) -> None:
    with pytest.raises(SourceError) as caught:
        await walk_all({"path": "/courses/{{ parent.id }}/users"})
    assert (caught.value.code, college.asked) == ("parent_value_missing", [])
