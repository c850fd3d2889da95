"""Chains, receipts and idempotency keys: who may go on with what, also when many ask at once."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hub_model.base import format_datetime
from hub_model.errors import Conflict, InvalidInput
from hub_model.logs import WebhookReceipt
from hub_model.records import DataType
from hub_storage.collection import Collection, Document
from hub_storage.repositories import Chains, IdempotencyKeys, Receipts, StoredReply, receipts
from hub_storage.store import Store

STUDENTS, MARKS = DataType.STUDENTS, DataType.MARKS


async def test_one_live_chain_per_run_and_stream_a_stale_step_is_refused(store: Store) -> None:
    chains = Chains(store)

    async def claim(step: int, copy_id: str, data_type: DataType = STUDENTS, run_id: str = "r1") -> bool:
        return await chains.claim("c1", run_id, data_type, step=step, copy_id=copy_id)

    assert await claim(0, "a")
    assert await claim(0, "a"), "a redelivery of the same copy goes on"
    assert not await claim(0, "b"), "a second copy of the step is refused"
    assert await claim(1, "c")
    assert not await claim(0, "a"), "the chain has moved on"
    assert not await claim(1, "d")
    assert await claim(5, "e"), "steps may be skipped"
    assert await claim(0, "f", MARKS), "another stream is another chain"
    assert await claim(0, "g", STUDENTS, "r2"), "another run is another chain"
    assert await chains.claim("c2", "r1", STUDENTS, step=0, copy_id="h"), "another college is another chain"


async def test_of_many_copies_of_a_step_at_once_one_goes_on(store: Store) -> None:
    chains = Chains(store)
    for step in range(3):
        granted = await asyncio.gather(
            *(chains.claim("c1", "r1", STUDENTS, step=step, copy_id=f"copy {n}") for n in range(10))
        )
        assert granted.count(True) == 1


async def test_a_step_that_comes_together_with_the_one_before_it_goes_on(store: Store) -> None:
    chains = Chains(store)
    for number in range(5):
        claims = (chains.claim("c1", f"r{number}", STUDENTS, step=step, copy_id=f"step {step}") for step in (0, 1, 2))
        assert (await asyncio.gather(*claims))[2] is True
        assert not await chains.claim("c1", f"r{number}", STUDENTS, step=1, copy_id="step 1")


def a_receipt(now: datetime, receipt_id: str = "e1", *, fingerprint: str = "f") -> WebhookReceipt:
    return WebhookReceipt(receipt_id, "c1", "i1", fingerprint, now)


async def test_a_receipt_begins_once_and_stays_as_it_was(store: Store, now: datetime) -> None:
    repository = Receipts(store)
    receipt = a_receipt(now)
    assert await repository.begin(receipt) is None
    later = a_receipt(now + timedelta(minutes=1), fingerprint="other")
    assert [await repository.begin(later) for _ in range(2)] == [receipt, receipt]


@pytest.mark.parametrize("status", ["pending", "accepted"])
async def test_a_receipt_of_a_time_when_they_had_a_status_is_read(store: Store, now: datetime, status: str) -> None:
    document = {"id": "e1", "collegeId": "c1", "integrationId": "i1", "fingerprint": "f", "status": status}
    await store.collection(receipts.SPEC).insert({"e1": document | {"receivedAt": format_datetime(now)}})
    assert await Receipts(store).begin(a_receipt(now + timedelta(minutes=1))) == a_receipt(now)


async def test_of_many_beginnings_of_an_event_one_is_new(store: Store, now: datetime) -> None:
    repository = Receipts(store)
    found = await asyncio.gather(*(repository.begin(a_receipt(now)) for _ in range(10)))
    assert found.count(None) == 1


async def test_several_receipts_begin_in_one_write_and_those_there_already_are_told(
    store: Store, now: datetime
) -> None:
    repository = Receipts(store)
    await repository.begin(a_receipt(now, "e2", fingerprint="first"))
    found = await repository.begin_all([a_receipt(now, f"e{n}") for n in range(1, 4)])
    assert found == {"e2": a_receipt(now, "e2", fingerprint="first")}
    assert (await repository.begin_all([a_receipt(now, f"e{n}") for n in range(1, 4)])).keys() == {"e1", "e2", "e3"}
    assert await repository.begin_all([]) == {}


async def test_the_latest_receipt_is_the_one_of_what_came_last_from_the_integration(
    store: Store, now: datetime
) -> None:
    repository = Receipts(store)
    assert await repository.latest("c1", "i1") is None
    later = a_receipt(now + timedelta(seconds=1), "e1")
    await repository.begin_all([a_receipt(now, "e2"), later, a_receipt(now - timedelta(seconds=1), "e3")])
    assert await repository.latest("c1", "i1") == later
    assert await repository.latest("c1", "i2") is None


async def test_of_many_who_begin_the_next_occurrence_one_does(store: Store, now: datetime) -> None:
    repository, first = Receipts(store), a_receipt(now)
    await repository.begin(first)
    later = now + timedelta(minutes=1)
    begun = await asyncio.gather(*(repository.begin_next(first, later) for _ in range(10)))
    following = replace(first, occurrence=1, received_at=later)
    assert [receipt for receipt, _ in begun] == [following] * 10
    assert [is_begun for _, is_begun in begun].count(True) == 1
    assert await repository.begin(first) == await repository.latest("c1", "i1") == following
    assert len({first.run_id, following.run_id, replace(first, occurrence=2).run_id}) == 3


async def test_what_was_sent_back_is_noted_of_the_occurrence_that_was(store: Store, now: datetime) -> None:
    repository, first = Receipts(store), a_receipt(now)
    await repository.begin(first)
    for is_sent_back in (True, True, False, True):
        await repository.send_back(first, is_sent_back=is_sent_back)
        assert await repository.begin(first) == replace(first, is_sent_back=is_sent_back)
    following, _ = await repository.begin_next(first, now)
    await repository.send_back(first, is_sent_back=True)
    assert await repository.begin(first) == following == replace(first, occurrence=1)


class Vanishing:
    """A collection from which whatever is in the way is removed, right after it was."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._collection, name)

    async def insert(self, documents: Mapping[str, Document]) -> frozenset[str]:
        taken = await self._collection.insert(documents)
        for receipt_id in taken:
            await self._collection.delete(receipt_id)
        return taken


