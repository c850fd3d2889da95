"""What this process keeps in memory of its queues: bindings to route by, lengths to refuse by, consumers to wake."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hub_model.errors import Conflict, QueueFull


class Wakeable(Protocol):
    """A consumer as its queue sees it."""

    def look(self) -> None: ...


@dataclass(slots=True)
class Queue:
    """One queue. ``waiting`` counts the messages that no consumer holds, those being written included."""

    name: str
    durable: bool
    max_length: int
    waiting: int = 0
    routing_keys: set[str] = field(default_factory=set)
    consumers: list[Wakeable] = field(default_factory=list)

    def wake(self) -> None:
        """There is something to claim, or a new time to wait for."""
        for consumer in self.consumers:
            consumer.look()


class Queues:
    """Every queue of the file. Only this process changes them, so memory and file agree."""

    def __init__(self) -> None:
        self._queues: dict[str, Queue] = {}
        self._bindings: dict[str, list[Queue]] = {}

    def __iter__(self) -> Iterator[Queue]:
        return iter(list(self._queues.values()))

    def get(self, name: str) -> Queue | None:
        return self._queues.get(name)

    def add(self, queue: Queue) -> None:
        """Know the queue; it gets messages once it is bound."""
        self._queues[queue.name] = queue
        self.bind(queue, queue.routing_keys)

    def bind(self, queue: Queue, routing_keys: Iterable[str]) -> None:
        """Route these keys to the queue as well."""
        for key in routing_keys:
            queue.routing_keys.add(key)
            bound = self._bindings.setdefault(key, [])
            if queue not in bound:
                bound.append(queue)

    def remove(self, queue: Queue) -> None:
        """Forget the queue and its bindings."""
        self._queues.pop(queue.name, None)
        for key in queue.routing_keys:
            self._bindings[key].remove(queue)

    def bound_to(self, routing_key: str) -> Sequence[Queue]:
        return self._bindings.get(routing_key, ())

    def is_consumed(self, name: str) -> bool:
        queue = self._queues.get(name)
        return queue is not None and bool(queue.consumers)

    def reserve(self, counts: Counter[str]) -> None:
        """Make room for messages about to be written, in all queues or in none; raises QueueFull."""
        for name, count in counts.items():
            queue = self._queues[name]
            if queue.waiting + count > queue.max_length:
                raise QueueFull(f"{name} holds {queue.waiting} of at most {queue.max_length} waiting messages")
        for name, count in counts.items():
            self._queues[name].waiting += count

    def release(self, counts: Counter[str]) -> None:
        """The messages were not written after all."""
        for name, count in counts.items():
            if queue := self._queues.get(name):
                queue.waiting -= count

    def wake(self, names: Iterable[str]) -> None:
        for name in names:
            if queue := self._queues.get(name):
                queue.wake()


def check_same_kind(queue: Queue, *, durable: bool) -> None:
    """A durable queue is shared; one that is not belongs to the consumer that made it."""
    if not (queue.durable and durable):
        raise Conflict(f"{queue.name} is in use; a queue that is not durable has one consumer", code="queue_in_use")
