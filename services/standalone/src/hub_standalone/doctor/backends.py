"""Broker and store: whether they answer, and whether they are as this version needs them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TypeVar

from hub_messaging.broker import Broker
from hub_messaging.topology import QUEUES, subscription_of
from hub_model.errors import Conflict
from hub_storage.repositories import SPECS, Integrations
from hub_storage.store import Store

from hub_standalone.backend import open_backend, open_the_broker, open_the_store
from hub_standalone.doctor.examination import Examination
from hub_standalone.local import OperatorSettings

T = TypeVar("T")

_BROKER_FIX = "Is it running, and is HUB_BROKER_URL right? Does this machine reach its host and port?"
_STORE_FIX = "Is it running, and is HUB_STORE_URL right? Does this machine reach its host and port?"
_NEARLY_FULL = 0.8


async def look_at_one_file(exam: Examination, settings: OperatorSettings) -> None:
    """Broker and store of the hub in one process."""
    async with _opened(exam, "database", lambda: open_backend(settings), fix="") as both:
        if both is not None:
            broker, store = both
            exam.ok("database", f"{settings.database} opens.")
            await _look_into_broker(exam, broker)
            await _look_into_store(exam, store)


async def look_at_broker(exam: Examination, settings: OperatorSettings) -> None:
    """The broker that HUB_BROKER_URL names."""
    async with _opened(exam, "broker", lambda: open_the_broker(settings), fix=_BROKER_FIX) as broker:
        if broker is not None:
            await _look_into_broker(exam, broker)
        else:
            exam.warn("queues", "not looked at, nor the dead letters: the broker could not be opened.")


async def look_at_store(exam: Examination, settings: OperatorSettings) -> None:
    """The store that HUB_STORE_URL names."""
    async with _opened(exam, "store", lambda: open_the_store(settings), fix=_STORE_FIX) as store:
        if store is not None:
            await _look_into_store(exam, store)


@asynccontextmanager
async def _opened(
    exam: Examination, name: str, opening: Callable[[], AbstractAsyncContextManager[T]], *, fix: str
) -> AsyncIterator[T | None]:
    """What ``opening`` opens; None after noting why it does not open."""
    stack = AsyncExitStack()
    try:
        yield await exam.check(name, lambda: stack.enter_async_context(opening()), fix=fix)
    finally:
        await exam.check(name, stack.aclose)


async def _look_into_broker(exam: Examination, broker: Broker) -> None:
    async def topology() -> None:
        differences = []
        for queue in QUEUES:
            try:
                await broker.declare(subscription_of(queue))
            except Conflict as error:
                differences.append(str(error))
        for difference in differences:
            exam.fail("topology", f"{difference}.")
        if not differences:
            exam.ok("topology", f"all {len(QUEUES)} queues are as this version declares them; missing ones were made.")

    async def dead_letters() -> None:
        if count := await broker.dead_letters.count():
            exam.warn("dead letters", f"{count} waiting for a person.", "Look: hub dlq list; then replay or discard.")
        else:
            exam.ok("dead letters", "none.")

    async def queues() -> None:
        depths = {queue: await broker.depth(queue) for queue in QUEUES}
        shown = ", ".join(f"{queue} {depth}" for queue, depth in depths.items())
        full = [queue for queue, depth in depths.items() if depth > _NEARLY_FULL * subscription_of(queue).max_length]
        if full:
            exam.warn(
                "queues",
                f"{shown}; nearly full: {', '.join(full)}.",
                "Is the service that reads it running, and does its log say what holds it up? Start more of it.",
            )
        else:
            exam.ok("queues", f"{shown} messages waiting.")

    await _timed(exam, "broker", broker.ping, fix=_BROKER_FIX)
    await exam.check("topology", topology)
    await exam.check("dead letters", dead_letters)
    await exam.check("queues", queues)


async def _look_into_store(exam: Examination, store: Store) -> None:
    async def indexes() -> None:
        if commands := await store.undeclared_indexes():
            exam.warn(
                "indexes",
                f"{len(commands)} that this version does not use; each costs a little with every write.",
                f"Once no process of another version runs, drop them in mongosh: {'; '.join(commands)}",
            )

    async def integrations() -> None:
        if errors := await Integrations(store).unreadable_anywhere():
            exam.fail(
                "integrations",
                f"{len(errors)} that nothing is synced for. {errors[0]}.",
                "Another version has stored them: finish the upgrade, or go back to that version.",
            )

    await _timed(exam, "store", store.ping, fix=_STORE_FIX, more=f"; the {len(SPECS)} collections have their indexes")
    await exam.check("indexes", indexes)
    await exam.check("integrations", integrations)


async def _timed(
    exam: Examination, name: str, ping: Callable[[], Awaitable[None]], *, fix: str, more: str = ""
) -> None:
    async def answer() -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await ping()
        exam.ok(name, f"answers in {(loop.time() - began) * 1000:.0f} ms{more}.")

    await exam.check(name, answer, fix=fix)
