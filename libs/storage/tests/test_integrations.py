"""Integrations: names, atomic changes, secrets, and what the system asks across colleges."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import structlog
from hub_model.base import format_datetime
from hub_model.errors import Conflict, InvalidInput, NotFound, StaleVersion, Unreadable
from hub_model.integrations import Integration, SyncState
from hub_storage.collection import Document
from hub_storage.repositories import Integrations
from hub_storage.repositories import integrations as module
from hub_storage.store import Store

Make = Callable[..., Integration]


@pytest.fixture
def integrations(store: Store) -> Integrations:
    return Integrations(store)


async def test_an_integration_is_read_back_as_it_was(integrations: Integrations, an_integration: Make) -> None:
    integration = an_integration(
        headers={"X-College-ID": "12345"},
        oauth={"tokenUrl": "https://erp.college.edu/token", "clientId": "hub"},
        webhook={"scheme": "standard", "dataType": "marks"},
        endpoints={
            "students": {
                "path": "/s",
                "pagination": {"type": "cursor", "cursorPath": "next"},
                "mapping": {"rules": [{"to": "name", "from": ["a", "b"]}, {"to": "status", "const": None}]},
            }
        },
    )
    await integrations.add(integration)
    assert await integrations.get("c1", "i1") == integration


async def test_a_college_has_no_two_integrations_of_one_name_however_it_is_written(
    integrations: Integrations, an_integration: Make
) -> None:
    await integrations.add(an_integration("i1", name="College ERP"))
    for name in ("College ERP", "college erp", " COLLEGE ERP ", "Ｃollege ERP"):
        with pytest.raises(Conflict) as caught:
            await integrations.add(an_integration("i2", name=name))
        assert caught.value.code == "name_taken"
    await integrations.add(an_integration("i2", name="College ERP 2"))
    await integrations.add(an_integration("i3", "c2", name="College ERP"))
    with pytest.raises(Conflict) as caught:
        await integrations.change(
            "c1",
            "i2",
            lambda integration: integration.model_copy(
                update={"settings": integration.settings.model_copy(update={"name": "COLLEGE erp"})}
            ),
        )
    assert caught.value.code == "name_taken"
    assert (await integrations.get("c1", "i2")).settings.name == "College ERP 2"


async def test_a_secret_in_plain_text_is_never_stored(
    integrations: Integrations, an_integration: Make, store: Store
) -> None:
    await integrations.add(an_integration())
    oauth = {"tokenUrl": "https://erp.college.edu/token", "clientId": "hub", "clientSecret": "canary"}
    for secret in (
        {"api_key": "canary"},
        {"password": "canary"},
        {"oauth": oauth},
        {"webhook": {"secret": "canary"}},
    ):
        with pytest.raises(InvalidInput) as caught:
            await integrations.add(an_integration("i2", **secret))
        assert caught.value.code == "secret_not_sealed"
        changed = an_integration(**secret)
        with pytest.raises(InvalidInput):
            await integrations.change("c1", "i1", lambda _, changed=changed: changed)
    assert await integrations.find("c1", "i2") is None
    stored = await store.collection(module.SPEC).get("i1")
    assert stored is not None
    assert stored.version == 1
    assert "canary" not in str(stored.document)
    assert "**" not in str(stored.document)


async def test_changes_at_once_all_count(integrations: Integrations, an_integration: Make) -> None:
    await integrations.add(an_integration())

    def edit(integration: Integration) -> Integration:
        return integration.model_copy(update={"revision": integration.revision + 1})

    await asyncio.gather(*(integrations.change("c1", "i1", edit) for _ in range(20)))
    assert (await integrations.get("c1", "i1")).revision == 21


async def test_a_change_returns_what_is_stored_then(integrations: Integrations, an_integration: Make) -> None:
    await integrations.add(an_integration())
    changed = await integrations.change("c1", "i1", lambda integration: integration.with_sync(paused=True))
    assert changed.sync.paused
    assert await integrations.get("c1", "i1") == changed
    assert await integrations.change("c1", "i1", lambda _: None) == changed


async def test_a_change_that_changes_nothing_writes_nothing(
    integrations: Integrations, an_integration: Make, store: Store
) -> None:
    await integrations.add(an_integration())
    await integrations.change("c1", "i1", lambda _: None)
    await integrations.change("c1", "i1", lambda integration: integration)
    stored = await store.collection(module.SPEC).get("i1")
    assert stored is not None
    assert stored.version == 1


async def test_an_edit_of_an_older_revision_is_stale(integrations: Integrations, an_integration: Make) -> None:
    await integrations.add(an_integration())
    await integrations.change("c1", "i1", lambda i: i.model_copy(update={"revision": 2}), revision=1)
    with pytest.raises(StaleVersion, match="revision 2, not 1"):
        await integrations.change("c1", "i1", lambda i: i.with_sync(paused=True), revision=1)
    with pytest.raises(StaleVersion):
        await integrations.remove("c1", "i1", revision=1)
    assert not (await integrations.get("c1", "i1")).sync.paused


async def test_what_a_change_raises_is_passed_on(integrations: Integrations, an_integration: Make) -> None:
    await integrations.add(an_integration())

    def refuse(integration: Integration) -> Integration:
        raise Conflict("a run is active", code="run_active")

    with pytest.raises(Conflict) as caught:
        await integrations.change("c1", "i1", refuse)
    assert caught.value.code == "run_active"


async def test_an_integration_keeps_its_id_and_its_college(integrations: Integrations, an_integration: Make) -> None:
    await integrations.add(an_integration())
    for update in ({"college_id": "c2"}, {"id": "i2"}):
        with pytest.raises(InvalidInput):
            await integrations.change("c1", "i1", lambda i, update=update: i.model_copy(update=update))
    assert (await integrations.get("c1", "i1")).college_id == "c1"


async def test_a_removed_integration_is_gone_and_its_name_free(
    integrations: Integrations, an_integration: Make
) -> None:
    integration = an_integration(name="ERP")
    await integrations.add(integration)
    assert await integrations.remove("c1", "i1", revision=1) == integration
    for call in (integrations.get("c1", "i1"), integrations.remove("c1", "i1")):
        with pytest.raises(NotFound) as caught:
            await call
        assert caught.value.code == "integration_not_found"
    await integrations.add(an_integration("i2", name="erp"))


async def test_removing_goes_through_while_others_change_it(integrations: Integrations, an_integration: Make) -> None:
    await integrations.add(an_integration())
    outcomes = await asyncio.gather(
        *(integrations.change("c1", "i1", lambda i: i.with_sync(paused=not i.sync.paused)) for _ in range(10)),
        integrations.remove("c1", "i1"),
        return_exceptions=True,
    )
    assert await integrations.find("c1", "i1") is None
    assert isinstance(outcomes[-1], Integration)


async def test_a_page_lists_the_college_in_the_order_of_creation(
    integrations: Integrations, an_integration: Make, now: datetime
) -> None:
    for number in range(7):
        await integrations.add(an_integration(f"i{number}", created_at=now - timedelta(hours=number)))
    await integrations.add(an_integration("other", "c2"))
    first = await integrations.page("c1", limit=4)
    assert [integration.id for integration in first.items] == ["i6", "i5", "i4", "i3"]
    second = await integrations.page("c1", limit=4, cursor=first.next_cursor)
    assert [integration.id for integration in second.items] == ["i2", "i1", "i0"]
    assert second.next_cursor is None


async def test_due_are_the_enabled_idle_and_unpaused_whose_time_has_come(
    integrations: Integrations, an_integration: Make, now: datetime
) -> None:
    hour = timedelta(hours=1)
    due = SyncState(next_due_at=now - hour)
    await integrations.add(an_integration("due", "c1", sync=due))
    await integrations.add(an_integration("longer due", "c2", sync=SyncState(next_due_at=now - 2 * hour)))
    await integrations.add(an_integration("due now", "c2", sync=SyncState(next_due_at=now)))
    await integrations.add(an_integration("later", sync=SyncState(next_due_at=now + timedelta(microseconds=1))))
    await integrations.add(an_integration("never", sync=SyncState()))
    await integrations.add(an_integration("disabled", sync=due, enabled=False))
    await integrations.add(an_integration("paused", sync=due.model_copy(update={"paused": True})))
    await integrations.add(an_integration("active", sync=due.model_copy(update={"active_run_id": "r"})))
    assert [i.id for i in await integrations.due_anywhere(now, 10)] == ["longer due", "due", "due now"]
    assert [i.id for i in await integrations.due_anywhere(now, 2)] == ["longer due", "due"]


async def test_active_are_those_claimed_before_a_time_page_by_page(
    integrations: Integrations, an_integration: Make, now: datetime
) -> None:
    for number in range(5):
        sync = SyncState(active_run_id=f"r{number}", active_since=now - timedelta(minutes=number // 2))
        await integrations.add(an_integration(f"i{number}", f"c{number}", sync=sync))
    await integrations.add(an_integration("idle"))
    first = await integrations.active_anywhere(now, 2)
    second = await integrations.active_anywhere(now, 2, behind=first[-1])
    assert [i.id for i in first + second] == ["i4", "i2", "i3"]


async def test_scheduled_are_the_enabled_due_later_the_latest_first(
    integrations: Integrations, an_integration: Make, now: datetime
) -> None:
    for number in range(4):
        sync = SyncState(next_due_at=now + timedelta(days=number))
        await integrations.add(an_integration(f"i{number}", f"c{number}", sync=sync))
    await integrations.add(
        an_integration("disabled", enabled=False, sync=SyncState(next_due_at=now + timedelta(days=9)))
    )
    first = await integrations.scheduled_anywhere(now, 2)
    second = await integrations.scheduled_anywhere(now, 2, behind=first[-1])
    assert [i.id for i in first + second] == ["i3", "i2", "i1"]


async def test_locate_finds_an_integration_of_any_college(integrations: Integrations, an_integration: Make) -> None:
    await integrations.add(an_integration("i1", "c1"))
    located = await integrations.locate("i1")
    assert located is not None
    assert located.college_id == "c1"
    assert await integrations.locate("nowhere") is None


async def test_stored_times_compare_as_text(integrations: Integrations, an_integration: Make, now: datetime) -> None:
    # Half of these would be misplaced if an instant without microseconds were written shorter.
    whole = now.replace(microsecond=0)
    for number, moment in enumerate([whole, whole + timedelta(microseconds=1), whole + timedelta(milliseconds=1)]):
        await integrations.add(an_integration(f"i{number}", sync=SyncState(next_due_at=moment)))
    assert [i.id for i in await integrations.due_anywhere(whole, 10)] == ["i0"]
    assert len(format_datetime(whole)) == len(format_datetime(now))


async def stored_by_a_newer_version(store: Store, integrations: Integrations, *ids: str) -> None:
    """The stored integrations get a setting that nobody here knows, as where a newer version has saved them."""
    for integration_id in ids:

        def add(document: Document) -> Document:
            endpoints = {"students": {"path": "/s", "readsMinds": "canary"}}
            return {**document, "settings": {**document["settings"], "endpoints": endpoints}}

        await store.collection(module.SPEC).update(integration_id, add)


async def test_one_integration_of_a_newer_version_keeps_no_other_college_from_its_syncs(
    integrations: Integrations, an_integration: Make, store: Store, now: datetime
) -> None:
    for number in range(6):
        due = SyncState(next_due_at=now + timedelta(seconds=number), active_since=now, active_run_id=None)
        await integrations.add(an_integration(f"i{number}", f"c{number}").model_copy(update={"sync": due}))
    await stored_by_a_newer_version(store, integrations, "i0", "i1", "i3")
    later, before = now + timedelta(minutes=1), now - timedelta(minutes=1)
    for limit in (1, 2, 3, 50):
        wanted = ["i2", "i4", "i5"]
        assert [one.id for one in await integrations.due_anywhere(later, limit)] == wanted[:limit]
        assert [one.id for one in await integrations.active_anywhere(later, limit)] == wanted[:limit]
        assert [one.id for one in await integrations.scheduled_anywhere(before, limit)] == wanted[::-1][:limit]
    first = (await integrations.scheduled_anywhere(before, 1))[0]
    assert [one.id for one in await integrations.scheduled_anywhere(before, 1, behind=first)] == ["i4"]


async def test_an_integration_of_a_newer_version_is_named_with_what_is_unknown_and_without_its_values(
    integrations: Integrations, an_integration: Make, store: Store, now: datetime
) -> None:
    due = SyncState(next_due_at=now)
    for integration_id in ("i1", "i2"):
        integration = an_integration(integration_id, name=integration_id)
        await integrations.add(integration.model_copy(update={"sync": due}))
    await stored_by_a_newer_version(store, integrations, "i2")
    with structlog.testing.capture_logs() as lines:
        for _ in range(2):
            assert [one.id for one in await integrations.due_anywhere(now, 10)] == ["i1"]
    assert [(line["event"], "i2" in line["error"]) for line in lines] == [("integration.unreadable", True)]
    (error,) = await integrations.unreadable_anywhere()
    assert "integration i2 of the college c1: settings.endpoints.students" in str(error)
    assert "readsMinds" in str(error)
    assert "canary" not in str(error) + error.public
    for asked in (integrations.get("c1", "i2"), integrations.locate("i2"), integrations.page("c1")):
        with pytest.raises(Unreadable):
            await asked
    with pytest.raises(Unreadable):
        await integrations.change("c1", "i2", lambda _: None)
    with pytest.raises(Unreadable):
        await integrations.remove("c1", "i2")
