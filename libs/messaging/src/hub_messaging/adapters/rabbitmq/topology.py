"""Every exchange, queue, argument and binding on RabbitMQ. Nothing else names or declares any; no I/O here.

    exchange hub ──routing key──> <queue> ──x-delivery-limit reached──> hub.dead
                                    ^  │
                          expired   │  │ retry(delay), by the consumer
                                  <queue>.retry.5s

RabbitMQ 3.10 accepts arguments it does not know without a word, so a misspelt one would silently protect nothing:
a test reads back what the broker has in effect. Arguments of a queue cannot change once it is declared.

There is no alternate exchange: RabbitMQ counts a message that one catches as routed, so that a mandatory publish
nobody is bound to would be confirmed and never return.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hub_model.errors import InvalidInput

from hub_messaging.broker import Subscription

# Direct: routing keys match exactly.
EXCHANGE = "hub"
DEAD_QUEUE = "hub.dead"

# Crash loops: a message given back this often without being settled goes to the dead letters. Lower, and innocent
# messages go with it, since every message that a dying process holds is given back.
DELIVERY_LIMIT = 20

# Looking at dead letters hands them out and takes them back, which RabbitMQ counts. The default of 4.x would throw
# them away after twenty looks, and -1 means "at once" to 3.10.
_NEVER = 2**31 - 1
# One look at all of them must fit in the sixteen bits of a prefetch.
MAX_DEAD_LETTERS = 50_000

# Bodies may be a mebibyte each, so a bound on their number alone is none on the disk, and a full disk stops every queue
# of the node. A policy may set less; RabbitMQ then takes the lower.
_GIB = 2**30
MAX_BYTES, MAX_BYTES_OF_A_RUNG, MAX_BYTES_OF_DEAD_LETTERS = 2 * _GIB, _GIB, 4 * _GIB

# Messages expire only at the head of a queue, hence a queue for each delay.
_RUNGS = (("1s", 1), ("5s", 5), ("30s", 30), ("2m", 120), ("10m", 600), ("1h", 3600), ("6h", 21_600))
# How much longer than asked one rung may be before several shorter ones are taken instead.
_ROUNDING = 1.25

# Confirmed only when the target has confirmed. Needs reject-publish, and degrades without a word where that is missing.
_AT_LEAST_ONCE = {"x-dead-letter-strategy": "at-least-once", "x-dead-letter-exchange": ""}
_BOUNDED = {"x-queue-type": "quorum", "x-overflow": "reject-publish"}

Arguments = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue as it is declared. One that is not durable is exclusive: it belongs to the connection."""

    name: str
    arguments: Arguments
    durable: bool = True
    auto_delete: bool = False
    routing_keys: Sequence[str] = field(default=())


@dataclass(frozen=True, slots=True)
class Hop:
    """One stay in a queue on the way back to the work queue, and what is left to wait after it."""

    queue: str
    left_s: float


DEAD = Queue(
    DEAD_QUEUE,
    {
        **_BOUNDED,
        "x-delivery-limit": _NEVER,
        "x-max-length": MAX_DEAD_LETTERS,
        "x-max-length-bytes": MAX_BYTES_OF_DEAD_LETTERS,
    },
)

# Exclusive, so one connection has it at a time: who looks at the dead letters while another does would see only what
# that one left.
LOOK = Queue("hub.dead.look", {"x-queue-type": "classic"}, durable=False)


def queues_of(subscription: Subscription) -> Sequence[Queue]:
    """The queues of one subscription, those first that others lead to.

    A live view has its own ladder, of queues that go with its connection. It drops its oldest messages when it is
    full: a view that nobody reads must not stop those who publish.
    """
    if subscription.max_length < 1:
        raise InvalidInput(f"{subscription.queue}: a queue holds at least one message")
    name, length = subscription.queue, subscription.max_length
    if subscription.durable:
        # RabbitMQ refuses from the first message beyond x-max-length on, and admits that one.
        work: Arguments = {
            **_BOUNDED,
            **_AT_LEAST_ONCE,
            "x-dead-letter-routing-key": DEAD_QUEUE,
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-max-length": length - 1,
            "x-max-length-bytes": MAX_BYTES,
        }
        rung: Arguments = {**_BOUNDED, **_AT_LEAST_ONCE, "x-max-length-bytes": MAX_BYTES_OF_A_RUNG}
    else:
        work = {"x-queue-type": "classic", "x-overflow": "drop-head", "x-max-length": length}
        rung = {"x-queue-type": "classic", "x-dead-letter-exchange": ""}
    rungs = [
        Queue(
            _rung(name, label),
            {**rung, "x-dead-letter-routing-key": name, "x-message-ttl": delay_s * 1000, "x-max-length": length},
            subscription.durable,
        )
        for label, delay_s in _RUNGS
    ]
    return [
        Queue(name, work, subscription.durable, not subscription.durable, tuple(subscription.routing_keys)),
        *rungs,
    ]


def queue_names(queue: str) -> Sequence[str]:
    """Where messages of this queue may wait: the queue itself, and its ladder."""
    return [queue, *(_rung(queue, label) for label, _ in _RUNGS)]


def next_hop(queue: str, delay_s: float) -> Hop:
    """Where a message waits first that is to come back no earlier than ``delay_s`` from now.

    The shortest rung that is long enough, if it is not much longer; else the longest that is not too long, and the
    rest after it. What is longer than the longest rung goes through that one again and again. What is left is
    carried as a duration and not as a date, so no clock can make a message early.
    """
    if delay_s <= 0:
        return Hop(queue, 0.0)
    for label, rung_s in _RUNGS:
        if delay_s <= rung_s <= max(delay_s * _ROUNDING, _RUNGS[0][1]):
            return Hop(_rung(queue, label), 0.0)
    label, rung_s = max((rung for rung in _RUNGS if rung[1] < delay_s), key=lambda rung: rung[1])
    return Hop(_rung(queue, label), delay_s - rung_s)


def _rung(queue: str, label: str) -> str:
    return f"{queue}.retry.{label}"
