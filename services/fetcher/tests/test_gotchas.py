"""What education systems surprise their clients with: thirty-six traps, each with the test that it does not work.

Numbers and sentences are those of our list of them. ``ELSEWHERE`` names further tests of the same traps.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx2
import pytest
from hub_fetcher.walking.reading import Limits
from hub_mapping import MappedBatch, compile_mapping
from hub_mapping.derive import group_rows, punches_to_attendance
from hub_model.combining import GroupBy, Punches
from hub_model.errors import ErrorClass, HubError
from hub_model.mappings import Mapping
from hub_model.messages import StreamFinished, SyncFailed
from hub_model.records import DataType
from hub_model.webhooks import SignatureHeader
from hub_security.egress import open_client
from hub_security.redaction import Redactor
from hub_security.signatures import verify_hmac, verify_legacy

INDIA = "Asia/Kolkata"
OBSERVED = datetime(2026, 7, 22, tzinfo=UTC)
NONE: dict[str, Any] = {"pagination": {"type": "none"}}
MEMBERS = Path(__file__).parents[3]

FETCHER = "services/fetcher/tests/"
GATEWAY = "services/webhook-gateway/tests/"
ELSEWHERE = [
    (4, FETCHER + "test_answers.py", "a_search_that_was_not_narrowed_is_an_error"),
    (7, FETCHER + "test_guards.py", "a_next_link_to_another_origin_is_an_error"),
    (8, FETCHER + "test_guards.py", "pages_that_come_again_in_a_cycle_of_any_length_end_the_walk_with_an_error"),
    (21, FETCHER + "test_incremental_windows.py", "whatever_is_written_when_is_read_in_the_end"),
    (24, FETCHER + "test_oauth.py", "a_storm_of_refusals_in_two_workers_causes_one_exchange"),
    (25, FETCHER + "test_auth.py", "a_key_in_the_query_stays_out_of_positions_and_errors"),
    (26, GATEWAY + "test_vendor_pushes.py", "frappe_signs_its_raw_bytes_in_base64_and_names_no_content_type"),
    (26, GATEWAY + "test_vendor_pushes.py", "moodles_token_is_a_field_of_a_body_that_is_labelled_as_a_form"),
    (26, GATEWAY + "test_signed_pushes.py", "keys_are_rotated_without_a_refused_event"),
    (26, GATEWAY + "test_address_secrets.py", "whatever_a_device_sends_brings_its_sync_forward"),
    (26, GATEWAY + "test_address_secrets.py", "the_network_counts_as_well_as_the_secret"),
    (26, GATEWAY + "test_repetitions.py", "fifty_copies_at_once_are_one_event"),
    (28, FETCHER + "test_decode.py", "hostile_xml_is_refused"),
    (33, FETCHER + "test_pace.py", "no_more_are_under_way_than_allowed_over_all_workers"),
    (34, "libs/security/tests/test_egress.py", "the_table_refuses_what_is_not_public"),
]


def map_all(data_type: DataType, *raw: Any, **document: Any) -> MappedBatch:
    mapping = compile_mapping(Mapping.model_validate(document), data_type, time_zone=INDIA)
    return mapping.map_batch(list(raw), observed_at=OBSERVED)


def value_of(raw: Any, field: str, *do: Any, data_type: DataType = DataType.MARKS) -> Any:
    """What a field of a record becomes; a list of issues' codes where it is rejected."""
    given = {"studentId": "1", "subject": "Math", "examId": "e", "date": "2026-07-20", "attendance": "present"}
    if data_type is DataType.TIMETABLE:
        given = {"subject": "Math", "dayOfWeek": "mon", "startTime": "08:00", "endTime": "23:00"}
    rules = [{"to": field, "from": "value", **({"do": list(do)} if do else {})}]
    batch = map_all(data_type, {**given, "value": raw}, rules=rules)
    if batch.rejects:
        return [issue["code"] for issue in batch.rejects[0].issues]
    return batch.records[0]["data"].get(field)


def pages(college: Any, *answers: Any) -> None:
    """One answer after the other; the last for ever."""
    left = list(answers)
    college.answer = lambda asked: left.pop(0) if len(left) > 1 else left[0]


