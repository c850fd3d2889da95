"""Removing an integration while a run may be under way."""

from hub_model import run_transitions
from hub_model.integrations import Integration

from hub_config_api.backend import Backend


async def remove_integration(backend: Backend, integration: Integration, *, revision: int | None) -> Integration:
    """Remove it, then cancel its active run: workers that look in between find it gone and stop as well."""
    removed = await backend.integrations.remove(integration.college_id, integration.id, revision=revision)
    await backend.tokens.forget(removed.college_id, removed.id)
    await backend.states.forget(removed.college_id, removed.id)
    run_id = removed.sync.active_run_id
    if run_id is not None and await backend.runs.find(removed.college_id, run_id) is not None:
        now = backend.clock()
        await backend.runs.change(removed.college_id, run_id, lambda run: run_transitions.cancel(run, now))
    return removed
