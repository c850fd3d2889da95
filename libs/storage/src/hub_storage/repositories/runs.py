"""Runs by college, newest first."""

from collections.abc import Callable

from hub_model.errors import InvalidInput, NotFound
from hub_model.runs import Run

from hub_storage.collection import CollectionSpec, Document, Index
from hub_storage.repositories.paging import Page, read_page
from hub_storage.store import Store

SPEC = CollectionSpec("runs", (Index(("collegeId", "integrationId", "createdAt")),))


class Runs:
    """What was synchronised, when, and how it went."""

    def __init__(self, store: Store) -> None:
        self._collection = store.collection(SPEC)

    async def add(self, run: Run) -> bool:
        """Store a new run; False, and nothing changed, if there is one of that id."""
        return not await self._collection.insert({run.id: _dump(run)})

    async def get(self, college_id: str, run_id: str) -> Run:
        """The college's run, or NotFound."""
        run = await self.find(college_id, run_id)
        if run is None:
            raise _not_found(run_id)
        return run

    async def find(self, college_id: str, run_id: str) -> Run | None:
        stored = await self._collection.get(run_id)
        if stored is None or stored.document["collegeId"] != college_id:
            return None
        return Run.model_validate(stored.document)

    async def change(self, college_id: str, run_id: str, change: Callable[[Run], Run | None]) -> Run:
        """Apply ``change`` atomically and return what is stored then; None, or the same run, writes nothing.

        ``change`` is pure and may be called several times. Raises NotFound.
        """

        def apply(document: Document) -> Document | None:
            run = Run.model_validate(document)
            if run.college_id != college_id:
                raise _not_found(run_id)
            changed = change(run)
            if changed is None or changed is run:
                return None
            if (changed.id, changed.college_id) != (run.id, run.college_id):
                raise InvalidInput("a run keeps its id and its college")
            return _dump(changed)

        stored = await self._collection.update(run_id, apply)
        if stored is None:
            raise _not_found(run_id)
        return Run.model_validate(stored.document)

    async def page(
        self, college_id: str, integration_id: str, *, limit: int = 50, cursor: str | None = None
    ) -> Page[Run]:
        """An integration's runs, newest first."""
        return await read_page(
            self._collection,
            Run.model_validate,
            name=SPEC.name,
            filter={"collegeId": college_id, "integrationId": integration_id},
            sort="createdAt",
            descending=True,
            limit=limit,
            cursor=cursor,
        )


def _dump(run: Run) -> Document:
    return run.model_dump(mode="json", by_alias=True)


def _not_found(run_id: str) -> NotFound:
    return NotFound(f"the college has no run {run_id!r}", code="run_not_found")
