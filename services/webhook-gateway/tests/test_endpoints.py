"""How long an integration's webhook settings are remembered."""

import asyncio
from typing import Any

import pytest
from hub_model.errors import Unavailable
from hub_model.integrations import Integration
from hub_storage.repositories import Integrations
from hub_webhook_gateway.endpoints import Endpoints

TYPED = {"dataType": "attendance", "records": []}


class Steady:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class CountingLocate:
    def __init__(self, gateway: Any) -> None:
        self.inner = Integrations(gateway.store).locate
        self.asked: list[str] = []
        self.free = asyncio.Event()
        self.free.set()
        self.fails: Exception | None = None

    async def __call__(self, integration_id: str) -> Integration | None:
        self.asked.append(integration_id)
        await self.free.wait()
        if self.fails is not None:
            raise self.fails
        return await self.inner(integration_id)


def endpoints_of(gateway: Any, locate: CountingLocate, steady: Steady) -> Endpoints:
    from hub_security.keys import load_private_keys
    from hub_security.vault import SecretOpener

    opener = SecretOpener(load_private_keys(gateway.folder / "gateway.json"))
    return Endpoints(locate, opener, remember_s=2.0, rotation_overlap_s=60, steady=steady)


async def test_an_integration_is_looked_up_once_in_two_seconds(gateway: Any) -> None:
    integration, locate, steady = await gateway.integration(), CountingLocate(gateway), Steady()
    endpoints = endpoints_of(gateway, locate, steady)
    for _ in range(5):
        assert await endpoints.find(integration.id) is not None
        assert await endpoints.find("f" * 32) is None
    assert locate.asked == [integration.id, "f" * 32]
    steady.now = 2.0
    assert await endpoints.find(integration.id) is not None
    assert len(locate.asked) == 3


async def test_who_asks_at_once_shares_one_lookup_and_may_go_away(gateway: Any) -> None:
    integration, locate = await gateway.integration(), CountingLocate(gateway)
    endpoints = endpoints_of(gateway, locate, Steady())
    locate.free.clear()
    asking = [asyncio.create_task(endpoints.find(integration.id)) for _ in range(20)]
    await asyncio.sleep(0)
    asking[0].cancel()
    locate.free.set()
    cancelled, *found = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(cancelled, asyncio.CancelledError)
    assert all(endpoint is found[0] and endpoint is not None for endpoint in found)
    assert locate.asked == [integration.id]


async def test_a_lookup_that_failed_is_tried_again(gateway: Any) -> None:
    integration, locate = await gateway.integration(), CountingLocate(gateway)
    endpoints = endpoints_of(gateway, locate, Steady())
    locate.fails = Unavailable("down")
    for _ in range(2):
        with pytest.raises(Unavailable):
            await endpoints.find(integration.id)
    locate.fails = None
    assert await endpoints.find(integration.id) is not None
    assert len(locate.asked) == 3


async def test_a_disabled_integration_is_refused_once_it_is_looked_up_again(gateway: Any) -> None:
    integration, locate, steady = await gateway.integration(), CountingLocate(gateway), Steady()
    endpoints = endpoints_of(gateway, locate, steady)
    assert await endpoints.find(integration.id) is not None
    await Integrations(gateway.store).change(
        integration.college_id,
        integration.id,
        lambda old: old.model_copy(update={"settings": old.settings.model_copy(update={"enabled": False})}),
    )
    steady.now = 2.0
    assert await endpoints.find(integration.id) is None


async def test_ids_that_cannot_exist_are_not_looked_up_and_memory_is_bounded(gateway: Any) -> None:
    locate = CountingLocate(gateway)
    endpoints = endpoints_of(gateway, locate, Steady())
    for odd in ("", "..", "a/b", "x" * 65, "a\0", '{"$ne":1}', "é"):
        assert await endpoints.find(odd) is None
    assert locate.asked == []
    for number in range(10_050):
        endpoints._remembered[f"{number}"] = (1e9, None)
    assert await endpoints.find("f" * 32) is None
    assert await endpoints.find("e" * 32) is None
    assert len(endpoints._remembered) <= 10_050