async def test_01_moodle_errors_arrive_with_200_and_success_bodies_may_be_a_list_or_null(
    college: Any, walk_all: Any
) -> None:
    error = {"exception": "moodle_exception", "errorcode": "invalidtoken", "message": "Invalid token"}
    college.answer = lambda asked: college.json(error)
    failed = (await walk_all(NONE)).last
    assert (type(failed), failed.error_class, failed.code) == (SyncFailed, ErrorClass.AUTH, "credentials_refused")
    college.answer = lambda asked: college.json([{"id": 57}])
    assert (await walk_all(NONE)).records == [{"id": 57}]
    college.answer = lambda asked: college.json(None)
    nothing = (await walk_all({**NONE, "missingRecords": "empty"})).last
    assert (type(nothing), nothing.records) == (StreamFinished, 0)
    assert isinstance((await walk_all(NONE)).last, SyncFailed), "nothing at all is zero records only where that is said"


async def test_02_without_its_format_parameter_moodle_answers_in_xml_which_is_no_empty_success(
    college: Any, walk_all: Any, answer: Any
) -> None:
    row = b'<SINGLE><KEY name="id"><VALUE>57</VALUE></KEY></SINGLE>'
    xml = b'<?xml version="1.0"?><RESPONSE><MULTIPLE>' + row + b"</MULTIPLE></RESPONSE>"
    error = b'<?xml version="1.0"?><EXCEPTION class="moodle_exception"><ERRORCODE>invalidtoken</ERRORCODE></EXCEPTION>'

    def moodle(asked: Any) -> Any:
        if asked.query.get("moodlewsrestformat") == "json":
            return college.json([{"id": 57}])
        return answer(xml, headers={"Content-Type": "application/xml"})

    college.answer = moodle
    assert isinstance((await walk_all(NONE)).last, SyncFailed)
    assert (await walk_all({**NONE, "params": {"moodlewsrestformat": "json"}})).records == [{"id": 57}]
    college.answer = lambda asked: answer(error, headers={"Content-Type": "application/xml"})
    assert (await walk_all(NONE)).last.code == "credentials_refused"


async def test_03_booleans_go_to_moodle_as_1_and_0(college: Any, walk_all: Any) -> None:
    college.answer = lambda asked: college.json([{"id": 57}])
    options = [{"name": "onlyactive", "value": True}, {"name": "x", "value": False}]
    await walk_all({**NONE, "nesting": "brackets", "params": {"options": options}})
    asked = college.asked[0].query
    assert (asked["options[0][value]"], asked["options[1][value]"]) == ("1", "0")


async def test_04_an_unknown_search_key_widens_what_moodle_finds_with_only_a_warning(
    college: Any, walk_all: Any
) -> None:
    warning = {"item": "collge", "warningcode": "invalidfieldparameter", "message": "The search key is not supported"}
    college.answer = lambda asked: college.json({"users": [{"id": 1}, {"id": 2}], "warnings": [warning]})
    walked = await walk_all({**NONE, "recordsPath": "users"})
    assert isinstance(walked.last, SyncFailed)
    assert walked.records == []


async def test_05_a_short_page_is_not_the_last_page(college: Any, walk_all: Any) -> None:
    rows = [{"id": number} for number in range(40)]

    def moodle(asked: Any) -> Any:
        start = int(asked.query.get("offset", 0))
        return college.json([row for row in rows[start : start + 10] if row["id"] % 3])  # what may be seen

    college.answer = moodle
    walked = await walk_all({"pagination": {"type": "offset", "pageSize": 10}})
    assert {record["id"] for record in walked.records} == {row["id"] for row in rows if row["id"] % 3}


@pytest.mark.parametrize("refuses", [False, True])
async def test_06_one_server_clamps_the_page_size_and_another_rejects_it(
    college: Any, walk_all: Any, refuses: bool
) -> None:
    rows = [{"id": number} for number in range(120)]

    def answer(asked: Any) -> Any:
        limit, start = int(asked.query["limit"]), int(asked.query.get("offset", 0))
        if refuses and limit > 50:
            return college.json({"detail": "Limit must be between 0 and 50."}, 400)
        return college.json(rows[start : start + min(limit, 50)])

    college.answer = answer
    walked = await walk_all({"pagination": {"type": "offset", "pageSize": 100}})
    assert [record["id"] for record in walked.records] == list(range(120))


