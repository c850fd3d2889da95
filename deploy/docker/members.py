"""Prints the folders of a service and of every member it depends on. Runs in the image's build, so stdlib only."""

import sys
import tomllib
from pathlib import Path

FOLDERS = {f"hub-{path.parent.name}": path.parent for path in Path().glob("*/*/pyproject.toml")}


def needed(name: str, found: dict[str, Path]) -> dict[str, Path]:
    """The member's folder and those of its members, added to ``found``."""
    if name in FOLDERS and name not in found:
        found[name] = FOLDERS[name]
        project = tomllib.loads((FOLDERS[name] / "pyproject.toml").read_text())["project"]
        for requirement in project["dependencies"]:
            needed(requirement, found)
    return found


if __name__ == "__main__":
    if f"hub-{sys.argv[1]}" not in FOLDERS:
        sys.exit(f"there is no service {sys.argv[1]!r}: docker build --build-arg SERVICE=fetcher ...")
    print(*(f"./{folder}" for folder in needed(f"hub-{sys.argv[1]}", {}).values()))
