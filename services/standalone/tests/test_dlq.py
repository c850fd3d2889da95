"""What an operator does with dead letters, from a terminal, over the file of a hub in one process and over AMQP."""

import asyncio
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hub_messaging.broker import DeadLetter, DeadLetters, Delivery, Envelope, Subscription
from hub_messaging.envelope import encode
from hub_messaging.opening import open_broker
from hub_messaging.testing import wait_until
from hub_messaging.testing.rabbitmq_node import RabbitNode, running_node
from hub_messaging.topology import declared, subscription_of
from hub_model.errors import Unavailable
from hub_model.logs import AuditEntry
from hub_model.messages import BatchFetched, BatchTransformed, PageRequested, Reject
from hub_model.records import DataType, Origin
from hub_standalone.backend import open_file
from hub_standalone.settling import Action, Settling
from hub_storage.opening import open_store
from hub_storage.repositories import SPECS, Audit

Hub = Callable[..., Any]

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CANARY = "canary-9151"
DATABASE = Path(".hub/hub.db")
RUN = {"college_id": "c-1", "integration_id": "i-1", "run_id": "r-1", "data_type": DataType.MARKS, "observed_at": NOW}

PAGE = encode(PageRequested(**RUN, position={"next": f"https://a.edu/x?token={CANARY}", CANARY: 1}), now=NOW)
FETCHED = encode(
    BatchFetched(
        **RUN,
        sequence=4,
        origin=Origin.POLL,
        records=[
            {"roll_no": CANARY, "mark": 71.5, "CS2101": CANARY},
            {"roll_no": CANARY, "address": {"street": CANARY}},
        ],
    ),
    now=NOW,
)
TRANSFORMED = encode(
    BatchTransformed(
        **RUN,
        sequence=4,
        origin=Origin.POLL,
        records=[{"key": CANARY, "data": {"studentId": CANARY}, "hash": CANARY, "version": "1"}],
        rejects=[Reject(index=0, raw={"grade": CANARY}, issues=[{"pointer": "/grade", "message": CANARY}])],
    ),
    now=NOW,
)
STRANGE = Envelope(
    "page.requested", f'{{"records": "{CANARY}"'.encode(), {"x-api-key": CANARY, "ce-type": "strange.v1"}
)


async def bury(url: str, queue: str, *envelopes: Envelope, reason: str = "internal_error") -> None:
    """Let these messages die, one after the other, in this queue."""

    async def give_up(delivery: Delivery) -> None:
        await delivery.dead_letter(reason)

    async with declared(open_broker(url)) as broker:
        await broker.consume(subscription_of(queue), give_up)
        for envelope in envelopes:
            before = await broker.dead_letters.count()
            await broker.publish([envelope])

            async def is_dead(before: int = before) -> bool:
                return await broker.dead_letters.count() > before

            await wait_until(is_dead, 15.0)


def buried(queue: str, *envelopes: Envelope, reason: str = "internal_error") -> None:
    asyncio.run(bury(f"sqlite:///{DATABASE}", queue, *envelopes, reason=reason))


async def _depths_and_audit(college: str) -> tuple[dict[str, int], list[AuditEntry]]:
    async with open_file(DATABASE) as (broker, store):
        depths = {queue: await broker.depth(queue) for queue in ("fetcher.pages", "transformer.batches")}
        return depths, (await Audit(store).page(college)).items


def depths_and_audit(college: str = "c-1") -> tuple[dict[str, int], list[AuditEntry]]:
    return asyncio.run(_depths_and_audit(college))


def listed(hub: Hub, *options: str) -> list[list[str]]:
    return [line.split("  ") for line in hub("dlq", "list", *options).out.splitlines()]


def test_the_list_is_newest_first_and_says_that_there_are_more(hub: Hub) -> None:
    buried("fetcher.pages", PAGE, reason="transient: 8 attempts")
    buried("transformer.batches", FETCHED)
    outcome = hub("dlq", "list")
    assert (outcome.code, outcome.err) == (0, "2 dead letters.\n")
    newest, oldest = (line.split("  ") for line in outcome.out.splitlines())
    assert newest[2:] == ["transformer.batches", "batch.fetched", "c-1/i-1", "attempts=1", "internal_error"]
    assert oldest[2:] == ["fetcher.pages", "page.requested", "c-1/i-1", "attempts=1", "transient: 8 attempts"]
    assert [line[2] for line in listed(hub, "--queue", "fetcher.pages")] == ["fetcher.pages"]
    short = hub("dlq", "list", "--limit", "1")
    assert (len(short.out.splitlines()), "1 of 2 dead letters: there are more" in short.err) == (1, True)
    assert "No dead letters in writer.batches" in hub("dlq", "list", "--queue", "writer.batches").err


