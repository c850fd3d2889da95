"""What becomes of a push that brings no records: the data types that it speaks of are synced sooner than planned."""

from datetime import datetime, timedelta

from hub_model.early import brought_forward, read_at
from hub_model.errors import NotFound
from hub_model.integrations import Integration
from hub_model.records import DataType
from hub_storage.repositories import Integrations

from hub_webhook_gateway.college_log import CollegeLog
from hub_webhook_gateway.endpoints import Endpoint
from hub_webhook_gateway.verifying import refused


class EarlySyncs:
    """Moves due times. A second push before the sync begins finds it asked for already, and writes nothing."""

    def __init__(self, integrations: Integrations, college_log: CollegeLog, *, delay_s: float) -> None:
        self._integrations = integrations
        self._college_log = college_log
        self._delay = timedelta(seconds=delay_s)

    async def ask(self, endpoint: Endpoint, data_types: frozenset[DataType], now: datetime) -> datetime | None:
        """Return when the sync is due that is for these data types at least, once that is stored; None in a pause."""
        is_moved = False

        def bring_forward(current: Integration) -> Integration | None:
            nonlocal is_moved
            moved = brought_forward(current, data_types, now, delay=self._delay)
            is_moved = moved is not None
            return moved

        try:
            integration = await self._integrations.change(endpoint.college_id, endpoint.integration_id, bring_forward)
        except NotFound:
            raise refused("the integration was removed a moment ago") from None
        sync = integration.sync
        due = None if sync.paused else read_at(integration)
        if is_moved:
            self._college_log.sync_asked(endpoint, sync.early_data_types, due, now)
        return due
