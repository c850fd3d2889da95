"""What holds for every test of the repository."""

from collections.abc import Iterator

import pytest
import structlog


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
