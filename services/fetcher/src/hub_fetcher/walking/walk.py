"""A walk through one stream's pages: what each page turns into, and the messages that tell of the walk."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hub_model.endpoints import Endpoint
from hub_model.errors import ErrorClass, HubError, RateLimited, SourceError
from hub_model.messages import BatchFetched, Message, PageRequested, StreamFinished, SyncFailed
from hub_model.records import Origin

from hub_fetcher.paging.guards import note_page, too_deep
from hub_fetcher.paging.pagination import arrive, begin, foresee, step
from hub_fetcher.paging.position import End, PageFacts, Position
from hub_fetcher.paging.sizes import asking_less
from hub_fetcher.paging.totals import counted
from hub_fetcher.requests.plan import RequestPlan
from hub_fetcher.requests.request import SourceRequest, request_at
from hub_fetcher.requests.urls import without_params
from hub_fetcher.responses.records import encode_records, find_records
from hub_fetcher.responses.remarks import is_incomplete, sentences
from hub_fetcher.source import Page
from hub_fetcher.walking.batches import cut
from hub_fetcher.walking.window import Window


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a stretch of a walk ends, whichever comes first, and how much may be read before its turn.

    The end of a stretch costs one wait for the source, so pages and bytes are meant for quick sources, seconds for slow
    ones. ``ahead_bytes`` are counted as they come: decoded, a page takes about five times as much memory.
    """

    pages: int = 200
    bytes: int = 32 * 1024 * 1024
    seconds: float = 20.0
    ahead: int = 16
    ahead_bytes: int = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Leaf:
    """One page turned: its batches, and how the walk ended with it, if it did."""

    batches: list[BatchFetched]
    end: End | SourceError | None = None


