"""A stream that does not go on for now, because its source asked for a pause or is in trouble."""

from hub_model.base import Instant, Value


class Waiting(Value):
    """Since when a stream has waited, why, and until when at the latest; ``public`` is for a principal.

    ``until`` is None if that is unknown. ``sequence`` is the number of the batch that the stream will send next:
    batches before it say nothing of the wait, however late they are written, and with this one the wait is over.
    """

    since: Instant
    until: Instant | None = None
    sequence: int = 0
    code: str
    public: str


def joined(known: Waiting | None, news: Waiting) -> Waiting:
    """What two accounts of a stream's wait come to, whichever was heard first.

    At one place in the stream they are attempts of one wait: it lasts from the first to the latest end.
    """
    if known is None:
        return news
    if known.sequence != news.sequence:
        return max(known, news, key=lambda waiting: waiting.sequence)
    later = max(known, news, key=_by_end)
    return later.model_copy(update={"since": min(known.since, news.since)})


def _by_end(waiting: Waiting) -> tuple[float, str, str]:
    return (waiting.until.timestamp() if waiting.until else 0.0, waiting.code, waiting.public)
