"""Testing a connection as a checklist, so that a principal sees which step fails and what to do about it.

In order: the name resolves, the address is allowed, TLS, the host answers, its clock, the credentials, then each stream
and endpoint, and whether its first records fit the mapping. Names no record's content: only how many there are, how
they are paged, and which fields do not fit. A step that is ``ok`` and has a ``fix`` is a warning.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Iterator
from contextlib import aclosing
from urllib.parse import urlsplit

import structlog
from hub_mapping import compile_mapping
from hub_model.endpoints import Endpoint
from hub_model.errors import ErrorClass, HubError, InvalidInput, RateLimited
from hub_model.integrations import Integration
from hub_model.messages import ProbeCheck
from hub_model.records import DataType
from hub_model.streams import reading_order

from hub_fetcher.fitting import check_fit
from hub_fetcher.limits.headers import server_time
from hub_fetcher.samples import Sample, Samples
from hub_fetcher.sources import Sources
from hub_fetcher.transport import Patience, Reached

log = structlog.get_logger(__name__)

_PATIENCE = Patience(tries=2, longest_wait_s=1, deadline_s=10, insists=True)
_MAX_SKEW_S = 30

Result = Sample | HubError


async def check_connection(
    integration: Integration | None, sources: Sources, *, deadline_s: float
) -> AsyncGenerator[ProbeCheck, None]:
    """The checks as they are done, up to the first that makes the later ones pointless. Never raises."""
    if integration is None:
        yield ProbeCheck(name="integration", ok=False, detail="This integration does not exist.", fix="Reload.")
        return
    told: asyncio.Queue[ProbeCheck | None] = asyncio.Queue()
    checking = asyncio.create_task(_tell(integration, sources, told))
    ends_at = asyncio.get_running_loop().time() + deadline_s
    try:
        while True:
            async with asyncio.timeout_at(ends_at):
                check = await told.get()
            if check is None:
                return
            yield check
    except TimeoutError:
        yield ProbeCheck(
            name="time",
            ok=False,
            detail=f"The source did not finish answering within {deadline_s:g} seconds.",
            fix="Try again; if it stays this slow, ask for smaller pages or talk to the source's operator.",
        )
    finally:
        checking.cancel()
        await asyncio.gather(checking, return_exceptions=True)


async def _tell(integration: Integration, sources: Sources, told: asyncio.Queue[ProbeCheck | None]) -> None:
    try:
        async with aclosing(_checks(integration, sources)) as checks:
            async for check in checks:
                told.put_nowait(check)
    except Exception as error:
        # The asker waits for an answer: a bug must not leave it without one.
        log.exception("probe.failed", error_type=type(error).__name__)
        told.put_nowait(
            ProbeCheck(
                name="internal",
                ok=False,
                detail="The test itself failed.",
                fix="Try again; if it happens again, tell the hub's operators.",
            )
        )
    told.put_nowait(None)


async def _checks(integration: Integration, sources: Sources) -> AsyncGenerator[ProbeCheck, None]:
    base_url = integration.settings.base_url
    reached: Reached | HubError
    try:
        reached = await sources.transport.reach(base_url, patience=_PATIENCE)
    except HubError as error:
        reached = error
    for check in _address(base_url, reached):
        yield check
    if isinstance(reached, HubError):
        return
    yield _clock(reached, sources)
    try:
        await sources.authenticator(integration).credential()
    except HubError as error:
        yield _failed("credentials", error)
        return
    samples = Samples(integration, sources, _PATIENCE)
    try:
        async with aclosing(_endpoints(integration, samples, sources)) as checks:
            async for check in checks:
                yield check
    finally:
        await samples.close()


def _address(base_url: str, reached: Reached | HubError) -> Iterator[ProbeCheck]:
    """What one request without any credential says, from the name up to the answer."""
    code = reached.code if isinstance(reached, HubError) else None
    is_encrypted = urlsplit(base_url).scheme == "https"
    if isinstance(reached, HubError) and code == "name_unresolved":
        yield _failed("name", reached)
        return
    if isinstance(reached, HubError) and code in ("address_refused", "request_invalid"):
        yield _failed("address", reached)
        return
    yield ProbeCheck(name="name", ok=True, detail="The host's name leads to an address.")
    yield ProbeCheck(name="address", ok=True, detail="The address is allowed.")
    if isinstance(reached, HubError) and code == "tls_failed":
        yield _failed("tls", reached)
        return
    if isinstance(reached, HubError):
        yield _failed("reachable", reached)
        return
    yield ProbeCheck(
        name="tls",
        ok=True,
        detail="The connection is encrypted, and the certificate is the host's."
        if is_encrypted
        else "The connection is not encrypted.",
        fix="" if is_encrypted else "Use https:// if the source offers it: credentials and student data travel openly.",
    )
    yield ProbeCheck(name="reachable", ok=True, detail=f"The host answers (status {reached.status}).")


def _clock(reached: Reached, sources: Sources) -> ProbeCheck:
    theirs = server_time(reached.headers)
    if theirs is None:
        return ProbeCheck(name="clock", ok=True, detail="The source does not say what time it has.")
    skew_s = (theirs - sources.transport.clock()).total_seconds()
    if abs(skew_s) <= _MAX_SKEW_S:
        return ProbeCheck(name="clock", ok=True, detail="The source's clock agrees with the hub's.")
    return ProbeCheck(
        name="clock",
        ok=True,
        detail=f"The source's clock is {abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} the hub's.",
        fix="Have both clocks set by a time server: what changes meanwhile may come one sync late.",
    )


async def _endpoints(integration: Integration, samples: Samples, sources: Sources) -> AsyncGenerator[ProbeCheck, None]:
    """Credentials, then everything that is read, in the order of a sync. The first answer proves the credentials."""
    endpoints = integration.settings.endpoints
    streams = {
        name: None for endpoint in endpoints.values() for name in reading_order(integration.settings.streams, endpoint)
    }
    reads = {
        **{f"stream:{name}": asyncio.create_task(_result(samples.of_stream(name))) for name in streams},
        **{
            f"endpoint:{data_type}": asyncio.create_task(_result(samples.of_endpoint(data_type, endpoint)))
            for data_type, endpoint in endpoints.items()
        },
    }
    try:
        yield await _credentials(list(reads.values()))
        for name in streams:
            yield _read(f"stream:{name}", await reads[f"stream:{name}"])
        for data_type, endpoint in endpoints.items():
            result = await reads[f"endpoint:{data_type}"]
            yield _read(f"endpoint:{data_type}", result)
            if isinstance(result, Sample) and result.was_asked:
                yield _mapped(integration, data_type, endpoint, result, sources)
    finally:
        for task in reads.values():
            task.cancel()
        await asyncio.gather(*reads.values(), return_exceptions=True)


async def _result(reading: Awaitable[Sample]) -> Result:
    try:
        return await reading
    except HubError as error:
        return error


async def _credentials(reads: list[asyncio.Task[Result]]) -> ProbeCheck:
    """Accepted as soon as anything is read; refused if nothing was, and something for that reason."""
    refused: HubError | None = None
    for reading in asyncio.as_completed(reads):
        result = await reading
        if isinstance(result, Sample):
            if result.was_asked:
                return ProbeCheck(name="credentials", ok=True, detail="The source accepts the credentials.")
        elif result.error_class is ErrorClass.AUTH:
            refused = result
    if refused is not None:
        return _failed("credentials", refused)
    return ProbeCheck(name="credentials", ok=True, detail="The source has not refused the credentials.")


def _read(name: str, result: Result) -> ProbeCheck:
    return (
        _failed(name, result) if isinstance(result, HubError) else ProbeCheck(name=name, ok=True, detail=result.words)
    )


def _mapped(
    integration: Integration, data_type: DataType, endpoint: Endpoint, sample: Sample, sources: Sources
) -> ProbeCheck:
    name = f"mapping:{data_type}"
    try:
        mapping = compile_mapping(endpoint.mapping, data_type, time_zone=integration.settings.time_zone)
    except InvalidInput as error:
        return _failed(name, error)
    return check_fit(name, mapping, sample.records, data_type=data_type, now=sources.transport.clock())


def _failed(name: str, error: HubError) -> ProbeCheck:
    detail = "The source limits how often it may be asked." if isinstance(error, RateLimited) else str(error)
    return ProbeCheck(name=name, ok=False, detail=detail, fix=error.public)
