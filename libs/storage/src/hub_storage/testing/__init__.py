"""What adapters are tested with: the contract suites of both ports.

An adapter inherits the four classes and supplies ``store_factory``, which opens the store on the same storage each
time, after closing the one it opened before.
"""

from hub_storage.testing.collections import CollectionContract
from hub_storage.testing.factory import StoreFactory
from hub_storage.testing.record_versions import RecordVersionsContract
from hub_storage.testing.records import RecordStoreContract
from hub_storage.testing.shared_records import SharedRecordsContract

__all__ = [
    "CollectionContract",
    "RecordStoreContract",
    "RecordVersionsContract",
    "SharedRecordsContract",
    "StoreFactory",
]