async def test_a_receipt_that_is_removed_while_it_is_looked_at_begins_anew(store: Store, now: datetime) -> None:
    await Receipts(store).begin(a_receipt(now))
    vanishing: Any = SimpleNamespace(collection=lambda spec: Vanishing(store.collection(spec)))
    assert await Receipts(vanishing).begin(a_receipt(now)) is None
    assert await Receipts(store).begin(a_receipt(now)) == a_receipt(now)


async def test_the_next_occurrence_of_a_receipt_that_was_removed_begins_all_the_same(
    store: Store, now: datetime
) -> None:
    begun = await Receipts(store).begin_next(a_receipt(now), now)
    assert begun == (replace(a_receipt(now), occurrence=1), True)
    assert await Receipts(store).begin(a_receipt(now)) == begun[0]


async def test_a_finished_request_is_answered_again_word_for_word(store: Store, now: datetime) -> None:
    keys = IdempotencyKeys(store)
    assert await keys.begin("c1", "k", fingerprint="f", now=now, made_id="m") == "m"
    await keys.finish("c1", "k", started_at=now, status=201, headers={"ETag": '"1"'}, body='{"id": "ü"}')
    reply = await keys.begin("c1", "k", fingerprint="f", now=now + timedelta(hours=23), made_id="m")
    assert reply == StoredReply(201, {"ETag": '"1"'}, '{"id": "ü"}')


async def test_a_running_request_refuses_its_repetition(store: Store, now: datetime) -> None:
    keys = IdempotencyKeys(store)
    await keys.begin("c1", "k", fingerprint="f", now=now, made_id="m")
    with pytest.raises(Conflict) as caught:
        await keys.begin("c1", "k", fingerprint="f", now=now, made_id="m")
    assert caught.value.code == "idempotency_in_progress"


@pytest.mark.parametrize("finished", [False, True])
async def test_a_key_of_another_request_is_a_mismatch(store: Store, now: datetime, finished: bool) -> None:
    keys = IdempotencyKeys(store)
    await keys.begin("c1", "k", fingerprint="f", now=now, made_id="m")
    if finished:
        await keys.finish("c1", "k", started_at=now, status=200, headers={}, body="")
    with pytest.raises(InvalidInput) as caught:
        await keys.begin("c1", "k", fingerprint="g", now=now, made_id="m")
    assert caught.value.code == "idempotency_mismatch"


async def test_an_abandoned_key_is_new_again(store: Store, now: datetime) -> None:
    keys = IdempotencyKeys(store)
    await keys.begin("c1", "k", fingerprint="f", now=now, made_id="m")
    await keys.abandon("c1", "k", started_at=now)
    await keys.abandon("c1", "k", started_at=now)
    assert await keys.begin("c1", "k", fingerprint="g", now=now, made_id="m") == "m"


