"""One stretch of a walk: some pages from where the chain stands, then the message that carries the position on."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from hub_model.errors import PermanentError, SourceError, TransientError

from hub_fetcher.walking.lookahead import Lookahead, Read
from hub_fetcher.walking.outputs import Output
from hub_fetcher.walking.reading import Limits
from hub_fetcher.walking.walk import Walk
from hub_fetcher.walking.window import Window


async def fetch_stretch(
    walk: Walk, read: Read, limits: Limits, *, monotonic: Callable[[], float]
) -> AsyncGenerator[Output, None]:
    """Batches as they come, then the chain's next message, the stream's end, or its failure.

    Raises TransientError only if nothing was read: what was read is kept, and the next step tries again.
    """
    try:
        await walk.make_ready(limits)
        window = walk.window(limits)
        async with (
            Lookahead(read, window) as ahead,
            aclosing(_read_pages(walk, ahead, window, limits, monotonic)) as outputs,
        ):
            async for output in outputs:
                yield output
    except PermanentError as error:
        yield walk.ended(error)


async def _read_pages(
    walk: Walk, ahead: Lookahead, window: Window, limits: Limits, monotonic: Callable[[], float]
) -> AsyncGenerator[Output, None]:
    ends_at = monotonic() + limits.seconds
    if not walk.is_over:
        await ahead.ask(walk.requests_ahead(limits))
    while not walk.is_over:
        try:
            outputs = walk.turn(await ahead.take(walk.next_request))
        except TransientError as error:
            if not walk.has_read:
                raise
            yield walk.onward(error, ahead=window.size)
            return
        except SourceError as error:
            if not walk.goes_on(error):
                raise
            outputs = ()
        await walk.make_ready(limits)
        is_last = walk.is_spent(limits) or monotonic() >= ends_at
        if not walk.is_over and not is_last:
            await ahead.ask(walk.requests_ahead(limits))
        for output in outputs:
            yield output
        if is_last and not walk.is_over and not ahead.has(walk.next_request):
            yield walk.onward(ahead=window.size)
            return
    yield walk.conclude()
