"""The SQLite store keeps every promise of both ports."""

import pytest
from hub_storage.testing import (
    CollectionContract,
    RecordStoreContract,
    RecordVersionsContract,
    SharedRecordsContract,
)


@pytest.fixture
def store_url(sqlite_url: str) -> str:
    return sqlite_url


class TestSqliteCollections(CollectionContract):
    """On a file, opened by its URL."""


class TestSqliteRecords(RecordStoreContract):
    """On a file, opened by its URL."""


class TestSqliteRecordVersions(RecordVersionsContract):
    """On a file, opened by its URL."""


class TestSqliteSharedRecords(SharedRecordsContract):
    """On a file, opened by its URL."""
