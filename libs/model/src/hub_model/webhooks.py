"""How the pushes of an integration prove who sends them, and what they bring: records, or word that there is news."""

import re
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from hub_model.auth import Secret
from hub_model.base import Input
from hub_model.conditions import Conditions
from hub_model.records import DataType

_HEADER_NAME = r"^[A-Za-z0-9!#$&'*+.^_`|~-]{1,64}$"


def _check_prefix(prefix: str) -> str:
    if not prefix.isprintable() or prefix.startswith(" "):
        # Servers take spaces off the beginning of a value, and no value has line breaks.
        raise ValueError("a prefix has printable characters only, and does not begin with a space")
    return prefix


def _are_some(networks: Sequence[str]) -> bool:
    """Whether these are less than all addresses that there are."""
    parsed = [ip_network(text) for text in networks]
    v4 = list(collapse_addresses(network for network in parsed if isinstance(network, IPv4Network)))
    v6 = list(collapse_addresses(network for network in parsed if isinstance(network, IPv6Network)))
    return bool(parsed) and IPv4Network("0.0.0.0/0") not in v4 and IPv6Network("::/0") not in v6


HeaderName = Annotated[str, StringConstraints(pattern=_HEADER_NAME)]
Prefix = Annotated[str, AfterValidator(_check_prefix)]
ClaimPath = Annotated[str, StringConstraints(min_length=1, max_length=256)]
ClaimValue = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class WebhookScheme(StrEnum):
    """``LEGACY``: ``x-webhook-signature``, hex HMAC-SHA256 of the raw body. ``STANDARD``: Standard Webhooks 1.0.
    ``HMAC``: HMAC-SHA256 of the raw body in a header of the vendor's own. ``JWT``: the body is a signed JSON Web Token.
    ``TOKEN``: the secret itself comes with each push.
    """

    LEGACY = "legacy"
    STANDARD = "standard"
    HMAC = "hmac"
    JWT = "jwt"
    TOKEN = "token"  # noqa: S105 - a scheme's name


class SignatureHeader(Input):
    """The header that holds the HMAC-SHA256 of the raw body, and how it is written there, after ``prefix``.

    Frappe: ``{"name": "X-Frappe-Webhook-Signature", "encoding": "base64"}``. As GitHub does it:
    ``{"name": "X-Hub-Signature-256", "prefix": "sha256="}``.
    """

    name: HeaderName
    encoding: Literal["hex", "base64"] = "hex"
    prefix: Prefix = Field(default="", max_length=32)


class SecretPlacement(Input):
    """Where the secret stands in each push: a header, a field of the JSON body, or the last part of the address.

    ``name`` is the header's, or the field's dotted path; an address needs none. ``prefix`` stands before the secret in
    a header. As GitLab does it: ``{"name": "X-Gitlab-Token"}``. Moodle's local_webhooks:
    ``{"placement": "body", "name": "token"}``. A device that can send nothing else: ``{"placement": "address"}``, and
    the secret is written behind the webhook's address and a slash.
    """

    placement: Literal["header", "body", "address"] = "header"
    name: str = Field(default="", max_length=256)
    prefix: Prefix = Field(default="", max_length=32)

    @model_validator(mode="after")
    def _named(self) -> "SecretPlacement":
        if (self.placement == "address") is bool(self.name):
            raise ValueError("name the header or the field that holds the token; an address has none")
        # fullmatch: "$" alone lets a line break follow.
        if self.placement == "header" and not re.fullmatch(_HEADER_NAME, self.name):
            raise ValueError("a header's name has 1 to 64 letters, digits or signs such as - and _, without spaces")
        if self.prefix and self.placement != "header":
            raise ValueError("a prefix stands before the token of a header only")
        return self


