"""The settings of every process."""

import pytest
from hub_runtime.settings import RuntimeSettings
from pydantic import ValidationError


def test_every_setting_is_described_with_its_unit() -> None:
    for name, field in RuntimeSettings.model_fields.items():
        assert field.description, name
        if name.endswith("_s"):
            assert "seconds" in field.description.lower(), name


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_HTTP_PORT", "9090")
    monkeypatch.setenv("HUB_LOG_LEVEL", "debug")
    settings = RuntimeSettings()
    assert (settings.http_port, settings.log_level) == (9090, "debug")


def test_a_password_in_a_url_is_not_in_the_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_BROKER_URL", "amqp://hub:canary@broker/hub")
    assert "canary" not in repr(RuntimeSettings())


def test_a_value_out_of_range_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_HTTP_PORT", "70000")
    with pytest.raises(ValidationError):
        RuntimeSettings()
