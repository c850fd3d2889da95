"""Which raw field fills which canonical field of the same name, worked out once per shape of a record.

A shape is the tuple of a record's field names. Records of one source have few shapes, so the search for
``student_id`` beside ``studentId`` is paid for once, and each record costs only the fields it has.
"""

from collections.abc import Mapping

from hub_model.errors import InvalidInput

from hub_mapping.flaws import flaw
from hub_mapping.json_values import check_json, check_name
from hub_mapping.kinds import Read, plain_length
from hub_mapping.schemas import Field

# canonical field, raw field, reader, and up to which length plain text need not be read
Copy = tuple[str, str, Read, int]

_MAX_SHAPES = 64
_MAX_NAMES = 256


class Shapes:
    """The fields to copy, by shape. With ``everything``, names that match no field are copied under themselves."""

    def __init__(self, readers: Mapping[str, Read], fields: Mapping[str, Field], *, everything: bool) -> None:
        self._readers = readers
        self._fields = fields
        self._everything = everything
        self._known: dict[tuple[str, ...], tuple[Copy, ...]] = {}

    def copies(self, record: Mapping[str, object]) -> tuple[Copy, ...]:
        """What to copy from a record like this one."""
        shape = tuple(record)
        found = self._known.get(shape)
        if found is None:
            found = self._match(shape)
            # A source that invents names would fill the memory; without a place here it is only slower.
            if len(self._known) < _MAX_SHAPES and len(shape) <= _MAX_NAMES:
                self._known[shape] = found
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
