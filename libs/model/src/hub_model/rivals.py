"""Rows of a source that are identified alike: how many of them are lost, for one record can keep only one. Pure."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import NamedTuple


class Row(NamedTuple):
    """What tells rows of one key apart: digests or texts. A version or an id that the source does not tell is falsy."""

    content: Hashable
    version: Hashable
    source_id: Hashable


@dataclass(frozen=True, slots=True)
class Losses:
    """``overruled`` rows are lost. ``undecided`` ones are, unless they are states of a row that changed meanwhile."""

    overruled: int = 0
    undecided: int = 0

    def __add__(self, other: "Losses") -> "Losses":
        return Losses(self.overruled + other.overruled, self.undecided + other.undecided)


def count_losses(rows: Iterable[Row]) -> Losses:
    """How many of these rows of one key say something else than one that came before; the same again never counts.

    It overrules them if nothing tells that both are states of one row: they are of the same time, or one of them tells
    none, or they are of different ids. Of different times and the same id they are such states. It stays undecided
    where they are of different times and one of them tells no id. A row counts once; the time is linear.
    """
    overruled = undecided = 0
    contents: set[Hashable] = set()
    of_no_id: set[Hashable] = set()
    of_version: dict[Hashable, set[Hashable]] = defaultdict(set)
    words: set[tuple[Hashable, Hashable]] = set()  # what which id has said
    of_id, of_content = Counter[Hashable](), Counter[Hashable]()
    for content, version, source_id in dict.fromkeys(rows):
        rivals = [of_version[version], of_version[None]] if version else [contents]
        word = (source_id, content)
        others = len(words) - of_id[source_id] - of_content[content] + (word in words) if source_id else 0
        if others > 0 or any(_has_other(found, content) for found in rivals):
            overruled += 1
        elif _has_other(of_no_id if source_id else contents, content):
            undecided += 1  # from here on the times are told, and differ
        contents.add(content)
        of_version[version or None].add(content)
        if not source_id:
            of_no_id.add(content)
        elif word not in words:
            words.add(word)
            of_id[source_id] += 1
            of_content[content] += 1
    return Losses(overruled, undecided)


def _has_other(contents: set[Hashable], content: Hashable) -> bool:
    return len(contents) > (content in contents)