def test_no_student_data_and_no_secret_is_shown(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    buried("fetcher.pages", PAGE, STRANGE)
    buried("transformer.batches", FETCHED)
    buried("writer.batches", TRANSFORMED)
    shown = {}
    for letter_id, _, _, message, *_ in listed(hub):
        outcome = hub("dlq", "show", letter_id)
        shown[message, outcome.out.count("cannot be read")] = outcome.out
    said = hub("dlq", "list")
    replayed = hub("dlq", "replay", *(line.split("  ")[0] for line in said.out.splitlines()))
    assert replayed.code == 0
    assert CANARY not in "".join([*shown.values(), said.out, said.err, replayed.out, replayed.err])
    assert "records: 2 items (roll_no, mark, address, and 1 more)" in shown["batch.fetched", 0]
    assert "records: 1 item (key, data, hash, version)" in shown["batch.transformed", 0]
    assert "rejects: 1 item (grade)" in shown["batch.transformed", 0]
    assert "position: 2 fields (next, and 1 more)" in shown["page.requested", 0]
    assert "run_id: r-1" in shown["page.requested", 0]
    assert f"cannot be read: strange.v1, {len(STRANGE.body)} bytes" in shown["page.requested", 1]
    assert f"x-api-key: ({len(CANARY)} characters)" in shown["page.requested", 1]


def test_what_steers_a_terminal_is_not_passed_on(hub: Hub) -> None:
    buried("fetcher.pages", replace(PAGE, headers={**PAGE.headers, "ce-subject": "a\x1b[2Jb\nc"}), reason="x\x1b[2J\ny")
    [[letter_id, *_]] = listed(hub)
    outcome = hub("dlq", "show", letter_id)
    assert "\x1b" not in outcome.out
    assert "a [2Jb c" in outcome.out


def test_a_replayed_message_is_in_its_queue_and_in_its_college_s_audit_trail(hub: Hub) -> None:
    buried("fetcher.pages", PAGE, PAGE)
    [first, second] = [line[0] for line in listed(hub)]
    outcome = hub("dlq", "replay", first)
    assert (outcome.code, outcome.out) == (0, f"replayed  {first}  fetcher.pages  page.requested  c-1/i-1\n")
    assert [line[0] for line in listed(hub)] == [second]
    depths, [entry] = depths_and_audit()
    assert depths["fetcher.pages"] == 1
    assert entry.actor.startswith("operator:")
    assert (entry.role, entry.action, entry.target, entry.allowed) == ("Operator", "replayDeadLetter", "i-1", True)
    assert entry.changes == {
        "letterId": first,
        "queue": "fetcher.pages",
        "message": "page.requested",
        "reason": "internal_error",
    }


def test_all_letters_of_one_queue_are_replayed_and_no_others(hub: Hub) -> None:
    buried("fetcher.pages", PAGE, PAGE, PAGE)
    buried("transformer.batches", FETCHED)
    outcome = hub("dlq", "replay", "--queue", "fetcher.pages", "--all")
    assert outcome.code == 0
    assert "3 replayed, 0 not." in outcome.err
    assert [line[2] for line in listed(hub)] == ["transformer.batches"]
    depths, entries = depths_and_audit()
    assert (depths, len(entries)) == ({"fetcher.pages": 3, "transformer.batches": 0}, 3)


@pytest.mark.parametrize(
    "arguments", [(), ("--all",), ("--queue", "q"), ("some-id", "--all"), ("some-id", "--queue", "q")]
)
def test_a_replay_that_does_not_say_what_is_misspelt(hub: Hub, arguments: tuple[str, ...]) -> None:
    outcome = hub("dlq", "replay", *arguments)
    assert outcome.code == 2
    assert "--queue" in outcome.err


@pytest.mark.parametrize(
    "command", [("list", "--queue", "writer.batch"), ("replay", "--queue", "writer.batch", "--all")]
)
def test_a_queue_that_does_not_exist_is_answered_with_those_that_do(hub: Hub, command: tuple[str, ...]) -> None:
    buried("fetcher.pages", PAGE)
    outcome = hub("dlq", *command)
    assert outcome.code != 0
    assert "There is no queue 'writer.batch'." in outcome.err
    assert "writer.batches, writer.progress" in outcome.err
    assert "No dead letters in writer.batches." in hub("dlq", "list", "--queue", "writer.batches").err


def test_a_discard_asks_first(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    buried("fetcher.pages", PAGE)
    [[letter_id, *_]] = listed(hub)
    for answer in ("n\n", ""):  # the second: nobody is there to answer
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        assert hub("dlq", "discard", letter_id).code == 1
    assert len(listed(hub)) == 1
    assert depths_and_audit()[1] == []
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    outcome = hub("dlq", "discard", letter_id)
    assert (outcome.code, outcome.out.split()[:2]) == (0, ["discarded", letter_id])
    assert listed(hub) == []
    depths, [entry] = depths_and_audit()
    assert (depths["fetcher.pages"], entry.action, entry.target) == (0, "discardDeadLetter", "i-1")


def test_what_cannot_be_replayed_is_said_and_keeps_nothing_else_back(hub: Hub) -> None:
    async def fill() -> None:
        async with open_file(DATABASE) as (broker, _):
            await broker.declare(Subscription("fetcher.pages", ["page.requested"], max_length=1))
            await broker.publish([PAGE])

    buried("fetcher.pages", PAGE)
    buried("transformer.batches", FETCHED)
    asyncio.run(fill())
    [batch, page] = [line[0] for line in listed(hub)]
    outcome = hub("dlq", "replay", page, "no-such-id", batch)
    assert outcome.code == 1
    assert [line.split("  ")[:2] for line in outcome.out.splitlines()] == [
        ["NOT replayed", page],
        ["NOT replayed", "no-such-id"],
        ["replayed", batch],
    ]
    assert "fetcher.pages holds 1 of at most 1" in outcome.out
    assert "1 replayed, 2 not." in outcome.err
    assert [line[0] for line in listed(hub)] == [page]
    entries = depths_and_audit()[1]
    assert sorted((entry.changes["queue"], entry.allowed, entry.changes.get("refused")) for entry in entries) == [
        ("fetcher.pages", False, "queue_full"),
        ("fetcher.pages", True, None),
        ("transformer.batches", True, None),
    ]


def test_a_message_that_names_no_college_is_in_the_log_instead_of_a_trail(hub: Hub) -> None:
    buried("fetcher.pages", STRANGE)
    [[letter_id, *_]] = listed(hub)
    outcome = hub("dlq", "discard", letter_id, "--yes")
    assert outcome.code == 0
    assert "in no college's audit trail" in outcome.err
    assert '"event":"dead_letter.not_audited"' in outcome.err
    assert letter_id in outcome.err


def test_a_message_that_cannot_be_read_is_audited_where_its_envelope_says(hub: Hub) -> None:
    buried("fetcher.pages", replace(PAGE, body=b"{"))
    [[letter_id, _, _, _, about, *_]] = listed(hub)
    assert about == "c-1/i-1"
    assert hub("dlq", "discard", letter_id, "--yes").code == 0
    assert [entry.target for entry in depths_and_audit()[1]] == ["i-1"]


def test_a_running_hub_is_said_to_hold_its_file(hub: Hub) -> None:
    buried("fetcher.pages", PAGE)

    async def while_it_runs() -> Any:
        async with open_file(DATABASE):
            return await asyncio.to_thread(hub, "dlq", "list")

    outcome = asyncio.run(while_it_runs())
    assert outcome.code == 1
    assert "in use by process" in outcome.err
    assert "Stop it" in outcome.err


def test_where_there_is_no_hub_none_is_made(hub: Hub) -> None:
    outcome = hub("dlq", "list")
    assert outcome.code == 1
    assert "There is no hub's file" in outcome.err
    assert not DATABASE.exists()


def test_one_url_alone_is_not_guessed_about(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_BROKER_URL", f"amqp://u:{CANARY}@127.0.0.1:9/v")
    outcome = hub("dlq", "replay", "some-id")
    assert outcome.code == 1
    assert "HUB_STORE_URL is not" in outcome.err
    assert CANARY not in outcome.err


def test_a_broker_that_is_not_there_is_said_at_once_and_without_its_password(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_BROKER_URL", f"amqp://u:{CANARY}@127.0.0.1:9/v")
    outcome = hub("dlq", "list")
    assert outcome.code == 1
    assert "connecting to RabbitMQ at 127.0.0.1:9" in outcome.err
    assert CANARY not in outcome.out + outcome.err


class FailingLetters(DeadLetters):
    """Cannot be reached for these letters."""

    def __init__(self, letters: DeadLetters, unreachable: Sequence[str]) -> None:
        self._letters = letters
        self._unreachable = unreachable

    async def newest(self, queue: str | None = None, *, limit: int = 100) -> Sequence[DeadLetter]:
        return await self._letters.newest(queue, limit=limit)

    async def count(self, queue: str | None = None) -> int:
        return await self._letters.count(queue)

    async def find(self, letter_id: str) -> DeadLetter | None:
        return await self._letters.find(letter_id)

    async def replay(self, letter_id: str) -> bool:
        if letter_id in self._unreachable:
            raise Unavailable("the connection was lost")
        return await self._letters.replay(letter_id)

    async def discard(self, letter_id: str) -> bool:
        return await self._letters.discard(letter_id)


async def test_when_the_broker_goes_away_the_rest_is_not_tried() -> None:
    await bury(f"sqlite:///{DATABASE}", "fetcher.pages", PAGE, PAGE, PAGE)
    async with open_file(DATABASE) as (broker, store):
        ids = [letter.id for letter in await broker.dead_letters.newest()]
        letters = FailingLetters(broker.dead_letters, ids[1])
        settling = Settling(letters, store, actor="operator:me", clock=lambda: NOW)
        settled = [item async for item in settling.settle(Action.REPLAY, ids)]
        assert [(item.letter_id, item.error) for item in settled] == [
            (ids[0], None),
            (ids[1], "the connection was lost"),
            (ids[2], "not tried"),
        ]
        entries = (await Audit(store).page("c-1")).items
        assert sorted(entry.changes.get("refused", "") for entry in entries) == ["", "", "unavailable"]


async def test_nothing_is_done_that_cannot_be_audited() -> None:
    await bury(f"sqlite:///{DATABASE}", "fetcher.pages", PAGE)
    async with open_file(DATABASE) as (broker, _):
        async with open_store("sqlite:///other.db", SPECS) as closed:
            pass
        settling = Settling(broker.dead_letters, closed, actor="operator:me", clock=lambda: NOW)
        [letter] = await broker.dead_letters.newest()
        [settled] = [item async for item in settling.settle(Action.REPLAY, [letter.id])]
        assert settled.error is not None
        assert await broker.dead_letters.newest() == [letter]


@pytest.fixture(scope="module")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitNode]:
    with running_node(tmp_path_factory.mktemp("rabbitmq")) as node:
        yield node


@pytest.mark.slow
def test_letters_of_services_that_run_apart_are_found_over_amqp(
    hub: Hub, rabbitmq: RabbitNode, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = rabbitmq.fresh_url()
    Path("store.db").touch()
    monkeypatch.setenv("HUB_BROKER_URL", url)
    monkeypatch.setenv("HUB_STORE_URL", "sqlite:///store.db")
    asyncio.run(bury(url, "fetcher.pages", PAGE, PAGE))
    capsys.readouterr()  # what the log of the test itself says
    [newest, oldest] = [line[0] for line in listed(hub)]
    assert hub("dlq", "replay", newest).code == 0
    assert hub("dlq", "discard", oldest, "--yes").code == 0
    assert listed(hub) == []

    async def left() -> tuple[int, list[str]]:
        async with open_broker(url) as broker, open_store("sqlite:///store.db", SPECS) as store:
            entries = (await Audit(store).page("c-1")).items
            return await broker.depth("fetcher.pages"), sorted(entry.action for entry in entries)

    assert asyncio.run(left()) == (1, ["discardDeadLetter", "replayDeadLetter"])
