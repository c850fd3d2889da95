"""Tokens for all workers: who may buy one, until when it is used, and what a lost purchase leaves behind."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from hub_model.integrations import SealedSecret
from hub_storage.repositories import Tokens
from hub_storage.repositories import tokens as module
from hub_storage.repositories.tokens import Busy, Claim, StoredToken, TokenPlace
from hub_storage.store import Store

LEASE = timedelta(minutes=1)
PLACE = TokenPlace("c1", "i1", "key", "identity")


@pytest.fixture
def tokens(store: Store) -> Tokens:
    return Tokens(store)


def sealed(text: str, now: datetime) -> SealedSecret:
    return SealedSecret(key_id="k", ciphertext=text, version=1, origin="https://a.edu:443", set_at=now)


async def claimed(tokens: Tokens, now: datetime, holder: str = "w1", **options: Any) -> Claim:
    taken = await tokens.take(options.pop("place", PLACE), holder=holder, now=now, lease=LEASE, **options)
    assert isinstance(taken, Claim)
    return taken


async def bought(tokens: Tokens, now: datetime, *, refresh: str | None = None, **options: Any) -> StoredToken:
    claim = await claimed(tokens, now, **options)
    token = StoredToken(claim.generation + 1, sealed("t", now), now, now + timedelta(minutes=90))
    assert await tokens.store(claim, token, refresh=sealed(refresh, now) if refresh else None, now=now)
    return token


async def test_a_token_is_taken_as_it_was_stored_until_its_end(tokens: Tokens, now: datetime) -> None:
    token = await bought(tokens, now)
    for moment in (now, now + timedelta(minutes=89)):
        assert await tokens.take(PLACE, holder="w2", now=moment, lease=LEASE) == token
    claim = await claimed(tokens, now + timedelta(minutes=90))
    assert (claim.generation, claim.refresh, claim.is_uncertain) == (1, None, False)


async def test_of_workers_that_need_a_token_at_the_same_time_one_has_leave_to_buy_it(
    tokens: Tokens, now: datetime
) -> None:
    for _ in range(2):  # of a place that is new, and of one that is known
        taken = await asyncio.gather(
            *(tokens.take(PLACE, holder=f"w{n}", now=now, lease=LEASE, newer_than=0) for n in range(10))
        )
        [claim] = [outcome for outcome in taken if isinstance(outcome, Claim)]
        assert [outcome for outcome in taken if outcome is not claim] == [Busy(now + LEASE)] * 9
        await tokens.give_up(claim, is_uncertain=False)


async def test_the_next_token_is_for_all_who_were_refused_the_one_before(tokens: Tokens, now: datetime) -> None:
    first = await bought(tokens, now)
    second = await bought(tokens, now, newer_than=first.generation)
    assert second.generation == first.generation + 1
    for refused in (0, first.generation):
        assert await tokens.take(PLACE, holder="w2", now=now, lease=LEASE, newer_than=refused) == second
    assert isinstance(await tokens.take(PLACE, holder="w2", now=now, lease=LEASE, newer_than=2), Claim)


async def test_leave_to_buy_ends_and_then_what_was_bought_is_in_doubt(tokens: Tokens, now: datetime) -> None:
    await claimed(tokens, now, "dead")
    just_before, over = now + LEASE - timedelta(microseconds=1), now + LEASE
    assert await tokens.take(PLACE, holder="w2", now=just_before, lease=LEASE) == Busy(now + LEASE)
    assert (await claimed(tokens, over, "w2")).is_uncertain


async def test_leave_that_a_clock_gave_which_has_jumped_does_not_hold(tokens: Tokens, now: datetime) -> None:
    await claimed(tokens, now + timedelta(days=400), "from the future")
    assert (await claimed(tokens, now, "w2")).is_uncertain


@pytest.mark.parametrize("shift", [timedelta(days=400), timedelta(minutes=2)])
async def test_a_token_from_the_future_is_not_used(tokens: Tokens, now: datetime, shift: timedelta) -> None:
    await bought(tokens, now + shift)
    await claimed(tokens, now)


async def test_what_came_too_late_is_not_stored(tokens: Tokens, now: datetime) -> None:
    slow = await claimed(tokens, now, "slow")
    quick = await bought(tokens, now + LEASE, holder="quick")
    late = StoredToken(slow.generation + 1, sealed("late", now), now, now + timedelta(hours=3))
    assert not await tokens.store(slow, late, refresh=sealed("late", now), now=now + LEASE)
    assert await tokens.take(PLACE, holder="w3", now=now + LEASE, lease=LEASE) == quick


async def test_what_came_late_is_stored_while_nobody_has_bought_another(tokens: Tokens, now: datetime) -> None:
    """Whoever took over is still at it; the newer refresh token must not be lost."""
    slow = await claimed(tokens, now, "slow")
    other = await claimed(tokens, now + LEASE, "other")
    token = StoredToken(1, sealed("late", now), now, now + timedelta(hours=3))
    assert await tokens.store(slow, token, refresh=sealed("r1", now), now=now + LEASE)
    assert not await tokens.store(other, token, refresh=None, now=now + LEASE)
    claim = await claimed(tokens, now + LEASE, newer_than=1)
    assert claim.refresh == sealed("r1", now)


async def test_a_refresh_token_stays_until_another_comes(tokens: Tokens, now: datetime) -> None:
    await bought(tokens, now, refresh="r1")
    await bought(tokens, now, newer_than=1)
    assert (await claimed(tokens, now, newer_than=2)).refresh == sealed("r1", now)


async def test_a_purchase_that_was_given_up_leaves_what_is_known_of_it(tokens: Tokens, now: datetime) -> None:
    await tokens.give_up(await claimed(tokens, now), is_uncertain=False)
    claim = await claimed(tokens, now)
    assert not claim.is_uncertain
    await tokens.give_up(claim, is_uncertain=True)
    claim = await claimed(tokens, now)
    assert claim.is_uncertain
    await tokens.give_up(claim, is_uncertain=False)  # the doubt of another purchase is not ended by that
    assert (await claimed(tokens, now)).is_uncertain


async def test_giving_up_what_another_holds_changes_nothing(tokens: Tokens, now: datetime) -> None:
    dead = await claimed(tokens, now, "dead")
    await claimed(tokens, now + LEASE, "w2")
    await tokens.give_up(dead, is_uncertain=False)
    assert isinstance(await tokens.take(PLACE, holder="w3", now=now + LEASE, lease=LEASE), Busy)


async def test_other_settings_take_the_refresh_token_and_not_the_access_token(tokens: Tokens, now: datetime) -> None:
    await bought(tokens, now, refresh="r1")
    edited = TokenPlace("c1", "i1", "key", "other scopes")
    assert (await claimed(tokens, now, place=edited)).refresh == sealed("r1", now)


async def test_each_key_college_and_integration_has_tokens_of_its_own(tokens: Tokens, now: datetime) -> None:
    await bought(tokens, now, refresh="r1")
    for other in (("c2", "i1", "key"), ("c1", "i2", "key"), ("c1", "i1", "key of the next version")):
        claim = await claimed(tokens, now, place=TokenPlace(*other, "identity"))
        assert (claim.generation, claim.refresh) == (0, None)


async def test_tokens_of_former_secrets_are_dropped_when_nobody_can_use_them_any_more(
    tokens: Tokens, store: Store, now: datetime
) -> None:
    await bought(tokens, now)
    await bought(tokens, now + timedelta(hours=23), place=TokenPlace("c1", "i1", "2", "identity"))
    assert await store.collection(module.SPEC).count({"collegeId": "c1", "integrationId": "i1"}) == 2
    await bought(tokens, now + timedelta(hours=25), place=TokenPlace("c1", "i1", "3", "identity"))
    assert await store.collection(module.SPEC).count({"collegeId": "c1", "integrationId": "i1"}) == 2


async def test_what_is_forgotten_is_gone_and_nothing_late_brings_it_back(tokens: Tokens, now: datetime) -> None:
    await bought(tokens, now, refresh="r1")
    under_way = await claimed(tokens, now, newer_than=1)
    await tokens.forget("c1", "i1")
    token = StoredToken(2, sealed("late", now), now, now + timedelta(hours=3))
    assert not await tokens.store(under_way, token, refresh=None, now=now)
    assert (await claimed(tokens, now)).refresh is None