@pytest.mark.parametrize(
    ("link", "is_followed"),
    [
        ("{origin}/students?page=2", True),
        ("/students?page=2", True),
        ("?page=2", True),
        ("http://elsewhere.example/students?page=2", False),
    ],
)
async def test_07_next_is_absolute_relative_or_on_another_host_and_only_ours_is_followed(
    college: Any, walk_all: Any, link: str, is_followed: bool
) -> None:
    pages(
        college,
        college.json({"data": [{"id": 1}], "next": link.format(origin=college.url)}),
        college.json({"data": [{"id": 2}], "next": None}),
    )
    walked = await walk_all({"pagination": {"type": "next_url", "nextUrlPath": "next"}})
    assert [record["id"] for record in walked.records] == ([1, 2] if is_followed else [1])
    assert isinstance(walked.last, StreamFinished if is_followed else SyncFailed)
    assert {asked.path for asked in college.asked} == {"/students"}


@pytest.mark.parametrize(
    "pagination",
    [{"type": "next_url", "nextUrlPath": "next"}, {"type": "offset", "pageSize": 2}, {"type": "page", "pageSize": 2}],
)
async def test_08_links_that_repeat_and_offsets_that_change_nothing_end_the_walk(
    college: Any, walk_all: Any, pagination: Any
) -> None:
    college.answer = lambda asked: college.json({"data": [{"id": 1}, {"id": 2}], "next": f"{college.url}/students?x=1"})
    walked = await walk_all({"recordsPath": "data", "pagination": pagination})
    assert walked.steps < 5
    assert isinstance(walked.last, SyncFailed) or not walked.last.complete


async def test_09_a_missing_key_is_an_empty_list_only_where_nothing_stands_in_its_place(
    college: Any, walk_all: Any
) -> None:
    google = {**NONE, "recordsPath": "students", "missingRecords": "empty"}
    college.answer = lambda asked: college.json({})
    assert (await walk_all(google)).last.complete
    college.answer = lambda asked: college.json({"learners": [{"id": 1}]})  # the key has another name now
    assert isinstance((await walk_all(google)).last, SyncFailed)


async def test_10_ids_that_are_joined_are_compared_as_text(hub: Any, college: Any, make_integration: Any) -> None:
    def answer(asked: Any) -> Any:
        return college.json([{"id": 465}] if asked.path == "/meetings" else [{"meetingId": "465"}])

    college.answer = answer
    join = {"stream": "meetings", "left": "meetingId", "right": "id", "as": "meeting"}
    endpoint = {"path": "/records", "joins": [join], **NONE}
    done = await hub.sync(
        make_integration(endpoints={"attendance": endpoint}, streams={"meetings": {"path": "/meetings", **NONE}})
    )
    assert [record["meeting"]["id"] for record in done["records"]] == [465]


async def test_11_ids_are_never_numbers(college: Any, walk_all: Any, answer: Any) -> None:
    body = b'[{"user_id": 10000000000000057, "code": "0001"}, {"user_id": 9007199254740993, "code": "012"}]'
    college.answer = lambda asked: answer(body, headers={"Content-Type": "application/json"})
    raw = (await walk_all(NONE)).records
    rules = [{"to": "studentId", "from": "user_id"}, {"to": "rollNumber", "from": "code"}, {"to": "name", "const": "A"}]
    found = [record["data"] for record in map_all(DataType.STUDENTS, *raw, rules=rules).records]
    assert [(row["studentId"], row["rollNumber"]) for row in found] == [
        ("10000000000000057", "0001"),
        ("9007199254740993", "012"),
    ]


def test_12_naive_times_and_epochs_become_days_only_where_the_college_is() -> None:
    midnight = int(datetime(2026, 7, 19, 18, 30, tzinfo=UTC).timestamp())
    assert value_of(midnight, "date", ["date", "epoch_s"], data_type=DataType.ATTENDANCE) == "2026-07-20"
    check_in = value_of("2026-07-20 08:31:10", "checkInAt", data_type=DataType.ATTENDANCE)
    assert check_in == "2026-07-20T03:01:10.000000Z"


def test_13_the_order_of_day_and_month_is_said_per_field_and_never_guessed() -> None:
    for text in ("03/04/2026", "13/04/2026"):
        assert value_of(text, "date", data_type=DataType.ATTENDANCE) != "2026-04-03"
        assert isinstance(value_of(text, "date", data_type=DataType.ATTENDANCE), list)
    by_day = [["date", "%d/%m/%Y"]]
    assert value_of("03/04/2026", "date", *by_day, data_type=DataType.ATTENDANCE) == "2026-04-03"
    assert isinstance(value_of("04/13/2026", "date", *by_day, data_type=DataType.ATTENDANCE), list)


