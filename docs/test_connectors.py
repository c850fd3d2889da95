"""What ``docs/connectors.md`` shows is true: models accept its examples, and no field and no model is without one."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from examples import ACCESS, EXAMPLES
from generate import with_parts
from hub_connectors.drafting import complete
from hub_mapping.checking import endpoint_issues, stream_issues
from hub_mapping.pushes import push_issues
from hub_model.access import Access, given_secrets, needed_secrets
from hub_model.auth import AuthType
from hub_model.errors import ErrorClass
from hub_model.integrations import IntegrationDraft
from hub_model.runs import RunStatus
from pydantic import BaseModel
from reference import DOCUMENTED, example_of, kind, own_fields, reachable

TEXT = Path(__file__).with_name("connectors.md").read_text()
# What stands in the text itself; what is generated comes from the examples.
WRITTEN = re.sub(r"<!-- (\w+): generated -->.*?<!-- /\1 -->", "", TEXT, flags=re.DOTALL)
BLOCKS = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", WRITTEN, re.DOTALL)]
BASE = {
    "name": "College",
    "type": "any",
    "baseUrl": "https://erp.college.edu",
    "authType": "bearer",
    "endpoints": {"students": "/students"},
}


def named(model: Any) -> str | None:
    return model.__name__ if isinstance(model, type) else None


def test_every_model_of_an_integration_is_documented() -> None:
    assert {model.__name__ for model in reachable(IntegrationDraft) - DOCUMENTED.keys()} == set()


@pytest.mark.parametrize("model", DOCUMENTED, ids=named)
def test_every_field_has_an_example(model: type[BaseModel]) -> None:
    missing = []
    for name in own_fields(model):
        try:
            example_of(model, name)
        except KeyError:
            missing.append(name)
    assert missing == [], f"write an example of them in docs/examples.py, under {model.__name__}"


@pytest.mark.parametrize(
    ("model", "example"), [(model, example) for model, found in EXAMPLES.items() for example in found], ids=named
)
def test_a_model_accepts_its_examples(model: type[BaseModel], example: dict[str, Any]) -> None:
    model.model_validate(example)


def test_every_kind_of_credentials_has_an_example_with_all_it_needs() -> None:
    shown = [Access.model_validate(example.value) for example in ACCESS]
    assert {settings.auth_type for settings in shown} == set(AuthType)
    for settings in shown:
        assert all(given_secrets(settings).keys() & set(choice) for choice in needed_secrets(settings))


@pytest.mark.parametrize("block", BLOCKS, ids="-".join)
def test_what_the_text_shows_can_be_stored(block: dict[str, Any]) -> None:
    draft = complete({**({} if "settings" in block else BASE), **block})
    settings = IntegrationDraft.model_validate(draft)
    for stream in settings.streams.values():
        assert stream_issues(stream) == []
    for data_type, endpoint in settings.endpoints.items():
        assert endpoint_issues(endpoint, data_type, time_zone=settings.time_zone) == []
    assert settings.webhook is None or push_issues(settings.webhook) == []


def test_every_error_class_and_every_end_of_a_run_is_explained() -> None:
    words = [*ErrorClass, *(status for status in RunStatus if status.is_final)]
    assert [word for word in words if f"| `{word}` |" not in WRITTEN] == []


def test_links_within_the_text_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}
    assert len(slugs) == len(headings)
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= slugs


def test_every_row_of_a_table_has_as_many_cells_as_its_head() -> None:
    for table in re.findall(r"(?:^\|.*\n)+", TEXT, re.MULTILINE):
        cells = [len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()]
        assert len(set(cells)) == 1, table[:200]


def test_types_are_told_in_words() -> None:
    nothing: dict[str, Any] = {}
    assert kind({"anyOf": [{"type": "string"}, {"type": "null"}]}, nothing) == "text"
    assert kind({"type": "array", "items": {"enum": ["a", "b"]}}, nothing) == 'list of `"a"` or `"b"`'
    assert kind({"type": "integer", "minimum": 1, "maximum": 100000}, nothing) == "whole number, 1 to 100,000"


def test_a_file_without_a_place_for_a_generated_part_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    file.write_text("a\n<!-- x: generated -->\nold\n<!-- /x -->\nb\n")
    assert with_parts(file, {"x": "new"}) == "a\n<!-- x: generated -->\nnew\n<!-- /x -->\nb\n"
    with pytest.raises(ValueError, match="no place for y"):
        with_parts(file, {"y": "new"})
