"""The same request, sent again, is answered again and done once."""

import asyncio
from typing import Any

from hub_messaging.testing import wait_until
from hub_model.ids import derived_id
from hub_model.messages import SyncRequested
from hub_storage.repositories.idempotency_keys import SPEC

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


async def test_a_key_is_forgotten_after_a_day(hub: Any) -> None:
    first = await hub.call("POST", "/api/integrations", hub.draft, headers=KEY)
    hub.clock.advance(hours=25)
    second = await hub.call("POST", "/api/integrations", {**hub.draft, "name": "Other"}, headers=KEY)
    assert second.json()["id"] != first.json()["id"]


async def test_a_key_is_printable_text(hub: Any) -> None:
    response = await hub.call("POST", "/api/integrations", hub.draft, headers={"idempotency-key": "a b"})
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/idempotency-key"
