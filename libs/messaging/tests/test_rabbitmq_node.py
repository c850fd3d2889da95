"""Where no RabbitMQ server is installed, its tests are left out, unless they are required."""

from pathlib import Path

import pytest
from hub_messaging.testing.rabbitmq_node import running_node


def test_without_a_server_tests_are_skipped_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HUB_REQUIRE_SERVICES", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install rabbitmq-server"):
        running_node(tmp_path, binaries=tmp_path).__enter__()


def test_a_server_that_is_required_and_missing_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_REQUIRE_SERVICES", "1")
    with pytest.raises(pytest.fail.Exception, match="apt-get install rabbitmq-server"):
        running_node(tmp_path, binaries=tmp_path).__enter__()
