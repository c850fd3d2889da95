"""The log of each integration, newest first."""

from hub_model.logs import LogEntry, LogLevel

from hub_storage.collection import CollectionSpec, Index
from hub_storage.repositories.paging import Page, read_page
from hub_storage.store import Store

SPEC = CollectionSpec(
    "logs",
    (
        Index(("collegeId", "integrationId", "at")),
        Index(("collegeId", "integrationId", "level", "at")),
        Index(("collegeId", "integrationId", "runId", "at")),
    ),
)


class Logs:
    """What happened to an integration, for its principal to read."""

    def __init__(self, store: Store) -> None:
        self._collection = store.collection(SPEC)

    async def add(self, *entries: LogEntry) -> None:
        """Append the entries; one whose id is there already is a repetition and is ignored."""
        await self._collection.insert({entry.id: entry.model_dump(mode="json", by_alias=True) for entry in entries})

    async def page(
        self,
        college_id: str,
        integration_id: str,
        *,
        level: LogLevel | None = None,
        run_id: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[LogEntry]:
        """An integration's entries, newest first."""
        wanted = {"collegeId": college_id, "integrationId": integration_id, "level": level, "runId": run_id}
        return await read_page(
            self._collection,
            LogEntry.model_validate,
            name=SPEC.name,
            filter={field: value for field, value in wanted.items() if value is not None},
            sort="at",
            descending=True,
            limit=limit,
            cursor=cursor,
        )
