"""A short form of the fault test: every kind of fault once."""

import random
import secrets
from pathlib import Path
from typing import Any

import pytest
from chaos.college import STUDENTS
from chaos.faults import one_of_each
from chaos.run import chaos
from chaos.verdict import compared, miscounted
from hub_messaging.testing.rabbitmq_node import RabbitNode
from hub_storage.testing.secantus import SecantusServer, require_secantus
from separate import Replica


@pytest.mark.slow
async def test_whatever_fails_nothing_accepted_is_lost(tmp_path: Path, rabbit: RabbitNode) -> None:
    require_secantus()
    mongo = SecantusServer(tmp_path / "mongodb")
    mongo.start()
    seed = secrets.randbelow(10_000)
    try:
        found = await chaos(tmp_path, seconds=90, seed=seed, rabbit=rabbit, mongo=mongo)
    finally:
        mongo.kill()
    assert found == [], f"seed {seed}; the history is in {tmp_path / 'history.jsonl'}"


def test_one_of_each_service_dies_whatever_the_lot() -> None:
    services = ["fetcher", "transformer", "writer"]
    replicas = [Replica(name, Path(), Path(f"{name}-{number}.log"), {}) for name in services for number in (1, 2)]
    for seed in range(20):
        assert sorted(replica.service for replica in one_of_each(replicas, random.Random(seed))) == services


def items(**values: str) -> list[dict[str, Any]]:
    return [{"data": {"studentId": key}} for key in values]


def test_what_is_lost_invented_changed_or_there_twice_is_found() -> None:
    sent = {"a": "1", "b": "2"}
    assert compared("c", "student", sent, sent, items(**sent)) == []
    assert "1 of student are not stored" in compared("c", "student", sent, {"a": "1"}, items(a="1"))[0]
    assert compared("c", "push", sent, {"a": "1"}, items(a="1"), may_lack=True) == []
    assert "never sent" in compared("c", "push", sent, {**sent, "x": "3"}, items(**sent, x="3"))[0]
    assert "another value" in compared("c", "push", sent, {**sent, "a": "9"}, items(**sent))[0]
    assert "stored twice" in compared("c", "push", sent, sent, items(**sent) + items(a="1"))[0]


def test_a_run_that_counted_otherwise_or_did_not_succeed_is_found() -> None:
    counts = {"fetched": STUDENTS, "inserted": 0, "updated": 7, "unchanged": STUDENTS - 7}
    run = {"status": "succeeded", "counts": counts}
    assert miscounted("run", run, is_first=False, changed=7) == []
    assert "counted" in miscounted("run", run, is_first=False, changed=8)[0]
    assert "counted" in miscounted("run", run, is_first=True, changed=0)[0]
    assert "failed" in miscounted("run", {"status": "failed", "counts": counts}, is_first=False, changed=7)[0]
