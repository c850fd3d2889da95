"""The same request, sent again, is answered again and done once."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hub_messaging.testing import wait_until
from hub_model.errors import BackendUnavailable
from hub_model.ids import derived_id
from hub_model.messages import SyncRequested
from hub_model.run_transitions import cancel
from hub_storage.repositories import Tables
from hub_storage.repositories.handover import end_run
from hub_storage.repositories.idempotency_keys import ABANDONED_AFTER_S, SPEC

KEY = {"idempotency-key": "4d2d6a1e"}


async def test_a_repeated_create_gets_the_first_answer_and_creates_once(hub: Any) -> None:
    first = await hub.call("POST", "/api/integrations", hub.draft, headers=KEY)
    second = await hub.call("POST", "/api/integrations", hub.draft, headers=KEY)
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json() == {**first.json(), "webhookSecret": None}
    for name in ("location", "etag"):
        assert second.headers[name] == first.headers[name]
    assert (first.headers.get("idempotency-replayed"), second.headers["idempotency-replayed"]) == (None, "true")
    assert len((await hub.get("/api/integrations"))["items"]) == 1


async def test_a_secret_is_not_stored_to_be_repeated(hub: Any) -> None:
    first = await hub.call("POST", "/api/integrations", hub.draft, headers=KEY)
    stored = await hub.store.collection(SPEC).get(derived_id(hub.college_id, KEY["idempotency-key"]))
    assert first.json()["id"] in str(stored.document)
    assert first.json()["webhookSecret"] not in str(stored.document)


async def test_a_key_is_good_for_one_body(hub: Any) -> None:
    await hub.call("POST", "/api/integrations", hub.draft, headers=KEY)
    response = await hub.call("POST", "/api/integrations", {**hub.draft, "name": "Other"}, headers=KEY)
    assert (response.status_code, response.json()["type"]) == (422, "/problems/idempotency-mismatch")


async def test_a_key_belongs_to_one_college(hub: Any) -> None:
    for college_id in (hub.college_id, hub.other_college):
        response = await hub.call("POST", "/api/integrations", hub.draft, headers=KEY, college_id=college_id)
        assert (response.status_code, "idempotency-replayed" in response.headers) == (201, False)


async def test_a_request_that_failed_may_be_mended_and_sent_again(hub: Any) -> None:
    await hub.create()
    taken = await hub.call("POST", "/api/integrations", hub.draft, headers=KEY)
    assert taken.status_code == 409
    response = await hub.call("POST", "/api/integrations", {**hub.draft, "name": "Other"}, headers=KEY)
    assert response.status_code == 201


async def test_requests_with_one_key_at_the_same_time_do_the_work_once(hub: Any) -> None:
    calls = (hub.call("POST", "/api/integrations", hub.draft, headers=KEY) for _ in range(4))
    answers = await asyncio.gather(*calls)
    assert sorted({answer.status_code for answer in answers}) in ([201], [201, 409])
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["type"] == "/problems/idempotency-in-progress"
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1


async def test_a_repeated_sync_starts_one_run(hub: Any) -> None:
    made = await hub.create()
    path = f"/api/integrations/{made['id']}/sync"
    first = await hub.call("POST", path, headers=KEY)
    second = await hub.call("POST", path, headers=KEY)
    assert second.json() == first.json()
    assert second.json()["coalesced"] is False
    assert second.headers["location"] == first.headers["location"]
    await wait_until(lambda: len(hub.heard(SyncRequested)) == 1)


class Process:
    """A process that fails, or dies, at one place of what it does for a request."""

    def __init__(self, hub: Any) -> None:
        self._state = hub.service.app.state
        self._sound = self._state.backend

    def fails(self, repository: str, method: str, error: Exception, *, after: bool) -> None:
        real = getattr(self._sound, repository)

        async def fail(*args: Any, **options: Any) -> Any:
            if after:
                await getattr(real, method)(*args, **options)
            raise error

        troubled = Troubled(real, {method: fail})
        self._state.backend = replace(self._state.backend, **{repository: troubled})

    def dies(self, repository: str, method: str) -> None:
        """After that call; what it would have cleaned up stays as it is."""
        self.fails("idempotency_keys", "abandon", BackendUnavailable("it is dead"), after=False)
        self.fails(repository, method, BackendUnavailable("it is dead"), after=True)

    def lives(self) -> None:
        self._state.backend = self._sound


class Troubled:
    def __init__(self, repository: Any, methods: dict[str, Any]) -> None:
        self._repository, self._methods = repository, methods

    def __getattr__(self, name: str) -> Any:
        return self._methods.get(name) or getattr(self._repository, name)


@pytest.fixture
def process(hub: Any) -> Iterator[Process]:
    process = Process(hub)
    yield process
    process.lives()


async def made_by(hub: Any) -> list[str]:
    return [item["id"] for item in (await hub.get("/api/integrations"))["items"]]


async def test_a_create_whose_outcome_nobody_knows_is_answered_with_what_it_made(hub: Any, process: Process) -> None:
    """The store said that it was away, after it had stored."""
    process.fails("integrations", "add", BackendUnavailable("away"), after=True)
    first = await hub.call("POST", "/api/integrations", hub.draft, headers=KEY)
    process.lives()
    made = await made_by(hub)
    second = await hub.call("POST", "/api/integrations", hub.draft, headers=KEY)
    assert (first.status_code, second.status_code) == (503, 201)
    assert [second.json()["id"]] == made == await made_by(hub)
    assert second.json()["webhookSecret"] is None
    assert "webhook secret" in second.json()["warnings"][0]
    assert second.headers["location"] == f"/api/integrations/{made[0]}"
    third = await hub.call("POST", "/api/integrations", hub.draft, headers=KEY)
    assert (third.json(), third.headers["idempotency-replayed"]) == (second.json(), "true")
    assert len([entry for entry in await hub.audit() if entry["action"] == "createIntegration"]) == 1


async def test_who_brought_the_webhook_secret_is_not_told_that_it_is_lost(hub: Any, process: Process) -> None:
    draft = {**hub.draft, "webhook": {"scheme": "legacy", "secret": "a-secret-of-our-own-0123456789"}}
    process.fails("integrations", "add", BackendUnavailable("away"), after=True)
    await hub.call("POST", "/api/integrations", draft, headers=KEY)
    process.lives()
    assert (await hub.call("POST", "/api/integrations", draft, headers=KEY)).json()["warnings"] == []


@pytest.mark.parametrize(("repository", "method"), [("audit", "add"), ("integrations", "add")])
async def test_the_key_of_a_process_that_died_is_free_after_half_a_minute(
    hub: Any, process: Process, repository: str, method: str
) -> None:
    process.dies(repository, method)
    assert (await hub.call("POST", "/api/integrations", hub.draft, headers=KEY)).status_code == 503
    process.lives()
    early = await hub.call("POST", "/api/integrations", hub.draft, headers=KEY)
    assert early.json()["type"] == "/problems/idempotency-in-progress"
    hub.clock.advance(seconds=31)
    again = await hub.call("POST", "/api/integrations", hub.draft, headers=KEY)
    assert again.status_code == 201
    assert await made_by(hub) == [again.json()["id"]]


async def test_an_attempt_that_arrives_late_is_found_by_the_one_that_overtook_it(hub: Any, process: Process) -> None:
    """It was not there when this one looked, and is there when this one adds."""
    process.dies("integrations", "add")
    await hub.call("POST", "/api/integrations", hub.draft, headers=KEY)
    process.lives()
    hub.clock.advance(seconds=31)
    looks = 0
    real = hub.integrations

    async def find(*args: Any) -> Any:
        nonlocal looks
        looks += 1
        return None if looks == 1 else await real.find(*args)

    state = hub.service.app.state
    state.backend = replace(state.backend, integrations=Troubled(real, {"find": find}))
    again = await hub.call("POST", "/api/integrations", hub.draft, headers=KEY)
    assert (again.status_code, looks) == (201, 2)
    assert await made_by(hub) == [again.json()["id"]]


@pytest.mark.parametrize("is_over", [False, True])
async def test_a_sync_whose_answer_nobody_knows_is_answered_with_its_run(
    hub: Any, process: Process, is_over: bool
) -> None:
    path = f"/api/integrations/{(await hub.create())['id']}/sync"
    process.fails("runs", "add", BackendUnavailable("away"), after=True)
    assert (await hub.call("POST", path, headers=KEY)).status_code == 503
    process.lives()
    [run] = (await hub.get(path.replace("sync", "runs")))["items"]
    if is_over:
        runs = hub.service.app.state.backend.runs
        over = await runs.change(hub.college_id, run["id"], lambda run: cancel(run, hub.clock()))
        await end_run(hub.integrations, Tables(hub.store), over, hub.clock())
    again = await hub.call("POST", path, headers=KEY)
    assert (again.status_code, again.json()["runId"], again.json()["coalesced"]) == (202, run["id"], False)
    assert len((await hub.get(path.replace("sync", "runs")))["items"]) == 1


async def test_a_sync_that_is_asked_for_again_leaves_the_pause_that_its_run_has_ended_in(
    hub: Any, process: Process
) -> None:
    integration_id = (await hub.create())["id"]
    path = f"/api/integrations/{integration_id}/sync"
    process.fails("idempotency_keys", "finish", BackendUnavailable("away"), after=False)
    assert (await hub.call("POST", path, headers=KEY)).status_code == 503
    process.lives()
    [run] = (await hub.get(path.replace("sync", "runs")))["items"]
    runs = hub.service.app.state.backend.runs
    over = await runs.change(hub.college_id, run["id"], lambda run: cancel(run, hub.clock()))
    await end_run(hub.integrations, Tables(hub.store), over, hub.clock())
    await hub.integrations.change(hub.college_id, integration_id, lambda found: found.with_sync(paused=True))
    hub.clock.advance(seconds=31)
    again = await hub.call("POST", path, headers=KEY)
    assert (again.status_code, again.json()["runId"]) == (202, run["id"])
    assert (await hub.integrations.get(hub.college_id, integration_id)).sync.paused


async def test_a_request_with_a_key_ends_before_its_key_counts_as_abandoned(hub: Any, process: Process) -> None:
    async def hang(*_: Any) -> None:
        await asyncio.Event().wait()

    state = hub.service.app.state
    assert state.backend.keyed_limit_s < ABANDONED_AFTER_S
    troubled = Troubled(hub.integrations, {"add": hang})
    state.backend = replace(state.backend, integrations=troubled, keyed_limit_s=0.05)
    late = await hub.call("POST", "/api/integrations", hub.draft, headers=KEY)
    assert (late.status_code, late.json()["code"]) == (503, "unavailable")
    assert "same Idempotency-Key" in late.json()["detail"]
    process.lives()
    assert (await hub.call("POST", "/api/integrations", hub.draft, headers=KEY)).status_code == 201


async def test_a_key_is_forgotten_after_a_day(hub: Any) -> None:
    first = await hub.call("POST", "/api/integrations", hub.draft, headers=KEY)
    hub.clock.advance(hours=25)
    second = await hub.call("POST", "/api/integrations", {**hub.draft, "name": "Other"}, headers=KEY)
    assert second.json()["id"] != first.json()["id"]


async def test_a_key_is_printable_text(hub: Any) -> None:
    response = await hub.call("POST", "/api/integrations", hub.draft, headers={"idempotency-key": "a b"})
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/idempotency-key"
