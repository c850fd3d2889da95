"""One campus for whoever only looks; a test that changes something makes its own."""

import pytest
from simulators.campus import Campus


@pytest.fixture(scope="session")
def campus() -> Campus:
    return Campus()
