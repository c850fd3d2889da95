"""Which step of which message copy carries a stream on, so that a chain of page requests never forks."""

from hub_model.ids import derived_id
from hub_model.records import DataType

from hub_storage.collection import CollectionSpec, Document
from hub_storage.store import Store

SPEC = CollectionSpec("chains")


class Chains:
    """Invariant: one live chain per run and stream; a stale step, or a second copy of a step, is refused."""

    def __init__(self, store: Store) -> None:
        self._collection = store.collection(SPEC)

    async def claim(self, college_id: str, run_id: str, data_type: DataType | None, *, step: int, copy_id: str) -> bool:
        """Whether this copy of this step may go on. Saying so twice to the same copy is what a redelivery needs.

        Without a data type it is the chain that prepares the run's tables.
        """
        chain_id = derived_id(college_id, run_id, data_type or "")
        mine = {"collegeId": college_id, "runId": run_id, "dataType": data_type, "step": step, "copyId": copy_id}

        def advance(document: Document) -> Document | None:
            return mine if step > document["step"] else None

        stored = await self._collection.update(chain_id, advance)
        if stored is None:
            if not await self._collection.insert({chain_id: mine}):
                return True
            stored = await self._collection.update(chain_id, advance)  # another copy was first
        return stored is not None and (stored.document["step"], stored.document["copyId"]) == (step, copy_id)