@pytest.mark.parametrize(("text", "time"), [("9:30:00", "09:30"), ("09:30", "09:30"), ("--:--", None)])
def test_14_all_of_these_are_times(text: str, time: str | None) -> None:
    found = value_of(text, "startTime", ["null_if", "--:--"], "time", data_type=DataType.ATTENDANCE)
    assert found == time
    assert isinstance(value_of("half past nine", "startTime", "time", data_type=DataType.ATTENDANCE), list)


@pytest.mark.parametrize(("raw", "marks"), [(None, None), (0, "0"), ("0", "0"), ("", None), ("-", None)])
def test_15_no_score_is_not_a_score_of_zero(raw: Any, marks: Any) -> None:
    found = value_of(raw, "marksObtained", ["null_if", "-"])
    assert (found if found is None else str(found)) == marks


@pytest.mark.parametrize(
    ("raw", "steps", "percentage"),
    [
        (0.85, [["multiply", 100]], "85"),
        ("85.00 %", [["decimal", {"percent": True}]], "85"),
        ("85,5 %", [["decimal", {"percent": True, "point": ","}]], "85.5"),
    ],
)
def test_16_percentages_come_as_parts_of_one_with_signs_and_with_commas(raw: Any, steps: Any, percentage: str) -> None:
    assert str(value_of(raw, "percentage", *steps)).rstrip("0").rstrip(".") == percentage


def test_17_extra_credit_is_more_than_all_marks() -> None:
    raw = {"studentId": "1", "subject": "Math", "examId": "e", "marksObtained": 11, "maxMarks": 10}
    batch = map_all(DataType.MARKS, raw)
    assert batch.rejects == []
    data = batch.records[0]["data"]
    assert (data["marksObtained"], data["percentage"]) == (11, 110)


def test_18_a_status_that_nobody_mapped_is_kept_and_seen_and_never_present() -> None:
    raw = {"studentId": "1", "date": "2026-07-20", "attendance": "Sports Day"}
    rules = [{"to": "attendance", "from": "attendance", "do": [["map", {"P": "present"}]]}]
    batch = map_all(DataType.ATTENDANCE, raw, rules=rules)
    data = [record["data"] for record in batch.records]
    assert [(row["attendance"], "Sports Day" in json.dumps(row)) for row in data] == [("unknown", True)]


async def test_19_who_has_no_row_is_not_absent(hub: Any, college: Any, make_integration: Any) -> None:
    session = {"id": 9, "users": [{"id": 57}, {"id": 58}], "attendance_log": [{"studentid": 57, "statusid": "31"}]}
    college.answer = lambda asked: college.json([session])
    endpoint = {"path": "/sessions", "explode": [{"path": "attendance_log", "as": "log"}], **NONE}
    done = await hub.sync(make_integration(endpoints={"attendance": endpoint}))
    assert [record["log"]["studentid"] for record in done["records"]] == [57]


async def test_20_deletes_are_what_the_source_says_and_an_incomplete_read_is_no_snapshot(
    hub: Any, college: Any, make_integration: Any
) -> None:
    gone = {"studentId": "1", "state": "tobedeleted"}
    batch = map_all(
        DataType.STUDENTS,
        {"studentId": "2", "name": "Asha", "state": "active"},
        gone,
        deletedWhen=[{"path": "state", "oneOf": ["tobedeleted"]}],
    )
    assert sorted((record["data"]["studentId"], record.get("deleted", False)) for record in batch.records) == [
        ("1", True),
        ("2", False),
    ]

    def answer(asked: Any) -> Any:
        if asked.path == "/courses":
            return college.json([{"id": 1}, {"id": 2}])
        return college.json([{"id": 57}]) if asked.path.startswith("/courses/1") else college.json({}, 403)

    college.answer = answer
    endpoint = {"path": "/courses/{{ parent.id }}/students", "parent": {"stream": "courses"}, **NONE}
    done = await hub.sync(
        make_integration(endpoints={"students": endpoint}, streams={"courses": {"path": "/courses", **NONE}})
    )
    end = done["ends"]["students"]
    assert (len(done["records"]), end.complete, end.snapshot) == (1, False, False)


