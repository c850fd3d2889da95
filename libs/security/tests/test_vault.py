"""Sealed secrets open in their place, with their key, unaltered; and in no other case."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from hub_model.errors import InvalidInput, SecretUnreadable
from hub_model.integrations import SealedSecret
from hub_security.keys import (
    add_key,
    generate_keys,
    load_private_keys,
    load_public_keys,
    make_current,
    parse_private_keys,
)
from hub_security.vault import MAX_SECRET_BYTES, SecretBinding, SecretOpener, SecretSealer, _info, hint_of, recipient_of
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 1, 2, tzinfo=UTC)
BINDING = SecretBinding("college-a", "integration-1", "apiKey")
ORIGIN = "https://erp.college.edu:443"
CANARY = "canary-secret-0123456789"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vault") / "keys"
    generate_keys(folder)
    return folder


@pytest.fixture(scope="module")
def sealer(folder: Path) -> SecretSealer:
    return SecretSealer(load_public_keys(folder / "public.json"))


@pytest.fixture(scope="module")
def opener(folder: Path) -> SecretOpener:
    return SecretOpener(load_private_keys(folder / "fetcher.json"))


def seal(sealer: SecretSealer, value: str = CANARY, *, version: int = 1) -> SealedSecret:
    return sealer.seal(value, BINDING, recipient="fetcher", origin=ORIGIN, version=version, now=NOW)


def refuses(opener: SecretOpener, sealed: SealedSecret, binding: SecretBinding = BINDING) -> None:
    with pytest.raises(SecretUnreadable) as caught:
        opener.open(sealed, binding)
    assert CANARY not in f"{caught.value} {caught.value.public}"
    assert caught.value.__cause__ is None


@given(value=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200))
def test_what_is_sealed_opens_again(sealer: SecretSealer, opener: SecretOpener, value: str) -> None:
    assert opener.open(seal(sealer, value), BINDING) == value


def test_two_seals_of_one_secret_differ(sealer: SecretSealer) -> None:
    assert seal(sealer).ciphertext != seal(sealer).ciphertext


@pytest.mark.parametrize(
    "binding",
    [
        replace(BINDING, college_id="college-b"),
        replace(BINDING, integration_id="integration-2"),
        replace(BINDING, field="password"),
        SecretBinding("college-", "aintegration-1", "apiKey"),
        SecretBinding("", "college-aintegration-1", "apiKey"),
    ],
)
def test_a_secret_moved_to_another_place_does_not_open(
    sealer: SecretSealer, opener: SecretOpener, binding: SecretBinding
) -> None:
    refuses(opener, seal(sealer), binding)


@pytest.mark.parametrize(
    "change", [{"version": 2}, {"origin": "https://evil.example:443"}, {"origin": ""}, {"key_id": "fetcher-0"}]
)
def test_a_secret_whose_version_origin_or_key_was_changed_does_not_open(
    sealer: SecretSealer, opener: SecretOpener, change: dict[str, Any]
) -> None:
    refuses(opener, seal(sealer).model_copy(update=change))


def test_no_flipped_bit_of_a_ciphertext_opens(sealer: SecretSealer, opener: SecretOpener) -> None:
    sealed = seal(sealer, "short")
    raw = base64.b64decode(sealed.ciphertext)
    for bit in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        refuses(opener, sealed.model_copy(update={"ciphertext": base64.b64encode(flipped).decode()}))


@given(cut=st.integers(min_value=0, max_value=79), junk=st.text(max_size=20))
def test_a_cut_or_garbled_ciphertext_does_not_open(
    sealer: SecretSealer, opener: SecretOpener, cut: int, junk: str
) -> None:
    sealed = seal(sealer)
    raw = base64.b64decode(sealed.ciphertext)
    assert len(raw) == 80
    refuses(opener, sealed.model_copy(update={"ciphertext": base64.b64encode(raw[:cut]).decode()}))
    if junk.strip():
        refuses(opener, sealed.model_copy(update={"ciphertext": sealed.ciphertext + junk}))
    refuses(opener, sealed.model_copy(update={"ciphertext": junk}))


def test_only_the_recipient_opens(folder: Path, sealer: SecretSealer) -> None:
    refuses(SecretOpener(load_private_keys(folder / "gateway.json")), seal(sealer))


def test_the_hint_shows_four_characters_of_long_secrets_only(sealer: SecretSealer) -> None:
    assert seal(sealer).hint == "...6789"
    assert hint_of("x" * 15) == ""
    assert hint_of("x" * 12 + "last") == "...last"


def test_a_ciphertext_tells_the_length_in_steps_of_sixteen_bytes(sealer: SecretSealer) -> None:
    lengths = {size: len(base64.b64decode(seal(sealer, "x" * size).ciphertext)) for size in (1, 15, 16, 31, 32)}
    assert lengths[1] == lengths[15] < lengths[16] == lengths[31] < lengths[32]


@pytest.mark.parametrize("value", ["", "x" * (MAX_SECRET_BYTES + 1), "\ud800"])
def test_what_is_no_secret_is_not_sealed(sealer: SecretSealer, value: str) -> None:
    with pytest.raises(InvalidInput):
        seal(sealer, value)


def test_each_field_has_one_reader(sealer: SecretSealer) -> None:
    assert {recipient_of(field) for field in ("apiKey", "password", "clientSecret")} == {"fetcher"}
    assert recipient_of("webhookSecret") == "gateway"
    with pytest.raises(InvalidInput):
        recipient_of("username")
    with pytest.raises(InvalidInput):
        sealer.seal("x", BINDING, recipient="gateway", origin=ORIGIN, version=1, now=NOW)


def test_after_a_rotation_old_and_new_secrets_open(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    generate_keys(folder)
    old = seal(SecretSealer(load_public_keys(folder / "public.json")))
    stale_opener = SecretOpener(load_private_keys(folder / "fetcher.json"))
    make_current(folder, "fetcher", add_key(folder, "fetcher"))
    fresh = seal(SecretSealer(load_public_keys(folder / "public.json")))
    opener = SecretOpener(load_private_keys(folder / "fetcher.json"))
    assert fresh.key_id != old.key_id
    assert opener.open(old, BINDING) == opener.open(fresh, BINDING) == CANARY
    refuses(stale_opener, fresh)


@pytest.mark.parametrize("padded", [b"no mark at all..", b"mark\x80and more..", b"", b"\xff\xfe\x80" + bytes(13)])
def test_a_plaintext_that_is_not_padded_text_does_not_open(folder: Path, opener: SecretOpener, padded: bytes) -> None:
    public = load_public_keys(folder / "public.json")
    key_id = public.current["fetcher"]
    sealed = SealedSecret(key_id=key_id, ciphertext="", version=1, origin=ORIGIN, set_at=NOW)
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    info = _info(BINDING, version=1, origin=ORIGIN, key_id=key_id)
    ciphertext = base64.b64encode(suite.encrypt(padded, public.keys["fetcher"][key_id], info=info)).decode()
    refuses(opener, sealed.model_copy(update={"ciphertext": ciphertext}))


def test_every_key_proves_itself_at_the_start(folder: Path) -> None:
    private = load_private_keys(folder / "fetcher.json")
    no_key: Any = object()
    with pytest.raises(AttributeError):
        SecretOpener(replace(private, keys={**private.keys, "fetcher-0": no_key}))


@pytest.mark.parametrize("size", [1, MAX_SECRET_BYTES])
def test_secrets_up_to_sixteen_kibibytes_are_sealed(sealer: SecretSealer, opener: SecretOpener, size: int) -> None:
    assert opener.open(seal(sealer, "x" * size), BINDING) == "x" * size
    assert MAX_SECRET_BYTES == 16_384


def test_opened_secrets_are_told_to_the_redactor(folder: Path, sealer: SecretSealer) -> None:
    told: list[str] = []
    opener = SecretOpener(load_private_keys(folder / "fetcher.json"), on_open=told.append)
    opener.open(seal(sealer), BINDING)
    refuses(opener, seal(sealer).model_copy(update={"version": 9}))
    assert told == [CANARY]  # and nothing of the self-test


def test_the_stored_format_of_version_one_still_opens() -> None:
    golden = json.loads(Path(__file__).with_name("golden_secret.json").read_text())
    opener = SecretOpener(parse_private_keys(json.dumps(golden["privateKeys"])))
    binding = SecretBinding(**golden["binding"])
    assert opener.open(SealedSecret.model_validate(golden["sealed"]), binding) == golden["value"]


def test_nothing_shows_a_secret(sealer: SecretSealer, opener: SecretOpener) -> None:
    sealed = seal(sealer)
    shown: list[Callable[[], str]] = [
        lambda: repr(sealed),
        sealed.model_dump_json,
        lambda: repr(opener.__dict__),
    ]
    assert not any(CANARY in show() for show in shown)


def own(opener: SecretOpener, **changes: Any) -> SealedSecret:
    options = {"key_id": next(iter(opener._keys.keys)), "origin": ORIGIN, "version": 3, "now": NOW, **changes}
    return opener.seal(CANARY, replace(BINDING, field="issuedToken"), **options)


def test_what_a_service_seals_for_itself_opens_in_its_place_alone(opener: SecretOpener) -> None:
    place = replace(BINDING, field="issuedToken")
    sealed = own(opener)
    assert opener.open(sealed, place) == CANARY
    assert sealed.hint == ""
    assert CANARY not in sealed.model_dump_json()
    refuses(opener, sealed)
    refuses(opener, sealed, replace(place, integration_id="integration-2"))
    refuses(opener, sealed.model_copy(update={"version": 4}), place)
    refuses(opener, sealed.model_copy(update={"origin": "https://evil.example:443"}), place)


def test_what_a_service_seals_for_itself_is_heard_before_it_is_stored(folder: Path) -> None:
    heard: list[str] = []
    own(SecretOpener(load_private_keys(folder / "fetcher.json"), on_open=heard.append))
    assert heard == [CANARY]


def test_what_is_too_long_to_be_sealed_is_refused(opener: SecretOpener) -> None:
    with pytest.raises(InvalidInput):
        opener.seal(
            "x" * (MAX_SECRET_BYTES + 1), BINDING, key_id=next(iter(opener._keys.keys)), origin="", version=1, now=NOW
        )


@pytest.mark.parametrize(
    "field", ["apiKey", "password", "clientSecret", "refreshToken", "consumerSecret", "token", "tokenSecret"]
)
def test_every_credential_is_for_the_fetcher(field: str) -> None:
    assert recipient_of(field) == recipient_of("extraKeys:x-vendor") == "fetcher"
