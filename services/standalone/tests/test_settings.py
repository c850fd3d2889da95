from pathlib import Path
from typing import Any

import pytest
from hub_model.errors import InvalidInput
from hub_runtime.settings import RuntimeSettings, load_settings
from hub_standalone.keys import create_keys, read_token_secret
from hub_standalone.local import LocalSettings, misspelt_variables
from hub_standalone.settings import StandaloneSettings


@pytest.fixture(autouse=True)
def keys(own_folder: None) -> Path:
    folder = Path(".hub/keys")
    create_keys(folder)
    return folder


def test_with_nothing_set_everything_lies_below_one_folder() -> None:
    settings = load_settings(StandaloneSettings)
    files = (
        settings.database,
        settings.public_keys_file,
        settings.fetcher_keys_file,
        settings.gateway_keys_file,
    )
    assert [file.parts[0] for file in files] == [".hub"] * 4
    assert (settings.http_host, settings.http_port) == ("127.0.0.1", 8000)


def test_another_keys_folder_moves_every_key(monkeypatch: pytest.MonkeyPatch) -> None:
    create_keys(Path("elsewhere"))
    monkeypatch.setenv("HUB_KEYS_FOLDER", "elsewhere")
    settings = load_settings(StandaloneSettings)
    assert settings.public_keys_file == Path("elsewhere/public.json")
    assert settings.fetcher_keys_file == Path("elsewhere/fetcher.json")
    assert settings.gateway_keys_file == Path("elsewhere/gateway.json")
    assert settings.token_secret is not None
    assert settings.token_secret.get_secret_value() == read_token_secret(Path("elsewhere"))


def test_a_file_that_is_named_wins_over_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_FETCHER_KEYS_FILE", "/run/secrets/fetcher.json")
    assert load_settings(StandaloneSettings).fetcher_keys_file == Path("/run/secrets/fetcher.json")


def test_a_token_secret_that_is_set_wins_over_the_development_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_TOKEN_SECRET", "s" * 40)
    secret = load_settings(StandaloneSettings).token_secret
    assert secret is not None
    assert secret.get_secret_value() == load_settings(LocalSettings).signing_secret() == "s" * 40


def test_with_an_identity_provider_the_development_secret_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_JWKS_URL", "https://id.example.edu/jwks")
    assert load_settings(StandaloneSettings).token_secret is None


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"HUB_HTTP_PORT": "9001"}, "http://127.0.0.1:9001"),
        ({"HUB_HTTP_PORT": "9001", "HUB_HTTP_HOST": "0.0.0.0"}, "http://127.0.0.1:9001"),
        ({"HUB_HTTP_PORT": "9001", "HUB_PUBLIC_URL": "https://hub.example.edu/"}, "https://hub.example.edu"),
    ],
)
def test_webhook_addresses_follow_the_port_unless_they_are_said(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], url: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert load_settings(StandaloneSettings).public_url == url


def test_a_file_beside_the_process_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("HUB_HTTP_PORT=9001\nHUB_TICK_S=7\n")
    monkeypatch.setenv("HUB_HTTP_PORT", "9002")
    settings = load_settings(StandaloneSettings)
    assert (settings.http_port, settings.tick_s) == (9002, 7)


def test_an_empty_variable_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_TOKEN_SECRET", "")
    monkeypatch.setenv("HUB_HTTP_PORT", "")
    assert load_settings(StandaloneSettings).http_port == 8000


@pytest.mark.parametrize(
    ("name", "value"), [("HUB_HTTP_PORT", "http"), ("HUB_TICK_S", "-1"), ("HUB_TRUSTED_PROXIES", "10.0.0.0/99")]
)
def test_what_is_wrong_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidInput) as refused:
        load_settings(StandaloneSettings)
    told = str(refused.value) + "".join(issue.pointer for issue in refused.value.issues)
    assert name in told or name.removeprefix("HUB_").lower() in told


@pytest.mark.parametrize("name", ["HUB_ALLOWED_NETWORKS", "HUB_REFUSED_NETWORKS", "HUB_TRUSTED_PROXIES"])
def test_networks_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "10.0.0.0/8, fd00::/8")
    networks = getattr(load_settings(StandaloneSettings), name.removeprefix("HUB_").lower())
    assert networks == ("10.0.0.0/8", "fd00::/8")


@pytest.mark.parametrize("name", ["HUB_BROKER_URL", "HUB_STORE_URL"])
def test_another_backend_is_refused_rather_than_ignored(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "amqp://rabbit.example.edu")
    with pytest.raises(InvalidInput) as refused:
        load_settings(StandaloneSettings)
    assert [name in issue.message for issue in refused.value.issues] == [True]


def test_a_wrong_port_is_the_only_thing_complained_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_HTTP_PORT", "80000")
    with pytest.raises(InvalidInput) as refused:
        load_settings(StandaloneSettings)
    assert [issue.pointer for issue in refused.value.issues] == ["HUB_HTTP_PORT"]


def test_without_a_token_secret_the_message_says_how_to_make_one(keys: Path) -> None:
    (keys / "token-secret").unlink()
    with pytest.raises(InvalidInput) as refused:
        load_settings(StandaloneSettings)
    assert "hub keys" in refused.value.issues[0].message


def test_an_env_file_that_is_not_text_is_refused_in_words() -> None:
    Path(".env").write_bytes(b"\xff\xfe=1\n")
    with pytest.raises(InvalidInput, match=r"\.env cannot be read"):
        load_settings(StandaloneSettings)


def test_a_misspelt_variable_is_found_with_what_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HUB_URL", "HUB_TOKEN", "HUB_COLLEGE", "HUB_HTTP_HOST"):
        monkeypatch.setenv(name, "known")
    monkeypatch.setenv("HUB_HTTP_PROT", "9001")
    Path(".env").write_text("HUB_SOMETHING_ELSE_ENTIRELY=1\n")
    assert misspelt_variables(StandaloneSettings) == {
        "HUB_HTTP_PROT": "HUB_HTTP_PORT",
        "HUB_SOMETHING_ELSE_ENTIRELY": "",
    }


def test_services_that_share_a_setting_mean_the_same_by_it() -> None:
    seen: dict[str, tuple[type[Any], Any]] = {}
    for service in StandaloneSettings.__bases__:
        assert issubclass(service, RuntimeSettings)
        for name, field in service.model_fields.items():
            known, meaning = seen.setdefault(name, (service, field))
            assert (field.annotation, field.description) == (meaning.annotation, meaning.description), (known, service)
