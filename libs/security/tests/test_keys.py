"""Key files: written once, read strictly, rotated in two steps."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hub_model.errors import Conflict, InvalidInput
from hub_security.keys import (
    RECIPIENTS,
    add_key,
    generate_keys,
    load_private_keys,
    load_public_keys,
    make_current,
    parse_private_keys,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    generate_keys(tmp_path / "keys")
    return tmp_path / "keys"


def edit(path: Path, change: Any) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_generated_files_belong_together_and_private_ones_are_private(folder: Path) -> None:
    public = load_public_keys(folder / "public.json")
    assert (folder.stat().st_mode & 0o777) == 0o700
    for recipient in RECIPIENTS:
        path = folder / f"{recipient}.json"
        assert (path.stat().st_mode & 0o777) == 0o600
        private = load_private_keys(path)
        assert private.recipient == recipient
        assert set(private.keys) == set(public.keys[recipient]) == {public.current[recipient]}
    assert not list(folder.glob(".*"))


def test_a_umask_does_not_open_or_close_the_files(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        generate_keys(tmp_path / "keys")
    finally:
        os.umask(before)
    assert (tmp_path / "keys" / "gateway.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("left", ["public.json", "fetcher.json", "gateway.json"])
def test_keys_are_never_overwritten(folder: Path, left: str) -> None:
    for path in folder.iterdir():
        if path.name != left:
            path.unlink()
    before = (folder / left).read_bytes()
    with pytest.raises(Conflict, match=left):
        generate_keys(folder)
    assert [path.name for path in folder.iterdir()] == [left]
    assert (folder / left).read_bytes() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o601])
def test_a_private_key_file_that_others_can_read_is_refused(folder: Path, mode: int) -> None:
    path = folder / "fetcher.json"
    path.chmod(mode)
    with pytest.raises(InvalidInput, match="chmod 600"):
        load_private_keys(path)


def test_no_key_no_start(tmp_path: Path) -> None:
    for load in (load_public_keys, load_private_keys):
        with pytest.raises(InvalidInput, match=r"cannot be read.*backup.*`hub keys`"):
            load(tmp_path / "missing.json")


def test_a_key_under_another_keys_id_is_refused(folder: Path) -> None:
    def swap(document: Any) -> None:
        key_id = document["fetcher"]["current"]
        other = document["gateway"]["keys"][document["gateway"]["current"]]
        document["fetcher"]["keys"][key_id] = other

    edit(folder / "public.json", swap)
    with pytest.raises(InvalidInput, match="another one"):
        load_public_keys(folder / "public.json")
    edit(folder / "fetcher.json", lambda document: document.update(recipient="gateway"))
    with pytest.raises(InvalidInput, match="another one"):
        load_private_keys(folder / "fetcher.json")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"recipient": "fetcher"}',
        '{"recipient": "fetcher", "keys": {}}',
        '{"recipient": "fetcher", "keys": {"fetcher-1": "c2hvcnQ="}}',
        '{"recipient": "fetcher", "keys": {"fetcher-1": "canary-not-base64!"}}',
        '{"recipient": "fetcher", "keys": {"fetcher-1": 7}}',
        '{"recipient": "writer", "keys": {"writer-1": "' + "A" * 43 + '="}}',
        '{"recipient": "fetcher", "keys": {"fetcher-1": "canary-' + "A" * 30,
    ],
)
def test_malformed_private_keys_are_refused_without_showing_them(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_private_keys(text)
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None or "canary" not in str(caught.value.__cause__)


def test_keys_may_come_from_the_environment(folder: Path) -> None:
    text = (folder / "gateway.json").read_text()
    assert parse_private_keys(text).keys.keys() == load_private_keys(folder / "gateway.json").keys.keys()


@pytest.mark.parametrize("break_it", [lambda d: d.pop("gateway"), lambda d: d["fetcher"].update(current="fetcher-0")])
def test_a_public_file_names_a_current_key_for_each_recipient(folder: Path, break_it: Any) -> None:
    edit(folder / "public.json", break_it)
    with pytest.raises(InvalidInput):
        load_public_keys(folder / "public.json")


def test_a_rotation_adds_a_key_first_and_makes_it_current_later(folder: Path) -> None:
    before = load_public_keys(folder / "public.json").current["fetcher"]
    added = add_key(folder, "fetcher")
    public = load_public_keys(folder / "public.json")
    assert public.current["fetcher"] == before != added
    assert set(load_private_keys(folder / "fetcher.json").keys) == {before, added}
    make_current(folder, "fetcher", added)
    assert load_public_keys(folder / "public.json").current["fetcher"] == added
    assert (folder / "fetcher.json").stat().st_mode & 0o777 == 0o600
    with pytest.raises(InvalidInput):
        make_current(folder, "gateway", added)
