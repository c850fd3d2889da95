"""Testing a connection step by step, so that a principal sees which step fails and what to do about it.

Names no record's content: only how many there are and how they are paged.
"""

import asyncio
from collections.abc import Sequence

import structlog
from hub_model.endpoints import Endpoint
from hub_model.errors import ErrorClass, HubError, RateLimited
from hub_model.integrations import Integration
from hub_model.messages import ProbeCheck
from hub_model.records import DataType

from hub_fetcher.paging.pagination import arrive, begin
from hub_fetcher.paging.position import PageFacts
from hub_fetcher.requests.request import request_at
from hub_fetcher.responses.records import find_records
from hub_fetcher.sources import Sources
from hub_fetcher.transport import Patience

log = structlog.get_logger(__name__)

_PATIENCE = Patience(tries=2, longest_wait_s=1, deadline_s=10)
_ADDRESS_CODES = frozenset(["address_refused", "name_unresolved", "request_invalid"])
_AT_A_TIME = 3


async def check_connection(
    integration: Integration | None, sources: Sources, *, deadline_s: float
) -> tuple[ProbeCheck, ...]:
    """The checks in order, up to the first that makes the later ones pointless. Never raises."""
    if integration is None:
        return (ProbeCheck(name="integration", ok=False, detail="This integration does not exist.", fix="Reload."),)
    checks: list[ProbeCheck] = []
    try:
        async with asyncio.timeout(deadline_s):
            await _check_all(integration, sources, checks)
    except TimeoutError:
        checks.append(
            ProbeCheck(
                name="time",
                ok=False,
                detail=f"The source did not finish answering within {deadline_s:g} seconds.",
                fix="Try again; if it stays this slow, ask for smaller pages or talk to the source's operator.",
            )
        )
    except Exception as error:
        # The asker waits for an answer: a bug must not leave it without one.
        log.exception("probe.failed", error_type=type(error).__name__)
        checks.append(
            ProbeCheck(
                name="internal",
                ok=False,
                detail="The test itself failed.",
                fix="Try again; if it happens again, tell the hub's operators.",
            )
        )
    return tuple(checks)


async def _check_all(integration: Integration, sources: Sources, checks: list[ProbeCheck]) -> None:
    if not await _check_address(integration, sources, checks):
        return
    try:
        await sources.authenticator(integration).credential()
    except HubError as error:
        checks.append(_failed("credentials", error))
        return
    turn = asyncio.Semaphore(_AT_A_TIME)
    endpoints = list(integration.settings.endpoints.items())
    results = await asyncio.gather(
        *(_try_endpoint(integration, data_type, endpoint, sources, turn) for data_type, endpoint in endpoints)
    )
    checks.append(_credentials(results))
    for (data_type, _), result in zip(endpoints, results, strict=True):
        name = f"endpoint:{data_type}"
        checks.append(
            _failed(name, result) if isinstance(result, HubError) else ProbeCheck(name=name, ok=True, detail=result)
        )


async def _check_address(integration: Integration, sources: Sources, checks: list[ProbeCheck]) -> bool:
    """Whether the base URL's host may be dialled and answers. No credential is sent."""
    try:
        status = await sources.transport.reach(integration.settings.base_url, patience=_PATIENCE)
    except HubError as error:
        if error.code in _ADDRESS_CODES:
            checks.append(_failed("address", error))
        else:
            checks.append(ProbeCheck(name="address", ok=True, detail="The address is allowed and has a name."))
            checks.append(_failed("reachable", error))
        return False
    checks.append(ProbeCheck(name="address", ok=True, detail="The address is allowed and has a name."))
    checks.append(ProbeCheck(name="reachable", ok=True, detail=f"The host answers (status {status})."))
    return True


async def _try_endpoint(
    integration: Integration, data_type: DataType, endpoint: Endpoint, sources: Sources, turn: asyncio.Semaphore
) -> str | HubError:
    """What the first page holds, in words, or why there is none."""
    try:
        async with turn:
            source = sources.open(integration, endpoint, _PATIENCE)
            position = begin(endpoint.pagination).model_copy(update={"counting": False})
            request = request_at(source.plan, position)
            page = await source.read(request)
        if not page.has_content:
            return "Answers, and holds no records at the moment."
        path, records = find_records(page.body, data_type, endpoint.records_path, endpoint, is_vouched=page.is_vouched)
        facts = PageFacts(
            url=request.url,
            body=page.body,
            records=len(records),
            headers=page.headers,
            next_link=page.next_link,
            total_header=page.total,
        )
        position = arrive(position, facts)
    except HubError as error:
        return error
    if not records:
        return "Answers, and holds no records at the moment."
    of_all = f" of {position.total}" if position.total is not None else ""
    paging = position.pagination.type if position.pagination else "auto"
    return f"Answers with {len(records)} records{of_all} at '{path or 'the top'}'; pagination: {paging}."


def _credentials(results: Sequence[str | HubError]) -> ProbeCheck:
    for result in results:
        if isinstance(result, HubError) and result.error_class is ErrorClass.AUTH:
            return _failed("credentials", result)
    if any(isinstance(result, str) for result in results):
        return ProbeCheck(name="credentials", ok=True, detail="The source accepts the credentials.")
    return ProbeCheck(name="credentials", ok=True, detail="The source has not refused the credentials.")


def _failed(name: str, error: HubError) -> ProbeCheck:
    detail = "The source limits how often it may be asked." if isinstance(error, RateLimited) else str(error)
    return ProbeCheck(name=name, ok=False, detail=detail, fix=error.public)
