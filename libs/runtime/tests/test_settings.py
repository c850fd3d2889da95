"""The settings of every process."""

from pathlib import Path

import pytest
from hub_model.errors import InvalidInput
from hub_runtime.settings import RuntimeSettings, load_settings
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


@pytest.mark.parametrize("setting", ["HUB_BROKER_URL", "HUB_STORE_URL"])
@pytest.mark.parametrize("password", ["4711/canary", "ca/nary", "ca#nary", "ca?nary", "[canary"])
def test_a_password_that_would_be_taken_for_a_host_and_logged_is_refused_unseen(
    setting: str, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(setting, f"amqp://hub:{password}@broker:5672/hub")
    with pytest.raises(InvalidInput) as caught:
        load_settings(RuntimeSettings)
    (issue,) = caught.value.issues
    assert (issue.pointer, "percent-encoded" in issue.message) == (setting, True)
    assert password[:2] not in issue.message


@pytest.mark.parametrize(
    "url",
    [
        "amqp://hub:4711%2Fcanary@broker:5672/hub?heartbeat=10",
        "mongodb://hub:ca%40nary@one:27017,two:27017/hub?authSource=admin",
        "mongodb://[::1]:27017/hub",
        "sqlite:////var/lib/someone@home/hub.db",
    ],
)
def test_a_url_as_it_should_be_is_taken(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_STORE_URL", url)
    assert load_settings(RuntimeSettings).store_url == url


def test_a_value_out_of_range_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_HTTP_PORT", "70000")
    with pytest.raises(ValidationError):
        RuntimeSettings()


def test_a_url_may_lie_in_a_file_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "broker-url"
    secret.write_text("amqp://hub:canary@broker/hub\n")
    monkeypatch.setenv("HUB_BROKER_URL_FILE", str(secret))
    assert load_settings(RuntimeSettings).broker_url == "amqp://hub:canary@broker/hub"


def test_a_file_may_be_named_in_a_line_of_the_env_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("store-url").write_text("mongodb://store/hub")
    Path(".env").write_text("HUB_STORE_URL_FILE=store-url\n")
    assert load_settings(RuntimeSettings).store_url == "mongodb://store/hub"


def test_only_settings_that_hold_secrets_may_lie_in_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "port").write_text("9090")
    monkeypatch.setenv("HUB_HTTP_PORT_FILE", str(tmp_path / "port"))
    assert load_settings(RuntimeSettings).http_port == 8000


@pytest.mark.parametrize(
    ("content", "variables", "said"),
    [
        (None, {}, "HUB_BROKER_URL_FILE names .*, which cannot be read: No such file"),
        ("  \n", {}, "HUB_BROKER_URL_FILE names .*, which is empty"),
        (b"\xff", {}, "HUB_BROKER_URL_FILE names .*, which is not UTF-8"),
        ("amqp://canary", {"HUB_BROKER_URL": "amqp://other"}, "HUB_BROKER_URL and HUB_BROKER_URL_FILE are both set"),
    ],
)
def test_a_secret_file_that_cannot_be_used_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | bytes | None, variables: dict[str, str], said: str
) -> None:
    path = tmp_path / "broker-url"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    monkeypatch.setenv("HUB_BROKER_URL_FILE", str(path))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InvalidInput, match=said) as raised:
        load_settings(RuntimeSettings)
    assert "canary" not in str(raised.value)


def test_an_empty_variable_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_HTTP_PORT", "")
    monkeypatch.setenv("HUB_BROKER_URL_FILE", "")
    assert load_settings(RuntimeSettings).http_port == 8000
