"""Choosing a broker by URL."""

from pathlib import Path

import pytest
from hub_messaging.broker import Envelope, Subscription
from hub_messaging.opening import open_broker
from hub_model.errors import Conflict, InvalidInput, Unavailable


async def test_an_unknown_scheme_is_refused_naming_the_supported_ones() -> None:
    for url in ("stomp://user:secret@host", "", "hub.db"):
        with pytest.raises(InvalidInput, match="supported: sqlite, amqp, amqps") as refusal:
            async with open_broker(url):
                pass
        assert "secret" not in str(refusal.value)
        assert "HUB_BROKER_URL" in str(refusal.value)


@pytest.mark.parametrize("url", ["amqp://hub:secret@broker:port/hub", "amqp://hub:sec/ret@broker/hub"])
async def test_a_url_that_is_none_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"HUB_BROKER_URL is not amqp://.*percent-encoded") as refusal:
        async with open_broker(url):
            pass
    assert "sec" not in str(refusal.value)


async def test_the_broker_is_closed_at_the_end(tmp_path: Path) -> None:
    async with open_broker(f"sqlite:///{tmp_path}/hub.db") as broker:
        await broker.declare(Subscription("work", ("key",)))
    with pytest.raises(Unavailable):
        await broker.publish([Envelope("key", b"")])


async def test_a_second_process_on_the_same_file_is_refused(tmp_path: Path) -> None:
    async with open_broker(f"sqlite:///{tmp_path}/hub.db"):
        with pytest.raises(Conflict):
            async with open_broker(f"sqlite:///{tmp_path}/hub.db"):
                pass