async def test_an_entry_older_than_24_hours_counts_as_absent(store: Store, now: datetime) -> None:
    keys = IdempotencyKeys(store)
    await keys.begin("c1", "k", fingerprint="f", now=now, made_id="m")
    await keys.finish("c1", "k", started_at=now, status=200, headers={}, body="")
    later = now + timedelta(hours=24, seconds=1)
    assert await keys.begin("c1", "k", fingerprint="g", now=later, made_id="m") == "m"
    with pytest.raises(Conflict):
        await keys.begin("c1", "k", fingerprint="g", now=later, made_id="m")


async def test_a_request_that_died_without_an_answer_locks_its_key_for_half_a_minute_only(
    store: Store, now: datetime
) -> None:
    keys = IdempotencyKeys(store)
    await keys.begin("c1", "k", fingerprint="f", now=now, made_id="m")
    with pytest.raises(Conflict):
        await keys.begin("c1", "k", fingerprint="f", now=now + timedelta(seconds=30), made_id="m")
    assert await keys.begin("c1", "k", fingerprint="f", now=now + timedelta(seconds=31), made_id="m") == "m"


async def test_attempts_of_one_request_make_one_thing(store: Store, now: datetime) -> None:
    keys = IdempotencyKeys(store)
    ids = []
    for attempt in range(4):
        at = now + timedelta(minutes=attempt)
        ids.append(await keys.begin("c1", "k", fingerprint="f", now=at, made_id=f"m{attempt}"))
        if attempt % 2:  # it failed and lived to say so; the others just died
            await keys.abandon("c1", "k", started_at=at)
    assert ids == ["m0"] * 4


async def test_another_request_with_the_key_of_one_that_failed_makes_another_thing(store: Store, now: datetime) -> None:
    keys = IdempotencyKeys(store)
    await keys.begin("c1", "k", fingerprint="f", now=now, made_id="m0")
    await keys.abandon("c1", "k", started_at=now)
    assert await keys.begin("c1", "k", fingerprint="g", now=now, made_id="m1") == "m1"


@pytest.mark.parametrize("is_answered", [False, True])
async def test_the_same_request_a_day_later_makes_another_thing(store: Store, now: datetime, is_answered: bool) -> None:
    keys = IdempotencyKeys(store)
    await keys.begin("c1", "k", fingerprint="f", now=now, made_id="m0")
    if is_answered:
        await keys.finish("c1", "k", started_at=now, status=201, headers={}, body="")
    later = now + timedelta(hours=24, seconds=1)
    assert await keys.begin("c1", "k", fingerprint="f", now=later, made_id="m1") == "m1"


@pytest.mark.parametrize("expired", [False, True])
async def test_of_many_requests_with_a_key_at_once_one_begins(store: Store, now: datetime, expired: bool) -> None:
    keys = IdempotencyKeys(store)
    if expired:
        await keys.begin("c1", "k", fingerprint="old", now=now - timedelta(days=2), made_id="m")
    outcomes = await asyncio.gather(
        *(keys.begin("c1", "k", fingerprint="f", now=now, made_id="m") for _ in range(10)), return_exceptions=True
    )
    assert outcomes.count("m") == 1
    refused = [outcome for outcome in outcomes if isinstance(outcome, Conflict)]
    assert [refusal.code for refusal in refused] == ["idempotency_in_progress"] * 9


async def test_colleges_do_not_share_keys(store: Store, now: datetime) -> None:
    keys = IdempotencyKeys(store)
    await keys.begin("c1", "k", fingerprint="f", now=now, made_id="m")
    assert await keys.begin("c2", "k", fingerprint="g", now=now, made_id="m") == "m"
    await keys.finish("c2", "k", started_at=now, status=200, headers={}, body="theirs")
    with pytest.raises(Conflict):
        await keys.begin("c1", "k", fingerprint="f", now=now, made_id="m")


async def test_a_request_that_was_overtaken_leaves_the_entry_of_the_one_that_overtook_it(
    store: Store, now: datetime
) -> None:
    keys = IdempotencyKeys(store)
    later = now + timedelta(minutes=6)
    await keys.begin("c1", "k", fingerprint="f", now=now, made_id="m")
    await keys.begin("c1", "k", fingerprint="g", now=later, made_id="m")
    await keys.finish("c1", "k", started_at=now, status=200, headers={}, body="of the first")
    await keys.abandon("c1", "k", started_at=now)
    with pytest.raises(Conflict):
        await keys.begin("c1", "k", fingerprint="g", now=later, made_id="m")
    await keys.finish("c1", "k", started_at=later, status=200, headers={}, body="of the second")
    assert await keys.begin("c1", "k", fingerprint="g", now=later, made_id="m") == StoredReply(200, {}, "of the second")
