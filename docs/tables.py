"""Tables made of what the code offers: what each preset brings, what records hold, the vocabulary of mappings."""

import json

from hub_connectors.loader import presets
from hub_connectors.spec import Preset, Support
from hub_mapping.keys import KEY_PARTS
from hub_mapping.schemas import RECORD_STATUS, SCHEMAS, Field, Kind
from hub_mapping.transforms import TRANSFORMS, Transform
from hub_model.records import DataType
from reference import code

_MARKS = {Support.YES: "yes", Support.CONDITIONAL: "if", Support.NO: "no"}
_TYPES = [data_type for data_type in DataType if data_type is not DataType.CUSTOM]


def vocabulary() -> str:
    """Every transform with its example, which the tests of ``hub_mapping`` run."""
    lines = ["| name | what it does | how to write it | example |", "|---|---|---|---|"]
    for name, transform in TRANSFORMS.items():
        summary = transform.summary.replace("|", "\\|").replace("*", "\\*")
        summary += " Meets missing values too." if transform.sees_missing else ""
        lines.append(f"| `{name}` | {summary} | {code(transform.usage)} | {_example(transform)} |")
    return "\n".join(lines)


def _example(transform: Transform) -> str:
    example = transform.example
    beside = f" in {_json(dict(example.record))}" if example.record else ""
    return f"{_json(example.do)} on {_json(example.value)}{beside} gives {_json(example.gives)}"


def _json(value: object) -> str:
    return code(json.dumps(value, ensure_ascii=False))


def records() -> str:
    """The fields of each data type: what a rule's ``to`` may name."""
    lines = ["| data type | known by | needed | other fields |", "|---|---|---|---|"]
    common = set(SCHEMAS[DataType.CUSTOM])
    for data_type in _TYPES:
        fields = [field for field in SCHEMAS[data_type].values() if field.name not in common]
        key = ", ".join(" or ".join(names) for names in KEY_PARTS[data_type])
        needed = ", ".join(_field(field) for field in fields if field.required)
        others = ", ".join(_field(field) for field in fields if not field.required)
        lines.append(f"| {data_type} | {key} | {needed} | {others} |")
    return "\n".join(lines)


def words() -> str:
    """The closed lists of words."""
    lines = ["| field | words |", "|---|---|"]
    for data_type in _TYPES:
        for field in SCHEMAS[data_type].values():
            if field.words is not None and (field.name != RECORD_STATUS or data_type is _TYPES[0]):
                name = field.name if field.name == RECORD_STATUS else f"{field.name} of {data_type}"
                lines.append(f"| {name} | {', '.join(field.words.words)} |")
    return "\n".join(lines)


def _field(field: Field) -> str:
    return f"`{field.name}`" if field.kind in (Kind.TEXT, Kind.ID) else f"`{field.name}` ({field.kind})"


def presets_table() -> str:
    """One line for each preset."""
    lines = [
        f"| system | `type` | {' | '.join(_TYPES)} |",
        "|---|---|" + "---|" * len(_TYPES),
        *(_line(preset) for preset in presets().values()),
    ]
    return "\n".join(lines)


def webhooks_table() -> str:
    """One line for each preset; those whose vendors push come first."""
    pushing_first = sorted(presets().values(), key=lambda preset: preset.webhook is None)
    lines = ["| system | scheme | what to enter there, or why nothing |", "|---|---|---|"]
    for preset in pushing_first:
        scheme = f"`{preset.webhook_scheme}`" if preset.webhook_scheme else "-"
        lines.append(f"| {preset.title} | {scheme} | {preset.webhooks} |")
    return "\n".join(lines)


def presets_notes() -> str:
    """Of each preset, what its ``if`` and ``no`` mean and what to know before."""
    return "\n".join(line for preset in presets().values() for line in _notes(preset)).rstrip()


def _line(preset: Preset) -> str:
    support = [preset.capabilities[name].support if name in preset.capabilities else Support.NO for name in _TYPES]
    return f"| {preset.title} | `{preset.name}` | {' | '.join(_MARKS[word] for word in support)} |"


def _notes(preset: Preset) -> list[str]:
    capabilities = [
        f"{data_type} ({_MARKS[capability.support]}): {_sentence(capability.note)}"
        for data_type, capability in preset.capabilities.items()
        if capability.note
    ]
    said = [*capabilities, *map(_sentence, preset.notes)]
    return [f"### {preset.title}", "", *(f"- {text}" for text in said), ""] if said else []


def _sentence(text: str) -> str:
    text = " ".join(text.split()).replace("<", "&lt;").replace("*", "\\*")
    return text if text.endswith((".", "!", "?")) else f"{text}."
