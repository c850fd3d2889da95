"""The API on one page, made from its OpenAPI document; it loads nothing from elsewhere."""

from collections.abc import Iterator
from html import escape
from typing import Any

_STYLE = """\
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { font: bold 1rem ui-monospace, monospace; margin-top: 2rem; } h2 b { display: inline-block; min-width: 5rem; }
td, th { text-align: left; vertical-align: top; padding-right: 1rem; } code { white-space: nowrap; }
pre { background: color-mix(in srgb, currentColor 8%, transparent); padding: 1rem; overflow: auto; }
:root { color-scheme: light dark; }
"""
_METHODS = ("get", "post", "put", "patch", "delete")


def documentation_page(document: dict[str, Any], *, openapi_path: str) -> str:
    """Every operation with its parameters and answers."""
    info = document["info"]
    return "\n".join(
        [
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(info["title"])}</title>',
            f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>',
            f"<h1>{escape(info['title'])}</h1>",
            *(f"<p>{escape(part)}</p>" for part in info["description"].split("\n\n")),
            f'<p>For programs: <a href="{openapi_path}">{openapi_path}</a> (OpenAPI {document["openapi"]}).</p>',
            *_operations(document["paths"]),
        ]
    )


def _operations(paths: dict[str, Any]) -> Iterator[str]:
    for path, operations in paths.items():
        for method in _METHODS:
            if method in operations:
                yield from _operation(method, path, operations[method])


def _operation(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f'<h2 id="{escape(operation["operationId"])}"><b>{method.upper()}</b> {escape(path)}</h2>'
    for part in operation["description"].split("\n\n"):
        yield f"<p>{escape(part)}</p>"
    rows = [(item["name"], item.get("description", "")) for item in operation.get("parameters", [])]
    rows += [(status, answer["description"]) for status, answer in operation["responses"].items()]
    yield "<table>"
    for name, text in rows:
        yield f"<tr><td><code>{escape(name)}</code><td>{escape(text)}"
    yield "</table>"