async def test_21_a_cursor_goes_by_the_servers_time_and_moves_after_the_records_are_written(
    hub: Any, college: Any, make_integration: Any
) -> None:
    behind = timedelta(hours=2)
    date = (hub.now - behind).strftime("%a, %d %b %Y %H:%M:%S GMT")
    college.answer = lambda asked: college.json([{"id": 1}], Date=date)
    spec = {"type": "datetime", "startTimeParam": "since", "endTimeParam": "until", "safetyLag": "PT0S"}
    integration = make_integration(endpoints={"students": {"path": "/students", "incremental": spec, **NONE}})
    await hub.sync(integration, unwritten="students")
    await hub.sync(integration)
    hub.now += timedelta(hours=1)
    await hub.sync(integration)
    asked = [asked.query for asked in college.asked if asked.path == "/students"]
    assert [query["until"][:16] for query in asked[:2]] == ["2026-01-15T08:00"] * 2
    assert [query.get("since", "")[:16] for query in asked] == ["", "", "2026-01-15T07:55"]


async def test_22_what_devices_upload_late_is_read_by_reading_some_days_again(
    hub: Any, college: Any, make_integration: Any
) -> None:
    def answer(asked: Any) -> Any:
        return college.json([{"id": 1}], Date=hub.now.strftime("%a, %d %b %Y %H:%M:%S GMT"))

    college.answer = answer
    spec = {"type": "datetime", "startTimeParam": "start", "lookbackWindow": "P3D", "wholeDays": True}
    integration = make_integration(endpoints={"attendance": {"path": "/punches", "incremental": spec, **NONE}})
    await hub.sync(integration)
    hub.now += timedelta(hours=1)
    await hub.sync(integration)
    assert college.asked[-1].query["start"] == "2026-01-11T18:30:00.000Z"  # midnight in India, three days before


def test_23_punches_seconds_apart_are_one_and_a_night_belongs_to_the_day_it_began_on() -> None:
    times = ["2026-07-20 22:00:00", "2026-07-20 22:00:20", "2026-07-21 03:30:00", "2026-07-21 03:30:05"]
    rows = [{"code": "7", "at": at} for at in times]
    spec = {"type": "punches", "person": "code", "punchedAt": "at", "datetimeFormat": "%Y-%m-%d %H:%M:%S"}
    (day,) = punches_to_attendance(rows, Punches.model_validate(spec), ZoneInfo(INDIA))
    assert (day["date"], day["punches"]) == ("2026-07-20", 2)


@pytest.mark.parametrize(
    ("status", "body", "headers", "kind"),
    [
        (403, "403 Forbidden (Rate Limit Exceeded)", {}, "wait"),
        (429, "Too Many Requests", {}, "wait"),
        (503, "<!DOCTYPE html><html><title>Maintenance</title></html>", {"Content-Type": "text/html"}, "wait"),
        (403, '{"errors":[{"message":"user not authorized to perform that action"}]}', {}, "auth"),
    ],
)
async def test_24_a_403_is_read_by_its_body_and_a_429_or_a_page_of_maintenance_is_waited_for(
    college: Any, walk_all: Any, answer: Any, status: int, body: str, headers: dict[str, str], kind: str
) -> None:
    college.answer = lambda asked: answer(body.encode(), status, headers)
    if kind == "auth":
        assert (await walk_all(NONE)).last.error_class is ErrorClass.AUTH
        return
    with pytest.raises(HubError) as caught:
        await walk_all(NONE)
    assert caught.value.error_class in (ErrorClass.RATE, ErrorClass.TRANSIENT)


async def test_25_secrets_in_addresses_reach_no_error_no_position_and_no_log(
    college: Any, walk_all: Any, make_integration: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    college.answer = lambda asked: college.json({"data": [{"id": 1}], "next": college.url + asked.target + "&p=2"})
    integration = make_integration(
        authType="api-key",
        apiKeyPlacement={"placement": "query", "name": "wstoken"},
        endpoints={"students": {"path": "/students", "pagination": {"type": "next_url", "nextUrlPath": "next"}}},
    )
    walked = await walk_all(integration=integration, limits=Limits(pages=1), most_steps=3)
    secret = next(asked.query["wstoken"] for asked in college.asked)
    told = "".join(message.model_dump_json() for message in walked.messages)
    assert secret not in told
    assert secret not in capsys.readouterr().out
    redactor = Redactor()
    assert secret not in redactor.redact(f"GET https://moodle.edu/rest?wstoken={secret}&x=1 failed")


def test_26_a_webhook_is_verified_over_its_raw_bytes_and_in_the_encoding_of_its_vendor_alone() -> None:
    secret = "a secret of this college"
    body = json.dumps({"name": "Zoë", "docs": [1, 2]}).encode()  # as Frappe writes it: ASCII escapes, spaces
    mac = hmac.digest(secret.encode(), body, hashlib.sha256)
    as_base64 = base64.b64encode(mac).decode()
    frappe = SignatureHeader(name="X-Frappe-Webhook-Signature", encoding="base64")
    verify_hmac([secret], body, as_base64, frappe)
    verify_legacy([secret], body, mac.hex())
    other = json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":")).encode()
    for refused, signature in ((other, as_base64), (body, mac.hex())):
        with pytest.raises(HubError):
            verify_hmac([secret], refused, signature, frappe)


