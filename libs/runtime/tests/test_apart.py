"""What a service that runs apart waits for before it starts, and what it does not wait for."""

import asyncio
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hub_model.errors import InvalidInput, Issue, Unavailable
from hub_runtime.apart import Later, Need, run_apart
from hub_runtime.services import Service
from hub_runtime.settings import RuntimeSettings


class Backend:
    """A broker or a store that can be lost for good."""

    def __init__(self) -> None:
        self.lost = asyncio.Event()
        self.closed = False

    async def failed(self) -> None:
        await self.lost.wait()


def opening(backend: Backend, *errors: Exception) -> Callable[[], AbstractAsyncContextManager[Backend]]:
    """Raises one error after the other, then opens."""
    left = list(errors)

    @asynccontextmanager
    async def open_it() -> AsyncIterator[Backend]:
        if left:
            raise left.pop(0)
        yield backend
        backend.closed = True

    return open_it


def need(opened: Callable[[], AbstractAsyncContextManager[Backend]], *, patience_s: float = 5) -> Need[Backend]:
    return Need("broker", opened, patience_s=patience_s, first_pause_s=0.001)


async def test_what_cannot_be_reached_yet_is_waited_for() -> None:
    backend = Backend()
    broker = need(opening(backend, *[Unavailable("refused")] * 5))
    service = broker.as_service()
    await service.start()
    assert broker.value is backend
    assert await service.stop(1)
    assert backend.closed


async def test_patience_has_an_end_and_says_what_was_wrong() -> None:
    broker = need(opening(Backend(), *[Unavailable("nobody listens at broker:5672")] * 1000), patience_s=0.02)
    with pytest.raises(Unavailable, match=r"broker could not be reached within 0.02 s.*nobody listens at broker:5672"):
        await broker.as_service().start()


async def test_what_waiting_cannot_mend_is_not_waited_for() -> None:
    broker = need(opening(Backend(), InvalidInput("the password was refused")))
    with pytest.raises(InvalidInput, match="password"):
        await broker.as_service().start()


async def test_before_it_is_open_there_is_nothing_to_work_with() -> None:
    with pytest.raises(Unavailable, match="broker is not open"):
        _ = need(opening(Backend())).value


async def test_a_backend_lost_for_good_is_a_failed_service() -> None:
    backend = Backend()
    service = need(opening(backend)).as_service()
    await service.start()
    assert service.failed is not None
    failed = asyncio.ensure_future(service.failed())
    await asyncio.sleep(0)
    assert not failed.done()
    backend.lost.set()
    async with asyncio.timeout(5):
        await failed
    await service.stop(1)


async def test_a_service_whose_broker_breaks_while_it_starts_is_stopped_and_built_anew() -> None:
    calls: list[str] = []

    def build() -> Service:
        number = calls.count("build") + 1
        calls.append("build")

        async def start() -> None:
            calls.append(f"start {number}")
            if number < 3:
                raise Unavailable("the connection was lost")

        async def stop(_: float) -> bool:
            calls.append(f"stop {number}")
            return True

        return Service(name="writer", start=start, stop=stop)

    service = Later("writer", build, patience_s=5, first_pause_s=0.001).as_service()
    await service.start()
    await service.stop(1)
    assert calls == ["build", "start 1", "stop 1", "build", "start 2", "stop 2", "build", "start 3", "stop 3"]


async def test_a_service_counts_from_when_it_has_started() -> None:
    async def start() -> None: ...

    async def stop(_: float) -> bool:
        return True

    built = Service(name="writer", start=start, stop=stop, counts=lambda: {"messages_undecodable": 3})
    service = Later("writer", lambda: built, patience_s=5).as_service()
    assert service.counts is not None
    assert service.counts() == {}
    await service.start()
    assert service.counts() == {"messages_undecodable": 3}


def reached(*_: object) -> NoReturn:
    raise AssertionError("something was opened")


@pytest.mark.parametrize(("argument", "code"), [("--help", 0), ("--port=8001", 2)])
def test_a_service_that_is_asked_for_help_lists_its_settings_and_does_not_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], argument: str, code: int
) -> None:
    monkeypatch.setattr("sys.argv", ["hub-writer", argument])
    monkeypatch.setenv("HUB_HTTP_PORT", "none")  # with arguments it does not get as far as reading this
    with pytest.raises(SystemExit) as ended:
        run_apart("writer", RuntimeSettings, redactor=Silent(), broker=reached, store=reached, build=reached)
    shown = "".join(capsys.readouterr())
    assert ended.value.code == code
    assert "takes no arguments" in shown
    assert "HUB_SHUTDOWN_GRACE_S: Seconds" in shown


def test_what_waiting_cannot_mend_is_told_before_anything_is_opened(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def check(_: RuntimeSettings) -> None:
        raise InvalidInput("there is no key file", [Issue("/HUB_KEYS_FILE", "missing", "Put it there.")])

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["hub-writer"])
    with pytest.raises(SystemExit) as ended:
        run_apart(
            "writer", RuntimeSettings, redactor=Silent(), broker=reached, store=reached, build=reached, check=check
        )
    assert ended.value.code == 2
    assert "hub-writer: there is no key file\n  /HUB_KEYS_FILE: Put it there." in capsys.readouterr().err


class Silent:
    """A redactor with nothing to hide."""

    def add(self, secret: str) -> None: ...

    def redact(self, text: str) -> str:
        return text

    def __call__(self, logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return event
