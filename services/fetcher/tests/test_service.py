"""The service over the real embedded broker and store: from sync.requested to the end of every stream."""

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hub_fetcher.fetching import Fetching
from hub_fetcher.handlers import fetch_pages, start_sync
from hub_fetcher.main import build_service, load_keys
from hub_fetcher.opening import Opener
from hub_fetcher.planning import Planner
from hub_fetcher.settings import FetcherSettings
from hub_fetcher.walking.joins import Lookups
from hub_fetcher.walking.reading import Limits
from hub_messaging.adapters.sqlite import SqliteBroker
from hub_messaging.broker import Broker, Delivery, Subscription
from hub_messaging.envelope import decode
from hub_messaging.handling import Context
from hub_messaging.publisher import Publisher
from hub_messaging.testing import wait_until
from hub_model.errors import InvalidInput, RateLimited, TransientError, Unavailable
from hub_model.integrations import Integration
from hub_model.messages import (
    BatchFetched,
    Message,
    PageRequested,
    ProbeFinished,
    ProbeProgressed,
    ProbeRequested,
    StreamFinished,
    SyncFailed,
    SyncFinished,
    SyncRequested,
    Trigger,
)
from hub_model.records import DataType
from hub_model.run_transitions import fail
from hub_model.runs import Run, RunStatus, new_run
from hub_model.waiting import Waiting
from hub_sqlite import SqliteDatabase
from hub_storage.adapters.sqlite import SqliteStore
from hub_storage.repositories import SPECS, Chains, Integrations, Runs, StreamStates, Tables
from hub_storage.store import Store

IDS = {"college_id": "college-1", "integration_id": "integration-1", "run_id": "run-1"}
ROWS = [{"studentId": f"CS{number:05d}"} for number in range(2500)]


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Hub:
    """The repositories, the broker, and everything the fetcher published."""

    broker: Broker
    store: Store
    integrations: Integrations
    runs: Runs
    chains: Chains
    told: list[Message] = field(default_factory=list)

    def of(self, *kinds: type[Message]) -> list[Any]:
        return [message for message in self.told if isinstance(message, kinds)]

    async def begin(self, integration: Integration, *, trigger: Trigger = Trigger.MANUAL) -> Run:
        """What whoever starts a run has done before sync.requested is published."""
        await self.integrations.add(integration.with_sync(active_run_id="run-1", active_since=utc_now()))
        run = new_run(**IDS, trigger=trigger, data_types=tuple(integration.settings.endpoints), now=utc_now())
        await self.runs.add(run)
        return run


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with SqliteDatabase(tmp_path / "hub.db") as database:
        store, broker = SqliteStore(database), SqliteBroker(database)
        await store.open(SPECS)
        await broker.open()
        hub = Hub(broker, store, Integrations(store), Runs(store), Chains(store))

        async def note(delivery: Delivery) -> None:
            hub.told.append(decode(delivery.envelope))
            await delivery.ack()

        keys = [
            "batch.fetched",
            "stream.finished",
            "sync.failed",
            "sync.finished",
            "probe.progressed",
            "probe.finished",
        ]
        await broker.consume(Subscription("test.outputs", keys), note)
        yield hub
        await broker.close()
        await store.close()


@pytest.fixture
def settings(keys_folder: Path) -> FetcherSettings:
    return FetcherSettings(
        fetcher_keys_file=keys_folder / "fetcher.json", allowed_networks="127.0.0.0/8, ::1/128", stretch_pages=7
    )


@pytest.fixture
async def service(hub: Hub, settings: FetcherSettings) -> AsyncIterator[Any]:
    service = build_service(settings, broker=hub.broker, store=hub.store)
    await service.start()
    yield service
    assert await service.stop(5)


def requested(trigger: Trigger = Trigger.MANUAL, *data_types: DataType) -> SyncRequested:
    return SyncRequested(**IDS, trigger=trigger, data_types=data_types, requested_at=utc_now())


