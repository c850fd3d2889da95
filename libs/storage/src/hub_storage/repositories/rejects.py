"""Records that did not become canonical, newest first."""

from collections.abc import Sequence

from hub_model.logs import RejectedRecord
from hub_model.records import DataType

from hub_storage.collection import CollectionSpec, Index
from hub_storage.repositories.paging import Page, read_page
from hub_storage.store import Store

SPEC = CollectionSpec(
    "rejects",
    (
        Index(("collegeId", "at")),
        Index(("collegeId", "integrationId", "at")),
        Index(("collegeId", "runId", "at")),
        Index(("collegeId", "dataType", "at")),
    ),
)


class Rejects:
    """The raw records with their issues, kept until someone mends the mapping or the source."""

    def __init__(self, store: Store) -> None:
        self._collection = store.collection(SPEC)

    async def add(self, records: Sequence[RejectedRecord]) -> None:
        """Keep the records; one whose id is there already is a repetition and is ignored."""
        await self._collection.insert({record.id: record.model_dump(mode="json", by_alias=True) for record in records})

    async def page(
        self,
        college_id: str,
        *,
        integration_id: str | None = None,
        run_id: str | None = None,
        data_type: DataType | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[RejectedRecord]:
        """A college's rejected records, newest first."""
        wanted = {"collegeId": college_id, "integrationId": integration_id, "runId": run_id, "dataType": data_type}
        return await read_page(
            self._collection,
            RejectedRecord.model_validate,
            name=SPEC.name,
            filter={field: value for field, value in wanted.items() if value is not None},
            sort="at",
            descending=True,
            limit=limit,
            cursor=cursor,
        )

    async def count(self, college_id: str, integration_id: str) -> int:
        """How many are kept of an integration."""
        return await self._collection.count({"collegeId": college_id, "integrationId": integration_id})
