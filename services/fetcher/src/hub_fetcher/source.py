"""Reading the pages of one walk: credential, tries, decoding. Gives pages, or errors of the hub's own tree."""

from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx2
from hub_model.addresses import origin_of
from hub_model.errors import HubError, RateLimited, SourceError, TransientError
from hub_model.integrations import RateLimits
from tenacity import AsyncRetrying, RetryCallState, wait_random_exponential

from hub_fetcher.auth.attaching import attach
from hub_fetcher.auth.credentials import Authenticator, Credential, Outgoing
from hub_fetcher.limits.budget import RetryBudget
from hub_fetcher.limits.headers import quota
from hub_fetcher.limits.pace import Held, Pace
from hub_fetcher.paging.links import next_link
from hub_fetcher.paging.signs import as_count
from hub_fetcher.requests.plan import RequestPlan
from hub_fetcher.requests.request import SourceRequest
from hub_fetcher.requests.urls import merge_headers
from hub_fetcher.responses.answers import Answer, Answers
from hub_fetcher.responses.unreadable import UnreadableBody
from hub_fetcher.responses.verdicts import Verdict
from hub_fetcher.transport import Patience, Transport

_TOTAL_HEADERS = ("x-total-count", "x-total", "x-wp-total", "total-count")
_JITTER = wait_random_exponential(multiplier=0.5, max=8)


@dataclass(frozen=True, slots=True)
class Page:
    """A decoded response. ``size`` is its body in bytes; without ``has_content`` (status 204) it holds no records.

    ``is_vouched``, ``tolerated`` and ``remarks`` as in ``Meaning``.
    """

    body: Any
    size: int
    has_content: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)
    next_link: str | None = None
    total: int | None = None
    is_vouched: bool = False
    tolerated: SourceError | None = None
    remarks: Counter[str] = field(default_factory=Counter)


class Tries:
    """What is told of the tries of one page to whoever has several read at once. This one does not mind."""

    def troubled(self) -> None:
        """The source refused the request, failed, or did not answer in time. Said at once, before any wait."""

    async def again(self) -> None:
        """Return when the page may be tried again; the wait that the source asked for is over."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the requests of one walk keep to: how long each may take, what the source bears, what may be repeated."""

    patience: Patience
    pace: Pace
    allowed: RateLimits
    budget: RetryBudget


class Source:
    """One endpoint of a college's system."""

    def __init__(
        self, transport: Transport, plan: RequestPlan, authenticator: Authenticator, answers: Answers, bounds: Bounds
    ) -> None:
        self.plan = plan
        self._transport = transport
        self._authenticator = authenticator
        self._answers = answers
        self._bounds = bounds
        self._patience = bounds.patience

    def session(self) -> AbstractAsyncContextManager[None]:
        """Many pages in a row. Raises RateLimited if the source is known to want to be left alone."""
        return self._bounds.pace.session()

    async def time(self, base_url: str) -> datetime | None:
        """What its clock says, asked in its turn as any page is; None where it does not tell."""
        async with self._bounds.pace.turn(self._bounds.allowed):
            return await self._transport.server_time(base_url)

    async def read(self, request: SourceRequest, tries: Tries | None = None) -> Page:
        """The answer to ``request``, which holds no credential; tried again where that may help."""
        tries = tries or Tries()

        async def rest(seconds: float) -> None:
            await self._transport.sleep(seconds)
            await tries.again()

        retrying = AsyncRetrying(
            retry=self._is_tried_again,
            wait=self._wait_s,
            sleep=rest,
            reraise=True,
        )
        self._bounds.budget.asked()
        page: Page = await retrying(self._try, request, tries)
        return page

    async def _try(self, request: SourceRequest, tries: Tries) -> Page:
        try:
            return await self._read_once(request)
        except Held:
            raise
        except TransientError:
            tries.troubled()
            raise

    async def _read_once(self, request: SourceRequest) -> Page:
        credential = await self._authenticator.credential()
        sent = self._with_credential(request, credential)
        response, body = await self._send(sent)
        try:
            return await self._page(response, body)
        except SourceError as error:
            # Whether a status says so or a body under status 200: a token may simply have expired.
            if error.code != Verdict.CREDENTIALS:
                raise
            if not await self._authenticator.renew(credential, sent, response.headers):
                raise
        again = self._with_credential(request, await self._authenticator.credential())
        return await self._page(*await self._send(again))

    async def _page(self, response: httpx2.Response, body: bytes) -> Page:
        headers = response.headers
        now = self._transport.clock()
        left = quota(headers, now)
        try:
            meaning = self._answers.understand(Answer(response.status_code, headers, body), now)
        except HubError as error:
            await self._bounds.pace.heard(left, error)
            raise
        await self._bounds.pace.heard(left, None)
        return Page(
            body=meaning.value,
            size=len(body),
            has_content=meaning.has_content,
            headers=headers,
            next_link=next_link(headers.get_list("link")),
            total=next((as_count(headers[name]) for name in _TOTAL_HEADERS if name in headers), None),
            is_vouched=meaning.is_vouched,
            tolerated=meaning.tolerated,
            remarks=meaning.remarks,
        )

    def _with_credential(self, request: SourceRequest, credential: Credential) -> Outgoing:
        headers = merge_headers(dict(request.headers), self.plan.headers)
        return attach(credential, Outgoing(request.method, request.url, headers, request.body))

    async def _send(self, outgoing: Outgoing) -> tuple[httpx2.Response, bytes]:
        if origin_of(outgoing.url) != self.plan.origin:
            raise AssertionError("a request to another origin must not get this far")
        async with self._bounds.pace.turn(self._bounds.allowed):
            return await self._transport.exchange(
                outgoing.method,
                outgoing.url,
                headers=outgoing.headers,
                body=outgoing.body,
                label=self.plan.label,
                patience=self._patience,
            )

    def _is_tried_again(self, state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        if error is None or state.attempt_number >= self._patience.tries:
            return False
        if isinstance(error, TransientError) and (error.retry_after_s or 0) > self._patience.longest_wait_s:
            return False
        if isinstance(error, RateLimited):
            return True
        return isinstance(error, TransientError | UnreadableBody) and self._bounds.budget.may_repeat()

    def _wait_s(self, state: RetryCallState) -> float:
        """Any time up to a bound that doubles, so that many do not come back together; what is asked is kept."""
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after_s if isinstance(error, TransientError) else None
        return _JITTER(state) if asked is None else self._bounds.pace.spread_s(asked)
