"""Opening the store on MongoDB: what stops a service at its start, and what the URL cannot weaken."""

import re
import socket
from typing import Any

import pytest
from hub_model.errors import BackendUnavailable, Conflict, InvalidInput
from hub_storage.adapters.mongodb.connection import connect
from hub_storage.collection import CollectionSpec, Index
from hub_storage.opening import open_store
from hub_storage.repositories import SPECS
from pymongo import MongoClient
from pymongo.database import Database

CANARY = "canary-7f3a"
NOTES = CollectionSpec("notes", (Index(("owner",)), Index(("slug",), unique=True), Index(("a.b", "c"), unique=True)))


@pytest.fixture
def raw(mongodb_url: str) -> Any:
    """The same database, as an operator sees it."""
    with MongoClient[dict[str, Any]](mongodb_url) as client:
        yield client.get_default_database()


async def open_and_close(url: str, *specs: CollectionSpec) -> None:
    async with open_store(url, specs):
        pass


async def test_indexes_exist_before_the_first_write(mongodb_url: str, raw: Database[dict[str, Any]]) -> None:
    async with open_store(mongodb_url, [NOTES]):
        found = raw["notes"].index_information()
        assert set(found) == {"_id_", "hub_owner", "hub_slug", "hub_slug_unique", "hub_a__b_c", "hub_a__b_c_unique"}
        assert found["hub_a__b_c"]["key"] == [("a.b", 1), ("c", 1), ("_id", 1)]
        assert found["hub_a__b_c_unique"]["unique"] is True
        assert set(raw["records"].index_information()) == {"_id_", "hub_deleted_updatedAt", "hub_studentId", "hub_date"}


async def test_opening_again_builds_and_drops_nothing(mongodb_url: str, raw: Database[dict[str, Any]]) -> None:
    await open_and_close(mongodb_url, *SPECS)
    raw["runs"].create_index("operators_own", name="operators_own")
    before = {spec.name: raw[spec.name].index_information() for spec in SPECS}
    await open_and_close(mongodb_url, *SPECS)
    assert {spec.name: raw[spec.name].index_information() for spec in SPECS} == before


async def test_an_index_of_another_version_is_left_to_it_and_told(
    mongodb_url: str, raw: Database[dict[str, Any]]
) -> None:
    newer = CollectionSpec("notes", (*NOTES.indexes, Index(("author",), unique=True)))
    await open_and_close(mongodb_url, newer)
    raw["records"].create_index("grade", name="hub_grade")
    raw["record_batches"].create_index("runId", name="hub_runId")
    raw["notes"].create_index("mine", name="mine")
    async with open_store(mongodb_url, [NOTES]) as store:
        assert list(await store.undeclared_indexes()) == [
            'db.getCollection("notes").dropIndex("hub_author")',
            'db.getCollection("notes").dropIndex("hub_author_unique")',
            'db.getCollection("records").dropIndex("hub_grade")',
            'db.getCollection("record_batches").dropIndex("hub_runId")',
        ]
    assert {"hub_author", "hub_author_unique", "mine"} < set(raw["notes"].index_information())
    async with open_store(mongodb_url, [newer]) as store:
        raw["records"].drop_index("hub_grade")
        raw["record_batches"].drop_index("hub_runId")
        assert not await store.undeclared_indexes()


async def test_an_index_that_was_dropped_is_built_at_the_next_start(
    mongodb_url: str, raw: Database[dict[str, Any]]
) -> None:
    await open_and_close(mongodb_url, NOTES)
    raw["notes"].drop_index("hub_slug_unique")
    raw["records"].drop_index("hub_studentId")
    await open_and_close(mongodb_url, NOTES)
    assert "hub_slug_unique" in raw["notes"].index_information()
    assert "hub_studentId" in raw["records"].index_information()


@pytest.mark.parametrize(
    ("collection", "name", "keys", "options"),
    [
        ("notes", "hub_slug_unique", [("slug", 1)], {}),
        ("notes", "hub_slug_unique", [("slug", 1)], {"unique": True}),
        ("notes", "hub_owner", [("owner", -1), ("_id", 1)], {}),
        ("notes", "hub_owner", [("owner", 1)], {}),
        ("notes", "hub_owner", [("owner", 1), ("_id", 1)], {"sparse": True}),
        ("records", "hub_date", [("data.date", 1)], {}),
        ("record_batches", "hub_mergedAt", [("mergedAt", 1)], {"expireAfterSeconds": 60}),
    ],
    ids=repr,
)
async def test_an_index_in_another_form_stops_the_service_and_is_named(
    mongodb_url: str, raw: Database[dict[str, Any]], collection: str, name: str, keys: Any, options: dict[str, Any]
) -> None:
    raw[collection].create_index(keys, name=name, **options)
    with pytest.raises(Conflict) as caught:
        await open_and_close(mongodb_url, NOTES)
    assert caught.value.code == "index_differs"
    assert f'db.getCollection("{collection}").dropIndex("{name}")' in str(caught.value)
    raw[collection].drop_index(name)
    await open_and_close(mongodb_url, NOTES)


