"""One HTTP exchange at a time: guarded client, deadline, body bounds, and a place in the queue for each origin."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime

import httpx2
from hub_model.addresses import origin_of
from hub_model.errors import ErrorClass, HubError, SourceError, TooLarge, Unavailable
from hub_security.bodies import read_bounded
from hub_security.hosts import PortPolicy, check_url

from hub_fetcher.limits.circuit import Circuits
from hub_fetcher.limits.headers import server_time
from hub_fetcher.requests.urls import merge_headers

_ERROR_BODY_BYTES = 65_536
_CLOCK_DEADLINE_S = 10


@dataclass(frozen=True, slots=True)
class Patience:
    """How long and how often one request is tried. A wait the source asks for is kept up to ``longest_wait_s``.

    ``insists``: also a host that is left alone for its failures is asked.
    """

    tries: int = 3
    longest_wait_s: float = 5.0
    deadline_s: float = 60.0
    max_body_bytes: int = 32 * 1024 * 1024
    insists: bool = False


@dataclass(frozen=True, slots=True)
class Reached:
    """The beginning of an answer."""

    status: int
    headers: Mapping[str, str]


@dataclass(slots=True)
class _Turn:
    semaphore: asyncio.Semaphore
    users: int = 0


class Transport:
    """The guarded client with the bounds of every exchange, and at most so many at a time for one origin."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        *,
        clock: Callable[[], datetime],
        ports: PortPolicy | None = None,
        per_origin: int = 16,
        user_agent: str = "student-hub-fetcher",
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        circuits: Circuits | None = None,
    ) -> None:
        self.clock = clock
        self.sleep = sleep
        self._client = client
        self._ports = ports
        self._per_origin = per_origin
        self._user_agent = user_agent
        self._circuits = circuits or Circuits(monotonic=time.monotonic)
        self._turns: dict[str, _Turn] = {}

    async def exchange(
        self, method: str, url: str, *, headers: Mapping[str, str], body: str | None, label: str, patience: Patience
    ) -> tuple[httpx2.Response, bytes]:
        """The response and its body, which of an error is read to its beginning only. Raises errors of our tree."""
        request = self._request(method, url, headers, body)
        async with self._sent(request, label, patience) as response:
            if response.is_success:
                content = await read_bounded(response, patience.max_body_bytes, deadline_s=patience.deadline_s)
            else:
                content = await _beginning(response)
            return response, content

    async def reach(self, url: str, *, patience: Patience) -> Reached:
        """Ask without any credential and do not read the answer. Raises as ``exchange`` does."""
        async with self._sent(self._request("GET", url, {}, None), "the base URL", patience) as response:
            return Reached(response.status_code, response.headers)

    async def server_time(self, url: str) -> datetime | None:
        """What the source says the time is, asked without a credential; None if it does not answer or does not say."""
        try:
            reached = await self.reach(url, patience=Patience(deadline_s=_CLOCK_DEADLINE_S))
        except HubError:
            return None  # the first page will tell what is wrong
        return server_time(reached.headers)

    def _request(self, method: str, url: str, headers: Mapping[str, str], body: str | None) -> httpx2.Request:
        check_url(url, self._ports)
        merged = merge_headers({"User-Agent": self._user_agent}, headers)
        try:
            return self._client.build_request(method, url, headers=merged, content=body)
        except httpx2.InvalidURL as error:
            raise translated(error, "the request") from error

    @asynccontextmanager
    async def _sent(self, request: httpx2.Request, label: str, patience: Patience) -> AsyncIterator[httpx2.Response]:
        """The response while it is read, within the deadline; whatever fails is an error of our tree.

        The deadline is that of everything from the name's lookup to the last byte of the body.
        """
        origin = origin_of(str(request.url))
        with self._circuits.attempt(origin, insists=patience.insists) as attempt:
            try:
                async with self._turn(origin):
                    with _errors_of_ours(label, patience):
                        async with asyncio.timeout(patience.deadline_s):
                            response = await self._client.send(request, stream=True)
                            async with aclosing(response):
                                yield response
            except Unavailable:
                attempt.failed()
                raise
            if _says_trouble(response):
                attempt.failed()
            else:
                attempt.answered()

    @asynccontextmanager
    async def _turn(self, origin: str) -> AsyncIterator[None]:
        """A place among the requests to one origin. Origins that nobody asks are forgotten."""
        turn = self._turns.setdefault(origin, _Turn(asyncio.Semaphore(self._per_origin)))
        turn.users += 1
        try:
            async with turn.semaphore:
                yield
        finally:
            turn.users -= 1
            if turn.users == 0:
                del self._turns[origin]


@contextmanager
def _errors_of_ours(label: str, patience: Patience) -> Iterator[None]:
    try:
        yield
    except TooLarge as error:
        raise _too_large(label, patience.max_body_bytes) from error
    except TimeoutError as error:
        raise _unanswered(f"{label} took longer than {patience.deadline_s:g} s", "source_timeout") from error
    except (httpx2.HTTPError, httpx2.StreamError) as error:
        raise translated(error, label) from error


def _says_trouble(response: httpx2.Response) -> bool:
    """Whether the host itself is in trouble. Being asked too often, or too much of, is none."""
    return response.status_code >= 500 and response.status_code != 501 and "retry-after" not in response.headers


async def _beginning(response: httpx2.Response) -> bytes:
    """The beginning of an error's body, if it can be had: only a hint for its classification."""
    try:
        return await read_bounded(response, _ERROR_BODY_BYTES, deadline_s=5)
    except HubError:
        return b""


def translated(error: Exception, label: str) -> HubError:
    """Our error for one of httpx2's. Their texts may hold a URL, so they are not repeated."""
    if isinstance(error, httpx2.InvalidURL | httpx2.UnsupportedProtocol | httpx2.LocalProtocolError):
        return SourceError(
            f"{label}: the request cannot be sent ({type(error).__name__})",
            error_class=ErrorClass.CONFIG,
            code="request_invalid",
            public="The request cannot be sent as configured. Check the base URL, the path and the headers.",
        )
    if isinstance(error, httpx2.ConnectError) and _is_tls(error):
        return SourceError(
            f"{label}: the TLS certificate was not accepted",
            error_class=ErrorClass.CONFIG,
            code="tls_failed",
            public="The source's TLS certificate is not valid for this address (expired, self-signed or for another "
            "name). Its operator has to renew it, or the base URL is wrong.",
        )
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout) and "the name " in str(error):
        return _unanswered(
            f"{label}: the host's name could not be resolved",
            "name_unresolved",
            advice="The name of the source's host is not known. Check the spelling of the base URL",
        )
    if isinstance(error, httpx2.TimeoutException):
        return _unanswered(f"{label} did not answer in time", "source_timeout")
    if isinstance(error, httpx2.ConnectError):
        return _unanswered(
            f"{label}: no connection",
            "source_unreachable",
            advice="Nothing answers at the source's address. Check the base URL, its port and the firewall",
        )
    return _unanswered(f"{label}: the connection broke ({type(error).__name__})", "source_unavailable")


def _unanswered(what: str, code: str, *, advice: str = "The source did not answer, or not in time") -> Unavailable:
    return Unavailable(what, code=code, public=f"{advice}; a sync tries again by itself.")


def _is_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _too_large(label: str, limit: int) -> SourceError:
    return SourceError(
        f"{label} answered with more than {limit} bytes",
        error_class=ErrorClass.DATA,
        code="response_too_large",
        public="The source's answer is too large. Ask for smaller pages: 'pageSize' in the endpoint's 'pagination'.",
    )
