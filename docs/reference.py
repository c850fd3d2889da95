"""The reference of every field of an integration, as Markdown: the models' own words, types and defaults.

Names in docstrings are Python's; here they are written as in JSON. Each field's example comes from ``examples``, where
the models must accept it.
"""

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, get_args

from examples import ACCESS, EXAMPLES
from hub_model import (
    access,
    answers,
    auth,
    combining,
    conditions,
    endpoints,
    incremental,
    integrations,
    mappings,
    pagination,
    webhooks,
)
from hub_model.base import Input
from pydantic import BaseModel

# Heading -> the models below it. A model that others derive from stands before them: they show only what they add.
SECTIONS: Mapping[str, tuple[type[BaseModel], ...]] = {
    "The integration": (
        integrations.IntegrationDraft,
        integrations.RateLimits,
        integrations.Connector,
    ),
    "Credentials": (
        access.Access,
        auth.Placement,
        auth.ApiKeyPlacement,
        auth.ExtraKey,
        auth.TokenPlacement,
        auth.OAuthSettings,
        auth.OAuth1Settings,
        auth.LoginSettings,
        auth.LoginRequest,
    ),
    "Webhooks": (
        webhooks.WebhookSettings,
        webhooks.SignatureHeader,
        webhooks.SecretPlacement,
        webhooks.SignedEvents,
        webhooks.SyncOnPush,
    ),
    "Requests and answers": (endpoints.Request, answers.TextFormat, answers.ResponseFilter),
    "Pages": (
        pagination.AutoPagination,
        pagination.NoPagination,
        pagination.PagePagination,
        pagination.CountRequest,
        pagination.OffsetPagination,
        pagination.CursorPagination,
        pagination.NextUrlPagination,
        pagination.LinkHeaderPagination,
    ),
    "Streams and endpoints": (
        endpoints.Stream,
        endpoints.Endpoint,
        endpoints.Deletes,
        combining.Parent,
        combining.Explode,
        combining.Join,
        combining.GroupBy,
        combining.Punches,
    ),
    "Incremental": (
        incremental.DatetimeIncremental,
        incremental.ChangeVersionIncremental,
        incremental.TokenIncremental,
    ),
    "Conditions and mappings": (conditions.Condition, mappings.Mapping, mappings.Rule, mappings.Candidate),
}
DOCUMENTED = {model: section for section, models in SECTIONS.items() for model in models}
_WORDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
_FORMATS = {"duration": "duration", "password": "secret", "date-time": "moment"}
_SOURCES = {inspect.getmodule(model) for model in DOCUMENTED}
_IN_CODE = re.compile(r"``(.+?)``", re.DOTALL)


def reference() -> str:
    """Every section with its models."""
    return "\n\n".join(
        f"### {section}\n\n" + "\n\n".join(_model(model) for model in models) for section, models in SECTIONS.items()
    )


def access_examples() -> str:
    """A draft's fields for each kind of credentials."""
    return "\n\n".join(f"{example.title}\n\n```json\n{laid_out(example.value)}\n```" for example in ACCESS)


def laid_out(value: Any, indent: str = "") -> str:
    """JSON in which whatever fits stands in one line."""
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict) or (indent and len(indent + line) <= 100):
        return line
    inner = f"{indent}  "
    fields = [f"{inner}{json.dumps(name)}: {laid_out(item, inner)}" for name, item in value.items()]
    return "{\n" + ",\n".join(fields) + f"\n{indent}}}"


def own_fields(model: type[BaseModel]) -> list[str]:
    """The fields that the section of this model shows: none that stands at a model it derives from."""
    bases = [base for base in model.__mro__[1:] if base in DOCUMENTED]
    inherited = {name for base in bases for name in base.model_fields} - inspect.get_annotations(model).keys()
    fields = [name for name in model.model_fields if name not in inherited]
    return sorted(fields, key=lambda name: name != "type")  # what an object of several kinds is comes first


def example_of(model: type[BaseModel], field: str) -> Any:
    """What the first example that has this field says; KeyError if none has it."""
    alias = model.model_fields[field].alias or field
    for example in EXAMPLES[model]:
        if alias in example:
            return example[alias]
    raise KeyError(f"{model.__name__}.{alias}")


def _model(model: type[BaseModel]) -> str:
    schema = model.model_json_schema(by_alias=True)
    lines = [f"#### {model.__name__}", "", docstring(model), ""]
    if bases := [base.__name__ for base in model.__mro__[1:] if base in DOCUMENTED]:
        lines += [f"Besides all of {' and '.join(_link(base) for base in bases)}:", ""]
    if own_fields(model):
        lines += ["| field | what | if left out | example |", "|---|---|---|---|"]
    for name in own_fields(model):
        alias = model.model_fields[name].alias or name
        field = schema["properties"][alias]
        left_out = "needed" if model.model_fields[name].is_required() else _default(field.get("default"))
        example = code(json.dumps({alias: example_of(model, name)}, ensure_ascii=False)[1:-1])
        lines.append(f"| `{alias}` | {kind(field, schema.get('$defs', {}))} | {left_out} | {example} |")
    for name, enum in _enums(model):
        lines += ["", f"`{name}`. {docstring(enum)}"]
    return "\n".join(lines).rstrip()


