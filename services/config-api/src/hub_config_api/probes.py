"""Connection tests: ask the fetcher, wait for its steps and its answer on this process's own queue."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from hub_messaging.handling import Context
from hub_messaging.publisher import Publisher
from hub_model.errors import HubError, Unavailable
from hub_model.ids import new_id
from hub_model.integrations import Integration
from hub_model.messages import Message, ProbeCheck, ProbeFinished, ProbeProgressed, ProbeRequested


@dataclass
class _Probe:
    """A test that is waited for. ``moved`` is set, and replaced, whenever a step is heard of."""

    answer: asyncio.Future[ProbeFinished]
    steps: dict[int, ProbeCheck] = field(default_factory=dict)
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    def heard(self, sequence: int, check: ProbeCheck) -> None:
        self.steps.setdefault(sequence, check)
        self.moved.set()
        self.moved = asyncio.Event()


class Probes:
    """The tests that wait for an answer. One integration is tested once at a time; a second asker shares the answer."""

    def __init__(self, publisher: Publisher, *, timeout_s: float) -> None:
        self._publisher = publisher
        self._timeout_s = timeout_s
        self._by_integration: dict[str, _Probe] = {}
        self._by_probe: dict[str, _Probe] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def test(self, integration: Integration, now: datetime) -> ProbeFinished:
        """The fetcher's answer; Unavailable (code ``probe_timeout``) when none comes in time."""
        return await self._answer(self._begin(integration, now))

    async def follow(self, integration: Integration, now: datetime) -> AsyncGenerator[ProbeCheck | ProbeFinished, None]:
        """Each step once, in order, as it is done, and the answer at the end. Raises as ``test`` does."""
        probe = self._begin(integration, now)
        told = 0
        answering = asyncio.ensure_future(self._answer(probe))
        try:
            while not answering.done():
                moved = asyncio.ensure_future(probe.moved.wait())
                while told in probe.steps:
                    yield probe.steps[told]
                    told += 1
                await asyncio.wait([answering, moved], return_when=asyncio.FIRST_COMPLETED)
                moved.cancel()
            answer = await answering
            for check in answer.checks[told:]:
                yield check  # told by the answer alone: its own message was lost, or is late
            yield answer
        finally:
            answering.cancel()

    async def record_progress(self, message: ProbeProgressed, _: Context) -> Sequence[Message]:
        """The handler of probe.progressed."""
        probe = self._by_probe.get(message.probe_id)
        if probe is not None:
            probe.heard(message.sequence, message.check)
        return []

    async def record_answer(self, message: ProbeFinished, _: Context) -> Sequence[Message]:
        """The handler of probe.finished; answers to other processes, and late ones, are nobody's."""
        probe = self._by_probe.get(message.probe_id)
        if probe is not None and not probe.answer.done():
            probe.answer.set_result(message)
        return []

    def close(self) -> None:
        """Let nobody wait any longer."""
        for probe in self._by_probe.values():
            probe.answer.cancel()

    def _begin(self, integration: Integration, now: datetime) -> _Probe:
        """The test of this integration that is going on, or a new one. It goes on though its asker leaves."""
        running = self._by_integration.get(integration.id)
        if running is not None:
            return running
        probe = _Probe(asyncio.get_running_loop().create_future())
        probe_id = new_id()
        self._by_integration[integration.id] = self._by_probe[probe_id] = probe
        task = asyncio.create_task(self._run(integration, probe_id, probe, now))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return probe

    async def _run(self, integration: Integration, probe_id: str, probe: _Probe, now: datetime) -> None:
        try:
            await self._publisher.publish(
                ProbeRequested(
                    college_id=integration.college_id,
                    integration_id=integration.id,
                    probe_id=probe_id,
                    requested_at=now,
                )
            )
            await asyncio.wait([probe.answer], timeout=self._timeout_s)
        except HubError as error:
            if not probe.answer.done():
                probe.answer.set_exception(error)
                probe.answer.exception()  # seen, though all who asked may be gone
        finally:
            del self._by_integration[integration.id], self._by_probe[probe_id]
            probe.answer.cancel()  # whoever still waits is told that nobody answered

    async def _answer(self, probe: _Probe) -> ProbeFinished:
        # Not awaited itself: the cancellation of one asker must not cancel the answer for the others.
        await asyncio.wait([probe.answer])
        if probe.answer.cancelled():
            raise Unavailable(
                f"no fetcher answered within {self._timeout_s:g} s",
                code="probe_timeout",
                public="The connection could not be tested because no worker answered in time. Try again in a minute.",
            )
        return probe.answer.result()
