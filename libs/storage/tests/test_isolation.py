"""No query without the college: every question about another college's things is answered as if they were not there."""

import inspect
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hub_model.errors import Conflict, InvalidInput, NotFound
from hub_model.integrations import Integration
from hub_model.logs import AuditEntry, LogEntry, LogLevel, RejectedRecord, WebhookReceipt
from hub_model.messages import Trigger
from hub_model.records import DataType
from hub_model.runs import new_run
from hub_model.stream_states import StreamState
from hub_storage import repositories
from hub_storage.repositories import (
    Audit,
    Chains,
    Claim,
    IdempotencyKeys,
    Integrations,
    Logs,
    Page,
    Receipts,
    Rejects,
    Runs,
    SourceLimits,
    StreamStates,
    Tables,
    Tokens,
)
from hub_storage.repositories.tables import Piece, TableEnd
from hub_storage.repositories.tokens import Busy, TokenPlace
from hub_storage.store import Store

PLACE = TokenPlace("c1", "i1", "key", "identity")
# They say so in their names, or take a value that names its own college; a receipt's id derives from its event.
DELIBERATELY_WITHOUT = {
    Integrations: {
        *("add", "locate", "due_anywhere", "active_anywhere", "scheduled_anywhere", "unreadable_anywhere"),
    },
    Runs: {"add"},
    Logs: {"add"},
    Rejects: {"add"},
    Audit: {"add"},
    Chains: set(),
    Receipts: {"begin", "begin_all", "begin_next", "send_back"},
    IdempotencyKeys: set(),
    SourceLimits: set(),
    Tokens: {"take", "store", "give_up"},
    Tables: {"next_run_anywhere"},
    StreamStates: set(),
}


@pytest.fixture
async def full(store: Store, an_integration: Callable[..., Integration], now: datetime) -> Store:
    """College c1 has one of everything; c2 has nothing."""
    await Integrations(store).add(an_integration("i1", "c1"))
    ids = {"college_id": "c1", "integration_id": "i1", "run_id": "r1"}
    await Runs(store).add(new_run(**ids, trigger=Trigger.MANUAL, data_types=(DataType.STUDENTS,), now=now))
    await Logs(store).add(LogEntry(**ids, id="l1", at=now, level=LogLevel.INFO, event="x", message="x"))
    await Rejects(store).add(
        [
            RejectedRecord(
                **ids, id="x1", data_type=DataType.STUDENTS, raw={"a": 1}, issues=[], mapping_version=1, at=now
            )
        ]
    )
    await Audit(store).add(AuditEntry(id="a1", college_id="c1", at=now, actor="p", role="p", action="x", target="i1"))
    await Chains(store).claim("c1", "r1", DataType.STUDENTS, step=3, copy_id="m")
    receipt = WebhookReceipt(
        id="e1",
        college_id="c1",
        integration_id="i1",
        fingerprint="f",
        received_at=now,
    )
    await Receipts(store).begin(receipt)
    await IdempotencyKeys(store).begin("c1", "k", fingerprint="f", now=now, made_id="m")
    await SourceLimits(store).block("c1", "s", now + timedelta(hours=1))
    await Tokens(store).take(PLACE, holder="w", now=now, lease=timedelta(minutes=1))
    await StreamStates(store).advance("c1", "i1", "students", StreamState(identity="ours"), began_at=now)
    await Tables(store).write("c1", "r1", "courses", [Piece(0, [{"id": "ours"}])])
    await Tables(store).close("c1", "r1", "courses", TableEnd(1, 1, complete=True))
    return store


def not_found() -> Any:
    return pytest.raises(NotFound)


async def empty(call: Awaitable[Page[Any]]) -> None:
    assert await call == Page([], None)


async def refuse_integration_calls(store: Store, now: datetime) -> set[str]:
    integrations = Integrations(store)
    with not_found():
        await integrations.get("c2", "i1")
    assert await integrations.find("c2", "i1") is None
    with not_found():
        await integrations.change("c2", "i1", lambda integration: integration.with_sync(paused=True))
    with not_found():
        await integrations.remove("c2", "i1")
    await empty(integrations.page("c2"))
    assert await integrations.ids("c2") == frozenset()
    assert await integrations.ids("c1") == {"i1"}
    assert not (await integrations.get("c1", "i1")).sync.paused
    return {"get", "find", "change", "remove", "page", "ids"}


async def refuse_run_calls(store: Store, now: datetime) -> set[str]:
    runs = Runs(store)
    with not_found():
        await runs.get("c2", "r1")
    assert await runs.find("c2", "r1") is None
    with not_found():
        await runs.change("c2", "r1", lambda run: run.model_copy(update={"slot": now}))
    await empty(runs.page("c2", "i1"))
    assert (await runs.get("c1", "r1")).slot is None
    return {"get", "find", "change", "page"}


async def refuse_log_calls(store: Store, now: datetime) -> set[str]:
    await empty(Logs(store).page("c2", "i1"))
    await empty(Logs(store).page("c2", "i1", run_id="r1", level=LogLevel.INFO))
    return {"page"}


async def refuse_reject_calls(store: Store, now: datetime) -> set[str]:
    await empty(Rejects(store).page("c2"))
    await empty(Rejects(store).page("c2", integration_id="i1", run_id="r1", data_type=DataType.STUDENTS))
    assert await Rejects(store).count("c2", "i1") == 0
    return {"page", "count"}


