"""How the library says that one value is wrong: an InvalidInput with a code, which becomes an issue of its field.

No message holds a value: it may be a student's.
"""

from hub_model.errors import InvalidInput

_NAMES: dict[type, str] = {
    dict: "an object",
    list: "a list",
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def flaw(code: str, message: str) -> InvalidInput:
    """What to raise for a wrong value. The message says what to do."""
    return InvalidInput(message, code=code)


def kind_of(value: object) -> str:
    """What a JSON value is, in words."""
    return _NAMES.get(type(value), "not JSON")


def unexpected(wanted: str, value: object) -> InvalidInput:
    """``wanted`` was needed and ``value`` is of another kind."""
    hint = ""
    if type(value) is dict:
        hint = "; map the field inside it, such as department.name"
    elif type(value) is list:
        hint = "; map one entry of it, such as grades.0"
    return flaw("wrong_type", f"Expected {wanted}, found {kind_of(value)}{hint}.")
