import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hub_security.jwks import SharedKey
from hub_security.tokens import TokenVerifier
from hub_standalone.keys import read_token_secret

Hub = Callable[..., Any]


def test_without_arguments_the_commands_are_listed(hub: Hub) -> None:
    shown = hub()
    assert all(command in shown.out + shown.err for command in ("run", "demo", "keys", "token", "integrations"))


def test_the_version_is_told(hub: Hub) -> None:
    assert re.fullmatch(r"hub \d+\.\d+\.\d+\n", hub("--version").out)


def test_a_misspelt_command_is_said_to_be_one(hub: Hub) -> None:
    outcome = hub("snyc")
    assert outcome.code == 2
    assert "snyc" in outcome.err


def test_keys_are_created_once_and_never_again(hub: Hub) -> None:
    assert hub("keys").code == 0
    files = {path.name: path.read_bytes() for path in Path(".hub/keys").iterdir()}
    assert set(files) == {"public.json", "fetcher.json", "gateway.json", "token-secret"}
    assert "already" in hub("keys").out
    assert {path.name: path.read_bytes() for path in Path(".hub/keys").iterdir()} == files


def test_a_token_secret_can_be_read_by_its_owner_only(hub: Hub) -> None:
    hub("keys")
    assert (Path(".hub/keys/token-secret").stat().st_mode & 0o777) == 0o600


async def test_a_printed_token_opens_the_hub_it_was_made_for(hub: Hub) -> None:
    hub("keys")
    token = hub("token", "--role", "Admin", "--college", "c-1", "--hours", "0.5").out.strip()
    verifier = TokenVerifier(SharedKey(read_token_secret(Path(".hub/keys")) or ""))
    principal = await verifier.verify(token, datetime.now(UTC))
    assert (principal.role, principal.college_id) == ("Admin", "c-1")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--role", "Boss", "--college", "c"), "Boss"),
        (("--role", "Admin"), "--college"),
        (("--role", "Admin", "--college", "c", "--hours", "13"), "hours"),
    ],
)
def test_a_token_that_cannot_be_is_refused_with_the_reason(hub: Hub, arguments: tuple[str, ...], named: str) -> None:
    outcome = hub("token", *arguments)
    assert outcome.code == 2
    assert named in outcome.err


def test_without_keys_no_token_is_made_and_the_fix_is_named(hub: Hub) -> None:
    outcome = hub("token", "--role", "Admin", "--college", "c")
    assert (outcome.code, outcome.out) == (1, "")
    assert "hub keys" in outcome.err


def test_a_wrong_setting_is_named_by_its_variable(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_HTTP_PORT", "seven")
    outcome = hub("keys")
    assert outcome.code == 1
    assert "HUB_HTTP_PORT" in outcome.err


def test_with_no_hub_there_the_message_says_how_to_start_one(hub: Hub) -> None:
    outcome = hub("integrations", "list", "--token", "t", "--url", "http://127.0.0.1:9")
    assert outcome.code == 1
    assert "hub run" in outcome.err
    assert "Traceback" not in outcome.err


def test_an_address_that_is_none_is_said_to_be_none(hub: Hub) -> None:
    outcome = hub("integrations", "list", "--token", "t", "--url", "localhost")
    assert outcome.code == 1
    assert "not the address of a hub" in outcome.err


@pytest.mark.parametrize("token", ["caf\u00e9", "two\nlines"])
def test_what_cannot_be_a_token_is_said_not_to_be_one(hub: Hub, token: str) -> None:
    outcome = hub("integrations", "list", "--token", token, "--url", "http://127.0.0.1:9")
    assert outcome.code == 1
    assert "not a token" in outcome.err


def test_a_lost_key_file_is_named_before_anything_starts(hub: Hub) -> None:
    hub("keys")
    Path(".hub/keys/fetcher.json").unlink()
    outcome = hub("run")
    assert outcome.code == 1
    assert "fetcher.json" in outcome.err
    assert "put it back" in outcome.err


def test_a_token_that_the_hub_would_refuse_for_its_length_is_not_made(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub("keys")
    long = ("token", "--role", "Admin", "--college", "c", "--hours", "2")
    outcome = hub(*long)
    assert (outcome.code, outcome.out) == (1, "")
    assert "HUB_TOKEN_MAX_LIFETIME_S=7200" in outcome.err
    monkeypatch.setenv("HUB_TOKEN_MAX_LIFETIME_S", "7200")
    assert hub(*long).code == 0
