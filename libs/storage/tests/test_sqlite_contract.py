"""The SQLite store keeps every promise of both ports."""

from hub_storage.testing import CollectionContract, RecordStoreContract


class TestSqliteCollections(CollectionContract):
    """On a file, opened by its URL."""


class TestSqliteRecords(RecordStoreContract):
    """On a file, opened by its URL."""
