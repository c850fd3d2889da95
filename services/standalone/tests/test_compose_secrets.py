"""What `hub keys` makes for docker-compose.yml."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hub_model.errors import Conflict
from hub_standalone.keys import create_compose_secrets


def test_both_sides_of_a_connection_get_the_same_password(tmp_path: Path) -> None:
    assert create_compose_secrets(tmp_path)
    broker = urlsplit((tmp_path / "broker-url").read_text())
    store = urlsplit((tmp_path / "store-url").read_text())
    assert f"default_pass = {broker.password}\n" in (tmp_path / "rabbitmq.conf").read_text()
    assert (tmp_path / "mongodb-password").read_text() == store.password
    assert (broker.scheme, store.scheme) == ("amqp", "mongodb")
    assert len({broker.password, store.password, (tmp_path / "mongodb-root-password").read_text()}) == 3


def test_the_containers_users_may_read_them_and_this_machines_may_not(tmp_path: Path) -> None:
    folder = tmp_path / "compose"
    create_compose_secrets(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    create_compose_secrets(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert not create_compose_secrets(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_lost_file_is_not_made_anew_to_contradict_the_others(tmp_path: Path) -> None:
    create_compose_secrets(tmp_path)
    (tmp_path / "mongodb-password").unlink()
    with pytest.raises(Conflict, match="but not mongodb-password"):
        create_compose_secrets(tmp_path)
