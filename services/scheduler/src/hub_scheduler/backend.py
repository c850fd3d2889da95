"""What every tick works with, built once in ``main``."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog
from hub_messaging.failures import log_failure
from hub_messaging.publisher import Publisher
from hub_model.integrations import Integration
from hub_storage.repositories import Integrations, Logs, Runs, Tables

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Backend:
    """Repositories and publisher."""

    integrations: Integrations
    runs: Runs
    tables: Tables
    logs: Logs
    publisher: Publisher


async def for_each(
    integrations: Sequence[Integration], work: Callable[[Integration], Awaitable[None]], *, failed: str
) -> list[Exception]:
    """Do ``work`` for all of them at once. One that fails is logged as ``failed`` and does not hold up the others."""
    results = await asyncio.gather(*map(work, integrations), return_exceptions=True)
    errors = []
    for integration, result in zip(integrations, results, strict=True):
        if isinstance(result, Exception):
            log_failure(log, failed, result, college_id=integration.college_id, integration_id=integration.id)
            errors.append(result)
    return errors
