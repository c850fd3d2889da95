"""A verified caller, as the rest of the service knows it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Caller:
    """Everything it reads or changes lies in ``college_id``, which comes from the token alone."""

    subject: str
    role: str
    college_id: str
    expires_at: datetime
    request_id: str | None
