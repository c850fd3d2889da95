"""``hub connectors``, which needs no hub."""

import json
from pathlib import Path

import pytest
from hub_connectors.loader import presets
from hub_standalone.cli import main


def run(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as ended:
        main(["connectors", *arguments])
    return ended.value.code


def test_the_list_names_every_connector(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list") == 0
    shown = capsys.readouterr().out
    assert [line.partition("\t")[0] for line in shown.splitlines()] == list(presets())


@pytest.mark.parametrize("name", list(presets()))
def test_show_tells_what_it_brings_and_asks(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert run("show", name) == 0
    shown = capsys.readouterr().out
    for expected in (*presets()[name].capabilities, *(setting.name for setting in presets()[name].settings)):
        assert expected in shown


@pytest.mark.parametrize(
    ("name", "expected"),
    [("frappe-education", "Webhooks (scheme hmac): Frappe tells"), ("opensis", "Webhooks: openSIS has none")],
)
def test_show_tells_how_the_vendor_pushes(capsys: pytest.CaptureFixture[str], name: str, expected: str) -> None:
    assert run("show", name) == 0
    assert expected in capsys.readouterr().out


def test_new_gives_a_draft_and_never_writes_over_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "draft.json"
    assert run("new", "generic-rest", "--file", str(file)) == 0
    assert json.loads(file.read_text())["type"] == "generic-rest"
    assert run("new", "generic-rest", "--file", str(file)) == 1
    assert "exists already" in capsys.readouterr().err


def test_an_unknown_connector_is_refused_with_the_names_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", "none-such") == 1
    assert "generic-rest" in capsys.readouterr().err
