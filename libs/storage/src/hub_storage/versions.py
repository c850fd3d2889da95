"""Which of an integration's words on a record is newer, field by field. Pure.

A *stamp* is ``(version, lag)`` in microseconds: the version since 1970, and how long after it the data was seen. No
lag: the version is that time itself, one of our own, for want of one from the source.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Self

Stamp = tuple[int, int]
Group = tuple[Stamp, Sequence[str]]

# Beyond that many the two oldest become one under the later stamp, which keeps more out and lets nothing older in.
MAX_GROUPS = 32

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(moment: datetime) -> int:
    """An instant as microseconds since 1970, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def instant(microseconds: int) -> datetime:
    """The inverse of :func:`micros`."""
    return _EPOCH + timedelta(microseconds=microseconds)


def is_newer(one: Stamp, other: Stamp) -> bool:
    """Whether ``one`` is newer than ``other``; of equal versions the one that was seen later is.

    Between a time of the source's and one of our own it is the other way round, for they cannot be compared: a source
    that has just begun to tell its times tells of times long before we looked.
    """
    if (not one[1]) is (not other[1]):
        return one > other
    return (sum(one), one) > (sum(other), other)


class Versions(NamedTuple):
    """``base`` covers every field but ``fields``: it is the last full write or delete, None if there was none.

    ``fields`` are those that partial writes set since; the base is not newer than any of them.
    """

    base: Stamp | None
    fields: Mapping[str, Stamp]

    @classmethod
    def of_groups(cls, base: Stamp | None, groups: Iterable[Group]) -> Self:
        """The inverse of :meth:`groups`."""
        return cls(base, {name: stamp for stamp, names in groups for name in names})

    def groups(self) -> list[Group]:
        """The fields by stamp, which is compact, since a push sets several; at most ``MAX_GROUPS``."""
        by_stamp: dict[Stamp, list[str]] = {}
        for name, stamp in self.fields.items():
            by_stamp.setdefault(stamp, []).append(name)
        stamps = sorted(by_stamp, key=lambda stamp: (sum(stamp), stamp))
        while len(stamps) > MAX_GROUPS:
            first, second = stamps[:2]
            kept, dropped = (first, second) if is_newer(first, second) else (second, first)
            by_stamp[kept] += by_stamp.pop(dropped)
            stamps.remove(dropped)
        return [(stamp, sorted(by_stamp[stamp])) for stamp in stamps]

    def due(self, names: Iterable[str], stamp: Stamp) -> list[str]:
        """Those of the fields that a write of this stamp sets, which the base is not newer than."""
        return [name for name in names if (known := self.fields.get(name)) is None or not is_newer(known, stamp)]

    def covered(self, stamp: Stamp) -> "Versions":
        """After a full write or a delete of this stamp, which is not older than the base."""
        return Versions(stamp, {name: known for name, known in self.fields.items() if is_newer(known, stamp)})

    def overlaid(self, names: Iterable[str], stamp: Stamp) -> "Versions":
        """After a partial write of this stamp that set these fields."""
        return Versions(self.base, {**self.fields, **dict.fromkeys(names, stamp)})
