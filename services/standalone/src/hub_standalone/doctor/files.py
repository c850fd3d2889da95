"""What lies on this machine: settings, keys, and what tokens are checked with. Nothing of it is ever shown."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from hub_config_api.settings import ConfigApiSettings
from hub_fetcher.settings import FetcherSettings
from hub_messaging.clock import Clock
from hub_model.errors import HubError, InvalidInput
from hub_runtime.settings import RuntimeSettings, load_settings
from hub_scheduler.settings import SchedulerSettings
from hub_security.jwks import SharedKey
from hub_security.keys import (
    RECIPIENTS,
    PrivateKeys,
    PublicKeys,
    Recipient,
    load_private_keys,
    load_public_keys,
    parse_private_keys,
)
from hub_security.vault import SecretBinding, SecretOpener, SecretSealer
from hub_transformer.settings import TransformerSettings
from hub_webhook_gateway.settings import GatewaySettings
from hub_writer.settings import WriterSettings

from hub_standalone.doctor.examination import Examination
from hub_standalone.local import OperatorSettings, misspelt_variables
from hub_standalone.settings import StandaloneSettings

_SERVICES: tuple[type[RuntimeSettings], ...] = (
    ConfigApiSettings,
    SchedulerSettings,
    FetcherSettings,
    TransformerSettings,
    WriterSettings,
    GatewaySettings,
)
_SEALED: dict[Recipient, str] = {"fetcher": "apiKey", "gateway": "webhookSecret"}
_FAIL_MIB, _WARN_MIB = 20, 200
_LOST = "Put the file back from your backup; secrets sealed to a lost key must be entered again in each integration."


def look_at_settings(exam: Examination, settings: OperatorSettings) -> None:
    """Every variable that a service would read here."""
    wrong = _wrong([StandaloneSettings] if settings.is_embedded else _SERVICES)
    for text in wrong:
        exam.fail("settings", f"{text}.", "The service that reads it does not start.")
    unknown = misspelt_variables(StandaloneSettings)
    for name, meant in unknown.items():
        exam.warn("settings", f"{name} is read by nothing.", f"Was {meant} meant?" if meant else "")
    if not wrong and not unknown:
        exam.ok("settings", "every HUB_ variable can be read.")


def look_at_tokens(exam: Examination, settings: OperatorSettings) -> None:
    """What tokens are checked with; it is not shown."""
    try:
        secret = settings.signing_secret()
        if settings.jwks_url and settings.token_secret is not None:
            exam.fail("tokens", "HUB_TOKEN_SECRET and HUB_JWKS_URL are both set.", "Take one of them away.")
        elif settings.jwks_url:
            exam.ok("tokens", "are checked with the keys of HUB_JWKS_URL.")
        elif secret is None:
            _missing(
                exam,
                settings,
                "tokens",
                "nothing to check them with: neither HUB_TOKEN_SECRET nor HUB_JWKS_URL is set.",
            )
        else:
            SharedKey(secret)
            exam.ok("tokens", "are checked with a shared secret.")
    except HubError as error:
        exam.fail("tokens", f"{error}.", "Set HUB_TOKEN_SECRET to at least 32 random bytes, or set HUB_JWKS_URL.")


def look_at_disk(exam: Examination, settings: OperatorSettings, *, free_bytes: Callable[[Path], int]) -> None:
    """Room for the file of a hub in one process. Without any it refuses to write, and is ready all the same."""
    folder = settings.database.parent
    if not folder.exists():
        return
    free_mib = free_bytes(folder) // 2**20
    if free_mib < _FAIL_MIB:
        exam.fail("disk", f"{free_mib} MiB are left beside {settings.database}.", "Make room; it goes on by itself.")
    elif free_mib < _WARN_MIB:
        exam.warn("disk", f"{free_mib} MiB are left beside {settings.database}.", "Make room before it is full.")
    else:
        exam.ok("disk", f"{free_mib} MiB are left beside {settings.database}.")


def look_at_keys(exam: Examination, settings: OperatorSettings, *, clock: Clock) -> None:
    """The key files, and that what is sealed to the public ones opens with the private ones."""
    path = settings.public_keys_file or settings.keys_folder / "public.json"
    public: PublicKeys | None = None
    if not path.exists() and settings.public_keys_file is None:
        _missing(exam, settings, "public keys", f"there is no {path}.")
    else:
        try:
            public = load_public_keys(path)
            exam.ok("public keys", f"{path} can be read.")
        except InvalidInput as error:
            exam.fail("public keys", f"{error}.", _LOST)
    for recipient in RECIPIENTS:
        _look_at_private_keys(exam, settings, recipient, public, clock)


def _look_at_private_keys(
    exam: Examination, settings: OperatorSettings, recipient: Recipient, public: PublicKeys | None, clock: Clock
) -> None:
    name = f"{recipient} keys"
    text = settings.fetcher_keys if recipient == "fetcher" else settings.gateway_keys
    named = settings.fetcher_keys_file if recipient == "fetcher" else settings.gateway_keys_file
    path = named or settings.keys_folder / f"{recipient}.json"
    try:
        if text is not None:
            private = parse_private_keys(text.get_secret_value(), name=f"HUB_{recipient.upper()}_KEYS")
        elif named is None and not path.exists():
            _missing(exam, settings, name, f"there is no {path}.")
            return
        elif _is_not_ours(path):
            exam.warn(name, f"{path} cannot be read by this user.", "To check it, run this as the service's user.")
            return
        else:
            private = load_private_keys(path)
        if private.recipient != recipient:
            raise InvalidInput(f"these are the keys of {private.recipient}")
        opener = SecretOpener(private)
        if public is not None:
            _check_pair(recipient, public, opener, clock)
    except HubError as error:
        exam.fail(name, f"{error}.", _LOST)
        return
    _report_pair(exam, name, recipient, public, private)


def _check_pair(recipient: Recipient, public: PublicKeys, opener: SecretOpener, clock: Clock) -> None:
    """Raise SecretUnreadable unless a secret comes through."""
    binding = SecretBinding("doctor", "doctor", _SEALED[recipient])
    sealed = SecretSealer(public).seal("a test", binding, recipient=recipient, origin="", version=1, now=clock())
    opener.open(sealed, binding)


def _report_pair(
    exam: Examination, name: str, recipient: Recipient, public: PublicKeys | None, private: PrivateKeys
) -> None:
    lost = sorted(set(public.keys[recipient]) - set(private.keys)) if public is not None else []
    if lost:
        exam.warn(name, f"secrets sealed to {', '.join(lost)} do not open any more: the private key is gone.", _LOST)
    elif public is not None:
        exam.ok(name, "what is sealed to the public key opens with the private one.")
    else:
        exam.ok(name, "can be read; there are no public keys here to compare them with.")


def _missing(exam: Examination, settings: OperatorSettings, check: str, detail: str) -> None:
    """A hub in one process needs it here; a service that runs apart may have it on another machine."""
    if settings.is_embedded:
        exam.fail(check, detail, "For development `hub keys` creates it; elsewhere put it back from your backup.")
    else:
        exam.warn(check, detail, "That is right where the service that reads it runs on another machine.")


def _is_not_ours(path: Path) -> bool:
    return path.exists() and not os.access(path, os.R_OK)


def _wrong(kinds: Sequence[type[RuntimeSettings]]) -> list[str]:
    """What is wrong with single variables, each once. What a service misses as a whole is said by the other checks."""
    found: dict[str, None] = {}
    for kind in kinds:
        try:
            load_settings(kind)
        except InvalidInput as error:
            if not error.issues:
                found[str(error).rstrip(".")] = None
            for issue in error.issues:
                if issue.pointer.startswith("HUB_"):
                    found[f"{issue.pointer}: {issue.message}"] = None
    return list(found)
