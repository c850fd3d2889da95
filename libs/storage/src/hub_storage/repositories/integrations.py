"""Integrations by college, and the few questions that the system itself asks across colleges."""

import unicodedata
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import structlog
from hub_model.access import given_secrets
from hub_model.base import format_datetime
from hub_model.errors import Conflict, InvalidInput, NotFound, StaleVersion, Unreadable
from hub_model.integrations import Integration
from pydantic import ValidationError

from hub_storage.collection import VALUE_TAKEN, CollectionSpec, Document, Index, Query, Range
from hub_storage.repositories.paging import MAX_PAGE_SIZE, Page, read_page, value_at
from hub_storage.store import Store

log = structlog.get_logger(__name__)

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

# So many of the fields that cannot be read are named.
_MAX_PLACES = 5
_MOST_IDS = 500


class Integrations:
    """The connections of a college.

    One that another version of the hub has stored, and this one cannot read, raises Unreadable. Questions across
    colleges leave it out and tell the log of it, once.

    Invariant: a secret in plain text is never stored; an integration that holds one is refused.
    """

    def __init__(self, store: Store) -> None:
        self._collection = store.collection(SPEC)
        self._told: set[str] = set()

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
            _read,
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
        return _read(stored.document)

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

    async def ids(self, college_id: str) -> frozenset[str] | None:
        """Of all integrations of the college; None where they are too many to tell."""
        found = await self._collection.find(Query(filter={"collegeId": college_id}, limit=_MOST_IDS))
        return frozenset(stored.document["id"] for stored in found) if len(found) < _MOST_IDS else None

    async def locate(self, integration_id: str) -> Integration | None:
        """The integration of any college: for a webhook, whose address names nothing else."""
        stored = await self._collection.get(integration_id)
        return _read(stored.document) if stored else None

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

    async def unreadable_anywhere(self) -> list[Unreadable]:
        """What keeps each integration from being read that this version cannot read, after a look at every one."""
        errors: list[Unreadable] = []
        more: Query | None = Query(limit=MAX_PAGE_SIZE)
        while more is not None:
            _, unreadable, more = await self._page_anywhere(more)
            errors += unreadable
        return errors

    async def _anywhere(self, query: Query) -> list[Integration]:
        """As many as the query wants, if there are: those that cannot be read do not stand before the others."""
        found: list[Integration] = []
        more: Query | None = query
        while more is not None and len(found) < query.limit:
            readable, unreadable, more = await self._page_anywhere(more)
            found += readable
            for error in unreadable:
                if str(error) not in self._told:
                    self._told.add(str(error))
                    log.error("integration.unreadable", error=str(error))
        return found[: query.limit]

    async def _page_anywhere(self, query: Query) -> tuple[list[Integration], list[Unreadable], Query | None]:
        """A page of integrations, why others on it cannot be read, and what to ask for the next page."""
        found = await self._collection.find(query)
        readable: list[Integration] = []
        unreadable: list[Unreadable] = []
        for stored in found:
            try:
                readable.append(_read(stored.document))
            except Unreadable as error:
                unreadable.append(error)
        if len(found) < query.limit:
            return readable, unreadable, None
        last = found[-1]
        place = value_at(last.document, query.sort) if query.sort else None
        return readable, unreadable, replace(query, after=(place, last.id))


def _place(integration: Integration, moment: datetime | None) -> tuple[str | None, str]:
    return format_datetime(moment) if moment else None, integration.id


def _dump(integration: Integration) -> Document:
    settings = integration.settings
    webhook_secret = settings.webhook.secret if settings.webhook else None
    if webhook_secret or given_secrets(settings):
        raise InvalidInput("an integration is stored without its secrets: seal them first", code="secret_not_sealed")
    return {**integration.model_dump(mode="json", by_alias=True), "nameKey": _name_key(settings.name)}


def _read(document: Document) -> Integration:
    try:
        return Integration.model_validate(document)
    except ValidationError as error:
        # Names alone: what stands there may be anything.
        places = sorted({".".join(map(str, issue["loc"])) for issue in error.errors(include_input=False)})
        raise Unreadable(
            f"this version of the hub cannot read the integration {document.get('id')} of the college "
            f"{document.get('collegeId')}: {', '.join(places[:_MAX_PLACES])}",
            public="Another version of the hub has saved this integration, and this one cannot read it. "
            "It can be used again as soon as the upgrade of the hub is finished.",
        ) from None


def _name_key(name: str) -> str:
    """Names that a person takes for the same have the same key."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def _load(document: Document, college_id: str, revision: int | None) -> Integration:
    integration = _read(document)
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
