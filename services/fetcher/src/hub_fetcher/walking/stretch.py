"""One stretch of a walk: some pages from where the chain stands, then the message that carries the position on."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from hub_model.errors import PermanentError, SourceError, TransientError
from hub_model.messages import Message

from hub_fetcher.walking.lookahead import Lookahead, Read
from hub_fetcher.walking.walk import Limits, Walk
from hub_fetcher.walking.window import Window


async def fetch_stretch(
    walk: Walk, read: Read, limits: Limits, *, monotonic: Callable[[], float]
) -> AsyncGenerator[Message, None]:
    """Batches as they come, then the chain's next message, the stream's end, or its failure.

    Raises TransientError only if nothing was read: what was read is kept, and the next step tries again.
    """
    try:
        window = walk.window(limits)
        async with (
            Lookahead(read, window) as ahead,
            aclosing(_read_pages(walk, ahead, window, limits, monotonic)) as messages,
        ):
            async for message in messages:
                yield message
    except PermanentError as error:
        yield walk.ended(error)


async def _read_pages(
    walk: Walk, ahead: Lookahead, window: Window, limits: Limits, monotonic: Callable[[], float]
) -> AsyncGenerator[Message, None]:
    ends_at = monotonic() + limits.seconds
    await ahead.ask(walk.requests_ahead(limits))
    while True:
        try:
            page = await ahead.take(walk.next_request)
        except TransientError as error:
            if not walk.has_read:
                raise
            yield walk.onward(error, ahead=window.size)
            return
        except SourceError as error:
            if not walk.asks_less(error):
                raise
            continue
        leaf = walk.turn(page)
        is_last = walk.is_spent(limits) or monotonic() >= ends_at
        if leaf.end is None and not is_last:
            await ahead.ask(walk.requests_ahead(limits))
        for batch in leaf.batches:
            yield batch
        if leaf.end is not None:
            yield walk.ended(leaf.end)
            return
        if is_last and not ahead.has(walk.next_request):
            yield walk.onward(ahead=window.size)
            return
