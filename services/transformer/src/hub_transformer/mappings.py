"""The compiled mapping of a batch's endpoint, remembered between batches."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from hub_mapping import CompiledMapping, compile_mapping
from hub_model.errors import PermanentError
from hub_model.integrations import Integration
from hub_model.mappings import Mapping
from hub_model.messages import BatchFetched
from hub_model.records import Origin
from hub_storage.repositories import Integrations

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Bounded(Generic[K, V]):
    """The entries used last, up to a number of them."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def put(self, key: K, entry: V) -> None:
        self._entries[key] = entry
        self._entries.move_to_end(key)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)


@dataclass(frozen=True, slots=True)
class VersionedMapping:
    """A compiled mapping and the version of the integration's endpoints it comes from."""

    compiled: CompiledMapping
    version: int


class Mappings:
    """Finds the mapping of a batch. An edit is seen after ``ttl_s`` at the latest.

    Invariant: a sync that begins after an edit never uses the mapping from before it.
    """

    def __init__(self, integrations: Integrations, *, clock: Callable[[], datetime], ttl_s: float, size: int) -> None:
        self._integrations = integrations
        self._clock = clock
        self._ttl = timedelta(seconds=ttl_s)
        self._seen: Bounded[tuple[str, str, str], tuple[datetime, Integration]] = Bounded(size)
        self._compiled: Bounded[tuple[str, int, str, str, bool], CompiledMapping] = Bounded(size)

    async def find(self, batch: BatchFetched) -> VersionedMapping:
        """The mapping for the records of this batch.

        Raises PermanentError if the integration or its endpoint is gone, InvalidInput if the mapping cannot be used.
        """
        integration = await self._integration(batch)
        mapping = _mapping_of(integration, batch)
        time_zone = integration.settings.time_zone
        key = (integration.id, integration.mapping_version, batch.data_type, time_zone, batch.deletes)
        compiled = self._compiled.get(key)
        if compiled is None:
            compiled = compile_mapping(mapping, batch.data_type, time_zone=time_zone, deletes=batch.deletes)
            self._compiled.put(key, compiled)
        return VersionedMapping(compiled, integration.mapping_version)

    async def _integration(self, batch: BatchFetched) -> Integration:
        # Every pushed event is a run of its own: those share one look.
        run_id = "" if batch.origin is Origin.WEBHOOK else batch.run_id
        key = (batch.college_id, batch.integration_id, run_id)
        now = self._clock()
        seen = self._seen.get(key)
        if seen is not None and now - seen[0] < self._ttl:
            return seen[1]
        integration = await self._integrations.find(batch.college_id, batch.integration_id)
        if integration is None:
            raise PermanentError(
                f"integration {batch.integration_id} is gone; its fetched records are not stored",
                code="integration_gone",
                public="The integration was deleted while its data was on the way, so the data was not stored.",
            )
        self._seen.put(key, (now, integration))
        return integration


def _mapping_of(integration: Integration, batch: BatchFetched) -> Mapping:
    """The endpoint's mapping. A push needs no endpoint: its records are taken under their canonical names then."""
    endpoint = integration.settings.endpoints.get(batch.data_type)
    if endpoint is not None and batch.deletes and endpoint.deletes is not None:
        return endpoint.deletes.mapping
    if endpoint is not None and not batch.deletes:
        return endpoint.mapping
    if batch.origin is Origin.WEBHOOK and not batch.deletes:
        return Mapping()
    raise PermanentError(
        f"integration {integration.id} has no endpoint for {batch.data_type} any more",
        code="endpoint_gone",
        public=f"The endpoint for {batch.data_type} was removed while it was being synced; sync again.",
    )
