"""The pages of one request: where they stand, and the records that each gives."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub_model.endpoints import Request
from hub_model.errors import ErrorClass, SourceError

from hub_fetcher.paging.guards import note_page
from hub_fetcher.paging.pagination import arrive, begin, foresee, step
from hub_fetcher.paging.position import End, PageFacts, Position
from hub_fetcher.paging.sizes import asking_less
from hub_fetcher.paging.totals import counted
from hub_fetcher.requests.plan import RequestPlan
from hub_fetcher.requests.request import SourceRequest, request_at
from hub_fetcher.requests.urls import without_params
from hub_fetcher.responses.records import encode_records, find_records
from hub_fetcher.source import Page
from hub_fetcher.walking.place import has_begun

_LEARNED = ("ahead", "page_bytes", "size", "refused_size")


@dataclass(frozen=True, slots=True)
class Turned:
    """The records of one page, their JSON, and how the pages ended with it, if they did."""

    records: list[Any]
    encoded: bytes = b"[]"
    end: End | SourceError | None = None


class Pages:
    """One request's pages. ``usual_name`` is a name under which the records may be found."""

    def __init__(
        self,
        plan: RequestPlan,
        spec: Request,
        position: Position,
        *,
        usual_name: str,
        secret_params: frozenset[str] = frozenset(),
    ) -> None:
        self._plan = plan
        self._spec = spec
        self.position = position
        self._usual_name = usual_name
        self._secret_params = secret_params

    @property
    def next_request(self) -> SourceRequest:
        """The next request, without credentials."""
        return request_at(self._plan, self.position)

    @property
    def pages_left(self) -> int:
        return self._spec.max_pages - self.position.pages

    def foreseen(self, count: int) -> list[SourceRequest]:
        """The requests that will probably follow the next one."""
        return [request_at(self._plan, position) for position in foresee(self.position, count)]

    def turn(self, page: Page, now: datetime) -> Turned:
        """Take in the page that was asked for, and move on. Raises SourceError where nothing of it may be used."""
        if page.remarks:
            self.move(remarks=dict(Counter(self.position.remarks) + page.remarks))
        if page.tolerated is not None:
            return self._tolerate(page.tolerated)
        if self.position.counting:
            self.position = counted(self.position, page.body)
            return Turned([])
        path, records = self._records_of(page)
        encoded = encode_records(records)
        if records:
            noted = note_page(self.position, encoded)
            if isinstance(noted, End):
                return Turned([], end=noted)
            self.position = noted
        facts = PageFacts(
            url=self.next_request.url,
            body=page.body,
            records=len(records),
            headers=page.headers,
            next_link=page.next_link,
            total_header=page.total,
        )
        self.move(records_path=path, page_bytes=max(page.size, self.position.page_bytes), resume_at=None)
        end: End | SourceError | None
        try:
            end = self._step(facts, now)
        except SourceError as error:
            end = error  # the page itself is good: it is sent before the walk fails
        return Turned(records, encoded, end)

    def asks_less(self, error: SourceError) -> bool:
        """Whether the same place is asked for with smaller pages now, because of this error."""
        smaller = asking_less(self.position, error)
        self.position = smaller or self.position
        return smaller is not None

    def move(self, **changes: object) -> None:
        self.position = self.position.model_copy(update=changes)

    def _tolerate(self, error: SourceError) -> Turned:
        """End with the first page, whose refusal the endpoint ignores; in the middle of a walk it is an error."""
        if self.position.pages:
            raise error
        self.move(pages=1)
        return Turned([], end=End(complete=False))

    def _records_of(self, page: Page) -> tuple[str | None, list[Any]]:
        fixed = self.position.records_path
        if not page.has_content:
            return fixed, []
        wanted = self._spec.records_path if fixed is None else fixed
        return find_records(page.body, self._usual_name, wanted, self._spec, is_vouched=page.is_vouched)

    def _step(self, facts: PageFacts, now: datetime) -> End | None:
        self.position = arrive(self.position, facts)
        following = step(self.position, facts)
        if isinstance(following, End):
            return following
        if self.pages_left <= 0:
            raise _too_many_pages(self._spec.max_pages)
        _check_duration(following, self._spec, now)
        self.position = following
        if isinstance(following.place, str) and "://" in following.place:
            self.move(place=without_params(following.place, self._secret_params))
        return None


def begun(plan: RequestPlan, spec: Request, now: datetime, before: Position | None = None) -> Position:
    """The position before a request's first page; what ``before`` learned of sizes and asking ahead is kept."""
    learned: dict[str, object] = {name: getattr(before, name) for name in _LEARNED} if before else {}
    return begin(spec.pagination, source=plan.source).model_copy(update={"began_at": now, **learned})


def resumed(position: dict[str, Any], plan: RequestPlan, spec: Request, now: datetime) -> Position:
    """The position in a chain's message; the one before the first page where nothing was asked yet."""
    if not has_begun(position):
        return begun(plan, spec, now)
    known = Position.model_validate(position)
    if known.source != plan.source:
        raise SourceError(
            "the endpoint was changed while it was being read",
            error_class=ErrorClass.TRANSIENT,
            code="endpoint_changed",
            public="The endpoint was changed while it was being read. The next sync reads it from the beginning.",
        )
    _check_duration(known, spec, now)
    return known


def _check_duration(position: Position, spec: Request, now: datetime) -> None:
    """SourceError if the pages take longer than the endpoint lets them."""
    if position.began_at is None or now - position.began_at <= spec.max_duration:
        return
    hours = spec.max_duration.total_seconds() / 3600
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
