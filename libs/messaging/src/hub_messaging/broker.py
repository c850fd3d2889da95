"""The broker port: what every adapter promises. Mechanism only; how often and how long is the middleware's.

The contract suite in ``hub_messaging.testing`` holds each adapter to each sentence below.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from hub_model.errors import TooLarge
from hub_model.messages import MAX_MESSAGE_BYTES, Message

# AMQP sends all headers of a message in one frame of 128 KiB, which cannot be split.
MAX_HEADERS_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message as bytes: CloudEvents attributes and tracing in ``headers``, the data in ``body``.

    ``message`` is what the bytes were written from, where that is still at hand: it saves reading them. An adapter
    may deliver it to the process that published it; it is never stored, and the bytes alone say what the message is.
    """

    routing_key: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    mandatory: bool = True
    message: Message | None = field(default=None, compare=False, repr=False)


def check_size(envelope: Envelope) -> None:
    """Raise TooLarge for a message that no broker takes: a body over MAX_MESSAGE_BYTES, or headers over 64 KiB."""
    headers = 4 * (sum(map(len, envelope.headers)) + sum(map(len, envelope.headers.values())))
    if headers > MAX_HEADERS_BYTES:  # were every character written in four bytes; nearly all take one
        headers = sum(len(name.encode()) + len(value.encode()) for name, value in envelope.headers.items())
    for part, size, limit in (("", len(envelope.body), MAX_MESSAGE_BYTES), (" of headers", headers, MAX_HEADERS_BYTES)):
        if size > limit:
            raise TooLarge(
                f"{envelope.routing_key}: {size} bytes{part} are over the limit of {limit}", code="message_too_large"
            )


@dataclass(frozen=True, slots=True)
class Subscription:
    """A queue and the routing keys bound to it.

    Routing keys match exactly. Consumers of the same queue share its messages; every queue gets its own copy. A
    durable queue exists from the first subscribe on, also while nobody consumes it. A queue that is not durable
    belongs to this consumer alone and goes when it closes: for live views, which may miss what happened before.
    ``prefetch`` bounds the unacknowledged deliveries. ``max_length`` bounds the waiting messages; beyond it,
    publishing raises QueueFull. Publishes that are under way when the limit is reached may still be admitted, and
    messages that wait for a retry need not be counted until their delay is over. A queue that is not durable may drop
    its oldest messages instead.
    """

    queue: str
    routing_keys: Sequence[str]
    prefetch: int = 8
    durable: bool = True
    max_length: int = 100_000


class Delivery(ABC):
    """One message handed to one consumer. Exactly one of the three settlements, once; another raises Conflict.

    After its consumer has closed, settling raises Unavailable: the message was given back.

    ``attempt`` is 1 at first and grows by every counted ``retry``. ``copy_id`` names this stored copy: it stays the
    same over redeliveries and retries, and differs when the same message was published twice. ``delivery_count``
    counts how often the copy was handed out since its last retry, crashes included.
    """

    envelope: Envelope
    attempt: int
    copy_id: str
    delivery_count: int

    @abstractmethod
    async def ack(self) -> None:
        """The work is done and durable; the message is never delivered again."""

    @abstractmethod
    async def retry(self, delay_s: float, *, counted: bool = True) -> None:
        """Deliver again, no earlier than ``delay_s`` from now, with ``attempt`` one higher.

        ``counted=False`` leaves ``attempt`` as it is: the message only has to wait, nothing went wrong.
        """

    @abstractmethod
    async def dead_letter(self, reason: str) -> None:
        """Leave the queue for good; message and reason are kept for an operator."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was given up."""

    id: str
    queue: str
    envelope: Envelope
    reason: str
    attempt: int
    died_at: str


class DeadLetters(ABC):
    """What was given up, and what an operator may do about it.

    Letters that died as one copy have one id. Invariant: a letter leaves only when its message is stored in its own
    queue again, or for good by ``discard``; a process that dies in between may leave both letter and message.
    """

    @abstractmethod
    async def newest(self, queue: str | None = None, *, limit: int = 100) -> Sequence[DeadLetter]:
        """Those of one queue or of all, the newest first."""

    @abstractmethod
    async def count(self, queue: str | None = None) -> int:
        """How many letters there are, of one queue or of all; one that is stored twice may count twice."""

    @abstractmethod
    async def find(self, letter_id: str) -> DeadLetter | None:
        """The letter, if there is one."""

    @abstractmethod
    async def replay(self, letter_id: str) -> bool:
        """Put the message into its own queue again, as a new copy on its first attempt; says whether there was one.

        Raises Unroutable when its queue is no more, QueueFull, Unavailable; the letter then stays.
        """

    @abstractmethod
    async def discard(self, letter_id: str) -> bool:
        """Remove the letter for good; says whether there was one."""


OnDelivery = Callable[[Delivery], Awaitable[None]]


class Consumer(ABC):
    """A running subscription."""

    @abstractmethod
    async def close(self, grace_s: float = 25.0) -> bool:
        """Stop taking, wait up to ``grace_s`` for deliveries in flight, then give the rest back to the queue.

        Says whether everything in flight was settled. Calling it twice is fine.
        """


class Broker(ABC):
    """Stores messages and hands them out at least once, in no promised order.

    Invariant: a message is confirmed only when it is durable in every queue bound to its routing key.
    Invariant: an acknowledged message is never delivered again; an unacknowledged one is, when its consumer or the
    process dies. (A broker apart hears of an acknowledgement a moment later; if the connection breaks within that
    moment, it delivers again.)
    """

    @abstractmethod
    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        """Return when every message is confirmed.

        On any error, and when the caller is cancelled, none, some or all of them may be stored: publish again,
        receivers recognise repetitions.
        Raises Unroutable (mandatory and no queue is bound), TooLarge (see ``check_size``), QueueFull, Unavailable.
        """

    @abstractmethod
    async def declare(self, subscription: Subscription) -> None:
        """Create the durable queue and its bindings, without consuming. Repeating it changes nothing."""

    @abstractmethod
    async def consume(self, subscription: Subscription, on_delivery: OnDelivery) -> Consumer:
        """Declare the queue and call ``on_delivery`` for its messages, up to ``prefetch`` at a time.

        A handler may take as long as it needs: its message is not handed to anyone else meanwhile. A handler that
        returns or raises without settling gives its message back.
        """

    @property
    @abstractmethod
    def dead_letters(self) -> DeadLetters:
        """What was given up."""

    @abstractmethod
    async def depth(self, queue: str) -> int:
        """How many messages of the queue are not yet settled, delayed ones and those in this process's hands included.

        What another process has in hand need not be counted.
        """

    async def ping(self) -> None:
        """Raise Unavailable when the broker does not answer now, or takes no messages."""
        await self.depth("")

    async def failed(self) -> None:
        """Return only when this broker has been out of reach for so long that the process is better begun anew.

        A broker that lives in the process never returns from here.
        """
        await asyncio.Event().wait()

    @abstractmethod
    async def close(self) -> None:
        """Close consumers and give back what is in flight. Calling it twice is fine."""