async def test_a_sync_ends_with_every_record_of_every_stream(
    hub: Hub, service: Any, college: Any, make_integration: Callable[..., Integration]
) -> None:
    college.serve_rows(ROWS)
    types = ["students", "faculty", "subjects", "timetable", "attendance", "marks"]
    await hub.begin(make_integration(endpoints={name: f"/{name}" for name in types}))
    await Publisher(hub.broker).publish(requested())
    await wait_until(lambda: len(hub.of(StreamFinished, SyncFailed)) == 6, 15)
    for name in types:
        batches = sorted(
            (batch for batch in hub.of(BatchFetched) if batch.data_type == name), key=lambda batch: batch.sequence
        )
        assert [batch.sequence for batch in batches] == list(range(25))
        assert [record for batch in batches for record in batch.records] == ROWS
    assert all(end.complete and end.records == 2500 for end in hub.of(StreamFinished))
    run = await hub.runs.get("college-1", "run-1")
    assert (run.status, run.started_at is not None) == (RunStatus.RUNNING, True)
    first = {batch.observed_at for batch in hub.of(BatchFetched) if batch.sequence == 0}
    assert first == {run.started_at}


async def test_a_sync_that_is_asked_for_twice_is_fetched_once(
    hub: Hub, service: Any, college: Any, make_integration: Callable[..., Integration]
) -> None:
    college.serve_rows(ROWS)
    await hub.begin(make_integration())
    await Publisher(hub.broker).publish(requested(), requested(Trigger.RECOVERY))
    await wait_until(lambda: bool(hub.of(StreamFinished)), 10)
    await wait_until(lambda: _is_empty(hub.broker), 10)
    assert sorted(batch.sequence for batch in hub.of(BatchFetched)) == list(range(25))
    assert len(college.asked) <= 25 + 4  # a second chain is dropped at its first step


async def _is_empty(broker: Broker) -> bool:
    return await broker.depth("fetcher.pages") == 0 and await broker.depth("fetcher.syncs") == 0


async def test_a_source_error_fails_the_stream_and_not_the_others(
    hub: Hub, service: Any, college: Any, make_integration: Callable[..., Integration]
) -> None:
    college.answer = lambda asked: college.json(ROWS[:5]) if asked.path == "/students" else college.json({}, 404)
    await hub.begin(make_integration(endpoints={"students": "/students", "marks": "/marks"}))
    await Publisher(hub.broker).publish(requested())
    await wait_until(lambda: len(hub.of(StreamFinished, SyncFailed)) == 2, 10)
    (failed,) = hub.of(SyncFailed)
    assert (failed.data_type, failed.stage, failed.code, failed.batches) == ("marks", "fetch", "http_404", 0)
    assert await hub.broker.dead_letters.newest() == []


async def test_credentials_that_do_not_open_fail_the_stream(
    hub: Hub, service: Any, college: Any, make_integration: Callable[..., Integration]
) -> None:
    integration = make_integration()
    sealed = integration.secrets["apiKey"].model_copy(update={"version": 2})
    await hub.begin(integration.model_copy(update={"secrets": {"apiKey": sealed}}))
    await Publisher(hub.broker).publish(requested())
    await wait_until(lambda: bool(hub.of(SyncFailed)), 10)
    assert hub.of(SyncFailed)[0].code == "secret_unreadable"
    assert college.asked == []


@pytest.mark.parametrize("reason", ["disabled", "gone"])
async def test_a_run_nobody_wants_is_cancelled_and_lets_the_integration_go(
    hub: Hub, service: Any, college: Any, make_integration: Callable[..., Integration], reason: str
) -> None:
    await hub.begin(make_integration(enabled=False), trigger=Trigger.INTERVAL)
    if reason == "gone":
        await hub.integrations.remove("college-1", "integration-1")
    await Publisher(hub.broker).publish(requested(Trigger.INTERVAL))
    await wait_until(lambda: bool(hub.of(SyncFinished)), 10)
    assert (await hub.runs.get("college-1", "run-1")).status is RunStatus.CANCELLED
    assert hub.of(SyncFinished)[0].status == "cancelled"
    integration = await hub.integrations.find("college-1", "integration-1")
    assert integration is None or integration.sync.active_run_id is None
    assert college.asked == []


