"""The life of a process: order, draining, and what the exit code says."""

import asyncio
import os
import signal
from collections.abc import Callable

import pytest
from hub_model.errors import Unavailable
from hub_runtime.process import EXIT_DRAINED, EXIT_INCOMPLETE, run, run_until_signal
from hub_runtime.services import Readiness, Service


class Recorder:
    """Services that write down what is done to them."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def service(
        self,
        name: str,
        *,
        drained: bool = True,
        start_error: Exception | None = None,
        stop_error: Exception | None = None,
        stop_s: float = 0.0,
    ) -> Service:
        async def start() -> None:
            self.calls.append(f"start {name}")
            if start_error is not None:
                raise start_error

        async def stop(grace_s: float) -> bool:
            self.calls.append(f"stop {name}")
            assert grace_s > 0
            if stop_error is not None:
                raise stop_error
            await asyncio.sleep(stop_s)
            return drained

        return Service(name=name, start=start, stop=stop, on_stopping=lambda: self.calls.append(f"stopping {name}"))


class FakeServer:
    def __init__(self, calls: list[str], *, answered: bool = True, dies: bool = False) -> None:
        self._calls = calls
        self._answered = answered
        self._dies = dies

    async def start(self) -> None:
        self._calls.append("serve")

    async def stop(self, grace_s: float) -> bool:
        self._calls.append("close server")
        return self._answered

    async def failed(self) -> None:
        if not self._dies:
            await asyncio.Event().wait()


def signal_self(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


def after_start(action: Callable[[], None]) -> Service:
    """A last service whose start schedules the action."""

    async def start() -> None:
        asyncio.get_running_loop().call_later(0.01, action)

    async def stop(grace_s: float) -> bool:
        return True

    return Service(name="last", start=start, stop=stop)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_services_start_in_order_and_stop_in_reverse(number: int) -> None:
    recorder = Recorder()
    services = [recorder.service("a"), recorder.service("b"), after_start(signal_self(number))]
    code = await run_until_signal(services, grace_s=1, server=FakeServer(recorder.calls))
    assert code == EXIT_DRAINED
    assert recorder.calls == [
        "serve",
        "start a",
        "start b",
        "stopping b",
        "stopping a",
        "close server",
        "stop b",
        "stop a",
    ]


async def test_a_service_that_cannot_start_stops_those_before_it_and_is_raised() -> None:
    recorder = Recorder()
    broken = recorder.service("b", start_error=Unavailable("no broker"))
    with pytest.raises(Unavailable, match="no broker"):
        await run_until_signal([recorder.service("a"), broken, recorder.service("c")], grace_s=1)
    assert recorder.calls == ["start a", "start b", "stopping a", "stop a"]


async def test_a_service_that_fails_to_stop_does_not_keep_the_others_from_stopping() -> None:
    recorder = Recorder()
    services = [
        recorder.service("a"),
        recorder.service("b", stop_error=RuntimeError("boom")),
        after_start(signal_self(signal.SIGTERM)),
    ]
    assert await run_until_signal(services, grace_s=1) == EXIT_INCOMPLETE
    assert recorder.calls[-2:] == ["stop b", "stop a"]


@pytest.mark.parametrize(("drained", "answered"), [(False, True), (True, False)])
async def test_the_exit_code_says_that_something_was_cut_off(drained: bool, answered: bool) -> None:
    recorder = Recorder()
    services = [recorder.service("a", drained=drained), after_start(signal_self(signal.SIGTERM))]
    server = FakeServer(recorder.calls, answered=answered)
    assert await run_until_signal(services, grace_s=1, server=server) == EXIT_INCOMPLETE


async def test_a_second_signal_ends_at_once() -> None:
    recorder = Recorder()
    slow = recorder.service("slow", stop_s=60)

    def twice() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        asyncio.get_running_loop().call_later(0.05, signal_self(signal.SIGINT))

    async with asyncio.timeout(5):
        code = await run_until_signal([slow, after_start(twice)], grace_s=60)
    assert code == 128 + signal.SIGINT


async def test_a_server_that_dies_stops_the_process_with_an_error() -> None:
    recorder = Recorder()
    server = FakeServer(recorder.calls, dies=True)
    assert await run_until_signal([recorder.service("a")], grace_s=1, server=server) == EXIT_INCOMPLETE
    assert recorder.calls[-1] == "stop a"


async def test_a_service_that_can_no_longer_work_stops_the_process_with_an_error() -> None:
    recorder = Recorder()
    is_deaf = asyncio.Event()

    async def stop(grace_s: float) -> bool:
        return True

    async def start() -> None:
        asyncio.get_running_loop().call_later(0.01, is_deaf.set)

    async def failed() -> None:
        await is_deaf.wait()

    broker = Service(name="broker", start=start, stop=stop, failed=failed)
    async with asyncio.timeout(5):
        assert await run_until_signal([recorder.service("a"), broker], grace_s=1) == EXIT_INCOMPLETE
    assert recorder.calls[-1] == "stop a"


async def test_the_process_is_not_ready_once_it_was_asked_to_stop() -> None:
    recorder = Recorder()
    readiness = Readiness([])
    seen: list[bool] = []

    async def stop(grace_s: float) -> bool:
        seen.append(readiness.stopping)
        return True

    async def start() -> None:
        seen.append(readiness.stopping)

    services = [
        Service(name="watching", start=start, stop=stop),
        recorder.service("a"),
        after_start(signal_self(signal.SIGTERM)),
    ]
    await run_until_signal(services, grace_s=1, readiness=readiness)
    assert seen == [False, True]


async def test_readiness_names_the_services_that_raise_or_do_not_answer() -> None:
    async def fine() -> None: ...

    async def broken() -> None:
        raise Unavailable("store is down")

    async def stuck() -> None:
        await asyncio.Event().wait()

    async def stop(grace_s: float) -> bool:
        return True

    services = [
        Service(name=name, start=fine, stop=stop, ready=ready)
        for name, ready in [("fine", fine), ("broken", broken), ("stuck", stuck), ("silent", None)]
    ]
    assert await Readiness(services, timeout_s=0.05).failures() == ["broken", "stuck"]


def test_run_gives_the_exit_code_of_main() -> None:
    async def main() -> int:
        return 7

    assert run(main) == 7


async def test_a_signal_ends_a_start_that_still_waits() -> None:
    recorder = Recorder()

    async def wait_for_ever() -> None:
        asyncio.get_running_loop().call_later(0.01, signal_self(signal.SIGTERM))
        await asyncio.Event().wait()

    async def stop(grace_s: float) -> bool:
        raise AssertionError("it has not started")

    services = [recorder.service("a"), Service(name="waiting", start=wait_for_ever, stop=stop), recorder.service("c")]
    async with asyncio.timeout(5):
        assert await run_until_signal(services, grace_s=1, server=FakeServer(recorder.calls)) == EXIT_DRAINED
    assert recorder.calls == ["serve", "start a", "stopping a", "close server", "stop a"]


async def test_a_service_that_fails_for_good_ends_the_process_with_an_error() -> None:
    recorder = Recorder()

    async def nothing() -> None: ...

    async def stop(grace_s: float) -> bool:
        return True

    broker = Service(name="broker", start=nothing, stop=stop, failed=nothing)
    async with asyncio.timeout(5):
        assert await run_until_signal([broker, recorder.service("a")], grace_s=1) == EXIT_INCOMPLETE
    assert recorder.calls == ["start a", "stopping a", "stop a"]


async def test_what_has_not_started_is_not_ready_and_takes_no_requests() -> None:
    recorder = Recorder()
    seen: list[list[str]] = []

    async def start() -> None:
        seen.append(await readiness.failures())
        with pytest.raises(Unavailable, match="second has not started"):
            readiness.check_started()

    async def stop(grace_s: float) -> bool:
        return True

    services = [recorder.service("first"), Service(name="second", start=start, stop=stop), recorder.service("third")]
    readiness = Readiness(services)
    started: list[bool] = []

    def on_started() -> None:
        readiness.check_started()
        started.append(True)
        signal_self(signal.SIGTERM)()

    await run_until_signal(services, grace_s=1, readiness=readiness, on_started=on_started)
    assert seen == [["second", "third"]]
    assert started == [True]
