"""Whether first records become records of the hub. Fields and reasons are told, and no values. Pure."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from hub_mapping import CompiledMapping, MappedBatch
from hub_mapping.keys import KEY_PARTS
from hub_model.messages import ProbeCheck, Reject
from hub_model.records import DataType

_MAPPED_RECORDS = 20
# More than this share of rejects stops a sync: that is drift, not dirt.
_DIRT = 0.2
_MOST_ISSUES = 5


def check_fit(
    name: str, mapping: CompiledMapping, sample: Sequence[object], *, data_type: DataType, now: datetime
) -> ProbeCheck:
    """The step of a connection test that maps the first records of a sample."""
    records = sample[:_MAPPED_RECORDS]
    if not records:
        return ProbeCheck(name=name, ok=True, detail="Not tried: there is no record to try it on.")
    mapped = mapping.map_batch(records, observed_at=now)
    if mapped.rejects:
        return ProbeCheck(
            name=name,
            ok=len(mapped.rejects) <= len(records) * _DIRT,
            detail=f"{len(mapped.rejects)} of the first {len(records)} records do not fit: {_issues(mapped.rejects)}.",
            fix="Mend the mapping's rules for these fields, or what the source holds in them.",
        )
    if alike := mapped.overruled + mapped.undecided:
        return ProbeCheck(
            name=name,
            ok=True,
            detail=f"{alike} of the first {len(records)} records are identified as another is "
            f"({_identity(data_type)}), and say something else: one of each is kept, and the sync ends in part"
            f"{_undecided(mapped)}.",
            fix="Map what tells these records apart to one of those fields."
            + (" Map 'sourceId' if the source has ids of rows: then it is known." if mapped.undecided else ""),
        )
    return ProbeCheck(name=name, ok=True, detail=f"The first {len(records)} records fit.")


def _undecided(mapped: MappedBatch) -> str:
    return f"; {mapped.undecided} may be other states of the same row, for the times differ" if mapped.undecided else ""


def _issues(rejects: Sequence[Reject]) -> str:
    counts = Counter((issue["pointer"].lstrip("/"), issue["code"]) for reject in rejects for issue in reject.issues)
    issues = counts.most_common(_MOST_ISSUES)
    return ", ".join(f"{field or 'the record'}: {code} ({count})" for (field, code), count in issues)


def _identity(data_type: DataType) -> str:
    return ", ".join(" or ".join(part) for part in KEY_PARTS.get(data_type, (("the fields of 'key'",),)))