async def test_a_probe_gets_its_answer(
    hub: Hub, service: Any, college: Any, make_integration: Callable[..., Integration]
) -> None:
    college.serve_rows([{**row, "name": "Asha"} for row in ROWS[:150]])
    await hub.integrations.add(make_integration())
    for integration_id in ("integration-1", "unknown"):
        await Publisher(hub.broker).publish(
            ProbeRequested(
                college_id="college-1", integration_id=integration_id, probe_id=integration_id, requested_at=utc_now()
            )
        )
    await wait_until(lambda: len(hub.of(ProbeFinished)) == 2, 10)
    assert {answer.probe_id: answer.ok for answer in hub.of(ProbeFinished)} == {"integration-1": True, "unknown": False}
    for answer in hub.of(ProbeFinished):
        steps = [step for step in hub.of(ProbeProgressed) if step.probe_id == answer.probe_id]
        assert [(step.sequence, step.check) for step in steps] == list(enumerate(answer.checks))


async def test_an_integration_of_another_college_is_out_of_reach(
    hub: Hub, service: Any, college: Any, make_integration: Callable[..., Integration]
) -> None:
    await hub.integrations.add(make_integration())
    await Publisher(hub.broker).publish(
        ProbeRequested(college_id="college-2", integration_id="integration-1", probe_id="p", requested_at=utc_now())
    )
    await wait_until(lambda: bool(hub.of(ProbeFinished)), 10)
    assert not hub.of(ProbeFinished)[0].ok
    assert college.asked == []


@pytest.fixture
def fetching(hub: Hub, sources: Any) -> Fetching:
    return Fetching(
        integrations=hub.integrations,
        runs=hub.runs,
        chains=hub.chains,
        tables=Tables(hub.store),
        opener=Opener(sources, Tables(hub.store), Lookups(max_bytes=10_000_000)),
        planner=Planner(sources, StreamStates(hub.store), utc_now),
        limits=Limits(pages=3),
        clock=utc_now,
        monotonic=time.monotonic,
    )


def page(step: int = 0, **changes: Any) -> PageRequested:
    return PageRequested(**IDS, data_type=DataType.STUDENTS, observed_at=utc_now(), step=step, **changes)


def context(copy_id: str) -> Context:
    return Context("m", copy_id, 1, utc_now())


async def given(message: PageRequested, copy_id: str, fetching: Fetching) -> list[Message]:
    return [given async for given in fetch_pages(message, context(copy_id), hub=fetching)]


async def test_a_stale_step_and_a_second_copy_of_a_step_are_dropped(
    hub: Hub, fetching: Fetching, college: Any, make_integration: Callable[..., Integration]
) -> None:
    college.serve_rows(ROWS)
    await hub.begin(make_integration())
    first = await given(page(), "copy-a", fetching)
    following = first[-1]
    assert isinstance(following, PageRequested)
    assert await given(page(), "copy-b", fetching) == []
    again = await given(page(), "copy-a", fetching)
    assert [message.message_id for message in again] == [message.message_id for message in first]
    assert await given(following, "copy-c", fetching) != []
    asked = len(college.asked)
    assert await given(page(), "copy-a", fetching) == []
    assert len(college.asked) == asked


@pytest.mark.parametrize("state", ["cancelled", "failed stream", "no run"])
async def test_pages_of_a_run_that_is_over_are_dropped(
    hub: Hub, fetching: Fetching, college: Any, make_integration: Callable[..., Integration], state: str
) -> None:
    if state != "no run":
        await hub.begin(make_integration(endpoints={"students": "/students", "marks": "/marks"}))
    if state == "cancelled":
        await hub.runs.change("college-1", "run-1", lambda run: run.model_copy(update={"status": RunStatus.CANCELLED}))
    if state == "failed stream":
        failure = SyncFailed(
            **IDS,
            data_type=DataType.STUDENTS,
            stage="transform",
            error_class="data",
            code="x",
            public="x",
            failed_at=utc_now(),
        )
        await hub.runs.change("college-1", "run-1", lambda run: fail(run, failure))
    assert await given(page(), "copy", fetching) == []
    assert college.asked == []


