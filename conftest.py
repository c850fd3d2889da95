"""What holds for every test of the repository."""

from collections.abc import Iterator

import pytest
import structlog

# Before anything imports them: a test that inherits from these tells what differed.
pytest.register_assert_rewrite("hub_messaging.testing", "hub_storage.testing")


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
