"""Conditions on decoded JSON, as data: which records to keep, which answers are errors."""

from typing import Annotated

from pydantic import Field, JsonValue, model_validator

from hub_model.base import Input

_TESTS = ("equals", "one_of", "exists", "contains", "matches")


class Condition(Input):
    """One test of the value at a dotted path; ``*`` in the path stands for every entry of a list or object.

    Exactly one test. Words are compared trimmed and without case, and 1 is the same as "1". ``equals`` and ``one_of``
    hold if any value at the path is (one of) that; ``equals: null`` holds where there is none. ``exists``: whether
    there is a value, null and "" being none. ``contains``: whether a text holds this text. ``matches``: a regular
    expression (RE2 syntax) that some text must contain. ``not`` turns the answer round.

    Example: ``{"path": "roles.*.shortname", "oneOf": ["student"]}``.
    """

    path: str = Field(max_length=256)
    equals: JsonValue = None
    one_of: list[JsonValue] | None = Field(default=None, min_length=1, max_length=200)
    exists: bool | None = None
    contains: str | None = Field(default=None, min_length=1, max_length=200)
    matches: str | None = Field(default=None, min_length=1, max_length=200)
    not_: bool = Field(default=False, alias="not")

    @model_validator(mode="after")
    def _one_test(self) -> "Condition":
        # A stored condition names every field, so a null ``equals`` beside another test is no test.
        given = [name for name in _TESTS[1:] if getattr(self, name) is not None]
        if len(given) > 1 or (given and self.equals is not None) or not (given or "equals" in self.model_fields_set):
            raise ValueError("give exactly one of equals, oneOf, exists, contains and matches")
        return self


# All of them must hold; an empty list always does.
Conditions = Annotated[list[Condition], Field(max_length=20)]
