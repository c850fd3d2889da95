"""Keeps a transformed batch within one message.

Raw records leave room for what mapping adds to each (``hub_model.messages.fits_batch``). Canonical records keep to
that room by themselves; a reject carries the raw record, which is never cut, and its issues, which are shortened here
when, and only when, the batch would not fit otherwise. What is left out is said.
"""

from collections.abc import Sequence
from typing import Any

import orjson
from hub_model.messages import MAX_BATCH_BYTES, MAX_RECORD_GROWTH_BYTES, Reject

# {"index":499,"raw":...,"issues":...}, and the issue that stands for the others.
_FRAME_BYTES = 40
_REST_BYTES = 120


def fit_rejects(records: Sequence[dict[str, Any]], rejects: Sequence[Reject]) -> list[Reject]:
    """The rejects, with fewer issues each if they and the records would be too large for one message."""
    if not rejects:
        return []
    size = len(orjson.dumps(records)) + sum(
        len(orjson.dumps([reject.raw, reject.issues])) + _FRAME_BYTES for reject in rejects
    )
    if size <= MAX_BATCH_BYTES:
        return list(rejects)
    return [_shortened(reject) for reject in rejects]


def _shortened(reject: Reject) -> Reject:
    """The first issues that fit, and how many there were more."""
    budget = MAX_RECORD_GROWTH_BYTES - _FRAME_BYTES
    if len(orjson.dumps(reject.issues)) <= budget:
        return reject
    kept: list[dict[str, str]] = []
    left = budget - _REST_BYTES
    for issue in reject.issues:
        left -= len(orjson.dumps(issue)) + 1
        if left < 0:
            break
        kept.append(issue)
    rest = len(reject.issues) - len(kept)
    kept.append({"pointer": "", "code": "more_issues", "message": f"There are {rest} more issues; mend these first."})
    return reject.model_copy(update={"issues": kept})
