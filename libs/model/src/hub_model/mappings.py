"""A mapping as data: how raw records of one endpoint become canonical records. ``hub_mapping`` compiles it."""

from typing import Any

from pydantic import Field, JsonValue, model_validator

from hub_model.base import Input

# A transform is its name, or its name with arguments: ["date", "%d/%m/%Y"], ["map", {"P": "present"}].
Transform = str | list[JsonValue]


class Rule(Input):
    """How one canonical field is filled.

    Exactly one of ``from`` (a dotted path; several are tried in order and the first that is neither missing,
    null nor "" wins) and ``const``. ``do`` runs in order; ``default`` stands in for a missing value and is not
    transformed; ``required`` makes a missing value an issue.
    """

    to: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    from_: str | list[str] | None = Field(default=None, alias="from")
    const: JsonValue = None
    do: list[Transform] = Field(default_factory=list, max_length=20)
    default: JsonValue = None
    required: bool = False

    @model_validator(mode="after")
    def _one_origin(self) -> "Rule":
        if (self.from_ is None) == ("const" not in self.model_fields_set):
            raise ValueError("give exactly one of 'from' and 'const'")
        return self


class Mapping(Input):
    """The rules of one endpoint.

    Where ``rules`` say nothing of a canonical field, the field of the same name is taken as it is, unless
    ``only`` is set. ``key`` names the fields that identify a custom record. ``source_id`` and ``updated_at`` are
    paths to the source's own row id and modification time; ``deleted`` a path whose truthy value marks a delete.
    """

    rules: list[Rule] = Field(default_factory=list, max_length=200)
    only: bool = False
    key: list[str] = Field(default_factory=list, max_length=8)
    source_id: str | None = None
    updated_at: Rule | None = None
    deleted: str | None = None
    time_zone: str | None = None
    version: int = 1

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        """A plain object of canonical field -> source path is the short form of ``rules``."""
        if isinstance(value, dict) and value and all(isinstance(path, str) for path in value.values()):
            if value.keys() <= {"sourceId", "source_id", "deleted", "timeZone", "time_zone"}:
                return value
            return {"rules": [{"to": to, "from": path} for to, path in value.items()]}
        return value
