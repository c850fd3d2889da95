"""What goes into the broker's tables and what comes out: plain values, safe to hand between threads."""

from collections.abc import Sequence
from dataclasses import dataclass

from hub_messaging.broker import Envelope


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A queue with its bindings and the number of its waiting messages."""

    name: str
    max_length: int
    routing_keys: frozenset[str]
    waiting: int


@dataclass(frozen=True, slots=True)
class NewRow:
    """A message on its way into one queue."""

    queue: str
    copy_id: str
    headers: bytes
    envelope: Envelope


@dataclass(frozen=True, slots=True)
class ClaimedRow:
    """A message handed to a consumer."""

    seq: int
    copy_id: str
    envelope: Envelope
    attempt: int
    delivery_count: int


@dataclass(frozen=True, slots=True)
class Claim:
    """What a consumer got, how many were given up for their delivery count, and when the next one is due."""

    rows: Sequence[ClaimedRow]
    buried: int = 0
    next_at: float | None = None


@dataclass(frozen=True, slots=True)
class DeadRow:
    """A message that was given up."""

    copy_id: str
    queue: str
    routing_key: str
    headers: bytes
    body: bytes
    reason: str
    attempt: int
    died_at: str


@dataclass(frozen=True, slots=True)
class Ack:
    seq: int


@dataclass(frozen=True, slots=True)
class Retry:
    seq: int
    delay_s: float
    available_at: float
    counted: bool


@dataclass(frozen=True, slots=True)
class Bury:
    seq: int
    reason: str
    died_at: str


@dataclass(frozen=True, slots=True)
class GiveBack:
    """``counts``: the delivery stays in the delivery count, because its handler failed on it."""

    seq: int
    counts: bool


Settlement = Ack | Retry | Bury | GiveBack
