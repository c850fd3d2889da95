"""Connectors as the API shows them."""

from typing import Any

from hub_connectors.drafting import draft_to_start_from
from hub_connectors.spec import Capability, Preset, Setting
from hub_model.base import Value
from hub_model.records import DataType
from hub_model.webhooks import WebhookScheme


class ConnectorSummary(Value):
    """One connector in the list. ``webhookScheme`` is how its vendor's own pushes are proven, if it sends any."""

    name: str
    version: int
    title: str
    vendor: str
    category: str
    summary: str
    capabilities: dict[DataType, Capability]
    webhook_scheme: WebhookScheme | None


class ConnectorList(Value):
    items: list[ConnectorSummary]


class ConnectorView(ConnectorSummary):
    """One connector. ``example`` is the body to create an integration with; its credentials are left to be entered.

    ``webhooks`` says what to enter in the vendor's system for its pushes, or why there are none.
    """

    documentation: str
    notes: list[str]
    webhooks: str
    base_url_example: str
    sync_interval: int
    settings: list[Setting]
    example: dict[str, Any]


def connector_summary(preset: Preset) -> ConnectorSummary:
    return ConnectorSummary(**_fields(preset, ConnectorSummary))


def connector_view(preset: Preset) -> ConnectorView:
    return ConnectorView(**_fields(preset, ConnectorView), example=draft_to_start_from(preset))


def _fields(preset: Preset, view: type[Value]) -> dict[str, Any]:
    return {name: getattr(preset, name) for name in view.model_fields if hasattr(preset, name)}
