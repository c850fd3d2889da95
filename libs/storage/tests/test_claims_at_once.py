"""Claims by several processes: each has a connection of its own, and some die between two steps.

On MongoDB, where nothing but the store keeps them apart.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from itertools import count

import pytest
from hub_model.errors import Conflict, Unavailable
from hub_model.integrations import Integration
from hub_model.logs import WebhookReceipt
from hub_model.messages import Trigger
from hub_model.records import DataType
from hub_model.run_transitions import cancel, start
from hub_model.runs import Run, RunStatus
from hub_storage.opening import open_store
from hub_storage.repositories import SPECS, Chains, IdempotencyKeys, Integrations, Receipts, Runs, StoredReply, Tables
from hub_storage.repositories.handover import begin_run, end_run
from hub_storage.store import Store
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.slow

_examples = count()
_property = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors, HealthCheck.too_slow],
)


@pytest.fixture
async def stores(mongodb_url: str) -> AsyncIterator[list[Store]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(open_store(mongodb_url, SPECS)) for _ in range(3)]


@_property
@given(claims=st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abc")), min_size=2, max_size=12))
async def test_each_step_of_a_chain_is_granted_to_one_copy(stores: list[Store], claims: list[tuple[int, str]]) -> None:
    run_id = f"r{next(_examples)}"

    async def claim(number: int, step: int, copy_id: str) -> tuple[int, str] | None:
        chains = Chains(stores[number % len(stores)])
        granted = await chains.claim("c1", run_id, DataType.STUDENTS, step=step, copy_id=copy_id)
        return (step, copy_id) if granted else None

    granted = await asyncio.gather(*(claim(number, *wanted) for number, wanted in enumerate(claims)))
    copies = {claim for claim in granted if claim is not None}
    assert max(Counter(step for step, _ in copies).values()) == 1
    last = max(copies)
    assert last[0] == max(step for step, _ in claims), "the last step goes on, whatever came first"
    assert await claim(0, *last) == last, "a redelivery goes on"


@_property
@given(arrivals=st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=6, unique=True), min_size=2, max_size=6))
async def test_each_event_is_new_once_however_many_gateways_receive_it(
    stores: list[Store], now: datetime, arrivals: list[list[int]]
) -> None:
    example = next(_examples)

    def a_receipt(number: int) -> WebhookReceipt:
        return WebhookReceipt(
            id=f"e{example}-{number}",
            college_id="c1",
            integration_id="i1",
            fingerprint="f",
            received_at=now,
        )

    async def begin(gateway: int, events: Sequence[int]) -> list[int]:
        known = await Receipts(stores[gateway % len(stores)]).begin_all([a_receipt(number) for number in events])
        return [number for number in events if a_receipt(number).id not in known]

    begun = await asyncio.gather(*(begin(gateway, events) for gateway, events in enumerate(arrivals)))
    new = [number for events in begun for number in events]
    assert sorted(new) == sorted({number for events in arrivals for number in events})


@_property
@given(requests=st.integers(2, 9), endings=st.lists(st.booleans(), max_size=4))
async def test_one_request_of_a_key_works_at_a_time_and_one_answers(
    stores: list[Store], now: datetime, requests: int, endings: list[bool]
) -> None:
    key = f"k{next(_examples)}"
    fails = iter(endings)
    working = 0
    answers: list[str] = []

    async def ask(number: int) -> None:
        nonlocal working
        keys = IdempotencyKeys(stores[number % len(stores)])
        started_at = now + timedelta(microseconds=number)
        try:
            reply = await keys.begin("c1", key, fingerprint="f", now=started_at, made_id="m")
        except Conflict:
            return
        if isinstance(reply, StoredReply):
            answers.append(reply.body)
            return
        working += 1
        assert working == 1
        await stores[number % len(stores)].ping()
        working -= 1
        if next(fails, False):
            await keys.abandon("c1", key, started_at=started_at)
        else:
            await keys.finish("c1", key, started_at=started_at, status=200, headers={}, body=f"by {number}")

    for _ in range(2):
        await asyncio.gather(*map(ask, range(requests)))
    await ask(99)
    assert len(set(answers)) <= 1


class MortalRuns(Runs):
    """Its process dies before or after it stores a run, as often as it is told to."""

    def __init__(self, store: Store, deaths: list[str]) -> None:
        super().__init__(store)
        self._deaths = deaths
        self.added: list[str] = []

    async def add(self, run: Run) -> bool:
        death = self._deaths.pop() if self._deaths else None
        if death == "before":
            raise Unavailable("died")
        is_new = await super().add(run)
        if is_new:
            self.added.append(run.id)
        if death == "after":
            raise Unavailable("died")
        return is_new


@_property
@given(
    schedulers=st.lists(
        st.tuples(
            st.sampled_from(["slot 1", "slot 2", "manual"]), st.lists(st.sampled_from(["before", "after"]), max_size=2)
        ),
        min_size=2,
        max_size=6,
    ),
    finishers=st.integers(0, 2),
)
async def test_an_integration_has_one_run_at_a_time_and_no_run_begins_twice(
    stores: list[Store],
    an_integration: Callable[..., Integration],
    now: datetime,
    schedulers: list[tuple[str, list[str]]],
    finishers: int,
) -> None:
    integration_id = f"i{next(_examples)}"
    integrations = [Integrations(store) for store in stores]
    await integrations[0].add(an_integration(integration_id, "c1", name=integration_id))
    added: list[str] = []

    async def finish(run: Run, number: int) -> None:
        runs = Runs(stores[number % len(stores)])
        await runs.change("c1", run.id, lambda run: None if run.status.is_final else start(run, now))
        ended = await runs.change("c1", run.id, lambda run: None if run.status.is_final else cancel(run, now))
        await end_run(integrations[number % len(stores)], Tables(stores[0]), ended, now)

    async def begin(number: int, name: str, deaths: list[str]) -> None:
        runs = MortalRuns(stores[number % len(stores)], list(deaths))
        for _ in range(len(deaths) + 1):  # a message, or a tick, comes again
            try:
                run, _ = await begin_run(
                    integrations[number % len(stores)],
                    runs,
                    college_id="c1",
                    integration_id=integration_id,
                    trigger=Trigger.MANUAL,
                    run_id=f"{integration_id} {name}",
                    now=now,
                )
            except Unavailable:
                continue
            if number < finishers:
                await finish(run, number)
        added.extend(runs.added)

    await asyncio.gather(*(begin(number, *scheduler) for number, scheduler in enumerate(schedulers)))
    assert max(Counter(added).values()) == 1
    stored = (await Runs(stores[0]).page("c1", integration_id)).items
    assert sorted(run.id for run in stored) == sorted(added)
    open_runs = [run for run in stored if run.status is RunStatus.QUEUED]
    active_id = (await integrations[0].get("c1", integration_id)).sync.active_run_id
    assert {run.id for run in open_runs} == ({active_id} if active_id else set())
