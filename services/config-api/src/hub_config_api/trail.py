"""The audit trail: who did, or tried to do, what. Secrets appear as names only.

Invariant: nothing changes without an entry. The entry is written before the change; a change that is then refused,
because somebody else was faster, is followed by an entry that says so.
"""

from typing import Any

from hub_model.ids import new_id
from hub_model.integrations import Integration
from hub_model.logs import AuditEntry

from hub_config_api.backend import Backend
from hub_config_api.caller import Caller

_SECRETS: Any = {
    "api_key": True,
    "password": True,
    "extra_keys": {"__all__": {"value"}},
    "oauth": {"client_secret", "refresh_token"},
    "oauth1": {"consumer_secret", "token", "token_secret"},
    "webhook": {"secret"},
}


async def record_change(backend: Backend, caller: Caller, *, action: str, target: str, changes: dict[str, Any]) -> None:
    """Write what is about to be done."""
    await _add(backend, caller, action=action, target=target, allowed=True, changes=changes)


async def record_refusal(backend: Backend, caller: Caller, *, action: str, target: str | None, code: str) -> None:
    """Write that the caller may not do this, or that the change it asked for was not made."""
    await _add(backend, caller, action=action, target=target, allowed=False, changes={"refused": code})


def changes_of(before: Integration | None, after: Integration | None) -> dict[str, Any]:
    """The fields that differ, as ``{"before": {...}, "after": {...}}``."""
    old, new = _public(before), _public(after)
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return {
        "before": {name: old[name] for name in names if name in old},
        "after": {name: new[name] for name in names if name in new},
    }


def _public(integration: Integration | None) -> dict[str, Any]:
    """The settings, and for each secret its name and version."""
    if integration is None:
        return {}
    settings = integration.settings.model_dump(
        mode="json",
        by_alias=True,
        exclude=_SECRETS,
    )
    return {**settings, "secrets": {name: sealed.version for name, sealed in sorted(integration.secrets.items())}}


async def _add(
    backend: Backend,
    caller: Caller,
    *,
    action: str,
    target: str | None,
    allowed: bool,
    changes: dict[str, Any],
) -> None:
    await backend.audit.add(
        AuditEntry(
            id=new_id(),
            college_id=caller.college_id,
            at=backend.clock(),
            actor=caller.subject,
            role=caller.role,
            action=action,
            target=target,
            allowed=allowed,
            changes=changes,
            request_id=caller.request_id,
        )
    )
