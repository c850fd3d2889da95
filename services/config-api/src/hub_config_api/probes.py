"""Connection tests: ask the fetcher, wait for its answer on this process's own queue."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from hub_messaging.handling import Context
from hub_messaging.publisher import Publisher
from hub_model.errors import Unavailable
from hub_model.ids import new_id
from hub_model.integrations import Integration
from hub_model.messages import Message, ProbeFinished, ProbeRequested


class Probes:
    """The tests that wait for an answer. One integration is tested once at a time; a second asker shares the answer."""

    def __init__(self, publisher: Publisher, *, timeout_s: float) -> None:
        self._publisher = publisher
        self._timeout_s = timeout_s
        self._by_integration: dict[str, asyncio.Future[ProbeFinished]] = {}
        self._by_probe: dict[str, asyncio.Future[ProbeFinished]] = {}

    async def test(self, integration: Integration, now: datetime) -> ProbeFinished:
        """The fetcher's answer; Unavailable (code ``probe_timeout``) when none comes in time."""
        running = self._by_integration.get(integration.id)
        if running is not None:
            return await self._answer(running)
        probe_id = new_id()
        answer: asyncio.Future[ProbeFinished] = asyncio.get_running_loop().create_future()
        self._by_integration[integration.id] = self._by_probe[probe_id] = answer
        try:
            await self._publisher.publish(
                ProbeRequested(
                    college_id=integration.college_id,
                    integration_id=integration.id,
                    probe_id=probe_id,
                    requested_at=now,
                )
            )
            return await self._answer(answer)
        finally:
            del self._by_integration[integration.id], self._by_probe[probe_id]
            answer.cancel()  # whoever shares it and still waits is told below

    async def record_answer(self, message: ProbeFinished, _: Context) -> Sequence[Message]:
        """The handler of probe.finished; answers to other processes, and late ones, are nobody's."""
        answer = self._by_probe.get(message.probe_id)
        if answer is not None and not answer.done():
            answer.set_result(message)
        return []

    def close(self) -> None:
        """Let nobody wait any longer."""
        for answer in self._by_probe.values():
            answer.cancel()

    async def _answer(self, answer: asyncio.Future[ProbeFinished]) -> ProbeFinished:
        # Not awaited itself: the cancellation of one asker must not cancel the answer for the others.
        done, _ = await asyncio.wait([answer], timeout=self._timeout_s)
        if not done or answer.cancelled():
            raise Unavailable(
                f"no fetcher answered within {self._timeout_s:g} s",
                code="probe_timeout",
                public="The connection could not be tested because no worker answered in time. Try again in a minute.",
            )
        return answer.result()
