"""How many pages may be asked for before their turn: a rule over what their answers were like."""

from statistics import median

FIRST_SIZE = 4
# An answer is late when it took this much longer than the quickest: a busy hub alone makes quick answers look uneven.
_LATE_FACTOR, _LATE_EXTRA_S = 2.0, 0.05
# Half as many at once must bring answers down to this part; otherwise the source is slow, and not because of us.
_HELPED = 0.75


class Window:
    """The pages of one stream that may be under way or wait for their turn, between 1 and ``most``.

    Per round of as many answers as it is wide it grows by one if its pages were waited for, and halves if their answers
    came late: then the source is slowed by what is asked at once. Each sign of trouble halves it at once, so a burst of
    refusals leaves one request. Where nothing is known of the source (``size`` 0) it doubles until it first halves.
    What it holds is bounded by ``most_bytes`` too: every page counts as the largest seen, ``page_bytes`` to begin with.
    """

    def __init__(self, size: int = 0, *, most: int, most_bytes: int, page_bytes: int = 0) -> None:
        self.size = min(size or FIRST_SIZE, most)
        self._is_fresh = size == 0
        self._most = most
        self._most_bytes = most_bytes
        self._page_bytes = page_bytes
        self._answers_s: list[float] = []
        self._was_short = False
        self._quickest_s: float | None = None
        self._late_s: float | None = None
        self._stale = 0
        self._stale_s: list[float] = []

    @property
    def places(self) -> int:
        """How many pages there may be now, the next one included."""
        return max(1, min(self.size, self._most_bytes // max(1, self._page_bytes)))

    def arrived(self, page_bytes: int) -> None:
        """A page has come, though perhaps not its turn."""
        self._page_bytes = max(self._page_bytes, page_bytes)

    def was_short(self) -> None:
        """Every place was taken, and the next page was waited for all the same."""
        self._was_short = True

    def troubled(self) -> None:
        """The source refused a request, failed, or did not answer in time."""
        self._halve()

    def answered(self, seconds: float) -> None:
        """A request was answered at the first try, after ``seconds`` with the wait for its place at the origin."""
        if self._stale:
            self._pass_over(seconds)
            return
        self._answers_s.append(seconds)
        if len(self._answers_s) < self.size:
            return
        typical_s, quickest_s = median(self._answers_s), min(self._answers_s)
        if self._quickest_s is None or self._has_not_helped(typical_s):
            self._quickest_s = quickest_s
        self._quickest_s = min(self._quickest_s, quickest_s)
        if self._is_late(typical_s, self._quickest_s):
            self._halve()
            self._late_s = typical_s
            return
        self._late_s = None
        if self._was_short:
            self.size = min(self.size * 2 if self._is_fresh else self.size + 1, self._most)
        self._begin_round()

    def _is_late(self, typical_s: float, quickest_s: float) -> bool:
        return self.size > 1 and typical_s > _LATE_FACTOR * quickest_s + _LATE_EXTRA_S

    def _has_not_helped(self, typical_s: float) -> bool:
        return self._late_s is not None and typical_s > _HELPED * self._late_s

    def _pass_over(self, seconds: float) -> None:
        """An answer to what was asked for in a wider window: it tells of that one, and how late it had become."""
        self._stale -= 1
        self._stale_s.append(seconds)
        if self._stale == 0 and self._late_s is not None:
            self._late_s = max(self._late_s, median(self._stale_s))

    def _halve(self) -> None:
        self._stale = self.size
        self._stale_s.clear()
        self.size = max(1, self.size // 2)
        self._is_fresh = False
        self._begin_round()

    def _begin_round(self) -> None:
        self._answers_s.clear()
        self._was_short = False
