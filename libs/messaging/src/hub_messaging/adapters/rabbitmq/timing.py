"""How long the adapter waits for what. Everything is a duration on the loop's own clock."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """The defaults suit production; tests of outages shorten them.

    ``publish_s`` is longer than the heartbeat, as RabbitMQ advises: a confirmation that is late says nothing about
    the message. ``start_s`` is how long the first connection may take to come about, ``close_s`` how long each step of
    leaving may take: where the broker is silent, a process must still end within its grace.
    """

    heartbeat_s: int = 10
    connect_s: float = 10.0
    call_s: float = 15.0
    publish_s: float = 30.0
    start_s: float = 30.0
    close_s: float = 2.0
    probe_every_s: float = 15.0
    deaf_after_s: float = 60.0
    first_pause_s: float = 0.2
    longest_pause_s: float = 5.0

    def pause_s(self, failures: int) -> float:
        """How long to wait after so many failures in a row."""
        return min(self.first_pause_s * 2.0 ** min(failures, 20), self.longest_pause_s)
