"""Integrations by college, and the few questions that the system itself asks across colleges."""

import unicodedata
from collections.abc import Callable
from datetime import datetime

from hub_model.auth import given_secrets
from hub_model.base import format_datetime
from hub_model.errors import Conflict, InvalidInput, NotFound, StaleVersion
from hub_model.integrations import Integration

from hub_storage.collection import VALUE_TAKEN, CollectionSpec, Document, Index, Query, Range
from hub_storage.repositories.paging import Page, read_page
from hub_storage.store import Store

SPEC = CollectionSpec(
    "integrations",
    (
        Index(("collegeId", "nameKey"), unique=True),
        Index(("collegeId", "createdAt")),
        Index(("settings.enabled", "sync.paused", "sync.activeRunId", "sync.nextDueAt")),
        Index(("settings.enabled", "sync.nextDueAt")),
        Index(("sync.activeSince",)),
    ),
)


class Integrations:
    """The connections of a college.

    Invariant: a secret in plain text is never stored; an integration that holds one is refused.
    """

    def __init__(self, store: Store) -> None:
        self._collection = store.collection(SPEC)

    async def add(self, integration: Integration) -> None:
        """Store a new integration; Conflict if the college has one of that name, however it is capitalised."""
        if await self._collection.insert({integration.id: _dump(integration)}):
            raise _name_taken()

    async def get(self, college_id: str, integration_id: str) -> Integration:
        """The college's integration, or NotFound."""
        integration = await self.find(college_id, integration_id)
        if integration is None:
            raise _not_found(integration_id)
        return integration

    async def find(self, college_id: str, integration_id: str) -> Integration | None:
        integration = await self.locate(integration_id)
        return integration if integration and integration.college_id == college_id else None

    async def page(self, college_id: str, *, limit: int = 50, cursor: str | None = None) -> Page[Integration]:
        """In the order they were created."""
        return await read_page(
            self._collection,
            Integration.model_validate,
            name=SPEC.name,
            filter={"collegeId": college_id},
            sort="createdAt",
            limit=limit,
            cursor=cursor,
        )

    async def change(
        self,
        college_id: str,
        integration_id: str,
        change: Callable[[Integration], Integration | None],
        *,
        revision: int | None = None,
    ) -> Integration:
        """Apply ``change`` atomically and return what is stored then; None, or the same one, writes nothing.

        ``change`` is pure and may be called several times. Raises NotFound, StaleVersion if ``revision`` is given
        and differs, Conflict if the new name is taken.
        """

        def apply(document: Document) -> Document | None:
            integration = _load(document, college_id, revision)
            changed = change(integration)
            if changed is None or changed is integration:
                return None
            if (changed.id, changed.college_id) != (integration.id, integration.college_id):
                raise InvalidInput("an integration keeps its id and its college")
            return _dump(changed)

        try:
            stored = await self._collection.update(integration_id, apply)
        except Conflict as error:
            if error.code != VALUE_TAKEN:
                raise
            raise _name_taken() from error
        if stored is None:
            raise _not_found(integration_id)
        return Integration.model_validate(stored.document)

    async def remove(self, college_id: str, integration_id: str, *, revision: int | None = None) -> Integration:
        """Delete the integration and return what it was. Raises NotFound, StaleVersion."""
        while True:
            stored = await self._collection.get(integration_id)
            if stored is None:
                raise _not_found(integration_id)
            integration = _load(stored.document, college_id, revision)
            try:
                if await self._collection.delete(integration_id, version=stored.version):
                    return integration
            except StaleVersion:
                continue  # it changed between the two calls: look again

    async def locate(self, integration_id: str) -> Integration | None:
        """The integration of any college: for a webhook, whose address names nothing else."""
        stored = await self._collection.get(integration_id)
        return Integration.model_validate(stored.document) if stored else None

    async def due_anywhere(self, now: datetime, limit: int) -> list[Integration]:
        """Enabled integrations of all colleges that are due, the longest overdue first."""
        return await self._anywhere(
            Query(
                filter={
                    "settings.enabled": True,
                    "sync.paused": False,
                    "sync.activeRunId": None,
                    "sync.nextDueAt": Range(lte=format_datetime(now)),
                },
                sort="sync.nextDueAt",
                limit=limit,
            )
        )

    async def active_anywhere(
        self, since: datetime, limit: int, *, behind: Integration | None = None
    ) -> list[Integration]:
        """Integrations of all colleges whose active run was claimed before ``since``, the oldest claim first.

        ``behind`` is the last one of the page before.
        """
        return await self._anywhere(
            Query(
                filter={"sync.activeSince": Range(lt=format_datetime(since))},
                sort="sync.activeSince",
                limit=limit,
                after=_place(behind, behind.sync.active_since) if behind else None,
            )
        )

    async def scheduled_anywhere(
        self, later_than: datetime, limit: int, *, behind: Integration | None = None
    ) -> list[Integration]:
        """Enabled integrations of all colleges that are due later than that, the latest first.

        ``behind`` is the last one of the page before.
        """
        return await self._anywhere(
            Query(
                filter={"settings.enabled": True, "sync.nextDueAt": Range(gt=format_datetime(later_than))},
                sort="sync.nextDueAt",
                descending=True,
                limit=limit,
                after=_place(behind, behind.sync.next_due_at) if behind else None,
            )
        )

    async def _anywhere(self, query: Query) -> list[Integration]:
        return [Integration.model_validate(stored.document) for stored in await self._collection.find(query)]


def _place(integration: Integration, moment: datetime | None) -> tuple[str | None, str]:
    return format_datetime(moment) if moment else None, integration.id


def _dump(integration: Integration) -> Document:
    settings = integration.settings
    webhook_secret = settings.webhook.secret if settings.webhook else None
    if webhook_secret or given_secrets(settings):
        raise InvalidInput("an integration is stored without its secrets: seal them first", code="secret_not_sealed")
    return {**integration.model_dump(mode="json", by_alias=True), "nameKey": _name_key(settings.name)}


def _name_key(name: str) -> str:
    """Names that a person takes for the same have the same key."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def _load(document: Document, college_id: str, revision: int | None) -> Integration:
    integration = Integration.model_validate(document)
    if integration.college_id != college_id:
        raise _not_found(integration.id)
    if revision is not None and integration.revision != revision:
        raise StaleVersion(
            f"the integration is at revision {integration.revision}, not {revision}: load it again and repeat the edit"
        )
    return integration


def _not_found(integration_id: str) -> NotFound:
    return NotFound(f"the college has no integration {integration_id!r}", code="integration_not_found")


def _name_taken() -> Conflict:
    return Conflict("the college already has an integration of that name", code="name_taken")
