"""Which requests a walk makes, one after another, and where it stands. What becomes of the records is not known here.

Order: window after window, the oldest first; in each the deletes first, then the rows of the parent table, each with
all its pages.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from hub_model.endpoints import Endpoint, Request
from hub_model.errors import ErrorClass, SourceError
from hub_model.incremental import TokenIncremental
from hub_model.messages import PageRequested

from hub_fetcher.paging.position import End, Position
from hub_fetcher.requests.plan import RequestPlan
from hub_fetcher.requests.request import SourceRequest, request_at
from hub_fetcher.source import Page
from hub_fetcher.walking.incremental import MARK_REFUSED, bounds, params, plan_token
from hub_fetcher.walking.pages import Pages, Turned, begun, resumed
from hub_fetcher.walking.parents import ParentRow, Parents, is_of_one_row
from hub_fetcher.walking.place import first_place
from hub_fetcher.walking.reading import Reading
from hub_fetcher.walking.tally import added
from hub_fetcher.walking.times import mark_in


class Route:
    """``place`` is where the walk stands among its requests, ``position`` where among the pages of the present one.

    ``pages`` were read so far, ``answers`` and ``bytes`` in this stretch. When it ``is_over`` there is no next request;
    ``failure`` is why, where that is an error behind a good page.
    """

    def __init__(
        self,
        request: PageRequested,
        reading: Reading,
        *,
        clock: Callable[[], datetime],
        secret_params: frozenset[str] = frozenset(),
    ) -> None:
        self._reading = reading
        self._clock = clock
        self._usual_name = str(request.data_type or request.table)
        self._secret_params = secret_params
        self.pages, self.answers, self.bytes = request.pages, 0, 0
        self.place = first_place(request.position, has_deletes=reading.deletes is not None)
        self._first = resumed(request.position, self._plan, self._spec, clock())
        self._open: Pages | None = None
        self._bounds = self._window_bounds()
        self.failure: SourceError | None = None
        self.is_over = self.place.plan is not None and not self.place.plan.windows
        if not self.is_over and self._parents is None:
            self._opened()

    @property
    def position(self) -> Position:
        return self._open.position if self._open is not None else self._first

    @property
    def next_request(self) -> SourceRequest:
        """The next request, without credentials."""
        return self._here.next_request

    @property
    def total(self) -> int | None:
        """How many records the source says the stream has; None where it speaks of a window's or a row's alone."""
        is_cut = self.place.plan is not None and len(self.place.plan.windows) > 1
        return None if is_cut or self._parents is not None else self.position.total

    @property
    def parent(self) -> dict[str, Any] | None:
        """What the records hold of the row that is asked for now."""
        row = self._parents.present if self._parents is not None else None
        return self._parents.included(row) if self._parents is not None and row is not None else None

    async def make_ready(self, rows: int) -> None:
        """Have the next request at hand, and so many rows of the parent table; or find that the walk is over."""
        while not self.is_over:
            if self._parents is not None:
                await self._parents.fill(rows)
            if self._open is not None or self._opened():
                return

    def requests(self, count: int) -> list[SourceRequest]:
        """The next request and those that will probably follow it, so many together at most."""
        pages = self._here
        requests = [pages.next_request, *pages.foreseen(min(count, pages.pages_left) - 1)]
        return [*requests, *self._rows_ahead(count - len(requests))]

    def turn(self, page: Page) -> Turned:
        """Take in the page that was asked for; ``move_on`` comes after it. Raises SourceError as ``Pages.turn``."""
        turned = self._here.turn(page, self._clock())
        if self.place.plan is not None and self.place.phase == "records":
            mark = mark_in(page.body, self._reading.stream.incremental)
            if mark is not None:
                self.place = self.place.model_copy(update={"token": mark})
        self.answers += 1
        self.pages += 1
        self.bytes += page.size
        return turned

    def move_on(self, end: End | SourceError | None) -> None:
        """Go on to the next request, where the present one ended with the page that was taken in."""
        if isinstance(end, End):
            self._end_request(end)
        elif end is not None and not self._passes_over(end):
            self.failure, self.is_over = end, True

    def pass_piece(self, number: int) -> None:
        """Go on past a piece of a table, which is a page that nobody was asked for."""
        self.answers += 1
        self.pages += 1
        self.place = self.place.model_copy(update={"piece": number + 1})

    def goes_on(self, error: SourceError) -> bool:
        """Whether this error is not the end: smaller pages are asked for, the next row, or everything anew."""
        return self._here.asks_less(error) or self._passes_over(error) or self._begins_anew(error)

    @property
    def _here(self) -> Pages:
        if self._open is None:
            raise AssertionError("make_ready comes before anything is asked")
        return self._open

    @property
    def _parents(self) -> Parents | None:
        return self._reading.parents if self.place.phase == "records" else None

    @property
    def _plan(self) -> RequestPlan:
        deletes = self._reading.deletes
        return deletes if self.place.phase == "deletes" and deletes is not None else self._reading.plan

    @property
    def _spec(self) -> Request:
        stream = self._reading.stream
        deletes = stream.deletes if isinstance(stream, Endpoint) else None
        return deletes if self.place.phase == "deletes" and deletes is not None else stream

    def _begin_request(self) -> None:
        self._first, self._open = begun(self._plan, self._spec, self._clock(), self.position), None

    def _opened(self) -> bool:
        """Whether there is a next request now; if not, more rows are wanted, or the walk is over."""
        row: ParentRow | None = None
        if self._parents is not None:
            row = self._parents.present
            if row is None:
                self._next_window()
                return False
            if (row.piece, row.offset) != (self.place.piece, self.place.offset):
                self.place = self.place.model_copy(update={"piece": row.piece, "offset": row.offset})
        try:
            plan = self._filled(row)
        except SourceError as error:
            if self._passes_over(error):
                return False
            raise
        secrets = self._secret_params
        self._open = Pages(plan, self._spec, self._first, usual_name=self._usual_name, secret_params=secrets)
        return True

    def _filled(self, row: ParentRow | None) -> RequestPlan:
        incremental = self._reading.stream.incremental
        asked = params(incremental, self._bounds) if incremental and self.place.plan else None
        return self._plan.fill({"parent": row.values if row else {}, "window": self._bounds}, asked)

    def _rows_ahead(self, count: int) -> Iterator[SourceRequest]:
        for row in self._parents.following(count) if self._parents else ():
            if row.first is None or row.size != self.position.size:
                start = begun(self._plan, self._spec, self._clock(), self.position)
                try:
                    row.first, row.size = request_at(self._filled(row), start), self.position.size
                except SourceError:
                    continue  # told when its turn comes
            yield row.first

    def _end_request(self, end: End) -> None:
        """Go on with the next row, or after the deletes with the records; after the last request the walk is over."""
        place = self.place.warned(end.warnings)
        place = place.model_copy(
            update={"remarks": added(place.remarks, self.position.remarks), "complete": place.complete and end.complete}
        )
        if place.phase == "deletes":
            self.place = place.model_copy(update={"phase": "records"})
            self._begin_request()
        elif self._parents is not None:
            self._parents.pass_on()
            self.place = place.model_copy(update={"asked": place.asked + 1, "refusal": None})
            self._begin_request()
        else:
            self.place = place
            self._next_window()

    def _next_window(self) -> None:
        """Go to the beginning of the next window; after the last one the walk is over."""
        plan, window = self.place.plan, self.place.window + 1
        if plan is None or window >= len(plan.windows):
            self.is_over = True
            return
        phase = "deletes" if self._reading.deletes else "records"
        changes = {"window": window, "phase": phase, "piece": 0, "offset": 0}
        self.place = self.place.model_copy(update=changes)
        self._bounds = self._window_bounds()
        if self._reading.parents is not None:
            self._reading.parents.begin()
        self._begin_request()

    def _window_bounds(self) -> dict[str, str]:
        plan, incremental = self.place.plan, self._reading.stream.incremental
        if plan is None or incremental is None or not plan.windows:
            return {}
        return bounds(incremental, plan, self.place.window, self._reading.zone)

    def _passes_over(self, error: SourceError) -> bool:
        """Whether the walk goes on with the next row, because this error is the present row's alone."""
        parents = self._parents
        if parents is None or parents.spec.on_error == "fail" or not is_of_one_row(error):
            return False
        self.answers += 1
        remarks = self._open.position.remarks if self._open else {}
        self.place = self.place.refused_row(error).model_copy(update={"remarks": added(self.place.remarks, remarks)})
        parents.pass_on()
        self._begin_request()
        return True

    def _begins_anew(self, error: SourceError) -> bool:
        """Whether everything is read, because the source does not take the mark any more that the last walk ended with.

        Only before anything was read; what is wrong with the request otherwise, the next answer says again.
        """
        plan, spec = self.place.plan, self._reading.stream.incremental
        if plan is None or plan.is_full or not isinstance(spec, TokenIncremental) or self.pages:
            return False
        if error.error_class not in (ErrorClass.CONFIG, ErrorClass.DATA):
            return False
        anew = plan_token(spec, None, began_at=plan.began_at)
        anew = anew.model_copy(update={"identity": plan.identity, "warnings": (*plan.warnings, MARK_REFUSED)})
        self.place = self.place.model_copy(update={"plan": anew})
        self._bounds = self._window_bounds()
        self._begin_request()
        return self._opened()
