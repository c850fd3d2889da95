"""Every test runs commands in an empty folder, in an environment that says nothing of the hub."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hub_standalone.cli import main


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def hub(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Runs one command line, as if it had been typed."""

    def run(*arguments: str) -> Outcome:
        with pytest.raises(SystemExit) as exited:
            main(arguments)
        out, err = capsys.readouterr()
        return Outcome(int(exited.value.code or 0), out, err)

    return run


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # HUB_REQUIRE_SERVICES too: servers are started for a whole module, before this.
    for name in [name for name in os.environ if name.startswith("HUB_")]:
        monkeypatch.delenv(name)
