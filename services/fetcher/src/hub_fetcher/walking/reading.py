"""What a stretch of a walk is gone with: its bounds, and the stream with all that it needs."""

from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from hub_model.endpoints import Stream
from hub_storage.repositories.tables import TableEnd

from hub_fetcher.requests.plan import RequestPlan
from hub_fetcher.walking.parents import Parents
from hub_fetcher.walking.shaping import Shaper

MAX_TABLE_ROWS = 2_000_000
MAX_TABLE_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a stretch of a walk ends, whichever comes first, and how much may be read before its turn.

    The end of a stretch costs one wait for the source, so pages and bytes are meant for quick sources, seconds for slow
    ones. ``ahead_bytes`` are counted as they come: decoded, a page takes about five times as much memory. A table may
    have so many rows and bytes.
    """

    pages: int = 200
    bytes: int = 32 * 1024 * 1024
    seconds: float = 20.0
    ahead: int = 16
    ahead_bytes: int = 8 * 1024 * 1024
    table_rows: int = MAX_TABLE_ROWS
    table_bytes: int = MAX_TABLE_BYTES


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What one stream is read with: its requests' plans, the tables it needs, and what its records become.

    ``name`` is the stream's, ``zone`` the college's. ``tables`` are the tables it needs, by name. A table may have
    ``most_rows`` and ``most_bytes``.
    """

    stream: Stream
    plan: RequestPlan
    name: str = ""
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    deletes: RequestPlan | None = None
    parents: Parents | None = None
    shaper: Shaper | None = None
    tables: dict[str, TableEnd] = field(default_factory=dict)
    most_rows: int = MAX_TABLE_ROWS
    most_bytes: int = MAX_TABLE_BYTES
