"""A walk through one stream: request after request, page after page, and the messages that tell of the walk.

Where it stands and what it asks for next is its ``Route``; what it makes of the records are its ``Outputs``. Neither
knows the other.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from hub_model.errors import HubError, RateLimited, SourceError
from hub_model.messages import Message, PageRequested
from hub_storage.repositories.tables import Piece

from hub_fetcher.paging.position import End
from hub_fetcher.requests.request import SourceRequest
from hub_fetcher.responses.records import encode_records
from hub_fetcher.source import Page
from hub_fetcher.walking.batches import Batches
from hub_fetcher.walking.ending import outcome
from hub_fetcher.walking.outputs import Output, Outputs
from hub_fetcher.walking.pages import Turned
from hub_fetcher.walking.pieces import Pieces
from hub_fetcher.walking.place import to_message
from hub_fetcher.walking.reading import Limits, Reading
from hub_fetcher.walking.route import Route
from hub_fetcher.walking.window import Window


class Walk:
    """One handling of ``page.requested``. It gives batches of a data type's records, or pieces of a table's rows."""

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
        self._route = Route(request, reading, clock=clock, secret_params=secret_params)
        kind = Batches if request.data_type is not None else Pieces
        self._outputs: Outputs = kind(request, reading, by_windows=self._route.place.plan is not None)

    @property
    def is_over(self) -> bool:
        """Whether there is no next request any more: then ``conclude`` says how it ended."""
        return self._route.is_over

    @property
    def phase(self) -> str:
        """``deletes`` or ``records``: they are different requests."""
        return self._route.place.phase

    @property
    def next_request(self) -> SourceRequest:
        """The next request, without credentials."""
        return self._route.next_request

    @property
    def has_read(self) -> bool:
        """Whether this stretch got any answer at all."""
        return self._route.answers > 0

    @property
    def has_given(self) -> bool:
        """Whether this stretch gave a batch."""
        return self._outputs.sequence > self._request.sequence

    def wait_s(self, now: datetime) -> float:
        """How long the source still wants to be left alone."""
        resume_at = self._route.position.resume_at
        return max(0.0, (resume_at - now).total_seconds()) if resume_at else 0.0

    def summary(self) -> dict[str, int]:
        """What this stretch did, for the log."""
        return {
            "pages": self._route.pages - self._request.pages,
            "records": self._outputs.records - self._request.records,
            "bytes": self._route.bytes,
        }

    def is_spent(self, limits: Limits) -> bool:
        """Whether this stretch has read its share."""
        return self._route.answers >= limits.pages or self._route.bytes >= limits.bytes

    def window(self, limits: Limits) -> Window:
        """How much to ask for ahead, as the stretch before this one found it right."""
        position = self._route.position
        return Window(position.ahead, most=limits.ahead, most_bytes=limits.ahead_bytes, page_bytes=position.page_bytes)

    async def make_ready(self, limits: Limits) -> None:
        """Have the next request at hand, or find that the walk is over."""
        await self._route.make_ready(limits.ahead + 1)

    def requests_ahead(self, limits: Limits) -> list[SourceRequest]:
        """The next request and those that will probably follow it, within the limits of the stretch."""
        route = self._route
        fitting = max(1, (limits.bytes - route.bytes) // max(1, route.position.page_bytes))
        return route.requests(min(limits.ahead, limits.pages - route.answers, fitting))

    def turn(self, page: Page) -> Sequence[Output]:
        """Take in the page that was asked for, and move on. Raises SourceError where nothing of it may be used."""
        turned = self._route.turn(page)
        given = self._given(turned) if turned.records else []
        self._route.move_on(turned.end)
        return given

    def take(self, chunk: Piece) -> Sequence[Output]:
        """Take in rows of a table as a page of records, and move on."""
        self._route.pass_piece(chunk.number)
        rows = list(chunk.rows)
        return self._outputs.give(rows, encode_records(rows), page=self._route.pages, now=self._clock())

    def goes_on(self, error: SourceError) -> bool:
        """Whether the walk asks for something else now, instead of ending with this error."""
        return self._route.goes_on(error)

    def onward(self, error: Exception | None = None, *, ahead: int = 0) -> Message:
        """The chain's next message; after a rate limit it carries the time that the source asked us to wait for."""
        changes: dict[str, object] = {"ahead": ahead}
        if isinstance(error, RateLimited) and error.retry_after_s is not None:
            changes["resume_at"] = self._clock() + timedelta(seconds=error.retry_after_s)
        position = self._route.position.model_copy(update=changes)
        return self._request.model_copy(
            update={
                "step": self._request.step + 1,
                "sequence": self._outputs.sequence,
                "pages": self._route.pages,
                "records": self._outputs.records,
                "position": {**position.to_message(), **to_message(self._route.place, self._outputs.tally)},
                "parked": self._request.parked + (1 if isinstance(error, RateLimited) else 0),
            }
        )

    def conclude(self) -> Output:
        """What ends a walk that has nothing more to read."""
        return self.ended(self._route.failure or outcome(self._route.place, self._outputs.tally, self._reading))

    def ended(self, end: End | HubError) -> Output:
        """What ends the stream, well or not."""
        route, now = self._route, self._clock()
        if isinstance(end, HubError):
            return self._outputs.failed(end, route.place, route.position, now=now)
        return self._outputs.finished(end, route.place, pages=route.pages, now=now)

    def _given(self, turned: Turned) -> Sequence[Output]:
        route, records, encoded = self._route, turned.records, turned.encoded
        if self.phase == "deletes":
            return self._outputs.give_deletes(records, encoded, page=route.pages)
        now, parent = self._clock(), route.parent
        return self._outputs.give(records, encoded, page=route.pages, now=now, total=route.total, parent=parent)
