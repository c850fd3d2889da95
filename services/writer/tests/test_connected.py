"""Which integrations a college has: asked once in half a minute, and not missed when one is new."""

from datetime import UTC, datetime, timedelta

from hub_storage.repositories import Integrations
from hub_writer.connected import Connected

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class CountedIntegrations(Integrations):
    """Those of college c1, and how often they were asked for."""

    def __init__(self, *ids: str) -> None:
        self.known: frozenset[str] | None = frozenset(ids)
        self.asked = 0

    async def ids(self, college_id: str) -> frozenset[str] | None:
        self.asked += 1
        return self.known if college_id == "c1" else frozenset()


async def test_the_store_is_asked_once_in_half_a_minute_whatever_the_clock_does() -> None:
    now = [NOW]
    integrations = CountedIntegrations("erp", "lms")
    connected = Connected(integrations, lambda: now[0])
    for seconds, asked in ((0, 1), (29, 1), (31, 2), (-3600, 3), (-3590, 3)):
        now[0] = NOW + timedelta(seconds=seconds)
        assert await connected.of("c1", "erp") == {"erp", "lms"}
        assert integrations.asked == asked


async def test_an_integration_that_is_new_is_not_missed_and_one_that_is_gone_is_not_believed() -> None:
    integrations = CountedIntegrations("erp")
    connected = Connected(integrations, lambda: NOW)
    assert await connected.of("c1", "erp") == {"erp"}
    integrations.known = frozenset({"erp", "lms"})
    assert await connected.of("c1", "lms") == {"erp", "lms"}
    assert await connected.of("c1", "gone") == {"erp", "lms"}
    assert await connected.of("c2", "lms") == frozenset()


async def test_where_they_are_not_known_that_is_remembered_too() -> None:
    integrations = CountedIntegrations()
    integrations.known = None
    connected = Connected(integrations, lambda: NOW)
    for _ in range(2):
        assert await connected.of("c1", "erp") is None
    assert integrations.asked == 1
