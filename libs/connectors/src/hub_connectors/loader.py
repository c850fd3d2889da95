"""Reading the preset files. What is wrong with one is told with its name, when the program starts and not later."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import yaml
from hub_model.errors import NotFound
from pydantic import ValidationError

from hub_connectors.spec import Preset


@cache
def presets() -> Mapping[str, Preset]:
    """All presets by name, in the order of their names."""
    texts = {
        file.name.removesuffix(".yaml"): file.read_text(encoding="utf-8")
        for file in files("hub_connectors").joinpath("presets").iterdir()
        if file.name.endswith(".yaml")
    }
    return MappingProxyType({name: parse_preset(texts[name], name=name) for name in sorted(texts)})


def find_preset(name: str) -> Preset:
    """The preset of this name; NotFound, with the names there are, if there is none."""
    found = presets().get(name)
    if found is None:
        raise NotFound(f"There is no connector '{name[:64]}'. There are: {', '.join(presets())}.")
    return found


def parse_preset(text: str, *, name: str) -> Preset:
    """The preset in a file's text; ValueError says what is wrong with it."""
    try:
        preset = Preset.model_validate(yaml.load(text, _Loader))  # noqa: S506 - a subclass of the safe loader
    except (yaml.YAMLError, ValidationError) as error:
        raise ValueError(f"the preset {name} cannot be used: {error}") from error
    if preset.name != name:
        raise ValueError(f"the preset {name} calls itself {preset.name}")
    return preset


class _Loader(yaml.SafeLoader):
    """YAML without its surprises: yes, no, on, off and dates are text, and a key that stands twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        if repeated := [key for key in keys if keys.count(key) > 1]:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {repeated[0]!r} stands twice", node.start_mark
            )
        return super().construct_mapping(node, deep=deep)


# Only null, true, false and numbers are more than text.
_KEPT = ("tag:yaml.org,2002:null", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:merge")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag in _KEPT]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), ["t", "f"])
