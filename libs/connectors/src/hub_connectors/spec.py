"""What a preset file says. A preset is an integration draft with places left for a college's own settings."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from hub_model.base import Input
from hub_model.records import DataType
from hub_model.webhooks import WebhookScheme
from pydantic import Field, JsonValue, StringConstraints, model_validator

SettingName = Annotated[str, StringConstraints(pattern=r"^[a-z][A-Za-z0-9]{0,63}$")]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]


class Support(StrEnum):
    """Whether a preset brings a data type. ``CONDITIONAL``: only with a plugin or a setting, which ``note`` names."""

    YES = "yes"
    CONDITIONAL = "conditional"
    NO = "no"


class Capability(Input):
    """What a preset can do for one data type, and what to know about it: why not, or with what."""

    support: Support
    note: str = ""


class SettingKind(StrEnum):
    """What a setting holds; the form of its field follows from it. ``TABLE``: an object of words."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    LIST = "list"
    TABLE = "table"


class Setting(Input):
    """A question that a preset asks. ``example`` is shown in the form and is a value that works.

    ``fills`` names the draft's own field that the answer goes into, such as ``apiKey``, or ``extraKeys.api_secret``
    for the entry of that name in a list: credentials never become part of the stored endpoints. ``fills_as`` is how it
    is written there, with ``{}`` for the answer. Without it the answer replaces ``{{ settings.<name> }}``. A default
    may hold ``{{ baseUrl }}``.
    """

    name: SettingName
    label: Text
    help: Text
    kind: SettingKind = SettingKind.TEXT
    example: JsonValue
    default: JsonValue = None
    required: bool = False
    secret: bool = False
    choices: list[JsonValue] = Field(default_factory=list, max_length=50)
    pattern: str | None = None
    fills: str | None = Field(default=None, pattern=r"^[a-z][A-Za-z0-9]*(\.[A-Za-z][A-Za-z0-9_-]*)?$")
    fills_as: str = Field(default="{}", pattern=r"\{\}")

    @model_validator(mode="after")
    def _keeps_secrets(self) -> "Setting":
        if self.secret and self.fills is None:
            raise ValueError(f"the secret setting {self.name} must fill a secret field of the draft")
        if self.required and self.default is not None:
            raise ValueError(f"the setting {self.name} has a default, so it is not required")
        return self


class Preset(Input):
    """One preset file. ``draft`` holds fields of an integration draft; ``endpoints`` and ``streams`` are part of it.

    ``webhooks`` says what to enter in the vendor's system, or why there is nothing to enter.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$")]
    version: Annotated[int, Field(ge=1)] = 1
    title: Text
    vendor: Text
    category: Literal["erp", "lms", "attendance", "sis", "standard", "generic"]
    summary: Text
    documentation: Text
    aliases: list[str] = Field(default_factory=list)
    capabilities: dict[DataType, Capability]
    settings: list[Setting] = Field(default_factory=list)
    base_url_example: Text
    sync_interval: Annotated[int, Field(ge=5)] = 60
    webhooks: Text
    notes: list[Text] = Field(default_factory=list)
    draft: dict[str, Any]

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> "Preset":
        endpoints = self.draft.get("endpoints", {})
        for data_type, capability in self.capabilities.items():
            if (data_type in endpoints) != (capability.support is not Support.NO):
                raise ValueError(f"capabilities and endpoints of {self.name} disagree about {data_type}")
            if capability.support is not Support.YES and not capability.note:
                raise ValueError(f"say in 'note' why {data_type} is {capability.support} in {self.name}")
        missing = {str(data_type) for data_type in endpoints} - {str(name) for name in self.capabilities}
        if missing:
            raise ValueError(f"{self.name} has endpoints for {', '.join(sorted(missing))} without a capability")
        names = [setting.name for setting in self.settings]
        if len(set(names)) < len(names):
            raise ValueError(f"two settings of {self.name} have one name")
        if self.webhook is not None and self.webhook.get("scheme") not in list(WebhookScheme):
            raise ValueError(f"the webhook of {self.name} names none of the schemes {', '.join(WebhookScheme)}")
        return self

    @property
    def webhook(self) -> dict[str, Any] | None:
        """The draft's webhook, with places for answers; None where the vendor's system sends none."""
        return self.draft.get("webhook")

    @property
    def webhook_scheme(self) -> WebhookScheme | None:
        """How the vendor's own pushes are proven."""
        return None if self.webhook is None else WebhookScheme(self.webhook["scheme"])

    @property
    def webhook_needs(self) -> Setting | None:
        """The setting without whose answer there is no webhook."""
        condition = (self.webhook or {}).get("$if", "")
        return next((setting for setting in self.settings if f"settings.{setting.name}" == condition), None)
