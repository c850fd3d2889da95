"""What a store keeps, per record and integration, of what the integration last wrote: an *entry*, in ``sources``.

It is ``[hash, version, source id, run id, at, deleted, lag]``, which is compact, since there is one on every record:
instants are microseconds since 1970; version and lag are the *stamp* (see ``versions``) of the last full write or
delete, the *base*, which covers all fields, also those it left out. A partial write leaves the base as it is and adds
an eighth part, ``[[version, lag, fields], ...]``, the stamps of the fields that were pushed since; with no base yet,
its version is None. A full write that covers them all leaves none again.

Where several integrations have written a record, an entry has a ninth part (the eighth may be empty then): the places
that the integration holds, see ``holders``. A delete ends what it held.

The hash tells whether a write repeats, word for word, what was said last; it is empty where newer fields kept that
out, or a part of what was pushed, so that it cannot tell. It begins with ``?`` where another integration has taken
back a value since, in whose place the repetition may have one: then it is to be heard again.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hub_model.base import format_datetime
from hub_model.records import RecordWrite

from hub_storage.holders import Held, Place, of_names, places_of, to_names
from hub_storage.versions import Versions, instant

Entry = list[Any]

# The parts of an entry that has no versions of single fields, of a record that is one integration's alone.
PLAIN = 7
# Where in an entry its parts stand.
SOURCE_ID, DELETED, GROUPS, HELD = 2, 5, 7, 8
_AGAIN = "?"


def repeats(write: RecordWrite, known: Entry) -> bool:
    """Whether the write repeats what the integration said last."""
    return bool(known[0] == write.content_hash and known[DELETED] == write.deleted)


def heard_again(entry: Entry) -> Entry:
    """The entry of an integration that is to be heard even where it repeats itself."""
    return [_AGAIN + entry[0].removeprefix(_AGAIN), *entry[1:]]


def is_heard_again(write: RecordWrite, known: Entry) -> bool:
    """Whether the write repeats what the integration said last, and is wanted for it."""
    return bool(known[0] == _AGAIN + write.content_hash and known[DELETED] == write.deleted)


def is_by_field(entry: Entry) -> bool:
    """Whether single fields have versions of their own."""
    return len(entry) > PLAIN and (bool(entry[GROUPS]) or entry[1] is None)


def versions_of(entry: Entry) -> Versions:
    """The versions of all fields."""
    groups = entry[GROUPS] if len(entry) > GROUPS else ()
    base = None if entry[1] is None else (entry[1], entry[6])
    return Versions.of_groups(base, [((version, lag), names) for version, lag, names in groups])


def held_by(sources: Mapping[str, Entry], data: Mapping[str, Any]) -> Held:
    """The places that each integration holds; the one that has been alone so far holds all."""
    standing = {name: entry for name, entry in sources.items() if not entry[DELETED]}
    if len(sources) == 1:
        return {name: places_of(data) for name in standing}
    return {name: of_names(entry[HELD]) for name, entry in standing.items() if len(entry) > HELD}


def with_held(entry: Entry, held: Iterable[Place] | None) -> Entry:
    """The entry with what its integration holds now, if it stands."""
    if held is None:
        return entry[:HELD]
    return [*entry[:PLAIN], entry[GROUPS] if len(entry) > GROUPS else [], to_names(held)]


def described(entry: Sequence[Any]) -> dict[str, Any]:
    """An entry for a reader."""
    content_hash, version, source_id, run_id, at, _deleted, _lag = entry[:PLAIN]
    shown = {
        "hash": content_hash.removeprefix(_AGAIN),
        "version": None if version is None else format_datetime(instant(version)),
        "sourceId": source_id,
        "runId": run_id,
        "at": format_datetime(instant(at)),
    }
    if len(entry) > GROUPS and (entry[GROUPS] or version is None):
        shown["fieldVersions"] = [
            {"version": format_datetime(instant(version)), "fields": fields} for version, _lag, fields in entry[GROUPS]
        ]
    if len(entry) > HELD:
        shown["holds"] = [name if isinstance(name, str) else ".".join(name) for name in entry[HELD]]
    return shown
