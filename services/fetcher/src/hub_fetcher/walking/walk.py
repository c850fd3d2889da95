"""A walk through one stream: request after request, page after page, and the messages that tell of the walk.

Order: window after window, the oldest first; in each the deletes first, then the rows of the parent table, each with
all its pages.

One class, longer than most, because it is one state: where the walk stands, and what it has given.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from hub_model.endpoints import Endpoint, Request
from hub_model.errors import ErrorClass, HubError, RateLimited, SourceError
from hub_model.incremental import TokenIncremental
from hub_model.messages import Fault, Message, PageRequested, StreamFinished
from hub_storage.repositories.tables import Piece, TableEnd

from hub_fetcher.paging.guards import too_deep
from hub_fetcher.paging.position import End, Position
from hub_fetcher.requests.plan import RequestPlan
from hub_fetcher.requests.request import SourceRequest, request_at
from hub_fetcher.responses.records import encode_records
from hub_fetcher.source import Page
from hub_fetcher.walking.batches import batches_of, cut
from hub_fetcher.walking.ending import failed, is_snapshot, outcome, states_of
from hub_fetcher.walking.incremental import MARK_REFUSED, bounds, params, plan_token
from hub_fetcher.walking.pages import Pages, begun, check_duration
from hub_fetcher.walking.parents import ParentRow, Parents, is_of_one_row
from hub_fetcher.walking.place import added, first_place, has_begun
from hub_fetcher.walking.reading import Limits, Reading
from hub_fetcher.walking.shaping import Shaped, Shaper, encode_shaped
from hub_fetcher.walking.times import Times
from hub_fetcher.walking.window import Window

# What a walk gives: messages, or pieces of a table and at last how it ended.
Output = Message | Piece | TableEnd | HubError


class Walk:
    """The state of one handling of ``page.requested``.

    Invariant: the batches of a page, and their numbers, depend on the pages alone: not on where an earlier attempt
    ended, and not on what was asked ahead.
    """

    def __init__(
        self,
        request: PageRequested,
        reading: Reading,
        *,
        clock: Callable[[], datetime],
        secret_params: frozenset[str] = frozenset(),
    ) -> None:
        self._request = request
        self._reading = reading
        self._clock = clock
        self._secret_params = secret_params
        self._sequence, self._pages, self._records = request.sequence, request.pages, request.records
        self._bytes = self._answers = 0
        self._place = first_place(request.position, has_deletes=reading.deletes is not None)
        self._position = self._start()
        self._open: Pages | None = None
        self._shaper = reading.shaper or Shaper(reading.stream)
        self._times = Times(reading.stream.incremental, reading.zone)
        self._bounds = self._window_bounds()
        self.over: End | HubError | None = None
        if self._place.plan is not None and not self._place.plan.windows:
            self.over = outcome(self._place, self._reading)
        elif self._parents is None:
            self._opened()

    @property
    def phase(self) -> str:
        """``deletes`` or ``records``: they are different requests."""
        return self._place.phase

    @property
    def next_request(self) -> SourceRequest:
        """The next request, without credentials."""
        return self._here.next_request

    @property
    def has_read(self) -> bool:
        """Whether this stretch got any answer at all."""
        return self._answers > 0

    @property
    def has_given(self) -> bool:
        """Whether this stretch gave a batch."""
        return self._sequence > self._request.sequence

    def wait_s(self, now: datetime) -> float:
        """How long the source still wants to be left alone."""
        resume_at = self._position.resume_at
        return max(0.0, (resume_at - now).total_seconds()) if resume_at else 0.0

    def summary(self) -> dict[str, int]:
        """What this stretch did, for the log."""
        return {
            "pages": self._pages - self._request.pages,
            "records": self._records - self._request.records,
            "bytes": self._bytes,
        }

    def is_spent(self, limits: Limits) -> bool:
        """Whether this stretch has read its share."""
        return self._answers >= limits.pages or self._bytes >= limits.bytes

    def window(self, limits: Limits) -> Window:
        """How much to ask for ahead, as the stretch before this one found it right."""
        position = self._position
        return Window(position.ahead, most=limits.ahead, most_bytes=limits.ahead_bytes, page_bytes=position.page_bytes)

    async def make_ready(self, limits: Limits) -> None:
        """Have the next request at hand; where there is none any more, ``over`` says how the walk ended."""
        while self.over is None:
            if self._parents is not None:
                await self._parents.fill(limits.ahead + 1)
            if self._open is not None or self._opened():
                return

    def requests_ahead(self, limits: Limits) -> list[SourceRequest]:
        """The next request and those that will probably follow it, within the limits of the stretch."""
        pages = self._here
        fitting = max(1, (limits.bytes - self._bytes) // max(1, pages.position.page_bytes))
        count = min(limits.ahead, limits.pages - self._answers, fitting)
        requests = [pages.next_request, *pages.foreseen(min(count, pages.pages_left) - 1)]
        return [*requests, *self._rows_ahead(count - len(requests))]

    def turn(self, page: Page) -> Sequence[Output]:
        """Take in the page that was asked for, and move on. Raises SourceError where nothing of it may be used."""
        pages = self._here
        turned = pages.turn(page, self._clock())
        self._note_times(turned.records, page)
        self._answers += 1
        self._pages += 1
        self._bytes += page.size
        given = self._given(turned.records, turned.encoded, pages)
        self._position = pages.position
        if isinstance(turned.end, End):
            self._end_request(turned.end)
        elif turned.end is not None and not self.passes_over(turned.end):
            self.over = turned.end  # the page itself is good: it is sent before the walk fails
        return given

    def asks_less(self, error: SourceError) -> bool:
        """Whether the same place is asked for with smaller pages now, because of this error."""
        asks_less = self._here.asks_less(error)
        self._position = self._here.position
        return asks_less

    def passes_over(self, error: SourceError) -> bool:
        """Whether the walk goes on with the next row, because this error is the present row's alone."""
        parents = self._parents
        if parents is None or parents.spec.on_error == "fail" or not is_of_one_row(error):
            return False
        self._answers += 1
        remarks = self._open.position.remarks if self._open else {}
        self._place = self._place.refused_row(error).model_copy(update={"remarks": added(self._place.remarks, remarks)})
        self._open = None
        parents.pass_on()
        self._begin_request()
        return True

    def begins_anew(self, error: SourceError) -> bool:
        """Whether everything is read, because the source does not take the mark any more that the last walk ended with.

        Only before anything was read; what is wrong with the request otherwise, the next answer says again.
        """
        plan, spec = self._place.plan, self._reading.stream.incremental
        if plan is None or plan.is_full or not isinstance(spec, TokenIncremental) or self._pages:
            return False
        if error.error_class not in (ErrorClass.CONFIG, ErrorClass.DATA):
            return False
        anew = plan_token(spec, None, began_at=plan.began_at)
        anew = anew.model_copy(update={"identity": plan.identity, "warnings": (*plan.warnings, MARK_REFUSED)})
        self._place = self._place.model_copy(update={"plan": anew})
        self._bounds = self._window_bounds()
        self._begin_request()
        return self._opened()

    def onward(self, error: Exception | None = None, *, ahead: int = 0) -> Message:
        """The chain's next message; after a rate limit it carries the time that the source asked us to wait for."""
        changes: dict[str, object] = {"ahead": ahead}
        if isinstance(error, RateLimited) and error.retry_after_s is not None:
            changes["resume_at"] = self._clock() + timedelta(seconds=error.retry_after_s)
        self._position = self._position.model_copy(update=changes)
        return self._request.model_copy(
            update={
                "step": self._request.step + 1,
                "sequence": self._sequence,
                "pages": self._pages,
                "records": self._records,
                "position": {**self._position.to_message(), **self._place.to_message()},
                "parked": self._request.parked + (1 if isinstance(error, RateLimited) else 0),
            }
        )

    def ended(self, end: End | HubError) -> Output:
        """The message that ends the stream, well or not."""
        request = self._request
        if isinstance(end, HubError):
            end = too_deep(self._position, end) if isinstance(end, SourceError) else end
            return failed(
                request,
                end,
                batches=self._sequence,
                now=self._clock(),
                states=states_of(self._place, self._reading, whole=False),
            )
        return StreamFinished(
            college_id=request.college_id,
            integration_id=request.integration_id,
            run_id=request.run_id,
            data_type=request.data_type,
            batches=self._sequence,
            pages=self._pages,
            records=self._records,
            complete=end.complete,
            finished_at=self._clock(),
            warnings=end.warnings,
            snapshot=end.complete and is_snapshot(self._place, self._reading),
            states=states_of(self._place, self._reading, whole=True) if end.complete else {},
        )

    def conclude(self) -> Output:
        """What ends a walk whose rows are all taken."""
        return self.ended(outcome(self._place, self._reading))

    def take(self, chunk: Piece) -> Sequence[Output]:
        """Take in rows of a table as a page of records, and move on."""
        self._answers += 1
        self._pages += 1
        given = self._shaped(list(chunk.rows), encode_records(list(chunk.rows)), None)
        self._place = self._place.model_copy(update={"piece": chunk.number + 1})
        return given

    @property
    def _here(self) -> Pages:
        if self._open is None:
            raise AssertionError("make_ready comes before anything is asked")
        return self._open

    @property
    def _parents(self) -> Parents | None:
        return self._reading.parents if self._place.phase == "records" else None

    @property
    def _plan(self) -> RequestPlan:
        deletes = self._reading.deletes
        return deletes if self._place.phase == "deletes" and deletes is not None else self._reading.plan

    @property
    def _spec(self) -> Request:
        stream = self._reading.stream
        deletes = stream.deletes if isinstance(stream, Endpoint) else None
        return deletes if self._place.phase == "deletes" and deletes is not None else stream

    def _start(self) -> Position:
        plan, spec, now = self._plan, self._spec, self._clock()
        if not has_begun(self._request.position):
            return begun(plan, spec, now)
        position = Position.model_validate(self._request.position)
        if position.source != plan.source:
            raise SourceError(
                "the endpoint was changed while it was being read",
                error_class=ErrorClass.TRANSIENT,
                code="endpoint_changed",
                public="The endpoint was changed while it was being read. The next sync reads it from the beginning.",
            )
        check_duration(position, spec, now)
        return position

    def _opened(self) -> bool:
        """Whether there is a next request now; if not, more rows are wanted, or the walk is over."""
        row: ParentRow | None = None
        if self._parents is not None:
            row = self._parents.present
            if row is None:
                if not self._next_window():
                    self.over = outcome(self._place, self._reading)
                return False
            if (row.piece, row.offset) != (self._place.piece, self._place.offset):
                self._place = self._place.model_copy(update={"piece": row.piece, "offset": row.offset})
        try:
            plan = self._filled(row)
        except SourceError as error:
            if self.passes_over(error):
                return False
            raise
        usual_name = str(self._request.data_type or self._request.table)
        secrets = self._secret_params
        self._open = Pages(plan, self._spec, self._position, usual_name=usual_name, secret_params=secrets)
        return True

    def _filled(self, row: ParentRow | None) -> RequestPlan:
        incremental = self._reading.stream.incremental
        asked = params(incremental, self._bounds) if incremental and self._place.plan else None
        return self._plan.fill({"parent": row.values if row else {}, "window": self._bounds}, asked)

    def _rows_ahead(self, count: int) -> Iterator[SourceRequest]:
        for row in self._parents.following(count) if self._parents else ():
            if row.first is None or row.size != self._position.size:
                start = begun(self._plan, self._spec, self._clock(), self._position)
                try:
                    row.first, row.size = request_at(self._filled(row), start), self._position.size
                except SourceError:
                    continue  # told when its turn comes
            yield row.first

    def _end_request(self, end: End) -> None:
        """Go on with the next row, or after the deletes with the records; after the last request the walk is over."""
        place, position = self._place.warned(end.warnings), self._position
        place = place.model_copy(
            update={"remarks": added(place.remarks, position.remarks), "complete": place.complete and end.complete}
        )
        self._open = None
        if place.phase == "deletes":
            self._place = place.model_copy(update={"phase": "records"})
            self._begin_request()
        elif self._parents is not None:
            self._parents.pass_on()
            self._place = place.model_copy(update={"asked": place.asked + 1, "refusal": None})
            self._begin_request()
        else:
            self._place = place
            if not self._next_window():
                self.over = outcome(self._place, self._reading)

    def _next_window(self) -> bool:
        """Whether there is one more window, which the walk is at the beginning of then."""
        plan, window = self._place.plan, self._place.window + 1
        if plan is None or window >= len(plan.windows):
            return False
        phase = "deletes" if self._reading.deletes else "records"
        changes = {"window": window, "phase": phase, "piece": 0, "offset": 0}
        self._place = self._place.model_copy(update=changes)
        self._bounds = self._window_bounds()
        if self._reading.parents is not None:
            self._reading.parents.begin()
        self._begin_request()
        return True

    def _window_bounds(self) -> dict[str, str]:
        plan, incremental = self._place.plan, self._reading.stream.incremental
        if plan is None or incremental is None or not plan.windows:
            return {}
        return bounds(incremental, plan, self._place.window, self._reading.zone)

    def _note_times(self, records: Sequence[Any], page: Page) -> None:
        """Count the records whose own time says nothing, or lies ahead; and keep the mark to go on from."""
        if self._place.plan is None or self._place.phase == "deletes":
            return
        undated, future = self._times.count(records, self._clock())
        changes: dict[str, object] = {"undated": self._place.undated + undated, "future": self._place.future + future}
        if (token := self._times.token(page.body)) is not None:
            changes["token"] = token
        self._place = self._place.model_copy(update=changes)

    def _begin_request(self) -> None:
        self._position = begun(self._plan, self._spec, self._clock(), self._position)

    def _given(self, records: list[Any], encoded: bytes, pages: Pages) -> Sequence[Output]:
        """The outputs that this page's records make, in order."""
        if self._place.phase == "deletes":
            self._records += len(records)
            return self._pack(records, encoded, [], None)
        return self._shaped(records, encoded, pages.position.total) if records else []

    def _shaped(self, records: list[Any], encoded: bytes, total: int | None) -> Sequence[Output]:
        parent = None
        if self._place.plan is not None and len(self._place.plan.windows) > 1:
            total = None  # of one window's records alone
        if self._parents is not None:
            total = None  # of one row's records alone
            parent = self._parents.included(self._parents.present) if self._parents.present else None
        faults: list[Fault] = []
        if not (self._shaper.is_plain and parent is None):
            shaped = self._shaper.shape(records, parent)
            encoded = encode_shaped(shaped.records)
            self._note_shaped(len(records), shaped)
            records, faults = shaped.records, shaped.faults
        self._records += len(records)
        return self._pack(records, encoded, faults, total if self._shaper.keeps_count else None)

    def _note_shaped(self, looked: int, shaped: Shaped) -> None:
        place = self._place
        self._place = place.model_copy(
            update={
                "looked": place.looked + looked,
                "shaped": place.shaped + len(shaped.records),
                "unlisted": place.unlisted + shaped.unlisted,
                "unmatched": added(place.unmatched, shaped.unmatched),
                "ambiguous": added(place.ambiguous, shaped.ambiguous),
            }
        )

    def _pack(self, records: list[Any], encoded: bytes, faults: list[Fault], total: int | None) -> Sequence[Output]:
        pieces = list(cut(records, encoded, page=self._pages))  # all or none: each that is made is counted as sent
        batches = batches_of(
            self._request,
            self._sequence,
            pieces,
            faults,
            total=total,
            deletes=self._place.phase == "deletes",
            has_editions=self._place.plan is not None,
        )
        self._sequence += len(batches)
        return batches
