"""A handler that hangs is stopped, so that it cannot hold its place in the queue for ever."""

import asyncio

from hub_model.errors import TransientError

from hub_messaging.handling import Middleware, Outcome, Received, Step


def deadline(limit_s: float) -> Middleware:
    """Cancel what takes longer than ``limit_s`` and treat it as a TransientError."""

    def around(step: Step) -> Step:
        async def run(received: Received) -> Outcome:
            scope = asyncio.timeout(limit_s)
            try:
                async with scope:
                    return await step(received)
            except TimeoutError as error:
                if not scope.expired():
                    raise
                raise TransientError(
                    f"handling {received.message.name} took longer than {limit_s:g} s", code="deadline_exceeded"
                ) from error

        return run

    return around
