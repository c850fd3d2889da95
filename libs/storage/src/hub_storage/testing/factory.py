"""How the contract suites get a store: opened anew on the same storage, as after a restart."""

from collections.abc import Awaitable, Callable, Sequence

from hub_storage.collection import CollectionSpec
from hub_storage.store import Store

StoreFactory = Callable[[Sequence[CollectionSpec]], Awaitable[Store]]
