"""A mapping as data: how raw records of one endpoint become canonical records. ``hub_mapping`` compiles it."""

from typing import Any, Self

from pydantic import Field, JsonValue, model_validator

from hub_model.base import Input
from hub_model.conditions import Conditions

# A transform is its name, or its name with arguments: ["date", "%d/%m/%Y"], ["map", {"P": "present"}].
Transform = str | list[JsonValue]

_OWN_TEXTS = frozenset(["sourceId", "source_id", "deleted", "timeZone", "time_zone"])


class _Origin(Input):
    """Where a value comes from: exactly one of ``from`` and ``const``."""

    const: JsonValue = None
    do: list[Transform] = Field(default_factory=list, max_length=20)

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        # A stored rule names every field, so a null const beside a path is no const.
        paths: object = getattr(self, "from_", None)
        if "const" not in self.model_fields_set if paths is None else self.const is not None:
            raise ValueError("give exactly one of 'from' and 'const'")
        return self


class Candidate(_Origin):
    """One of the values that may fill a field, with transforms of its own; only where ``when`` holds for the record.

    Example: ``{"const": "exempt", "when": [{"path": "excused", "equals": true}]}``.
    """

    from_: str | list[str] | None = Field(default=None, alias="from")
    when: Conditions = Field(default_factory=list)


class Rule(_Origin):
    """How one canonical field is filled.

    Exactly one of ``from`` (a dotted path; several paths or candidates are tried in order and the first that gives
    something, not null and not "", wins) and ``const``. ``*`` in a path goes through every entry of a list or object
    and gives the list of what is found. A word that the ``map`` of one candidate does not list is left to the next;
    where none knows it, it stays unknown and is kept. ``do`` runs in order; ``default`` stands in for a missing value
    and is not transformed; ``required`` makes a missing value an issue. ``extensions.hostel`` and
    ``externalIds.moodleId`` fill one entry of the canonical field of that name.
    """

    to: str = Field(max_length=128, pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}(\.[A-Za-z][A-Za-z0-9_]{0,63})?$")
    from_: str | list[str | Candidate] | None = Field(default=None, alias="from")
    default: JsonValue = None
    required: bool = False


class Mapping(Input):
    """The rules of one endpoint.

    Where ``rules`` say nothing of a canonical field, the field of the same name is taken as it is, unless
    ``only`` is set. ``key`` names the fields that identify a custom record. ``source_id`` and ``updated_at`` are
    paths to the source's own row id and modification time. ``deleted`` is a path whose truthy value marks a delete;
    ``deleted_when`` are conditions that all hold for one. ``when``: records for which not all of this holds are
    skipped, and counted as skipped; a delete never is. ``time_zone`` overrides the integration's. ``version`` is that
    of this way of writing mappings.
    """

    rules: list[Rule] = Field(default_factory=list, max_length=200)
    only: bool = False
    key: list[str] = Field(default_factory=list, max_length=8)
    source_id: str | None = None
    updated_at: Rule | None = None
    deleted: str | None = None
    deleted_when: Conditions = Field(default_factory=list)
    when: Conditions = Field(default_factory=list)
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
