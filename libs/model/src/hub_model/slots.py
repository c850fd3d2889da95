"""When an integration is due: the one rule that whoever moves a due time goes by."""

import hashlib
from datetime import datetime

from hub_model.integrations import Integration, next_due


def due_after(integration: Integration, moment: datetime) -> datetime | None:
    """The first slot later than ``moment``; None while the integration is disabled.

    Slots lie one interval apart. Colleges reach theirs at different seconds, so that not all of them ask at the full
    hour.
    """
    if not integration.settings.enabled:
        return None
    return next_due(integration, moment, offset_s=slot_offset_s(integration.college_id))


def slot_offset_s(college_id: str) -> int:
    """Where in any interval a college's slots lie: spread evenly, and the same in every process.

    Whole seconds, because a slot is written down with microseconds and must come out later than the one before.
    """
    return int.from_bytes(hashlib.sha256(college_id.encode()).digest()[:4], "big")
