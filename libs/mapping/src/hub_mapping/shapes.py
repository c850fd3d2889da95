"""Which raw field fills which canonical field of the same name, worked out once per shape of a record.

A shape is the tuple of a record's field names. Records of one source have few shapes, so the search for
``student_id`` beside ``studentId`` is paid for once, and each record costs only the fields it has.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from hub_model.errors import InvalidInput

from hub_mapping.flaws import flaw
from hub_mapping.json_values import check_json, check_name
from hub_mapping.kinds import Read, plain_length
from hub_mapping.schemas import Field

# canonical field, raw field, reader, and up to which length plain text need not be read
Copy = tuple[str, str, Read, int]

_MAX_SHAPES = 64
_MAX_NAMES = 256


@dataclass(frozen=True, slots=True)
class PlainFields:
    """Fields of a shape that take plain text as it is, so that a record's can be looked at together."""

    names: tuple[str, ...]
    pick: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    limit: int

    def texts(self, raw: Mapping[str, Any]) -> tuple[str, ...] | None:
        """The trimmed values in the order of ``names``; None if not every one of them is plain text, or one is blank.

        Plain text is ASCII without NUL, and so short together that none of them is too long.
        """
        values = self.pick(raw)
        try:
            joined = "".join(values)
        except TypeError:
            return None
        if len(joined) > self.limit or not joined.isascii() or "\0" in joined:
            return None
        texts = tuple(map(str.strip, values))
        return texts if all(texts) else None


@dataclass(frozen=True, slots=True)
class Shape:
    """What to copy from records that have these fields: ``every`` field one by one, or ``plain`` and the ``others``."""

    every: tuple[Copy, ...]
    plain: PlainFields | None
    others: tuple[Copy, ...]

    @classmethod
    def of(cls, copies: tuple[Copy, ...]) -> "Shape":
        plain = [copy for copy in copies if copy[3] >= 0]
        if len(plain) < 2:  # of a single name itemgetter gives no tuple
            return cls(copies, None, copies)
        names, raws, _reads, lengths = zip(*plain, strict=True)
        together = PlainFields(names, itemgetter(*raws), min(lengths))
        return cls(copies, together, tuple(copy for copy in copies if copy[3] < 0))


class Shapes:
    """The fields to copy, by shape. With ``everything``, names that match no field are copied under themselves."""

    def __init__(self, readers: Mapping[str, Read], fields: Mapping[str, Field], *, everything: bool) -> None:
        self._readers = readers
        self._fields = fields
        self._everything = everything
        self._known: dict[tuple[str, ...], Shape] = {}

    def shape_of(self, record: Mapping[str, object]) -> Shape:
        """What to copy from a record like this one."""
        names = tuple(record)
        found = self._known.get(names)
        if found is None:
            found = Shape.of(self._match(names))
            # A source that invents names would fill the memory; without a place here it is only slower.
            if len(self._known) < _MAX_SHAPES and len(names) <= _MAX_NAMES:
                self._known[names] = found
        return found

    def _match(self, shape: tuple[str, ...]) -> tuple[Copy, ...]:
        exact = frozenset(shape)
        alike: dict[str, str] = {}
        for name in shape:
            alike.setdefault(plain_name(name), name)
        copies: list[Copy] = []
        for field, read in self._readers.items():
            raw = field if field in exact else alike.get(plain_name(field))
            if raw is not None:
                copies.append((field, raw, read, plain_length(self._fields[field])))
        if self._everything:
            used = {raw for _field, raw, _read, _length in copies}
            copies += [_as_it_is(name) for name in shape if name not in used]
        return tuple(copies)


def plain_name(name: str) -> str:
    """A field name without case, underscores, hyphens and spaces: student_id, StudentID and studentId are one."""
    return name.replace("_", "").replace("-", "").replace(" ", "").lower()


def _as_it_is(name: str) -> Copy:
    """A field copied under its own name; a name that no store can hold is an issue of the whole record."""
    try:
        check_name(name)
    except InvalidInput as error:
        code, message = error.code, str(error)

        def refuse(_value: object) -> object:
            raise flaw(code, message)

        return "", name, refuse, -1
    return name, name, check_json, -1
