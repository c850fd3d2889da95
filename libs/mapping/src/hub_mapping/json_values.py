"""Whether a JSON value can be stored as it is, in any of the stores, without losing or breaking anything."""

from hub_mapping.flaws import flaw
from hub_mapping.numbers import INT64_MAX, INT64_MIN
from hub_mapping.texts import check_float, check_unicode

MAX_DEPTH = 16
MAX_NAME = 128
MAX_TEXT = 16_000
MAX_NODES = 5_000


def check_json(value: object) -> object:
    """The value itself, if it can be stored: bounded in depth and size, exact numbers, safe names and text."""
    # Breadth first over an own list: a hostile depth must not meet the interpreter's recursion limit.
    nodes = [value]
    for _ in range(MAX_DEPTH):
        inner: list[object] = []
        for node in nodes:
            if type(node) is dict:
                for name in node:
                    check_name(name)
                inner += node.values()
            elif type(node) is list:
                inner += node
            else:
                _check_scalar(node)
        if len(inner) > MAX_NODES:
            raise flaw("too_long", f"Holds more than {MAX_NODES} values; map only the parts that are needed.")
        if not inner:
            return value
        nodes = inner
    raise flaw("too_deep", f"Is nested more than {MAX_DEPTH} levels deep; map the part that is needed.")


def check_name(name: str) -> None:
    """Raise unless a store can hold, and address, an entry of this name."""
    if not name or len(name) > MAX_NAME:
        raise flaw("bad_name", f"Contains a field whose name is empty or longer than {MAX_NAME} characters.")
    if name.startswith("$") or "." in name or "\0" in name or name == "__proto__":
        raise flaw("bad_name", "Contains a field name with a leading $, a dot or a NUL; map it under another name.")
    if not name.isascii():
        check_unicode(name)


def _check_scalar(value: object) -> None:
    if type(value) is str:
        if len(value) > MAX_TEXT:
            raise flaw("too_long", f"Contains text of {len(value)} characters; at most {MAX_TEXT} are kept.")
        if "\0" in value:
            raise flaw("nul", "Contains a NUL character, which no store can hold.")
        if not value.isascii():
            check_unicode(value)
    elif type(value) is int:
        if not INT64_MIN <= value <= INT64_MAX:
            raise flaw("out_of_range", "Contains a whole number of more than 64 bits.")
    elif type(value) is float:
        check_float(value)
    elif not (value is None or type(value) is bool):
        raise flaw("wrong_type", "Contains a value that is not JSON.")
