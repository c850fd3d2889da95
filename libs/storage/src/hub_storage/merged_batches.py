"""What a store remembers of a batch that it has merged, so that a repetition reports what the first merge did."""

from collections.abc import Iterable
from datetime import timedelta
from hashlib import blake2b

from hub_model.records import Outcome, RecordWrite

# How a store writes an outcome down.
CODES = {
    Outcome.INSERTED: "i",
    Outcome.UPDATED: "u",
    Outcome.REPLACED: "r",
    Outcome.UNCHANGED: "=",
    Outcome.STALE: "s",
    Outcome.DELETED: "d",
}
OUTCOMES = {code: outcome for outcome, code in CODES.items()}

# A batch is delivered again within the broker's 24 hours; later, a repetition is simply compared anew.
REMEMBERED_FOR = timedelta(days=7)


def content_of(writes: Iterable[RecordWrite]) -> bytes:
    """A digest of what a batch brings: two deliveries of one batch have the same."""
    parts = [f"{write.key}{write.content_hash}{write.deleted:d}" for write in writes]
    return blake2b("\n".join(parts).encode(errors="surrogatepass"), digest_size=16).digest()
