"""Key files: one public file for whoever seals, one private file per service that opens.

    public.json    {"fetcher": {"current": ID, "keys": {ID: base64}}, "gateway": {...}}
    fetcher.json   {"recipient": "fetcher", "keys": {ID: base64}}        likewise gateway.json

A key's id contains the fingerprint of its public half, so a file that pairs an id with another key is refused.
"""

import base64
import binascii
import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hub_model.errors import Conflict, InvalidInput

Recipient = Literal["fetcher", "gateway"]
RECIPIENTS: tuple[Recipient, ...] = get_args(Recipient)


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """What can be sealed to. ``current`` names the key that new secrets are sealed to, per recipient."""

    current: Mapping[Recipient, str]
    keys: Mapping[Recipient, Mapping[str, X25519PublicKey]]


@dataclass(frozen=True, slots=True)
class PrivateKeys:
    """Every key one service opens with: the current one and those it still needs for older secrets."""

    recipient: Recipient
    keys: Mapping[str, X25519PrivateKey]


def load_public_keys(path: Path) -> PublicKeys:
    """Read ``public.json``; InvalidInput says what is wrong with it."""
    return _parse_public(_read(path), path.name)


def load_private_keys(path: Path) -> PrivateKeys:
    """Read a private key file; InvalidInput if it is missing, malformed, or readable by group or others."""
    return parse_private_keys(_read(path, private=True), name=path.name)


def parse_private_keys(text: str, *, name: str = "the private keys") -> PrivateKeys:
    """The keys in the text of a private key file, for a process that gets them from its environment."""
    document = _document(text, name)
    recipient = _recipient(document.get("recipient"), name)
    keys: dict[str, X25519PrivateKey] = {}
    for key_id, raw in _raw_keys(document, name).items():
        key = X25519PrivateKey.from_private_bytes(raw)
        _check_id(key_id, recipient, key.public_key(), name)
        keys[key_id] = key
    return PrivateKeys(recipient=recipient, keys=keys)


def generate_keys(folder: Path) -> None:
    """Write ``public.json`` and a private file per recipient; Conflict if any of them exists already."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    names = ["public.json", *(f"{recipient}.json" for recipient in RECIPIENTS)]
    if existing := [name for name in names if (folder / name).exists()]:
        raise Conflict(
            f"{folder} already holds {', '.join(existing)}; keys are never overwritten. "
            "Put the missing files back, or move these away: what was sealed to them must then be set again."
        )
    public: dict[str, Any] = {}
    for recipient in RECIPIENTS:
        key_id, private_raw, public_raw = _new_key(recipient)
        _write(folder / f"{recipient}.json", {"recipient": recipient, "keys": {key_id: private_raw}}, mode=0o600)
        public[recipient] = {"current": key_id, "keys": {key_id: public_raw}}
    _write(folder / "public.json", public, mode=0o644)


def add_key(folder: Path, recipient: Recipient) -> str:
    """First half of a rotation: give the recipient another key, which nobody seals to yet; return its id.

    Restart the recipient before :func:`make_current`, so that it never meets a secret it cannot open.
    """
    public_path, private_path = folder / "public.json", folder / f"{recipient}.json"
    public = _document(_read(public_path), public_path.name)
    private = _document(_read(private_path, private=True), private_path.name)
    key_id, private_raw, public_raw = _new_key(recipient)
    private["keys"][key_id] = private_raw
    public[recipient]["keys"][key_id] = public_raw
    _write(private_path, private, mode=0o600)
    _write(public_path, public, mode=0o644)
    return key_id


def make_current(folder: Path, recipient: Recipient, key_id: str) -> None:
    """Second half of a rotation: seal new secrets to this key. Older secrets keep their key until set again."""
    path = folder / "public.json"
    public = _document(_read(path), path.name)
    if key_id not in public.get(recipient, {}).get("keys", {}):
        raise InvalidInput(f"{path.name} holds no key {key_id} for {recipient}")
    public[recipient]["current"] = key_id
    _write(path, public, mode=0o644)


def _parse_public(text: str, name: str) -> PublicKeys:
    document = _document(text, name)
    current: dict[Recipient, str] = {}
    keys: dict[Recipient, dict[str, X25519PublicKey]] = {}
    for recipient in RECIPIENTS:
        entry = document.get(recipient)
        if not isinstance(entry, dict):
            raise InvalidInput(f"{name} has no keys for {recipient}")
        keys[recipient] = {}
        for key_id, raw in _raw_keys(entry, name).items():
            key = X25519PublicKey.from_public_bytes(raw)
            _check_id(key_id, recipient, key, name)
            keys[recipient][key_id] = key
        if entry.get("current") not in keys[recipient]:
            raise InvalidInput(f"{name}: the current key of {recipient} is not among its keys")
        current[recipient] = entry["current"]
    return PublicKeys(current=current, keys=keys)


def _raw_keys(entry: dict[str, Any], name: str) -> dict[str, bytes]:
    encoded = entry.get("keys")
    if not isinstance(encoded, dict) or not encoded:
        raise InvalidInput(f"{name} holds no keys")
    raw: dict[str, bytes] = {}
    for key_id, text in encoded.items():
        try:
            raw[key_id] = base64.b64decode(text, validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise InvalidInput(f"{name}: key {key_id} is not base64") from error
        if len(raw[key_id]) != 32:
            raise InvalidInput(f"{name}: key {key_id} is not 32 bytes long")
    return raw


def _recipient(value: object, name: str) -> Recipient:
    for recipient in RECIPIENTS:
        if value == recipient:
            return recipient
    raise InvalidInput(f"{name} does not say which service it belongs to ({', '.join(RECIPIENTS)})")


def _key_id(recipient: Recipient, key: X25519PublicKey) -> str:
    return f"{recipient}-{hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]}"


def _check_id(key_id: str, recipient: Recipient, key: X25519PublicKey, name: str) -> None:
    if key_id != _key_id(recipient, key):
        raise InvalidInput(f"{name}: the key under {key_id} is another one; the file was mixed up or damaged")


def _new_key(recipient: Recipient) -> tuple[str, str, str]:
    key = X25519PrivateKey.generate()
    public = key.public_key()
    return (
        _key_id(recipient, public),
        base64.b64encode(key.private_bytes_raw()).decode(),
        base64.b64encode(public.public_bytes_raw()).decode(),
    )


def _document(text: str, name: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as error:
        # Without a cause: the parser's message may quote the text around the fault, which is key material.
        raise InvalidInput(f"{name} is not JSON ({type(error).__name__})") from None
    if not isinstance(document, dict):
        raise InvalidInput(f"{name} is not a JSON object")
    return document


def _read(path: Path, *, private: bool = False) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if private and mode & 0o077:
                raise InvalidInput(
                    f"{path} holds private keys and can be read by others (mode {mode:04o}); run: chmod 600 {path}"
                )
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"the key file {path} cannot be read: {type(error).__name__}. Is its path right, may this user read it? "
            "A lost one comes back from the backup only; `hub keys` makes those of a hub that never had any"
        ) from error


def _write(path: Path, document: dict[str, Any], *, mode: int) -> None:
    """Replace the file in one step, so that a crash leaves the old keys or the new ones."""
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, mode)  # whatever the umask, and also where the file was there before
        json.dump(document, file, indent=2)
        file.flush()
        os.fsync(descriptor)
    temporary.replace(path)
