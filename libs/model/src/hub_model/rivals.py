"""Rows of a source that are identified alike: how many of them are lost, for one record can keep only one. Pure."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable
from typing import NamedTuple


class Row(NamedTuple):
    """What tells rows of one key apart: digests or texts. A version or an id that the source does not tell is falsy."""

    content: Hashable
    version: Hashable
    source_id: Hashable


def count_lost(rows: Iterable[Row]) -> int:
    """How many of these rows of one key contradict one that came before; a row that comes again counts once.

    They do if they say different things and nothing tells that they are two states of one row: they are of the same
    time, or one of them tells none, or they are of different ids. The time is linear.
    """
    lost = 0
    contents: set[Hashable] = set()
    of_version: dict[Hashable, set[Hashable]] = defaultdict(set)
    words: set[tuple[Hashable, Hashable]] = set()  # what which id has said
    of_id, of_content = Counter[Hashable](), Counter[Hashable]()
    for content, version, source_id in dict.fromkeys(rows):
        rivals = [of_version[version], of_version[None]] if version else [contents]
        word = (source_id, content)
        others = len(words) - of_id[source_id] - of_content[content] + (word in words) if source_id else 0
        lost += others > 0 or any(_has_other(found, content) for found in rivals)
        contents.add(content)
        of_version[version or None].add(content)
        if source_id and word not in words:
            words.add(word)
            of_id[source_id] += 1
            of_content[content] += 1
    return lost


def _has_other(contents: set[Hashable], content: Hashable) -> bool:
    return len(contents) > (content in contents)
