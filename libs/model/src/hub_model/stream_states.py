"""How far a stream has been read: what an incremental sync may leave out next time."""

from hub_model.base import Instant, Value
from hub_model.intervals import Intervals, add_interval, all_upto, overlap


class StreamState(Value):
    """What complete walks have covered, remembered per integration and stream.

    ``identity`` tells whether the endpoint still asks for the same: where it differs, the state says nothing.
    ``windows`` are closed and disjoint, in microseconds since 1970 or in the source's change versions; what lies
    between two of them was not read. ``withdrawn_after``: what an older state covers beyond it no longer counts, since
    the source's clock or its versions may have gone back. ``token`` is the mark that the source gave last. ``full_at``
    is when the last complete full read began.
    """

    identity: str
    windows: Intervals = ()
    withdrawn_after: int | None = None
    token: str | None = None
    full_at: Instant | None = None

    def joined(self, newer: "StreamState") -> "StreamState":
        """Both together; ``newer`` covers something more of the same stream, or begins anew."""
        if newer.identity != self.identity:
            return newer
        limit = newer.withdrawn_after
        windows = self.windows if limit is None else all_upto(self.windows, limit)
        for low, high in newer.windows:
            windows = add_interval(windows, low, high)
        times = [at for at in (self.full_at, newer.full_at) if at is not None]
        return newer.model_copy(
            update={
                "windows": windows,
                # After a full read nothing may go on from a mark of before: the source may have refused it.
                "token": self.token if newer.token is None and newer.full_at is None else newer.token,
                "full_at": max(times, default=None),
            }
        )

    def common(self, other: "StreamState") -> "StreamState | None":
        """What both cover; None where that cannot be said, since a mark is opaque."""
        if other.identity != self.identity or other.token != self.token:
            return None
        times = [at for at in (self.full_at, other.full_at) if at is not None]
        return self.model_copy(
            update={"windows": overlap(self.windows, other.windows), "full_at": min(times) if len(times) == 2 else None}
        )
