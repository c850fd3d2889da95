"""Whatever a source answers, nothing of a student or a credential reaches errors, warnings, runs, checks or the log."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hub_fetcher.fetching import Fetching
from hub_fetcher.handlers import fetch_pages, start_sync
from hub_fetcher.opening import Opener
from hub_fetcher.planning import Planner
from hub_fetcher.probe import check_connection
from hub_fetcher.walking.joins import Lookups
from hub_fetcher.walking.reading import Limits
from hub_messaging.handling import Context
from hub_model.errors import TransientError
from hub_model.messages import BatchFetched, PageRequested, SyncRequested, Trigger
from hub_model.runs import new_run
from hub_sqlite import SqliteDatabase
from hub_storage.adapters.sqlite import SqliteStore
from hub_storage.repositories import SPECS, Chains, Integrations, Runs, StreamStates, Tables

IDS: dict[str, Any] = {"college_id": "college-1", "integration_id": "integration-1", "run_id": "run-1"}
# Of a student, as the parent's row and the answers have it; and of each credential.
STUDENT = "CANARYSTUDENT22CS101"
SECRET = "CANARYSECRET0123456789"
ECHO = f"no such student {STUDENT} for key {SECRET}"


def _json(value: Any, status: int = 200, **headers: str) -> Callable[[Any, Any], Any]:
    return lambda college, _: college.json(value, status, **headers)


def _raw(answer: Any, body: str, kind: str, status: int = 200) -> Any:
    return answer(body.encode(), status, {"Content-Type": kind})


# What the source answers to whoever asks for this student's marks.
ANSWERS: dict[str, Callable[[Any, Any], Any]] = {
    "redirect": _json({}, 302, Location=f"https://new.example.edu/{STUDENT}/{SECRET}?k={SECRET}"),
    "redirect below": _json({}, 301, Location=f"/students/{STUDENT}/marks/"),
    **{str(status): _json({"error": ECHO, "message": ECHO}, status) for status in (400, 401, 403, 404, 422, 429, 500)},
    "an error in the body": _json({"success": False, "error": {"code": SECRET, "message": ECHO}}),
    "an exception": _json({"exception": STUDENT, "errorcode": STUDENT, "message": ECHO}),
    "lists by name": _json({STUDENT: [{"a": 1}], f"{STUDENT} b": [{"a": 2}]}),
    "no list": _json({STUDENT: ECHO}),
    "a next link elsewhere": _json({"data": [{"a": 1}], "next": f"https://{SECRET}:{STUDENT}@e.example/{STUDENT}"}),
    "no next link": _json({"data": [{"a": 1}], "next": f"http://[{STUDENT}/{SECRET}"}),
    "a mark and no link": _json({"data": [{"a": 1}], "next": STUDENT}),
    "a cursor that is no text": _json({"data": [{"a": 1}], "next_cursor": STUDENT, "has_more": True}),
    "warnings": _json({"data": [{"a": 1}], "warnings": [{"warningcode": STUDENT, "message": ECHO}]}),
    "errors beside": _json({"data": [{"a": 1}], "errors": [{"code": STUDENT, "message": ECHO}]}),
    "a page": lambda _, answer: _raw(answer, f"<html><title>{ECHO}</title></html>", "text/html"),
    "text": lambda _, answer: _raw(answer, ECHO, f"text/{SECRET}"),
    "a fault": lambda _, answer: _raw(
        answer,
        f"<a:Envelope xmlns:a='x'><a:Body><a:Fault><faultcode>{STUDENT}</faultcode>"
        f"<faultstring>{ECHO}</faultstring></a:Fault></a:Body></a:Envelope>",
        "text/xml",
        500,
    ),
    "broken XML": lambda _, answer: _raw(answer, f"<?xml version='1.0'?><{STUDENT}>{SECRET}</b>", "text/xml"),
    "broken JSON": lambda _, answer: _raw(answer, '{"data": [{"' + STUDENT + '": ' + SECRET, "application/json"),
    "a header twice": lambda _, answer: _raw(answer, f"{STUDENT},{STUDENT}\n{SECRET},1\n", "text/csv"),
    "a retry-after": _json({"error": ECHO}, 503, Retry_After=SECRET, X_RateLimit_Reset=STUDENT),
    "a charset": lambda _, answer: answer(b"\xff\xfe\xff", 200, {"Content-Type": f"text/plain; charset={SECRET}"}),
    "a record that is too large": _json({"data": [{STUDENT: SECRET * 100_000}]}),
    "an explode that leads to words": _json({"data": [{"log": ECHO}]}),
}
CREDENTIALS: dict[str, dict[str, Any]] = {
    "bearer": {},
    "key": {"authType": "api-key", "apiKeyPlacement": {"placement": "query", "name": "k"}},
    "basic": {"authType": "basic", "username": "u", "secrets": {"password": SECRET}},
    "digest": {"authType": "digest", "username": "u", "secrets": {"password": SECRET}},
    "oauth1": {
        "authType": "oauth1",
        "oauth1": {"consumerKey": "hub"},
        "secrets": {"consumerSecret": SECRET, "token": SECRET, "tokenSecret": SECRET},
    },
    "extra": {
        "extraKeys": [{"placement": "query", "name": "x"}],
        "secrets": {"apiKey": SECRET, "extraKeys:x": SECRET},
    },
}


# Every answer to one kind of credential, and to every other kind the answers that are about credentials.
PAIRS = [("bearer", kind) for kind in ANSWERS] + [
    (credential, kind)
    for credential in CREDENTIALS
    for kind in ("401", "redirect", "an error in the body", "a next link elsewhere")
    if credential != "bearer"
]


@pytest.mark.parametrize(("credential", "kind"), PAIRS)
async def test_nothing_of_a_student_or_a_credential_is_told(
    tmp_path: Path,
    college: Any,
    answer: Any,
    sources: Any,
    make_integration: Any,
    capfd: pytest.CaptureFixture[str],
    kind: str,
    credential: str,
) -> None:
    def answered(asked: Any) -> Any:
        if asked.path == "/students":
            return college.json({"data": [{"id": STUDENT, "name": STUDENT}]})
        return ANSWERS[kind](college, answer)

    college.answer = answered
    settings = {"secrets": {"apiKey": SECRET}, **CREDENTIALS[credential]}
    endpoint = {
        "path": "/students/{{ parent.id }}/marks",
        "params": {"who": "{{ parent.name }}"},
        "parent": {"stream": "students"},
        **({"explode": [{"path": "log"}]} if "explode" in kind else {}),
    }
    streams = {"students": {"path": "/students"}}
    integration = make_integration(endpoints={"marks": endpoint}, streams=streams, **settings)
    told = [check.model_dump_json() async for check in check_connection(integration, sources, deadline_s=20)]
    async with SqliteDatabase(tmp_path / "hub.db") as database:
        store = SqliteStore(database)
        await store.open(SPECS)
        hub = Fetching(
            integrations=Integrations(store),
            runs=Runs(store),
            chains=Chains(store),
            tables=(tables := Tables(store)),
            opener=Opener(sources, tables, Lookups(max_bytes=1_000_000)),
            planner=Planner(sources, StreamStates(store), sources.transport.clock),
            limits=Limits(),
            clock=sources.transport.clock,
            monotonic=time.monotonic,
        )
        told += await _synced(hub, integration)
        run = await hub.runs.get("college-1", "run-1")
        told.append(run.model_dump_json())
        await store.close()
    told += capfd.readouterr()
    assert told
    for canary in (STUDENT, SECRET):
        found = [text for text in told if canary.lower() in text.lower()]
        assert not found, found


async def _synced(hub: Fetching, integration: Any) -> list[str]:
    """All that a sync tells but the records themselves and where a chain stands."""
    await hub.integrations.add(integration)
    types = tuple(integration.settings.endpoints)
    now = hub.clock()
    await hub.runs.add(new_run(**IDS, trigger=Trigger.MANUAL, data_types=types, now=now))
    request = SyncRequested(**IDS, trigger=Trigger.MANUAL, data_types=types, requested_at=now)
    queue = list(await start_sync(request, Context("m", "s", 1, now), hub=hub))
    told: list[str] = []
    for _ in range(20):
        if not queue:
            break
        message = queue.pop(0)
        try:
            async for output in fetch_pages(message, Context("m", "c", 1, now), hub=hub):
                if isinstance(output, PageRequested):
                    queue.append(output)
                elif not isinstance(output, BatchFetched):
                    told.append(orjson.dumps(output.model_dump(mode="json")).decode())
        except TransientError as error:
            told += [str(error), error.public]
    return told
