"""The store: collections and records behind one connection."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence

from hub_storage.collection import Collection, CollectionSpec
from hub_storage.records import RecordStore


class Store(ABC):
    """What a service opens. Open it with the specs of the collections it uses; their indexes exist from then on."""

    @abstractmethod
    def collection(self, spec: CollectionSpec) -> Collection:
        """The collection of this spec, which was among those the store was opened with."""

    @property
    @abstractmethod
    def records(self) -> RecordStore:
        """The canonical records."""

    @abstractmethod
    async def ping(self) -> None:
        """Return if the store answers; raise Unavailable if it does not."""

    async def undeclared_indexes(self) -> Sequence[str]:
        """The commands that drop indexes which another version of the hub declared and this one does not.

        Never dropped by itself where versions may run side by side. A file has one process at a time: there they are
        dropped when it opens, and this is empty.
        """
        return ()

    async def failed(self) -> None:
        """Return only when this store will never work again in this process: the process should end and be restarted.

        Unless an adapter says otherwise, it never returns: an outage is not a failure.
        """
        await asyncio.Event().wait()

    @abstractmethod
    async def close(self) -> None:
        """Close the connection. Calling it twice is fine."""
