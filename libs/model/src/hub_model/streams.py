"""Streams that are read for others: which an endpoint needs, and in which order they are read."""

from collections.abc import Mapping
from typing import Any

from hub_model.endpoints import Stream


def needed_by(stream: Stream) -> tuple[str, ...]:
    """The streams that this one names: its source, its parent, and what it joins."""
    source = getattr(stream, "source", None)
    parent = stream.parent.stream if stream.parent else None
    names = [name for name in (source, parent, *(join.stream for join in stream.joins)) if name]
    return tuple(dict.fromkeys(names))


def reading_order(streams: Mapping[str, Stream], stream: Stream) -> tuple[str, ...]:
    """All streams that must be read before this one, each after those it needs itself.

    Raises ValueError for a name that does not exist, and for streams that need each other in a circle.
    """
    ordered: list[str] = []
    for name in needed_by(stream):
        _order(streams, name, (), ordered)
    return tuple(ordered)


def given_rows(stream: Stream) -> list[dict[str, Any]]:
    """The rows that the stream itself holds."""
    return [{"value": row} if isinstance(row, str) else row for row in stream.rows]


def _order(streams: Mapping[str, Stream], name: str, above: tuple[str, ...], ordered: list[str]) -> None:
    """Put the stream behind those it needs. Each is gone through once, or a ladder of them would take for ever."""
    if name in ordered:
        return
    if name not in streams:
        known = f"there are: {', '.join(streams)}" if streams else "there are none"
        raise ValueError(f"there is no stream '{name}' in 'streams'; {known}")
    if name in above:
        raise ValueError(f"the streams {' -> '.join([*above[above.index(name) :], name])} need each other")
    for needed in needed_by(streams[name]):
        _order(streams, needed, (*above, name), ordered)
    ordered.append(name)
