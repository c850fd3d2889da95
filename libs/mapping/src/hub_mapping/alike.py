"""Records of one batch that are identified alike: what is kept of them, for the store takes a key once. Pure."""

from collections.abc import Sequence
from functools import reduce
from operator import itemgetter
from typing import Any

import orjson
from hub_model.encoded import EncodedObject

from hub_mapping.keys import content_hash

Canonical = dict[str, Any]


def settle_alike(records: Sequence[Canonical], observed: str, *, is_partial: bool) -> tuple[list[Canonical], int]:
    """What is kept of records of one key, and how many were lost though they said something else than what is kept.

    The newest is kept, of equally new ones the last. But a delete speaks of its own row alone: where others have the
    key too it goes without it, to be found by its row. ``observed`` is the version of records that tell none; partial
    ones are joined.
    """
    ordered = sorted(records, key=itemgetter("version"))
    latest = {record.get("sourceId"): record for record in ordered}
    gone = [] if None in latest else [record for record in latest.values() if "deleted" in record]
    if len(gone) == len(latest):
        gone.remove(ordered[-1])
    rows = {record["sourceId"] for record in gone}
    standing = [record for record in ordered if not rows or record["sourceId"] not in rows]
    kept = reduce(_laid_over, standing) if is_partial else standing[-1]
    lost = 0 if is_partial else sum(_contradict(kept, other, observed) for other in standing)
    return [kept, *map(_without_key, gone)], lost


def _contradict(one: Canonical, other: Canonical, observed: str) -> bool:
    """Whether two records of one key say different things though nothing tells that they are two states of one row."""
    if one["hash"] == other["hash"] or "deleted" in one or "deleted" in other:
        return False
    if one["version"] == other["version"] or observed in (one["version"], other["version"]):
        return True
    return None not in (rows := (one.get("sourceId"), other.get("sourceId"))) and rows[0] != rows[1]


def _laid_over(older: Canonical, newer: Canonical) -> Canonical:
    """Two partial records as one, under the later of their times: a record has only one, and once they are joined
    nobody can tell which field is how old. A delete speaks of the whole record, so the newer stands as it is."""
    if "deleted" in older or "deleted" in newer:
        return newer
    data = {**older["data"], **newer["data"]}
    payload = orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
    return {
        **older,
        **newer,
        "data": EncodedObject(data, payload),
        "hash": content_hash(payload, deleted=False),
    }


def _without_key(gone: Canonical) -> Canonical:
    """A delete that is found by its row."""
    return {**gone, "key": "", "data": EncodedObject({}, b"{}"), "hash": content_hash(b"{}", deleted=True)}
