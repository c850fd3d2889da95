"""Drafts to start from, and completing the ones that name a preset."""

from collections.abc import Mapping
from typing import Any

from hub_connectors.conventions import recognise
from hub_connectors.expanding import expand
from hub_connectors.loader import presets
from hub_connectors.spec import Preset


def draft_to_start_from(preset: Preset) -> dict[str, Any]:
    """The body of a create request for this preset, with an example in each answer. Secrets have none: ``...``."""
    settings = {
        setting.name: "..." if setting.secret else setting.example if setting.default is None else setting.default
        for setting in preset.settings
        if setting.required or setting.secret or setting.default is not None
    }
    return {
        "name": preset.title,
        "type": preset.name,
        "baseUrl": preset.base_url_example,
        "settings": settings,
        "syncInterval": preset.sync_interval,
        "enabled": False,
    }


def complete(draft: Any) -> Any:
    """A draft that names a preset and leaves its endpoints, or some of them, to it, as ``expand`` completes it.

    In any other, paths of a system that is known by them are completed as ``recognise`` does it; what says everything
    itself stays as it is, also where it was made from a preset once. Raises InvalidInput as ``expand`` does.
    """
    preset = _preset_of(draft)
    return recognise(_with_own_webhook(draft)) if preset is None else expand(preset, draft)


def _with_own_webhook(draft: Any) -> Any:
    """Whose the webhook is that a draft brings itself, nobody else can say: not a copy of what was shown once."""
    connector = draft.get("connector") if isinstance(draft, Mapping) else None
    if not isinstance(connector, Mapping) or "webhook" not in connector:
        return draft
    return {**draft, "connector": {name: value for name, value in connector.items() if name != "webhook"}}


def _preset_of(draft: Any) -> Preset | None:
    if not isinstance(draft, Mapping) or not isinstance(draft.get("type"), str):
        return None
    endpoints = draft.get("endpoints")
    is_open = not endpoints or (isinstance(endpoints, dict) and True in endpoints.values())
    if not is_open and "settings" not in draft:
        return None
    word = draft["type"].strip().lower()
    return next((preset for preset in presets().values() if word in (preset.name, *preset.aliases)), None)
