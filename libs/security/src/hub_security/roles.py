"""Who a caller is and what a role may do."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hub_model.errors import Forbidden


class Role(StrEnum):
    """The Hub's roles, spelt exactly so in tokens. ``UNKNOWN`` stands for every other claim, and may do nothing."""

    PRINCIPAL = "Principal"
    ADMIN = "Admin"
    TEACHER = "Teacher"
    STUDENT = "Student"
    UNKNOWN = "Unknown"


MANAGERS = frozenset([Role.PRINCIPAL, Role.ADMIN])


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller whose token was verified. ``college_id`` is the only college it may touch.

    ``expires_at`` is when the token ends, and whatever was begun with it and would go on.
    """

    subject: str
    role: Role
    college_id: str
    expires_at: datetime


def role_of(claim: object) -> Role:
    """The role a token claims, case-exact; UNKNOWN for anything else, whatever its type."""
    return Role(claim) if isinstance(claim, str) and claim in set(Role) else Role.UNKNOWN


def require_manager(principal: Principal) -> None:
    """Raise Forbidden unless the caller may manage integrations."""
    if principal.role not in MANAGERS:
        raise Forbidden(
            f"the role {principal.role} may not manage integrations",
            public="Only a Principal or an Admin may manage integrations.",
        )
