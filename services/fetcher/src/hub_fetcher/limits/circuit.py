"""A host that failed several times in a row is left alone for a while, then asked once, before all ask it again.

In this process alone: whoever else asks the host learns it by itself.
"""

import random
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from hub_model.errors import Unavailable

log = structlog.get_logger(__name__)

_FAILURES = 5
# Requests that are under way together fail together: that alone is one failure.
_LASTING_S = 3.0
_PAUSES_S = (15.0, 30.0, 60.0, 120.0, 300.0)
_MAX_HOSTS = 10_000


@dataclass(slots=True)
class _Trouble:
    """A host's failures since its last answer, the first of them at ``since``. ``opened`` counts the pauses so far."""

    since: float
    failures: int = 0
    opened: int = 0
    closed_at: float = 0.0
    is_tried: bool = False


class Attempt:
    """One request to a host. Without a word about how it went, nothing is learned from it."""

    def __init__(self) -> None:
        self.outcome: bool | None = None

    def answered(self) -> None:
        """The host works, whatever it said."""
        self.outcome = True

    def failed(self) -> None:
        """It could not be reached, broke off, was too slow, or said that it is in trouble."""
        self.outcome = False


class Circuits:
    """Which hosts are in trouble. A host without any costs nothing and is not remembered."""

    def __init__(self, *, monotonic: Callable[[], float], jitter: Callable[[], float] = random.random) -> None:
        self._monotonic = monotonic
        self._jitter = jitter
        self._troubles: OrderedDict[str, _Trouble] = OrderedDict()

    @contextmanager
    def attempt(self, host: str, *, insists: bool = False) -> Iterator[Attempt]:
        """Ask the host. Raises Unavailable while it is left alone, except to who ``insists``."""
        trouble = self._troubles.get(host)
        is_trial = trouble is not None and trouble.opened > 0 and not insists
        if trouble is not None and is_trial:
            self._check(host, trouble)
            trouble.is_tried = True
        attempt = Attempt()
        try:
            yield attempt
        finally:
            if trouble is not None and is_trial:
                trouble.is_tried = False
            if attempt.outcome is True:
                self._recovered(host)
            elif attempt.outcome is False:
                self._failed(host)

    def _check(self, host: str, trouble: _Trouble) -> None:
        left_s = trouble.closed_at - self._monotonic()
        if left_s <= 0 and not trouble.is_tried:
            return
        raise Unavailable(
            f"{host} failed {trouble.failures} times in a row and is left alone for now",
            retry_after_s=max(left_s, 1.0),
            code="source_unavailable",
            public="The source failed several times in a row; the sync waits a little and goes on by itself.",
        )

    def _recovered(self, host: str) -> None:
        trouble = self._troubles.pop(host, None)
        if trouble is not None and trouble.opened:
            log.info("circuit.closed", host=host, pauses=trouble.opened)

    def _failed(self, host: str) -> None:
        now = self._monotonic()
        trouble = self._troubles.setdefault(host, _Trouble(since=now))
        self._troubles.move_to_end(host)
        while len(self._troubles) > _MAX_HOSTS:
            self._troubles.popitem(last=False)
        trouble.failures += 1
        is_lasting = trouble.failures >= _FAILURES and now - trouble.since >= _LASTING_S
        if not is_lasting or trouble.closed_at > now:
            return  # requests that were under way when the pause began do not make it longer
        pause_s = _PAUSES_S[min(trouble.opened, len(_PAUSES_S) - 1)] * (1 + self._jitter() / 4)
        trouble.opened += 1
        trouble.closed_at = now + pause_s
        log.warning("circuit.opened", host=host, failures=trouble.failures, pause_s=round(pause_s, 1))
