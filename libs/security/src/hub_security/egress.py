"""The only way out: an HTTP client that dials no address it has not checked.

A name is resolved once, every answer is classified, and one refused answer refuses the name; then a checked address
is dialled, so that a second lookup cannot say something else. TLS still verifies the name. Redirects, proxies,
``.netrc`` and cookies are off.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import ip_address

import httpcore2
import httpx2
from hub_model.errors import ErrorClass, SourceError

from hub_security.addresses import Address, AddressPolicy, parse_networks
from hub_security.hosts import PortPolicy, check_url, parse_host, refused

# host, port -> every address of the host; raises OSError when the name cannot be resolved.
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

_MAX_HEADERS = 200
_MAX_HEADER_BYTES = 64 * 1024
_MAX_DIALS = 4
_MAX_ANSWERS = 64
_RESOLVER_THREADS = 8
_SOCKET_OPTION = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


def open_client(
    *,
    allowed_networks: Sequence[str] = (),
    refused_networks: Sequence[str] = (),
    allowed_ports: Sequence[int] = (),
    timeout_s: float = 30.0,
    connect_timeout_s: float = 10.0,
    resolve_timeout_s: float = 5.0,
    max_connections: int = 100,
    tls: ssl.SSLContext | None = None,
    resolve: Resolve | None = None,
) -> httpx2.AsyncClient:
    """A guarded client; close it with ``aclose`` or ``async with``.

    A refused address raises SourceError (config, address_refused), also out of a request, and so does an answer with
    too many or too large headers (headers_too_large); everything else raises httpx2's own errors. ``timeout_s``
    bounds each read and write: bound the whole exchange, from the lookup to the last byte, with ``asyncio.timeout``
    (a sender that drips, or gives 1xx answers without end, is cut off by nothing else) and the body with
    ``bodies.read_bounded``. Check text with ``hosts.check_url`` before it
    becomes a request, because parsers mend what it would refuse.
    """
    policy = AddressPolicy(allowed=parse_networks(allowed_networks), refused=parse_networks(refused_networks))
    no_cookies = CookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
    return httpx2.AsyncClient(
        transport=GuardedTransport(
            policy,
            ports=PortPolicy(frozenset(allowed_ports)),
            tls=tls,
            resolve=resolve,
            resolve_timeout_s=resolve_timeout_s,
            max_connections=max_connections,
        ),
        cookies=no_cookies,
        follow_redirects=False,
        trust_env=False,
        timeout=httpx2.Timeout(timeout_s, connect=connect_timeout_s),
        headers={"accept-encoding": "gzip"},
    )


class GuardedTransport(httpx2.AsyncHTTPTransport):
    """Checks each request's URL, and dials through a :class:`GuardedBackend`."""

    def __init__(
        self,
        policy: AddressPolicy,
        *,
        ports: PortPolicy,
        tls: ssl.SSLContext | None,
        resolve: Resolve | None,
        resolve_timeout_s: float,
        max_connections: int,
    ) -> None:
        context = tls or httpx2.create_ssl_context(trust_env=False)
        super().__init__(verify=context, trust_env=False)
        self._ports = ports
        self._threads = ThreadPoolExecutor(_RESOLVER_THREADS, thread_name_prefix="resolve")
        # httpx2 has no parameter for the network backend, so its pool is replaced before the first request
        # ("a literal private address is refused" fails when this no longer takes effect).
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=context,
            max_connections=max_connections,
            max_keepalive_connections=max_connections,
            keepalive_expiry=30.0,
            network_backend=GuardedBackend(policy, resolve or self._resolve, resolve_timeout_s),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        check_url(str(request.url), self._ports)
        response = await super().handle_async_request(request)
        raw = response.headers.raw
        if len(raw) > _MAX_HEADERS or sum(len(name) + len(value) for name, value in raw) > _MAX_HEADER_BYTES:
            await response.aclose()
            raise SourceError(
                f"the answer has more than {_MAX_HEADERS} headers, or {_MAX_HEADER_BYTES} bytes of them",
                error_class=ErrorClass.CONFIG,
                code="headers_too_large",
                public="What answers at this address sends far more headers than an API does. Check the address.",
            )
        return response

    async def aclose(self) -> None:
        await super().aclose()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _resolve(self, host: str, port: int) -> Sequence[str]:
        """getaddrinfo in threads of its own: a resolver that hangs must not hold up other work."""
        answers = await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in answers))


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Resolves, classifies and dials; sees every connection that is opened, IP literals included."""

    def __init__(self, policy: AddressPolicy, resolve: Resolve, resolve_timeout_s: float) -> None:
        self._policy = policy
        self._resolve_timeout_s = resolve_timeout_s
        self._resolve = resolve
        self._sockets = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the port's own signature
        local_address: str | None = None,
        socket_options: Iterable[_SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        addresses = await self._checked(host, port)
        share_s = None if timeout is None else timeout / len(addresses)
        for address in addresses[:-1]:
            try:
                return await self._sockets.connect_tcp(str(address), port, share_s, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue  # the name has more addresses, and each of them was checked
        return await self._sockets.connect_tcp(str(addresses[-1]), port, share_s, local_address, socket_options)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - the port's own signature
        socket_options: Iterable[_SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        raise refused("it is a local socket")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _checked(self, text: str, port: int) -> Sequence[Address]:
        """The addresses to dial, in order; SourceError if any answer of the name is refused."""
        host = parse_host(text)
        if host.address is not None:
            if not self._policy.permits(host.address):
                raise refused("it is not a public address, nor in a network the operator allows")
            return [host.address]
        if host.is_internal and not self._policy.allowed:
            raise refused("the name belongs to a private network")
        addresses = [ip_address(answer) for answer in await self._answers(host.text, port)]
        permits = self._policy.permits_internal if host.is_internal else self._policy.permits
        if not all(permits(address) for address in addresses):
            raise refused("the name leads to an address that is not public, nor in a network the operator allows")
        return addresses[:_MAX_DIALS]

    async def _answers(self, host: str, port: int) -> Sequence[str]:
        try:
            async with asyncio.timeout(self._resolve_timeout_s):
                answers = await self._resolve(host, port)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout("the name was not resolved in time") from error
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError("the name could not be resolved") from error
        if not answers:
            raise httpcore2.ConnectError("the name has no address")
        if len(answers) > _MAX_ANSWERS:
            raise refused("the name has too many addresses")
        return answers
