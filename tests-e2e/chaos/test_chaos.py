"""A short form of the fault test: every kind of fault once."""

import secrets
from pathlib import Path

import pytest
from chaos.run import chaos
from hub_messaging.testing.rabbitmq_node import RabbitNode
from hub_storage.testing.secantus import SecantusServer, require_secantus


@pytest.mark.slow
async def test_whatever_fails_nothing_accepted_is_lost(tmp_path: Path, rabbit: RabbitNode) -> None:
    require_secantus()
    mongo = SecantusServer(tmp_path / "mongodb")
    mongo.start()
    seed = secrets.randbelow(10_000)
    try:
        found = await chaos(tmp_path, seconds=75, seed=seed, rabbit=rabbit, mongo=mongo)
    finally:
        mongo.kill()
    assert found == [], f"seed {seed}; the history is in {tmp_path / 'history.jsonl'}"
