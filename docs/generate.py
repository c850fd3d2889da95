"""Writes what is derived from code: .env.example, openapi.json, and parts of README.md and docs/connectors.md.

``generate.py --check`` changes nothing and fails when any is out of date. One setting may serve several
services; it is listed once, with the services that read it.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hub_config_api import openapi
from hub_config_api.settings import ConfigApiSettings
from hub_fetcher.settings import FetcherSettings
from hub_runtime.settings import OrFile, RuntimeSettings
from hub_scheduler.settings import SchedulerSettings
from hub_standalone.settings import StandaloneSettings
from hub_transformer.settings import TransformerSettings
from hub_webhook_gateway.settings import GatewaySettings
from hub_writer.settings import WriterSettings
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings
from reference import access_examples, reference
from tables import presets_notes, presets_table, records, vocabulary, webhooks_table, words

ROOT = Path(__file__).parents[1]
CLASSES: dict[str, type[BaseSettings]] = {
    "standalone": StandaloneSettings,
    "every service": RuntimeSettings,
    "config-api": ConfigApiSettings,
    "scheduler": SchedulerSettings,
    "fetcher": FetcherSettings,
    "transformer": TransformerSettings,
    "writer": WriterSettings,
    "webhook-gateway": GatewaySettings,
}

# What docker-compose.yml itself reads from .env.
COMPOSE = {
    "HUB_BASE_IMAGE": (
        "python:3.13-slim-bookworm",
        "Image the hub's own images are built on; it has Python 3.11 or later.",
    ),
    "HUB_RABBITMQ_IMAGE": ("rabbitmq:4-management", "Image of the broker."),
    "HUB_MONGODB_IMAGE": ("mongo:8", "Image of the store."),
    "HUB_USER": ("1000:1000", "User and group of the services in their containers: the owner of .hub/keys."),
    "HUB_API_PORT": ("8000", "Port of this machine's loopback address for the config-api."),
    "HUB_WEBHOOKS_PORT": ("8001", "Port of this machine's loopback address for the webhook-gateway."),
    "HUB_RABBITMQ_PORT": ("15672", "Port of this machine's loopback address for RabbitMQ's management pages."),
    "HUB_OUTSIDE_NETWORK": ("10.213.77.0/24", "Addresses of the network over which the fetcher reaches sources."),
}


def settings() -> dict[str, tuple[FieldInfo, list[str]]]:
    """Variable name -> its field and the services that read it; the common ones first.

    Standalone reads every setting, so it is named only where no other service does. A setting that may lie in a
    file is followed by the variable that names the file.
    """
    found: dict[str, tuple[FieldInfo, list[str]]] = {}
    for service in sorted(CLASSES, key=lambda name: (name != "every service", name == "standalone")):
        for name, field in CLASSES[service].model_fields.items():
            _, services = found.setdefault(f"HUB_{name.upper()}", (field, []))
            if "every service" not in services and (service != "standalone" or not services):
                services.append(service)
            if OrFile in field.metadata:
                found[f"HUB_{name.upper()}_FILE"] = (_file_field(name), services)
    for variable, (default, description) in COMPOSE.items():
        found[variable] = (FieldInfo(default=default, description=description), ["docker-compose.yml"])
    return found


def _file_field(name: str) -> FieldInfo:
    return FieldInfo(default=None, description=f"File that holds HUB_{name.upper()}, instead of the variable.")


def default_text(field: FieldInfo) -> str:
    """How the default is written in the environment; empty for none and for secrets."""
    value: Any = field.get_default(call_default_factory=True)
    if field.is_required() or value in (None, ()) or isinstance(value, SecretStr):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple | frozenset):
        return "[" + ",".join(f'"{item}"' for item in value) + "]"
    return str(getattr(value, "value", value))


def table() -> str:
    lines = ["| variable | default | read by | meaning |", "|---|---|---|---|"]
    for variable, (field, services) in settings().items():
        default = default_text(field)
        shown = f"`{default}`" if default else "required" if field.is_required() else ""
        lines.append(f"| `{variable}` | {shown} | {', '.join(services)} | {field.description or ''} |")
    return "\n".join(lines)


def example() -> str:
    parts = ["# Every setting with its default. Copy to .env and uncomment what differs."]
    for variable, (field, services) in settings().items():
        parts.append(f"\n# {field.description} ({', '.join(services)})\n# {variable}={default_text(field)}")
    return "\n".join(parts) + "\n"


def with_parts(file: Path, parts: Mapping[str, str]) -> str:
    """The file's text with each part anew between its marks; ValueError if it has no such marks."""
    text = file.read_text()
    for name, part in parts.items():
        begin, end = f"<!-- {name}: generated -->", f"<!-- /{name} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise ValueError(f"{file.name} has no place for {name}: write {begin} and {end}")
        text = f"{before}{begin}\n{part}\n{end}{after}"
    return text


def main(*, check: bool) -> int:
    connectors = {
        "presets": presets_table(),
        "notes": presets_notes(),
        "webhooks": webhooks_table(),
        "credentials": access_examples(),
        "records": records(),
        "words": words(),
        "vocabulary": vocabulary(),
        "fields": reference(),
    }
    outputs = {
        ROOT / "README.md": with_parts(ROOT / "README.md", {"configuration": table()}),
        ROOT / "docs/connectors.md": with_parts(ROOT / "docs/connectors.md", connectors),
        ROOT / ".env.example": example(),
        ROOT / "services/config-api/openapi.json": openapi.document(),
    }
    stale = [path for path, text in outputs.items() if not path.exists() or path.read_text() != text]
    if check and stale:
        print("out of date, run `make docs`:", ", ".join(path.name for path in stale))
        return 1
    for path in stale:
        path.write_text(outputs[path])
    return 0


if __name__ == "__main__":
    raise SystemExit(main(check="--check" in sys.argv[1:]))
