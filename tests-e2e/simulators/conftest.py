"""One campus for whoever only looks; a test that changes something makes its own."""

import pytest
from hub_standalone.demo.simulated.campus import Campus


@pytest.fixture(scope="session")
def campus() -> Campus:
    return Campus()
