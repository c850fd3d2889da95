"""The MongoDB store keeps every promise of both ports."""

import pytest
from hub_storage.testing import (
    CollectionContract,
    RecordStoreContract,
    RecordVersionsContract,
    SharedRecordsContract,
)


@pytest.fixture
def store_url(mongodb_url: str) -> str:
    return mongodb_url


class TestMongoCollections(CollectionContract):
    """In a database of its own, opened by its URL."""


@pytest.mark.slow
class TestMongoRecords(RecordStoreContract):
    """In a database of its own, opened by its URL."""


@pytest.mark.slow
class TestMongoRecordVersions(RecordVersionsContract):
    """In a database of its own, opened by its URL."""


@pytest.mark.slow
class TestMongoSharedRecords(SharedRecordsContract):
    """In a database of its own, opened by its URL."""
