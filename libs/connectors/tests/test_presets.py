"""Every preset file loads, asks understandable questions, and expands to a draft that can be stored."""

from typing import Any

import pytest
from hub_connectors.expanding import expand, places
from hub_connectors.loader import find_preset, parse_preset, presets
from hub_connectors.spec import Preset
from hub_mapping import compile_mapping
from hub_model.errors import NotFound
from hub_model.integrations import IntegrationDraft

NAMES = list(presets())


def answered(preset: Preset, **changes: Any) -> dict[str, Any]:
    """A draft that answers every question with its example."""
    settings = {setting.name: setting.example for setting in preset.settings}
    return {"name": "Test", "baseUrl": preset.base_url_example, "settings": {**settings, **changes}}


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_expands_to_a_valid_draft_whose_mappings_compile(name: str) -> None:
    draft = IntegrationDraft.model_validate(expand(presets()[name], answered(presets()[name])))
    for data_type, endpoint in draft.endpoints.items():
        compile_mapping(endpoint.mapping, data_type, time_zone=draft.time_zone)
        if endpoint.deletes is not None:
            compile_mapping(endpoint.deletes.mapping, data_type, time_zone=draft.time_zone)


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_expands_with_its_required_answers_alone(name: str) -> None:
    preset = presets()[name]
    needed = {setting.name: setting.example for setting in preset.settings if setting.required}
    draft = expand(preset, {"name": "Test", "baseUrl": preset.base_url_example, "settings": needed})
    assert IntegrationDraft.model_validate(draft).connector is not None


@pytest.mark.parametrize("name", NAMES)
def test_every_place_has_a_setting_and_every_setting_a_place(name: str) -> None:
    preset = presets()[name]
    used = set(places(preset.draft))
    asked = {setting.name for setting in preset.settings if setting.fills is None}
    assert used == asked


@pytest.mark.parametrize("name", NAMES)
def test_a_stored_draft_shows_no_secret_answer(name: str) -> None:
    preset = presets()[name]
    secrets = {setting.name: f"canary-{setting.name}" for setting in preset.settings if setting.secret}
    draft = IntegrationDraft.model_validate(expand(preset, answered(preset, **secrets)))
    assert "canary-" not in draft.model_dump_json()


def test_an_unknown_preset_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(NotFound, match="generic-rest"):
        find_preset("no-such")


def test_a_key_that_stands_twice_is_an_error_and_words_stay_words() -> None:
    with pytest.raises(ValueError, match="stands twice"):
        parse_preset("name: a\nname: b\n", name="a")
    with pytest.raises(ValueError, match="calls itself"):
        parse_preset(minimal("b"), name="a")
    preset = parse_preset(minimal("a"), name="a")
    assert preset.draft["endpoints"]["students"]["params"] == {"active": "yes", "on": "2026-07-20", "all": True, "n": 5}


def minimal(name: str) -> str:
    return f"""
name: {name}
title: A
vendor: A
category: generic
summary: A
documentation: A
base_url_example: https://a.example
webhooks: None.
capabilities: {{students: {{support: "yes"}}}}
draft: {{endpoints: {{students: {{path: /a, params: {{active: yes, on: 2026-07-20, all: true, n: 5}}}}}}}}
"""