async def refuse_audit_calls(store: Store, now: datetime) -> set[str]:
    await empty(Audit(store).page("c2"))
    await empty(Audit(store).page("c2", target="i1"))
    return {"page"}


async def refuse_chain_calls(store: Store, now: datetime) -> set[str]:
    chains = Chains(store)
    assert await chains.claim("c2", "r1", DataType.STUDENTS, step=0, copy_id="theirs"), "a chain of their own"
    assert await chains.claim("c1", "r1", DataType.STUDENTS, step=3, copy_id="m"), "ours goes on"
    return {"claim"}


async def refuse_receipt_calls(store: Store, now: datetime) -> set[str]:
    assert await Receipts(store).latest("c2", "i1") is None
    assert await Receipts(store).latest("c1", "i1") is not None
    return {"latest"}


async def refuse_idempotency_calls(store: Store, now: datetime) -> set[str]:
    keys = IdempotencyKeys(store)
    assert await keys.begin("c2", "k", fingerprint="g", now=now, made_id="m") == "m"
    await keys.finish("c2", "k", started_at=now, status=200, headers={}, body="")
    await keys.abandon("c2", "k", started_at=now)
    with pytest.raises(Conflict):
        await keys.begin("c1", "k", fingerprint="f", now=now, made_id="m")
    with pytest.raises(InvalidInput):
        await keys.begin("c1", "k", fingerprint="g", now=now, made_id="m")
    return {"begin", "finish", "abandon"}


async def refuse_limit_calls(store: Store, now: datetime) -> set[str]:
    limits = SourceLimits(store)
    one = Claim(worker_id="w", now=now, slots=1, per_minute=1)
    assert await limits.blocked_until("c2", "s") is None
    assert (await limits.claim("c2", "s", one)).slots == 1
    await limits.settle("c2", "s", one)
    await limits.block("c2", "s", now + timedelta(hours=2))
    assert await limits.blocked_until("c1", "s") == now + timedelta(hours=1)
    assert (await limits.claim("c1", "s", one)).slots == 1, "their own slot"
    return {"blocked_until", "block", "claim", "settle"}


async def refuse_token_calls(store: Store, now: datetime) -> set[str]:
    await Tokens(store).forget("c2", "i1")
    taken = await Tokens(store).take(PLACE, holder="other", now=now, lease=timedelta(minutes=1))
    assert isinstance(taken, Busy), "ours is still there"
    return {"forget"}


async def refuse_table_calls(store: Store, now: datetime) -> set[str]:
    tables, end = Tables(store), TableEnd(1, 1, complete=True)
    await tables.write("c2", "r1", "courses", [Piece(0, [{"id": "theirs"}])])
    await tables.close("c2", "r1", "courses", end)
    assert [piece.rows async for piece in tables.pieces("c2", "r1", "courses", end)] == [[{"id": "theirs"}]]
    assert [piece.rows async for piece in tables.all_pieces("c2", "r1", "courses")] == [[{"id": "theirs"}]]
    await tables.drop("c2", "r1")
    assert await tables.find("c2", "r1", "courses") is None
    assert await tables.find("c1", "r1", "courses") == end
    assert [piece.rows async for piece in tables.pieces("c1", "r1", "courses", end)] == [[{"id": "ours"}]]
    assert [piece.rows async for piece in tables.all_pieces("c1", "r1", "courses")] == [[{"id": "ours"}]]
    return {"write", "close", "find", "pieces", "all_pieces", "drop"}


async def refuse_state_calls(store: Store, now: datetime) -> set[str]:
    states = StreamStates(store)
    assert await states.find("c2", "i1", "students") is None
    await states.advance("c2", "i1", "students", StreamState(identity="theirs"), began_at=now)
    await states.forget("c2", "i1")
    assert await states.find("c2", "i1", "students") is None
    assert await states.find("c1", "i1", "students") == StreamState(identity="ours")
    return {"find", "advance", "forget"}


REFUSALS: dict[type, Callable[[Store, datetime], Awaitable[set[str]]]] = {
    Integrations: refuse_integration_calls,
    Runs: refuse_run_calls,
    Logs: refuse_log_calls,
    Rejects: refuse_reject_calls,
    Audit: refuse_audit_calls,
    Chains: refuse_chain_calls,
    Receipts: refuse_receipt_calls,
    IdempotencyKeys: refuse_idempotency_calls,
    SourceLimits: refuse_limit_calls,
    Tokens: refuse_token_calls,
    Tables: refuse_table_calls,
    StreamStates: refuse_state_calls,
}


def repository_classes() -> list[type]:
    exported = [getattr(repositories, name) for name in repositories.__all__]
    return [value for value in exported if inspect.isclass(value) and "store" in inspect.signature(value).parameters]


def methods_of(repository: type) -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(method)
        for name, method in vars(repository).items()
        if inspect.isfunction(method) and not name.startswith("_")
    }


@pytest.mark.parametrize("repository", repository_classes(), ids=lambda repository: repository.__name__)
async def test_no_query_without_the_college(full: Store, now: datetime, repository: type) -> None:
    refused = await REFUSALS[repository](full, now)
    methods = methods_of(repository)
    assert methods.keys() == refused | DELIBERATELY_WITHOUT[repository]
    for name in refused:
        assert list(methods[name].parameters)[:2] == ["self", "college_id"], name