async def test_pages_of_an_integration_that_was_deleted_end_the_run(
    hub: Hub, fetching: Fetching, college: Any, make_integration: Callable[..., Integration]
) -> None:
    await hub.begin(make_integration())
    await hub.integrations.remove("college-1", "integration-1")
    (ended,) = await given(page(), "copy", fetching)
    assert isinstance(ended, SyncFinished)
    assert (await hub.runs.get("college-1", "run-1")).status is RunStatus.CANCELLED


async def test_an_endpoint_that_was_removed_fails_its_stream(
    hub: Hub, fetching: Fetching, college: Any, make_integration: Callable[..., Integration]
) -> None:
    await hub.begin(make_integration())
    other = make_integration(endpoints={"marks": "/marks"}).settings
    await hub.integrations.change(
        "college-1", "integration-1", lambda stored: stored.model_copy(update={"settings": other})
    )
    (failed,) = await given(page(sequence=4), "copy", fetching)
    assert isinstance(failed, SyncFailed)
    assert (failed.code, failed.batches) == ("endpoint_missing", 4)


async def test_a_parked_chain_asks_nothing_before_its_time(
    hub: Hub, fetching: Fetching, college: Any, make_integration: Callable[..., Integration]
) -> None:
    pages = {"1": lambda: college.json({"data": ROWS[:100]}), "2": lambda: college.json({}, 429, Retry_After="7200")}
    college.answer = lambda asked: pages[asked.query["page"]]()
    endpoint = {"path": "/students", "pagination": {"type": "page"}}
    await hub.begin(make_integration(endpoints={"students": endpoint}))
    parked = (await given(page(), "copy-a", fetching))[-1]
    assert isinstance(parked, PageRequested)
    asked = len(college.asked)
    for clock, low, high in ((fetching.clock, 0, 7200), (lambda: utc_now() - timedelta(hours=1), 7200, 14400)):
        with pytest.raises(RateLimited) as caught:
            await given(parked, "copy-b", Fetching(**{**vars(fetching), "clock": clock}))
        assert low < (caught.value.retry_after_s or 0) <= high
    assert len(college.asked) == asked


async def test_a_wait_that_one_stream_was_told_holds_for_the_others(
    hub: Hub, fetching: Fetching, college: Any, make_integration: Callable[..., Integration]
) -> None:
    college.answer = lambda asked: college.json({}, 429, Retry_After="7200")
    await hub.begin(make_integration(endpoints={"students": "/students", "marks": "/marks"}))
    for data_type in (DataType.STUDENTS, DataType.MARKS):
        asks = page().model_copy(update={"data_type": data_type})
        with pytest.raises(RateLimited) as caught:
            await given(asks, data_type, fetching)
        assert caught.value.retry_after_s == 7200
    assert [asked.path for asked in college.asked] == ["/students"]
    waiting = (await hub.runs.get("college-1", "run-1")).streams[DataType.MARKS].waiting
    assert waiting is not None
    assert waiting.code == "rate_limited"


async def test_a_source_in_trouble_makes_the_message_be_tried_again(
    hub: Hub, fetching: Fetching, college: Any, make_integration: Callable[..., Integration]
) -> None:
    college.answer = lambda asked: college.json({}, 503)
    await hub.begin(make_integration())
    with pytest.raises(Unavailable):
        await given(page(), "copy", fetching)
    college.serve_rows(ROWS[:10])
    assert isinstance((await given(page(), "copy", fetching))[-1], StreamFinished)


async def _waiting(hub: Hub) -> Waiting | None:
    return (await hub.runs.get("college-1", "run-1")).streams[DataType.STUDENTS].waiting