class SignedEvents(Input):
    """The key set that the body's signature is checked with, and what the token must say beside.

    ``jwks_url``: where the sender publishes its keys (RFC 7517), RS256 or ES256, which may change at any time.
    ``claims`` are values by their dotted path. Every customer of a vendor has the vendor's signature, so one of them
    has to tell whose event it is. Canvas: ``{"metadata.root_account_uuid": "..."}``.
    """

    jwks_url: str = Field(min_length=1, max_length=2000)
    claims: dict[ClaimPath, ClaimValue] = Field(min_length=1, max_length=10)


class SyncOnPush(Input):
    """After a push for which all of ``when`` holds, these data types are synced; all there are, if none is named.

    Example: ``{"when": [{"path": "doctype", "equals": "Student Attendance"}], "dataTypes": ["attendance"]}``.
    """

    when: Conditions = Field(default_factory=list)
    data_types: list[DataType] = Field(default_factory=list, max_length=len(DataType))


class WebhookSettings(Input):
    """How this integration's pushes are proven, and what they are for. Without a secret one is made, and shown once.

    A push brings records, or with ``syncs`` word that there is news: then nothing of it is stored, and what the rules
    say is synced as soon as it is readable, but ``pause`` after the last sync at the earliest. ``data_type`` is what a
    body of records holds that does not say so itself. ``allowed_networks``: only from there, as CIDRs.

    ``signature`` belongs to the scheme ``hmac``, ``secret_placement`` to ``token`` and ``jwt`` to ``jwt``. The last two
    need ``syncs``: what they prove is not the whole body, or no record. A secret in the address also needs
    ``allowed_networks``, since addresses are written down in many places.
    """

    scheme: WebhookScheme = WebhookScheme.LEGACY
    secret: Secret | None = None
    signature: SignatureHeader | None = None
    secret_placement: SecretPlacement | None = None
    jwt: SignedEvents | None = None
    allowed_networks: list[str] = Field(default_factory=list, max_length=50)
    data_type: DataType | None = None
    syncs: list[SyncOnPush] = Field(default_factory=list, max_length=50)
    pause: timedelta = Field(default=timedelta(minutes=5), ge=timedelta(0), le=timedelta(days=1))

    @field_validator("allowed_networks")
    @classmethod
    def _networks(cls, texts: list[str]) -> list[str]:
        for text in texts:
            try:
                ip_network(text)
            except ValueError:
                raise ValueError(f"{text!r} is not a network; write one such as 203.0.113.0/24") from None
        return texts

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> "WebhookSettings":
        parts = {
            WebhookScheme.HMAC: ("signature", self.signature),
            WebhookScheme.TOKEN: ("secretPlacement", self.secret_placement),
            WebhookScheme.JWT: ("jwt", self.jwt),
        }
        for scheme, (part, given) in parts.items():
            is_given = given is not None
            if is_given and self.scheme is not scheme:
                raise ValueError(f"'{part}' belongs to the scheme {scheme}, not to {self.scheme}")
            if not is_given and self.scheme is scheme:
                raise ValueError(f"the scheme {scheme} needs '{part}'")
        if self.scheme in (WebhookScheme.TOKEN, WebhookScheme.JWT) and not self.syncs:
            raise ValueError(f'pushes of the scheme {self.scheme} are not stored: "syncs": [{{}}] syncs after each')
        if self.is_in_address and not _are_some(self.allowed_networks):
            raise ValueError("a secret in the address needs 'allowedNetworks', the networks that pushes come from")
        if self.jwt is not None and self.secret is not None:
            raise ValueError("the scheme jwt has no secret: the sender signs with a key of its own")
        if self.syncs and self.data_type is not None:
            raise ValueError("'dataType' is for pushes of records; with 'syncs' nothing of a push is stored")
        return self

    @property
    def is_in_address(self) -> bool:
        """Whether the secret is part of the webhook's address."""
        return self.secret_placement is not None and self.secret_placement.placement == "address"

    @property
    def secret_field(self) -> str | None:
        """The path of the secret in the body, if it is there."""
        placement = self.secret_placement
        return placement.name if placement is not None and placement.placement == "body" else None

    @property
    def has_secret(self) -> bool:
        """Whether sender and hub share one."""
        return self.jwt is None