@pytest.mark.parametrize("declared", ["application/x-www-form-urlencoded", "text/html", "", "text/plain"])
async def test_27_the_declared_content_type_can_lie(college: Any, walk_all: Any, answer: Any, declared: str) -> None:
    headers = {"Content-Type": declared} if declared else {}
    college.answer = lambda asked: answer(b'[{"id": 1}]', headers=headers)
    assert (await walk_all(NONE)).records == [{"id": 1}]
    page = b"<!DOCTYPE html><html><title>Portal</title><body>Welcome</body></html>"
    college.answer = lambda asked: answer(page, headers={"Content-Type": "application/json"})
    last = (await walk_all(NONE)).last
    assert (type(last), last.code) == (SyncFailed, "web_page")


async def test_28_one_child_of_xml_is_a_list_of_one_and_no_entity_is_resolved(
    college: Any, walk_all: Any, answer: Any
) -> None:
    fedena = {**NONE, "format": "xml", "recordsPath": "student_detail.student"}
    college.answer = lambda asked: answer(b"<student_detail><student><id>007</id></student></student_detail>")
    assert (await walk_all(fedena)).records == [{"id": "007"}]
    student = b"<student_detail><student><id>&x;</id></student></student_detail>"
    for entity in (b'"007"', b'SYSTEM "file:///etc/hostname"'):
        hostile = b"<!DOCTYPE a [<!ENTITY x " + entity + b">]>" + student
        college.answer = lambda asked, hostile=hostile: answer(hostile)
        walked = await walk_all(fedena)
        assert (type(walked.last), walked.records) == (SyncFailed, [])
        assert walked.last.code == "unsafe_xml"


def test_29_html_and_languages_in_names_are_taken_out_where_that_is_asked() -> None:
    spans = '<span lang="en" class="multilang">Rahul &amp; Co</span> <span lang="hi" class="multilang">राहुल</span>'
    for do, name in (("strip_html", "Rahul & Co"), (["strip_html", "hi"], "राहुल")):
        rules = [{"to": "name", "from": "n", "do": [do]}]
        batch = map_all(DataType.STUDENTS, {"studentId": "1", "n": f"<b>{spans}</b>"}, rules=rules)
        assert batch.records[0]["data"]["name"] == name


def test_30_one_person_of_many_courses_is_one_record_with_all_that_they_have() -> None:
    rows = [{"id": 57, "course": "Math"}, {"id": "57", "course": "Physics"}, {"id": 58, "course": "Math"}]
    grouped = list(group_rows(rows, GroupBy.model_validate({"by": "id", "collect": {"subjects": "course"}})))
    assert [(str(row["id"]), row["subjects"]) for row in grouped] == [("57", ["Math", "Physics"]), ("58", ["Math"])]
    twice = map_all(DataType.STUDENTS, {"studentId": "1", "name": "A"}, {"studentId": "1", "name": "A B"})
    assert [record["data"]["name"] for record in twice.records] == ["A B"]


def test_31_a_record_keeps_its_key_when_the_vendor_gives_out_new_ids() -> None:
    rules = [{"to": "studentId", "from": "identifier"}, {"to": "name", "from": "name"}]
    before, after = (
        map_all(
            DataType.STUDENTS,
            {"identifier": "101", "name": "Rahul", "sourcedId": sourced},
            rules=rules,
            sourceId="sourcedId",
        ).records[0]
        for sourced in ("u-57", "f3c1")
    )
    assert before["key"] == after["key"]
    assert (before["sourceId"], after["sourceId"]) == ("u-57", "f3c1")


