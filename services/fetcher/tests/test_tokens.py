"""Tokens that were bought: one exchange however many need one, in however many workers, and nothing lost in a crash."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hub_fetcher.auth.exchange import Bought
from hub_fetcher.auth.tokens import LEASE, Purchase, Token, TokenCache
from hub_messaging.testing import wait_until
from hub_model.errors import ErrorClass, SourceError, Unavailable
from hub_security.keys import load_private_keys
from hub_security.vault import SecretOpener
from hub_storage.collection import Collection, Query
from hub_storage.repositories.tokens import SPEC, TokenPlace, Tokens
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 1, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)
PLACE = TokenPlace("college-1", "integration-1", "key", "identity")


class Clocks:
    """Both of a worker's clocks."""

    def __init__(self) -> None:
        self.now, self.monotonic_s = NOW, 1000.0

    def wall(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return self.monotonic_s

    def pass_(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.monotonic_s += seconds


class Shop:
    """A token endpoint that counts. ``single_use``: each refresh token buys once, and the answer brings the next."""

    def __init__(self, *, life: timedelta = timedelta(seconds=100), single_use: bool = False) -> None:
        self.sold = 0
        self.spent: list[str | None] = []
        self.life, self.single_use = life, single_use
        self.gate = asyncio.Event()
        self.gate.set()
        self.answers = asyncio.Event()
        self.answers.set()
        self.fails: list[Exception] = []
        self.loses: list[Exception] = []

    async def buy(self, refresh: str | None, is_uncertain: bool) -> Bought:
        await self.gate.wait()
        if self.fails:
            raise self.fails.pop(0)
        if self.single_use and refresh in self.spent:
            code = "refresh_token_lost" if is_uncertain else "refresh_token_refused"
            raise SourceError("spent", error_class=ErrorClass.AUTH, code=code)
        self.spent.append(refresh)
        await self.answers.wait()
        self.sold += 1
        if self.loses:
            raise self.loses.pop(0)
        return Bought(f"token-{self.sold}", self.life, f"refresh-{self.sold}" if self.single_use else None)


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def key_id(keys_folder: Any) -> str:
    return next(iter(load_private_keys(keys_folder / "fetcher.json").keys))


MakeWorker = Callable[..., TokenCache]


@pytest.fixture
def worker(store: Any, opener: SecretOpener, clocks: Clocks) -> MakeWorker:
    """A worker of its own on the store that all share."""

    def make(*, clocks: Clocks = clocks, on_wait: Any = None, opener: SecretOpener = opener) -> TokenCache:
        async def wait(seconds: float) -> None:
            await asyncio.sleep(0.001)

        return TokenCache(Tokens(store), opener, clock=clocks.wall, monotonic=clocks.monotonic, on_wait=on_wait or wait)

    return make


@pytest.fixture
def purchase(key_id: str) -> Callable[..., Purchase]:
    def make(shop: Shop, **changes: Any) -> Purchase:
        return Purchase(
            **{"place": PLACE, "key_id": key_id, "origin": "https://erp.college.edu:443", "buy": shop.buy, **changes}
        )

    return make


async def test_a_token_is_used_until_ninety_percent_of_its_life_by_all_workers(
    worker: MakeWorker, purchase: Any, clocks: Clocks
) -> None:
    shop = Shop()
    one, other = worker(), worker()
    assert (await one.get(purchase(shop))).value == "token-1"
    clocks.pass_(89.9)
    assert (await one.get(purchase(shop))).value == (await other.get(purchase(shop))).value == "token-1"
    clocks.pass_(0.1)
    assert (await other.get(purchase(shop))).value == (await one.get(purchase(shop))).value == "token-2"
    assert shop.sold == 2


async def test_requests_that_need_a_token_at_the_same_time_in_two_workers_cause_one_exchange(
    worker: MakeWorker, purchase: Any
) -> None:
    shop = Shop()
    shop.gate.clear()
    workers = [worker(), worker()]
    waiting = [asyncio.create_task(workers[n % 2].get(purchase(shop))) for n in range(20)]
    await asyncio.sleep(0.05)
    shop.gate.set()
    tokens = await asyncio.gather(*waiting)
    assert {token.value for token in tokens} == {"token-1"}
    assert shop.sold == 1


async def test_a_storm_of_refusals_causes_one_exchange(worker: MakeWorker, purchase: Any) -> None:
    """Every request of every worker is told 401 for the same token."""
    shop = Shop()
    workers = [worker(), worker(), worker()]
    refused = [await cache.get(purchase(shop)) for cache in workers]
    assert shop.sold == 1
    again = await asyncio.gather(
        *(workers[n % 3].get(purchase(shop), newer_than=refused[n % 3].generation) for n in range(30))
    )
    assert {token.value for token in again} == {"token-2"}
    assert shop.sold == 2
    # And a straggler, whose request with the first token was slow.
    assert (await workers[0].get(purchase(shop), newer_than=1)).value == "token-2"
    assert shop.sold == 2


async def test_a_failed_exchange_is_told_to_all_who_wait_and_is_not_remembered(
    worker: MakeWorker, purchase: Any
) -> None:
    shop = Shop()
    shop.gate.clear()
    shop.fails = [Unavailable("down")]
    cache = worker()
    waiting = [asyncio.create_task(cache.get(purchase(shop))) for _ in range(5)]
    await asyncio.sleep(0.01)
    shop.gate.set()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 5
    assert (await cache.get(purchase(shop))).value == "token-1"


async def test_a_token_that_was_refused_is_not_used_again_though_the_next_could_not_be_bought(
    worker: MakeWorker, purchase: Any
) -> None:
    shop, cache = Shop(), worker()
    first = await cache.get(purchase(shop))
    shop.fails = [Unavailable("down")]
    with pytest.raises(Unavailable):
        await cache.get(purchase(shop), newer_than=first.generation)
    assert (await cache.get(purchase(shop))).value == "token-2"


async def test_cached_tokens_die_with_the_secrets_version(worker: MakeWorker, purchase: Any) -> None:
    shop, cache = Shop(), worker()
    await cache.get(purchase(shop))
    await worker().get(purchase(shop, place=TokenPlace("college-1", "integration-1", "key of version 2", "identity")))
    assert shop.sold == 2


async def test_a_token_of_other_settings_or_another_origin_is_not_used(worker: MakeWorker, purchase: Any) -> None:
    shop = Shop()
    await worker().get(purchase(shop))
    await worker().get(purchase(shop, place=TokenPlace("college-1", "integration-1", "key", "other scopes")))
    assert shop.sold == 2
    place = TokenPlace("college-1", "integration-1", "key", "other scopes")
    await worker().get(purchase(shop, place=place, origin="https://elsewhere.edu:443"))
    assert shop.sold == 3


async def test_no_token_is_stored_in_plain_text_and_each_is_made_known_to_the_redactor(
    worker: MakeWorker, purchase: Any, store: Any, keys_folder: Any
) -> None:
    heard: list[str] = []
    keys = load_private_keys(keys_folder / "fetcher.json")
    shop = Shop(single_use=True)
    await worker(opener=SecretOpener(keys, on_open=heard.append)).get(purchase(shop))
    assert {"token-1", "refresh-1"} <= set(heard)
    [stored] = await store.collection(SPEC).find(everything())
    assert "token-1" not in str(stored.document)
    assert "refresh-1" not in str(stored.document)
    heard.clear()
    await worker(opener=SecretOpener(keys, on_open=heard.append)).get(purchase(shop))
    assert heard == ["token-1"]


def everything() -> Any:
    return Query(filter={"collegeId": "college-1", "integrationId": "integration-1"})


async def test_a_stored_token_that_does_not_open_is_bought_anew(worker: MakeWorker, purchase: Any, store: Any) -> None:
    shop = Shop()
    await worker().get(purchase(shop))
    [stored] = await store.collection(SPEC).find(everything())

    def spoil(document: dict[str, Any]) -> dict[str, Any]:
        return {**document, "token": {**document["token"], "version": 7}}

    await store.collection(SPEC).update(stored.id, spoil)
    assert (await worker().get(purchase(shop))).value == "token-2"


@pytest.mark.parametrize("jump", [timedelta(days=-400), timedelta(minutes=-5)])
async def test_a_wall_clock_that_jumps_back_makes_no_token_immortal(
    worker: MakeWorker, purchase: Any, clocks: Clocks, jump: timedelta
) -> None:
    shop, cache = Shop(), worker()
    await cache.get(purchase(shop))
    clocks.now += jump
    assert (await cache.get(purchase(shop))).value == "token-2"
    assert (await worker().get(purchase(shop))).value == "token-2"


async def test_a_wall_clock_that_stands_still_makes_no_token_immortal(
    worker: MakeWorker, purchase: Any, clocks: Clocks
) -> None:
    shop, cache = Shop(), worker()
    await cache.get(purchase(shop))
    clocks.monotonic_s += 90
    assert (await cache.get(purchase(shop))).value == "token-2"


async def test_a_monotonic_clock_that_slept_with_its_machine_makes_no_token_immortal(
    worker: MakeWorker, purchase: Any, clocks: Clocks
) -> None:
    shop, cache = Shop(), worker()
    await cache.get(purchase(shop))
    clocks.now += timedelta(seconds=90)
    assert (await cache.get(purchase(shop))).value == "token-2"


async def test_a_dead_workers_leave_to_buy_ends(worker: MakeWorker, purchase: Any, clocks: Clocks) -> None:
    shop, waits = Shop(), []
    dead = Shop()
    dead.gate.clear()
    dying = asyncio.create_task(worker().get(purchase(dead)))
    await asyncio.sleep(0.05)

    async def wait(seconds: float) -> None:
        waits.append(seconds)
        clocks.pass_(seconds)
        await asyncio.sleep(0)

    assert (await worker(on_wait=wait).get(purchase(shop))).value == "token-1"
    assert LEASE.total_seconds() <= sum(waits) < LEASE.total_seconds() + 2
    dying.cancel()
    dead.gate.set()


async def test_a_worker_whose_leave_was_taken_over_uses_what_the_other_bought(
    worker: MakeWorker, purchase: Any, clocks: Clocks
) -> None:
    slow, quick = Shop(), Shop()
    slow.gate.clear()
    late = asyncio.create_task(worker().get(purchase(slow)))
    await asyncio.sleep(0.05)
    clocks.pass_(LEASE.total_seconds())
    quick.sold = 10
    assert (await worker().get(purchase(quick))).value == "token-11"
    slow.gate.set()
    assert (await late).value == "token-11"


async def test_rotation_spends_each_refresh_token_once_and_workers_take_turns(
    worker: MakeWorker, purchase: Any, clocks: Clocks
) -> None:
    shop = Shop(single_use=True)
    workers = [worker(), worker()]
    for _ in range(4):
        await asyncio.gather(*(workers[n % 2].get(purchase(shop)) for n in range(6)))
        clocks.pass_(95)
    assert shop.spent == [None, "refresh-1", "refresh-2", "refresh-3"]


async def test_a_refresh_token_outlives_an_edit_of_the_scopes_and_the_access_token_does_not(
    worker: MakeWorker, purchase: Any
) -> None:
    shop = Shop(single_use=True)
    await worker().get(purchase(shop))
    await worker().get(purchase(shop, place=TokenPlace("college-1", "integration-1", "key", "other scopes")))
    assert shop.spent == [None, "refresh-1"]


async def test_an_exchange_goes_on_when_who_wanted_it_is_cancelled(worker: MakeWorker, purchase: Any) -> None:
    """A cancelled stretch must not lose the refresh token that is on its way."""
    shop, cache = Shop(single_use=True), worker()
    shop.answers.clear()
    wanting = asyncio.create_task(cache.get(purchase(shop)))
    await wait_until(lambda: bool(shop.spent))
    wanting.cancel()
    await asyncio.gather(wanting, return_exceptions=True)
    shop.answers.set()
    await cache.finish()
    assert (await worker().get(purchase(shop))).value == "token-1"
    assert shop.spent == [None]


class Failing(Collection):
    """A store whose updates fail while ``down``; each is lost, not half done."""

    def __init__(self, inner: Collection) -> None:
        self._inner = inner
        self.down = 0

    async def update(self, document_id: str, change: Any) -> Any:
        if self.down:
            self.down -= 1
            raise Unavailable("the store is away")
        return await self._inner.update(document_id, change)

    async def get(self, document_id: str) -> Any:
        return await self._inner.get(document_id)

    async def insert(self, documents: Any) -> Any:
        return await self._inner.insert(documents)

    async def replace(self, document_id: str, document: Any, *, version: int) -> int:
        return await self._inner.replace(document_id, document, version=version)

    async def delete(self, document_id: str, *, version: int | None = None) -> bool:
        return await self._inner.delete(document_id, version=version)

    async def delete_all(self, filter: Any) -> int:  # noqa: A002 - as in the port
        return await self._inner.delete_all(filter)

    async def find(self, query: Any) -> Any:
        return await self._inner.find(query)

    async def count(self, filter: Any) -> int:  # noqa: A002 - as in the port
        return await self._inner.count(filter)


class FailingStore:
    def __init__(self, store: Any) -> None:
        self.collection_ = Failing(store.collection(SPEC))

    def collection(self, spec: Any) -> Collection:
        return self.collection_


async def test_what_was_bought_while_the_store_is_away_is_stored_before_it_is_used(
    purchase: Any, store: Any, opener: SecretOpener, clocks: Clocks, worker: MakeWorker
) -> None:
    failing = FailingStore(store)
    shop = Shop(single_use=True)

    async def wait(seconds: float) -> None:
        pass

    cache = TokenCache(
        Tokens(failing),
        opener,
        clock=clocks.wall,
        monotonic=clocks.monotonic,
        on_wait=wait,
    )
    buy = shop.buy

    async def buy_and_lose_the_store(refresh: str | None, is_uncertain: bool) -> Bought:
        bought = await buy(refresh, is_uncertain)
        failing.collection_.down = 6
        return bought

    await cache.get(purchase(shop))
    clocks.pass_(95)
    lossy = purchase(shop, buy=buy_and_lose_the_store)
    with pytest.raises(Unavailable):
        await cache.get(lossy)
    assert (await cache.get(lossy)).value == "token-2"
    assert shop.spent == [None, "refresh-1"]
    clocks.pass_(95)
    await worker().get(purchase(shop))
    assert shop.spent == [None, "refresh-1", "refresh-2"]


async def test_a_crash_between_exchange_and_store_is_told_as_such(
    worker: MakeWorker, purchase: Any, store: Any, opener: SecretOpener, clocks: Clocks
) -> None:
    """The worker dies with the new refresh token in its hands; the stored one is spent."""
    shop = Shop(single_use=True)
    await worker().get(purchase(shop))
    clocks.pass_(95)
    died: asyncio.Event = asyncio.Event()

    class Dying(Tokens):
        async def store(self, *args: Any, **kwargs: Any) -> bool:
            died.set()
            await asyncio.Event().wait()
            return False

    dying = TokenCache(Dying(store), opener, clock=clocks.wall, monotonic=clocks.monotonic)
    task = asyncio.create_task(dying.get(purchase(shop)))
    await died.wait()
    assert shop.spent == [None, "refresh-1"]
    clocks.pass_(LEASE.total_seconds())
    with pytest.raises(SourceError) as caught:
        await worker().get(purchase(shop))
    assert (caught.value.code, caught.value.error_class) == ("refresh_token_lost", ErrorClass.AUTH)
    # It is no accident of this one try.
    with pytest.raises(SourceError) as caught:
        await worker().get(purchase(shop))
    assert caught.value.code == "refresh_token_lost"
    task.cancel()


async def test_an_answer_that_did_not_arrive_leaves_the_refresh_token_in_doubt(
    worker: MakeWorker, purchase: Any, clocks: Clocks
) -> None:
    shop = Shop(single_use=True)
    await worker().get(purchase(shop))
    clocks.pass_(95)
    shop.loses = [Unavailable("timed out")]
    with pytest.raises(Unavailable):
        await worker().get(purchase(shop))
    with pytest.raises(SourceError) as caught:
        await worker().get(purchase(shop))
    assert caught.value.code == "refresh_token_lost"


async def test_a_refresh_token_that_was_refused_for_good_is_no_matter_of_doubt(
    worker: MakeWorker, purchase: Any
) -> None:
    shop = Shop(single_use=True)
    shop.spent = [None]
    for _ in range(2):
        with pytest.raises(SourceError) as caught:
            await worker().get(purchase(shop))
        assert caught.value.code == "refresh_token_refused"


@given(
    life_s=st.floats(min_value=0.001, max_value=1e7),
    steps=st.lists(
        st.tuples(st.floats(-1e6, 1e6), st.floats(0, 1e6)),
        max_size=8,
    ),
)
def test_whatever_the_clocks_do_a_token_is_used_no_longer_than_its_life(
    life_s: float, steps: list[tuple[float, float]]
) -> None:
    clocks = Clocks()
    cache = TokenCache(None, None, clock=clocks.wall, monotonic=clocks.monotonic)
    token = Token("t", 1, NOW, NOW + timedelta(seconds=life_s), clocks.monotonic_s + life_s)
    for wall_s, monotonic_s in steps:
        clocks.now += timedelta(seconds=wall_s)
        clocks.monotonic_s += monotonic_s
        if cache._is_usable(token):
            assert clocks.monotonic_s - 1000.0 < life_s
            assert NOW - timedelta(minutes=1) <= clocks.now < NOW + timedelta(seconds=life_s)
