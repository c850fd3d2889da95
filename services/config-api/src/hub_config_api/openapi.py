"""Prints the OpenAPI document: ``python -m hub_config_api.openapi > openapi.json``."""

import json
import sys

from hub_config_api.api.app import create_app


def document() -> str:
    """The document as it is committed."""
    return json.dumps(create_app(None, max_body_bytes=262_144).openapi(), indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
