"""What holds for every test of the repository."""

from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

# Before anything imports them: a test that inherits from these tells what differed.
pytest.register_assert_rewrite("hub_messaging.testing", "hub_storage.testing")

# How long one example takes says more of the machine than of the code.
settings.register_profile("hub", deadline=None)
settings.load_profile("hub")


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
