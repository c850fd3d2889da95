"""Records of one batch that are identified alike: what is kept of them, for the store takes a key once. Pure."""

from collections.abc import Sequence
from functools import reduce
from operator import itemgetter
from typing import Any

import orjson
from hub_model.encoded import EncodedObject
from hub_model.rivals import Losses, Row, count_losses

from hub_mapping.keys import content_hash

Canonical = dict[str, Any]


def settle_alike(records: Sequence[Canonical], observed: str, *, is_partial: bool) -> tuple[list[Canonical], Losses]:
    """What is kept of records of one key, and how many were lost, see ``hub_model.rivals``.

    The newest is kept, of equally new ones the last. But a delete speaks of its own row alone: where others have the
    key too it goes without it, to be found by its row. ``observed`` is the version of records that tell none; partial
    ones are joined.
    """
    ordered = sorted(records, key=itemgetter("version"))
    latest = {_source_id_of(record): record for record in ordered}
    gone = [] if None in latest else [record for record in latest.values() if "deleted" in record]
    if len(gone) == len(latest):
        gone.remove(ordered[-1])
    rows = {record["sourceId"] for record in gone}
    standing = [record for record in ordered if not rows or record["sourceId"] not in rows]
    if is_partial:
        return [reduce(_laid_over, standing), *map(_without_key, gone)], Losses()
    told = (_row_of(record, observed) for record in standing if "deleted" not in record)
    return [standing[-1], *map(_without_key, gone)], count_losses(told)


def _row_of(record: Canonical, observed: str) -> Row:
    version = record["version"]
    return Row(record["hash"], None if version == observed else version, _source_id_of(record))


def _source_id_of(record: Canonical) -> str | None:
    return record.get("sourceId") or None  # an empty one tells no row


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
