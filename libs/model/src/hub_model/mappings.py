"""A mapping as data: how raw records of one endpoint become canonical records. ``hub_mapping`` compiles it."""

from typing import Any

from pydantic import Field, JsonValue, model_validator

from hub_model.base import Input

# A transform is its name, or its name with arguments: ["date", "%d/%m/%Y"], ["map", {"P": "present"}].
Transform = str | list[JsonValue]

_OWN_TEXTS = frozenset(["sourceId", "source_id", "deleted", "timeZone", "time_zone"])


class Rule(Input):
    """How one canonical field is filled.

    Exactly one of ``from`` (a dotted path; several are tried in order and the first that is neither missing,
    null nor "" wins) and ``const``. ``do`` runs in order; ``default`` stands in for a missing value and is not
    transformed; ``required`` makes a missing value an issue. ``extensions.hostel`` and ``externalIds.moodleId``
    fill one entry of the canonical field of that name.
    """

    to: str = Field(max_length=128, pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}(\.[A-Za-z][A-Za-z0-9_]{0,63})?$")
    from_: str | list[str] | None = Field(default=None, alias="from")
    const: JsonValue = None
    do: list[Transform] = Field(default_factory=list, max_length=20)
    default: JsonValue = None
    required: bool = False

    @model_validator(mode="after")
    def _one_origin(self) -> "Rule":
        # A stored rule names every field, so a null const beside a path is no const.
        if "const" not in self.model_fields_set if self.from_ is None else self.const is not None:
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
        """A plain object of canonical field -> source path is the short form of ``rules``.

        The mapping's own paths may stand among them: ``{"studentId": "roll", "sourceId": "id"}``.
        """
        if not isinstance(value, dict) or not all(isinstance(path, str) for path in value.values()):
            return value
        own = {name: path for name, path in value.items() if name in _OWN_TEXTS}
        if updated_at := value.get("updatedAt"):
            own["updatedAt"] = {"to": "updatedAt", "from": updated_at}
        rules = [{"to": to, "from": path} for to, path in value.items() if to not in own]
        return {**own, "rules": rules} if rules else own
