"""Trying again when somebody else was quicker."""

import asyncio
import random
from collections.abc import AsyncIterator

from hub_model.errors import BackendUnavailable

# Every round somebody succeeds, so this is met only when far more processes write one document than ever should.
_ROUNDS = 200
_LONGEST_PAUSE_S = 0.1


async def rounds(doing: str, *, pause_s: float = 0.002) -> AsyncIterator[int]:
    """0, 1, 2, ... with a growing random pause between them; Unavailable when it is hopeless."""
    for number in range(_ROUNDS):
        if number:
            longest = min(_LONGEST_PAUSE_S, pause_s * 2 ** min(number, 10))
            await asyncio.sleep(random.uniform(0, longest))  # noqa: S311 - no secret
        yield number
    raise BackendUnavailable(f"MongoDB, {doing}: too many others write the same at once")
