"""Which store: chosen by the scheme of its URL."""

from pathlib import Path

import pytest
from hub_model.errors import BackendUnavailable, Conflict, InvalidInput
from hub_storage.collection import CollectionSpec, Index
from hub_storage.opening import open_store
from hub_storage.repositories import SPECS


async def test_a_sqlite_url_opens_a_file_with_its_collections_and_closes_it(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path}/deep/hub.db", SPECS) as store:
        await store.ping()
        runs = store.collection(SPECS[1])
        await runs.insert({"a": {}})
    assert (tmp_path / "deep" / "hub.db").exists()
    with pytest.raises(BackendUnavailable):
        await store.ping()
    with pytest.raises(BackendUnavailable):
        await runs.get("a")
    with pytest.raises(BackendUnavailable):
        await runs.insert({"b": {}})


@pytest.mark.parametrize("url", ["redis://user:canary@host/0", "hub.db", "", "canary://x"])
async def test_another_scheme_is_refused_without_repeating_the_url(url: str) -> None:
    with pytest.raises(InvalidInput, match="supported: sqlite, mongodb") as caught:
        async with open_store(url, SPECS):
            pass
    assert "@" not in str(caught.value)
    assert "user" not in str(caught.value)


async def test_a_file_in_use_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/hub.db"
    async with open_store(url, SPECS):
        with pytest.raises(Conflict):
            async with open_store(url, SPECS):
                pass


@pytest.mark.parametrize(
    "spec",
    [
        CollectionSpec("Bad Name"),
        CollectionSpec("x; DROP TABLE runs"),
        CollectionSpec("ok", (Index(("it's",)),)),
        CollectionSpec("ok", (Index(("a..b",)),)),
    ],
    ids=repr,
)
async def test_a_name_that_is_no_name_is_refused(tmp_path: Path, spec: CollectionSpec) -> None:
    with pytest.raises(InvalidInput):
        async with open_store(f"sqlite:///{tmp_path}/hub.db", [spec]):
            pass