class Walk:
    """The state of one handling of ``page.requested``.

    Invariant: the batches of a page, and their numbers, depend on the pages alone: not on where an earlier attempt
    ended, and not on what was asked ahead.
    """

    def __init__(
        self,
        request: PageRequested,
        endpoint: Endpoint,
        plan: RequestPlan,
        *,
        clock: Callable[[], datetime],
        secret_params: frozenset[str] = frozenset(),
    ) -> None:
        self._request = request
        self._endpoint = endpoint
        self._plan = plan.fill({})
        self._clock = clock
        self._secret_params = secret_params
        self._sequence, self._pages, self._records = request.sequence, request.pages, request.records
        self._bytes = 0
        self._position = _start(request, endpoint, plan, clock())

    @property
    def next_request(self) -> SourceRequest:
        """The next request, without credentials."""
        return request_at(self._plan, self._position)

    @property
    def has_read(self) -> bool:
        """Whether this stretch got a page at all."""
        return self._pages > self._request.pages

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
        return self._pages_left(limits) <= 0 or self._bytes >= limits.bytes

    def window(self, limits: Limits) -> Window:
        """How much to ask for ahead, as the stretch before this one found it right."""
        position = self._position
        return Window(position.ahead, most=limits.ahead, most_bytes=limits.ahead_bytes, page_bytes=position.page_bytes)

    def requests_ahead(self, limits: Limits) -> list[SourceRequest]:
        """The next request and those that will probably follow it, within the limits of the stretch."""
        fitting = max(1, (limits.bytes - self._bytes) // max(1, self._position.page_bytes))
        count = min(limits.ahead, self._pages_left(limits), fitting)
        return [
            self.next_request,
            *(request_at(self._plan, position) for position in foresee(self._position, count - 1)),
        ]

    def turn(self, page: Page) -> Leaf:
        """Take in the page that was asked for, and move on. Raises SourceError where nothing of it may be used."""
        if page.remarks:
            self._move(remarks=dict(Counter(self._position.remarks) + page.remarks))
        if page.tolerated is not None:
            return self._tolerate(page.tolerated)
        if self._position.counting:
            self._position = counted(self._position, page.body)
            return Leaf([])
        path, records = self._records_of(page)
        encoded = encode_records(records)
        if records:
            noted = note_page(self._position, encoded)
            if isinstance(noted, End):
                return Leaf([], noted)
            self._position = noted
        pieces = list(cut(records, encoded, page=self._pages + 1))
        facts = PageFacts(
            url=self.next_request.url,
            body=page.body,
            records=len(records),
            headers=page.headers,
            next_link=page.next_link,
            total_header=page.total,
        )
        self._pages, self._records = self._pages + 1, self._records + len(records)
        self._bytes += page.size
        self._move(records_path=path, page_bytes=max(page.size, self._position.page_bytes), resume_at=None)
        end: End | SourceError | None
        try:
            end = self._step(facts)
        except SourceError as error:
            end = error  # the page itself is good: it is sent before the walk fails
        return Leaf([self._batch(piece) for piece in pieces], end)

    def asks_less(self, error: SourceError) -> bool:
        """Whether the same place is asked for with smaller pages now, because of this error."""
        smaller = asking_less(self._position, error)
        self._position = smaller or self._position
        return smaller is not None

    def onward(self, error: Exception | None = None, *, ahead: int = 0) -> Message:
        """The chain's next message; after a rate limit it carries the time that the source asked us to wait for."""
        self._move(ahead=ahead)
        if isinstance(error, RateLimited) and error.retry_after_s is not None:
            self._move(resume_at=self._clock() + timedelta(seconds=error.retry_after_s))
        return self._request.model_copy(
            update={
                "step": self._request.step + 1,
                "sequence": self._sequence,
                "pages": self._pages,
                "records": self._records,
                "position": self._position.to_message(),
                "parked": self._request.parked + (1 if isinstance(error, RateLimited) else 0),
            }
        )

    def ended(self, end: End | HubError) -> Message:
        """The message that ends the stream, well or not."""
        request = self._request
        if isinstance(end, HubError):
            end = too_deep(self._position, end) if isinstance(end, SourceError) else end
            return failed(request, end, batches=self._sequence, now=self._clock())
        return StreamFinished(
            college_id=request.college_id,
            integration_id=request.integration_id,
            run_id=request.run_id,
            data_type=request.data_type,
            batches=self._sequence,
            pages=self._pages,
            records=self._records,
            complete=end.complete and not is_incomplete(self._position.remarks),
            finished_at=self._clock(),
            warnings=(*end.warnings, *sentences(self._position.remarks)),
        )

    def _tolerate(self, error: SourceError) -> Leaf:
        """End with the first page, whose refusal the endpoint ignores; in the middle of a walk it is an error."""
        if self._pages:
            raise error
        self._pages += 1
        return Leaf([], End(complete=False))

    def _records_of(self, page: Page) -> tuple[str | None, list[Any]]:
        fixed = self._position.records_path
        if not page.has_content:
            return fixed, []
        wanted = self._endpoint.records_path if fixed is None else fixed
        return find_records(page.body, self._request.data_type, wanted, self._endpoint, is_vouched=page.is_vouched)

    def _step(self, facts: PageFacts) -> End | None:
        self._position = arrive(self._position, facts)
        following = step(self._position, facts)
        if isinstance(following, End):
            return following
        if self._pages >= self._endpoint.max_pages:
            raise _too_many_pages(self._endpoint.max_pages)
        _check_duration(following, self._endpoint, self._clock())
        self._position = following
        if isinstance(following.place, str) and "://" in following.place:
            self._move(place=without_params(following.place, self._secret_params))
        return None

    def _batch(self, records: list[Any]) -> BatchFetched:
        request = self._request
        self._sequence += 1
        # Not validated: the records are the source's own, and validating would copy every one of them.
        return BatchFetched.model_construct(
            college_id=request.college_id,
            integration_id=request.integration_id,
            run_id=request.run_id,
            data_type=request.data_type,
            sequence=self._sequence - 1,
            origin=Origin.POLL,
            # A record that moves while the pages are read is on two of them, and they are written in any order.
            observed_at=request.observed_at + timedelta(microseconds=self._sequence - 1),
            records=records,
            expected_records=self._position.total,
        )

    def _pages_left(self, limits: Limits) -> int:
        in_stretch = limits.pages - (self._pages - self._request.pages)
        return min(in_stretch, self._endpoint.max_pages - self._pages)

    def _move(self, **changes: object) -> None:
        self._position = self._position.model_copy(update=changes)


def failed(request: PageRequested, error: HubError, *, batches: int, now: datetime) -> SyncFailed:
    """The end of a stream that cannot go on, after so many batches."""
    return SyncFailed(
        college_id=request.college_id,
        integration_id=request.integration_id,
        run_id=request.run_id,
        data_type=request.data_type,
        stage="fetch",
        error_class=error.error_class,
        code=error.code,
        public=error.public,
        detail=str(error),
        batches=batches,
        failed_at=now,
    )


def _start(request: PageRequested, endpoint: Endpoint, plan: RequestPlan, now: datetime) -> Position:
    if not request.position:
        return begin(endpoint.pagination, source=plan.source).model_copy(update={"began_at": now})
    position = Position.model_validate(request.position)
    if position.source != plan.source:
        raise SourceError(
            "the endpoint was changed while it was being read",
            error_class=ErrorClass.TRANSIENT,
            code="endpoint_changed",
            public="The endpoint was changed while it was being read. The next sync reads it from the beginning.",
        )
    _check_duration(position, endpoint, now)
    return position


def _check_duration(position: Position, endpoint: Endpoint, now: datetime) -> None:
    if position.began_at is None or now - position.began_at <= endpoint.max_duration:
        return
    hours = endpoint.max_duration.total_seconds() / 3600
    raise SourceError(
        f"the walk takes longer than {hours:g} hours",
        error_class=ErrorClass.CONFIG,
        code="too_long",
        public=f"Reading this took longer than {hours:g} hours. Ask for larger pages or for what changed only "
        "('incremental'), or raise the endpoint's 'maxDuration'.",
    )


def _too_many_pages(limit: int) -> SourceError:
    return SourceError(
        f"the walk is longer than {limit} pages",
        error_class=ErrorClass.CONFIG,
        code="too_many_pages",
        public=f"There are more than {limit} pages. Ask for larger pages, or raise the endpoint's 'maxPages'.",
    )