@pytest.mark.parametrize(
    ("status", "code"), [(429, "rate_limited"), (503, "rate_limited"), (500, "source_unavailable")]
)
async def test_a_stream_that_waits_for_its_source_says_so_and_until_when(
    hub: Hub, fetching: Fetching, college: Any, make_integration: Callable[..., Integration], status: int, code: str
) -> None:
    headers = {} if status == 500 else {"Retry_After": "7200"}
    college.answer = lambda asked: college.json({}, status, **headers)
    await hub.begin(make_integration())
    with pytest.raises(TransientError):
        await given(page(), "copy", fetching)
    waiting = await _waiting(hub)
    assert waiting is not None
    assert waiting.code == code
    assert "source" in waiting.public
    assert waiting.until is not None
    waits_s = (waiting.until - waiting.since).total_seconds()
    # No sooner than the source asked for, and no sooner than the message can come back.
    assert waits_s == pytest.approx(7200 * 1.1 if headers else 5 * 1.2)


async def test_a_parked_chain_keeps_saying_that_it_waits(
    hub: Hub, fetching: Fetching, college: Any, make_integration: Callable[..., Integration]
) -> None:
    pages = {"1": lambda: college.json({"data": ROWS[:100]}), "2": lambda: college.json({}, 429, Retry_After="7200")}
    college.answer = lambda asked: pages[asked.query["page"]]()
    endpoint = {"path": "/students", "pagination": {"type": "page"}}
    await hub.begin(make_integration(endpoints={"students": endpoint}))
    batch, parked = await given(page(), "copy-a", fetching)
    assert isinstance(batch, BatchFetched)
    assert await _waiting(hub) is None
    with pytest.raises(RateLimited):
        await given(parked, "copy-b", fetching)
    first = await _waiting(hub)
    assert first is not None
    assert (first.sequence, first.code) == (1, "rate_limited")
    with pytest.raises(RateLimited):
        await given(parked, "copy-b", fetching)
    again = await _waiting(hub)
    assert again is not None
    assert again.since == first.since


async def test_a_store_that_fails_does_not_hide_why_the_stream_waits(
    hub: Hub, fetching: Fetching, college: Any, make_integration: Callable[..., Integration]
) -> None:
    class FailingRuns(Runs):
        async def change(self, *_: Any) -> Run:
            raise Unavailable("the store is down", code="store_down")

    college.answer = lambda asked: college.json({}, 429, Retry_After="7200")
    await hub.begin(make_integration())
    with pytest.raises(RateLimited) as caught:
        await given(page(), "copy", replace(fetching, runs=FailingRuns(hub.store)))
    assert caught.value.retry_after_s == 7200
    assert await _waiting(hub) is None


async def test_a_finished_run_is_not_started_again(
    hub: Hub, fetching: Fetching, make_integration: Callable[..., Integration]
) -> None:
    await hub.begin(make_integration())
    await hub.runs.change("college-1", "run-1", lambda run: run.model_copy(update={"status": RunStatus.SUCCEEDED}))
    assert list(await start_sync(requested(), context("c"), hub=fetching)) == []


async def test_starting_twice_gives_the_same_messages(
    hub: Hub, fetching: Fetching, make_integration: Callable[..., Integration]
) -> None:
    await hub.begin(make_integration())
    first = await start_sync(requested(), context("c"), hub=fetching)
    assert list(first) == list(await start_sync(requested(), context("c"), hub=fetching))


def test_no_key_no_start(tmp_path: Path, keys_folder: Path) -> None:
    with pytest.raises(InvalidInput):
        load_keys(FetcherSettings(fetcher_keys_file=tmp_path / "missing.json"))
    text = (keys_folder / "fetcher.json").read_text()
    assert load_keys(FetcherSettings(fetcher_keys=text)).recipient == "fetcher"
    assert "canary" not in repr(FetcherSettings(fetcher_keys="canary"))


def test_lists_in_settings_are_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_ALLOWED_NETWORKS", "10.0.0.0/8, 192.168.0.0/16,")
    monkeypatch.setenv("HUB_ALLOWED_PORTS", "81")
    settings = FetcherSettings()
    assert settings.allowed_networks == ("10.0.0.0/8", "192.168.0.0/16")
    assert settings.allowed_ports == (81,)
