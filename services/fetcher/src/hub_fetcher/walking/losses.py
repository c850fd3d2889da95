"""What the walk of a stream did without, and what its configuration let through of what was read, as sentences."""

from collections.abc import Iterator, Mapping

from hub_model.endpoints import Stream
from hub_storage.repositories.tables import TableEnd

from hub_fetcher.walking.place import Place
from hub_fetcher.walking.tally import Tally


def losses(stream: Stream, place: Place, tally: Tally, tables: Mapping[str, TableEnd]) -> Iterator[str]:
    """The sentences for a walk that is over, told to a principal."""
    yield from _nothing_left(stream, place, tally, tables)
    yield from _nothing_asked(stream, place, tables)
    joins = {join.as_: join.stream for join in stream.joins}
    for name, count in tally.ambiguous.items():
        table = joins.get(name, name)
        yield f"{_records(count)} several different rows in '{table}' ('{name}'); the last of them was taken."
    for name, count in tally.unmatched.items():
        yield f"{_records(count)} no row in '{joins.get(name, name)}' ('{name}')."
    if tally.undated:
        yield f"{tally.undated} of the records that were read have no modification time of their own."
    if tally.future:
        yield f"{tally.future} of the records that were read bear a time that is yet to come."
    for code, count in tally.dropped.items():
        yield f"{count} {'row' if count == 1 else 'rows'} could not be kept: {code}."


def is_without_lists(stream: Stream, place: Place, tally: Tally, tables: Mapping[str, TableEnd]) -> bool:
    """Whether no record at all had what is to be taken apart: then its path is wrong, or has changed."""
    return _is_full(stream, place, tables) and 0 < tally.looked == tally.unlisted


def _is_full(stream: Stream, place: Place, tables: Mapping[str, TableEnd]) -> bool:
    """Whether all was read. Of the few records that are new since the last sync none need be of use."""
    source = getattr(stream, "source", None)
    if source is not None:
        return source in tables and tables[source].snapshot
    return place.plan is None or place.plan.is_full


def _nothing_left(stream: Stream, place: Place, tally: Tally, tables: Mapping[str, TableEnd]) -> Iterator[str]:
    if is_without_lists(stream, place, tally, tables):
        path = stream.explode[0].path
        yield f"None of the {tally.looked} records has a list at '{path}', which 'explode' takes apart. Correct it."
    elif _is_full(stream, place, tables) and tally.looked and not tally.shaped:
        yield f"None of the {tally.looked} records that were read is left after 'explode' and 'when'."


def _nothing_asked(stream: Stream, place: Place, tables: Mapping[str, TableEnd]) -> Iterator[str]:
    is_asked = place.plan is None or place.plan.windows
    if stream.parent is None or not stream.parent.when or place.asked or not is_asked:
        return
    table = tables.get(stream.parent.stream)
    if table is not None and table.rows:
        yield f"None of the {table.rows} rows of '{stream.parent.stream}' fulfils the parent's 'when'; none was asked."


def _records(count: int) -> str:
    return f"{count} {'record has' if count == 1 else 'records have'}"