def kind(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """What may stand there, in words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        words = definitions[name].get("enum")
        return "any JSON" if name == "JsonValue" else _values(words) if words else _link(name)
    if "const" in schema or "enum" in schema:
        return _values(schema.get("enum") or [schema["const"]])
    if "oneOf" in schema:
        return _one_of([part["$ref"].rpartition("/")[2] for part in schema["oneOf"]])
    if "anyOf" in schema:
        found = [kind(part, definitions) for part in schema["anyOf"] if part.get("type") != "null"]
        return " or ".join(dict.fromkeys(found))
    return _plain(schema, definitions)


def _one_of(names: list[str]) -> str:
    """Links to all of them, or to the section that holds only these."""
    for section, models in SECTIONS.items():
        if {model.__name__ for model in models} >= set(names) and len(names) > 2:
            return f"one of [{section}](#{section.lower().replace(' ', '-')})"
    return " or ".join(map(_link, names))


def _plain(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if schema.get("type") == "array":
        return f"list of {kind(schema.get('items', {}), definitions)}"
    if schema.get("type") == "object":
        inner = schema.get("additionalProperties") or next(iter(schema.get("patternProperties", {}).values()), None)
        return f"object of {kind(inner, definitions)}" if isinstance(inner, dict) else "object"
    if "type" not in schema:
        return "any JSON"
    return _FORMATS.get(schema.get("format", ""), _WORDS[schema["type"]]) + _bounds(schema)


def _bounds(schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f", {least:,} to {most:,}"
    return f", at least {least:,}" if least is not None else f", at most {most:,}" if most is not None else ""


def _values(values: list[Any]) -> str:
    return " or ".join(code(json.dumps(value)) for value in values)


def _default(default: Any) -> str:
    if isinstance(default, dict):  # what an object's fields are if left out stands at the object, but for its kind
        default = {name: value for name, value in default.items() if name == "type"}
    return "" if default in (None, "", [], {}) else code(json.dumps(default, ensure_ascii=False))


def _link(name: str) -> str:
    return f"[{name}](#{name.lower()})"


def code(text: str) -> str:
    """Text as code within a cell of a table."""
    mark = "``" if "`" in text else "`"
    return f"{mark}{text.replace('|', chr(92) + '|')}{mark}"


def docstring(described: type) -> str:
    """What a class says of itself, and what its undocumented bases say, with names as they are in JSON."""
    classes = [described, *(base for base in described.__mro__[1:] if base.__module__.startswith("hub_model"))]
    texts = [inspect.cleandoc(base.__dict__.get("__doc__") or "") for base in classes if _speaks(base, described)]
    paragraphs = [" ".join(part.split()) for text in texts for part in text.split("\n\n") if part]
    if issubclass(described, StrEnum):
        names = {**_ALIASES, **{member.name: json.dumps(member.value) for member in described}}
    else:
        names = _ALIASES
    return "\n\n".join(_IN_CODE.sub(lambda found: f"`{_as_json(found[1], names)}`", part) for part in paragraphs)


def _speaks(base: type, described: type) -> bool:
    return base is described or (base not in DOCUMENTED and base.__name__.startswith("_"))


def _as_json(text: str, names: Mapping[str, str]) -> str:
    """Names as they are in JSON; what stands in quotation marks is there already."""
    return re.sub(r'"[^"]*"|\w+', lambda word: names.get(word[0], word[0]), text)


def _enums(model: type[BaseModel]) -> Iterator[tuple[str, type[StrEnum]]]:
    """The closed lists of words among the model's own fields that have something to say of them."""
    for name in own_fields(model):
        field = model.model_fields[name]
        for found in parts_of(field.annotation):
            if isinstance(found, type) and issubclass(found, StrEnum) and found.__module__ != "hub_model.records":
                yield field.alias or name, found


def parts_of(annotation: Any) -> Iterator[Any]:
    """The classes within an annotation."""
    inner = get_args(annotation)
    if not inner:
        yield annotation
    for part in inner:
        yield from parts_of(part)


def reachable(model: type[BaseModel]) -> set[type[BaseModel]]:
    """The model and all that its fields hold."""
    found = {model}
    waiting = [model]
    while waiting:
        for field in waiting.pop().model_fields.values():
            for part in parts_of(field.annotation):
                if isinstance(part, type) and issubclass(part, Input) and part not in found:
                    found.add(part)
                    waiting.append(part)
    return found


_ALIASES = {
    name: field.alias
    for module in _SOURCES
    for model in vars(module).values()
    if isinstance(model, type) and issubclass(model, BaseModel)
    for name, field in model.model_fields.items()
    if field.alias
}
