"""What holds for every test of the repository."""

from collections import Counter
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

# Before anything imports them: a test that inherits from these tells what differed.
pytest.register_assert_rewrite("hub_messaging.testing", "hub_storage.testing")

# How long one example takes says more of the machine than of the code.
settings.register_profile("hub", deadline=None)
settings.load_profile("hub")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # The error of a worker would drown in those of pytest-xdist, so the process that it works for looks instead.
    if not hasattr(config, "workerinput"):
        _require_distinct([item.nodeid for item in items])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(ids: list[str]) -> None:
    _require_distinct(ids)


def _require_distinct(node_ids: list[str]) -> None:
    """Of several tests with one node id, pytest-xdist would run a single one."""
    shared = [node_id for node_id, times in Counter(node_ids).items() if times > 1]
    if shared:
        raise pytest.UsageError("several tests have the same node id, give each its own: " + ", ".join(shared))


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """A test that configures logging does so for itself alone."""
    was_configured, configuration = structlog.is_configured(), structlog.get_config()
    yield
    if was_configured:
        structlog.configure(**configuration)
    else:
        structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
