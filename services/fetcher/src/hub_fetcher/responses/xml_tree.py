"""XML as objects: children by name, attributes as ``@name``, text beside either as ``#text``.

Names lose their namespace. An element with text alone is that text, an empty one is "", one that says it is nil is
null. Several children of a name are a list; a single one is no list unless ``Lists`` says so. Everything stays text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser, ParseError

_MAX_DEPTH = 100
_XSI = "{http://www.w3.org/2001/XMLSchema-instance}"
# What Rails writes at every element to tell its type; the text beside it is all there is to know.
_RAILS_TYPES = frozenset(
    ["array", "boolean", "date", "datetime", "decimal", "double", "float", "integer", "string", "symbol", "yaml"]
)


class UnsafeXml(ValueError):
    """XML with a document type, entities of its own, or deeper than anything real."""


class Lists:
    """Which elements are lists though there be one or none: ``records_path`` with what ``*`` goes through, and
    ``named``, whose names or ends of paths hold wherever they stand."""

    def __init__(self, records_path: str | None = None, named: Sequence[str] = ()) -> None:
        steps = records_path.split(".") if records_path else []
        plain = [step for step in steps if step != "*"]
        counted = [sum(step != "*" for step in steps[:place]) for place, step in enumerate(steps) if step == "*"]
        ends = {*counted, len(plain)} - {0}
        self._paths = frozenset(".".join(plain[:end]) for end in ends)
        self._ends = tuple(f".{name}" for name in named)
        self._known: dict[str, bool] = {}

    def holds(self, path: str) -> bool:
        """Whether the element at this path is one."""
        known = self._known.get(path)
        if known is None:
            known = path in self._paths or f".{path}".endswith(self._ends)
            if len(self._known) < 10_000:
                self._known[path] = known
        return known

    def below(self, path: str) -> str | None:
        """The name of the list that an empty element at this path is an empty list of."""
        inner = [known[len(path) + 1 :] for known in self._paths if known.startswith(f"{path}.")]
        return next((name for name in inner if "." not in name), None)


def parse_xml(document: bytes | str, lists: Lists | None = None) -> dict[str, Any]:
    """The document as an object whose one key is the root's name. Raises ValueError, which never quotes it."""
    builder = _Builder(lists or Lists())
    parser = DefusedXMLParser(target=builder, forbid_dtd=True)
    try:
        parser.feed(document)
        parser.close()
    except DefusedXmlException:
        raise UnsafeXml("the document has a document type or entities of its own") from None
    except (ParseError, LookupError, UnicodeError):
        raise ValueError("the document is no well-formed XML") from None
    return builder.close()


@dataclass(slots=True)
class _Element:
    path: str
    name: str
    content: dict[str, Any] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    is_nil: bool = False
    holds_list: bool = False
    has_children: bool = False


class _Builder:
    """What the parser calls; no tree is built beside the objects."""

    def __init__(self, lists: Lists) -> None:
        self._lists = lists
        self._open = [_Element("", "")]

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if len(self._open) > _MAX_DEPTH:
            raise UnsafeXml("the document is nested too deeply")
        name, above = _local(tag), self._open[-1]
        element = _Element(f"{above.path}.{name}" if above.path else name, name)
        for key, value in attributes.items():
            if key in (f"{_XSI}nil", "nil"):
                element.is_nil = value.strip() in ("true", "1")
            elif key == "type" and value in _RAILS_TYPES:
                element.holds_list = value == "array"
            elif not key.startswith(_XSI):
                element.content[f"@{_local(key)}"] = value
        self._open.append(element)

    def data(self, text: str) -> None:
        self._open[-1].texts.append(text)

    def end(self, _tag: str) -> None:
        element = self._open.pop()
        above = self._open[-1]
        value = self._value(element)
        present = above.content.get(element.name)
        if isinstance(present, list):
            present.append(value)
        elif element.name in above.content:
            above.content[element.name] = [present, value]
        elif above.holds_list or self._lists.holds(element.path):
            above.content[element.name] = [value]
        else:
            above.content[element.name] = value
        above.has_children = True

    def close(self) -> dict[str, Any]:
        return self._open[0].content

    def _value(self, element: _Element) -> Any:
        text = "".join(element.texts)
        bare = text.strip()
        if element.is_nil and not bare and not element.has_children:
            return None
        if not element.has_children and not bare:
            text = ""
            if (name := self._lists.below(element.path)) is not None:
                element.content[name] = []
        if not element.content:
            return text
        if bare:
            element.content["#text"] = bare if element.has_children else text
        return element.content


def _local(name: str) -> str:
    return name.rpartition("}")[2]
