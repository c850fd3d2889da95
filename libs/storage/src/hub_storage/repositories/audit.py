"""The audit trail of a college, newest first. Entries are never changed."""

from hub_model.logs import AuditEntry

from hub_storage.collection import CollectionSpec, Index
from hub_storage.repositories.paging import Page, read_page
from hub_storage.store import Store

SPEC = CollectionSpec("audit", (Index(("collegeId", "at")), Index(("collegeId", "target", "at"))))


class Audit:
    """Who did, or tried to do, what."""

    def __init__(self, store: Store) -> None:
        self._collection = store.collection(SPEC)

    async def add(self, entry: AuditEntry) -> None:
        """Append the entry; one whose id is there already is a repetition and is ignored."""
        await self._collection.insert({entry.id: entry.model_dump(mode="json", by_alias=True)})

    async def page(
        self, college_id: str, *, target: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[AuditEntry]:
        """A college's entries, or those about one target, newest first."""
        wanted = {"collegeId": college_id, "target": target}
        return await read_page(
            self._collection,
            AuditEntry.model_validate,
            name=SPEC.name,
            filter={field: value for field, value in wanted.items() if value is not None},
            sort="at",
            descending=True,
            limit=limit,
            cursor=cursor,
        )