async def test_an_operators_index_on_the_same_fields_stops_the_service_if_it_is_in_the_way(
    mongodb_url: str, raw: Database[dict[str, Any]]
) -> None:
    raw["notes"].create_index([("owner", 1), ("_id", 1)], name="mine")
    with pytest.raises(Conflict, match="hub_owner"):
        await open_and_close(mongodb_url, NOTES)


async def test_documents_that_break_a_unique_index_stop_the_service_and_are_not_quoted(
    mongodb_url: str, raw: Database[dict[str, Any]]
) -> None:
    raw["notes"].insert_many([{"slug": CANARY}, {"slug": CANARY}])
    with pytest.raises(Conflict) as caught:
        await open_and_close(mongodb_url, NOTES)
    assert caught.value.code == "index_broken"
    assert "'hub_slug_unique'" in str(caught.value)
    assert "same slug" in str(caught.value)
    assert CANARY not in str(caught.value)
    raw["notes"].delete_one({})
    await open_and_close(mongodb_url, NOTES)


@pytest.mark.parametrize("name", ["records", "record_batches", "Bad", "a.b", "$x"])
async def test_a_name_that_is_no_collections_is_refused(mongodb_url: str, name: str) -> None:
    with pytest.raises(InvalidInput):
        await open_and_close(mongodb_url, CollectionSpec(name))


async def test_the_url_cannot_weaken_what_the_store_relies_on(mongodb_url: str) -> None:
    weak = "w=1&journal=false&readConcernLevel=local&readPreference=secondary&retryWrites=false&socketTimeoutMS=0"
    async with connect(f"{mongodb_url}{'&' if '?' in mongodb_url else '?'}{weak}") as database:
        assert database.write_concern.document == {"w": "majority", "j": True, "wtimeout": 10_000}
        assert database.read_concern.level == "majority"
        assert database.read_preference.name == "Primary"
        options = database.client.options
        assert options.retry_writes
        assert options.retry_reads
        assert options.pool_options.socket_timeout == 30
        assert options.pool_options.connect_timeout == 10
        assert options.server_selection_timeout == 10


async def test_a_url_without_a_database_means_hub(mongodb_server: str) -> None:
    async with connect(mongodb_server) as database:
        assert database.name == "hub"


@pytest.mark.parametrize(
    "rest",
    [
        f"user:{CANARY}@",
        f"user:{CANARY}@host:99999/hub",
        f"user:{CANARY}/x@host/hub",
        f"user:{CANARY}%@host/hub",
        f"user:{CANARY}@host/hub?tlsInsecre=true",
        f"user:{CANARY}@host/hub?w=majority&authMechanism=NONE",
        f"user:{CANARY}@host/hub?maxPoolSize=many",
        f"user:{CANARY}@host/a b",
    ],
    ids=lambda rest: rest.replace(CANARY, "PASSWORD"),
)
async def test_a_url_that_is_none_is_refused_without_repeating_it(rest: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await open_and_close(f"mongodb://{rest}")
    error: BaseException | None = caught.value
    while error is not None:
        assert CANARY not in str(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def a_closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.slow
async def test_a_server_that_cannot_be_reached_is_named_without_the_password() -> None:
    port = a_closed_port()
    with pytest.raises(BackendUnavailable) as caught:
        await open_and_close(f"mongodb://user:{CANARY}@127.0.0.1:{port}/hub")
    assert f"127.0.0.1:{port}" in str(caught.value)
    assert not re.search(f"{CANARY}|user", str(caught.value) + str(caught.value.__cause__))


@pytest.mark.slow
async def test_a_name_that_no_dns_knows_is_told_so() -> None:
    with pytest.raises(BackendUnavailable, match=r"mongodb\+srv") as caught:
        await open_and_close(f"mongodb+srv://user:{CANARY}@nowhere.invalid/hub")
    assert CANARY not in str(caught.value) + str(caught.value.__cause__)
