"""Which parts of sample records fill nothing: shown beside a preview, so that nothing is left out by accident."""

from collections.abc import Iterator, Mapping, Sequence, Set

from hub_mapping.paths import MAX_SEGMENTS

_MAX_PATHS = 500


def unmapped_paths(sample: Sequence[object], used: Set[str]) -> list[str]:
    """The leaves of the sample, as paths in the order they appear, that no used path leads to or into.

    A list counts as one leaf.
    """
    # A star goes through all there is.
    used = {path.partition("*")[0].rstrip(".") for path in used}
    found: dict[str, None] = {}
    for record in sample:
        if isinstance(record, dict):
            for path in _leaves(record, "", 0):
                if not _is_used(path, used):
                    found[path] = None
                if len(found) >= _MAX_PATHS:
                    return list(found)
    return list(found)


def _leaves(record: Mapping[str, object], prefix: str, depth: int) -> Iterator[str]:
    for name, value in record.items():
        path = f"{prefix}{name}"
        if isinstance(value, dict) and value and depth < MAX_SEGMENTS:
            yield from _leaves(value, f"{path}.", depth + 1)
        else:
            yield path


def _is_used(path: str, used: Set[str]) -> bool:
    return (
        path in used
        or "" in used
        or any(path.startswith(f"{other}.") or other.startswith(f"{path}.") for other in used)
    )