async def test_32_one_course_that_may_not_be_read_takes_nothing_from_the_others(
    hub: Any, college: Any, make_integration: Any
) -> None:
    denied = {"exception": "moodle_exception", "errorcode": "errorcoursecontextnotvalid", "message": "x"}

    def answer(asked: Any) -> Any:
        if asked.path == "/courses":
            return college.json([{"id": number} for number in (1, 2, 3)])
        return college.json(denied if asked.query["course"] == "2" else [{"id": int(asked.query["course"])}])

    college.answer = answer
    endpoint = {"path": "/users", "params": {"course": "{{ parent.id }}"}, "parent": {"stream": "courses"}, **NONE}
    done = await hub.sync(
        make_integration(endpoints={"students": endpoint}, streams={"courses": {"path": "/courses", **NONE}})
    )
    end = done["ends"]["students"]
    assert ([record["id"] for record in done["records"]], end.complete) == ([1, 3], False)
    assert any("1 of 3 rows" in warning for warning in end.warnings)


async def test_33_hundreds_of_courses_are_asked_one_at_a_time_where_that_is_said_and_each_is_a_place_to_go_on_from(
    hub: Any, college: Any, make_integration: Any
) -> None:
    async def answer(asked: Any) -> Any:
        await asyncio.sleep(0)
        if asked.path == "/courses":
            return college.json([{"id": number} for number in range(30)])
        return college.json([{"id": asked.path}])

    college.answer = answer
    endpoint = {"path": "/courses/{{ parent.id }}/users", "parent": {"stream": "courses"}, **NONE}
    integration = make_integration(
        endpoints={"students": endpoint},
        streams={"courses": {"path": "/courses", **NONE}},
        limits={"concurrency": 1},
    )
    done = await hub.sync(integration, twice=True)  # three pages a stretch, each handled half before
    assert [record["id"] for record in done["records"]] == [f"/courses/{number}/users" for number in range(30)]
    assert college.most_at_once == 1


async def test_34_a_device_in_the_colleges_own_network_is_reached_only_where_an_operator_allows_it(
    college: Any,
) -> None:
    async with open_client() as guarded:
        with pytest.raises((httpx2.HTTPError, HubError)):
            await guarded.get(college.url)
    assert college.asked == []
    async with open_client(allowed_networks=["127.0.0.0/8"]) as allowed:
        assert (await allowed.get(college.url)).status_code == 404


async def test_35_a_correction_that_is_a_delete_and_a_new_row_is_told_in_that_order(
    hub: Any, college: Any, make_integration: Any
) -> None:
    def answer(asked: Any) -> Any:
        if asked.path == "/versions":
            return college.json({"oldestChangeVersion": 0, "newestChangeVersion": 9})
        return college.json([{"id": "old"}] if asked.path.endswith("/deletes") else [{"id": "new"}])

    college.answer = answer
    endpoint = {
        "path": "/events",
        "incremental": {"type": "change_version", "versionsPath": "/versions"},
        "deletes": {"path": "/events/deletes", **NONE},
        **NONE,
    }
    done = await hub.sync(make_integration(endpoints={"attendance": endpoint}))
    batches = sorted(done["batches"], key=lambda batch: batch.sequence)
    assert [(batch.deletes, [record["id"] for record in batch.records]) for batch in batches] == [
        (True, ["old"]),
        (False, ["new"]),
    ]
    assert batches[0].observed_at < batches[1].observed_at


def test_36_nothing_that_the_mapping_does_not_name_is_kept() -> None:
    raw = {"studentId": "1", "name": "A", "password": "x", "religion": "y", "email": "a@x.edu", "photo": "z"}
    rules = [{"to": "studentId", "from": "studentId"}, {"to": "name", "from": "name"}]
    data = map_all(DataType.STUDENTS, raw, rules=rules, only=True).records[0]["data"]
    assert data.keys() == {"studentId", "name"}
    usual = map_all(DataType.STUDENTS, raw).records[0]["data"]
    assert not {"password", "religion", "photo"} & usual.keys()


def test_every_trap_has_its_test_and_what_is_named_elsewhere_is_there() -> None:
    own = re.findall(r"def test_(\d\d)_", Path(__file__).read_text())
    assert sorted(int(number) for number in own) == list(range(1, 37))
    for _, file, name in ELSEWHERE:
        assert f"def test_{name}(" in (MEMBERS / file).read_text(), (file, name)
