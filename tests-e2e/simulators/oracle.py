"""Has a hub read a simulated vendor, and compares every record it then holds with the truth."""

import asyncio
import time
from collections.abc import Collection

from hub_model.records import DataType
from hub_standalone.client import HubClient, Json
from hub_standalone.demo.simulated.simulator import Simulator
from simulators.comparison import differences

ALL = frozenset(DataType)
ENDED = ("succeeded", "partial", "failed", "cancelled")
_WRITES = ("inserted", "updated", "deleted")
_MOST_SHOWN = 5
_DEADLINE_S = 300
_POLL_S = 0.2


async def synced(client: HubClient, integration_id: str) -> Json:
    """One sync to its end, and the run as it ended."""
    run_id = (await client.sync(integration_id))["runId"]
    deadline = time.monotonic() + _DEADLINE_S
    while (run := await client.run(integration_id, run_id))["status"] not in ENDED:
        assert time.monotonic() < deadline, f"still {run['status']}: {run}"
        await asyncio.sleep(_POLL_S)
    return run


async def shortfalls(client: HubClient, simulator: Simulator, wanted: Collection[str] = ALL) -> list[str]:
    """How what the hub holds differs from what the vendor has; of what it has not, and of what is not wanted, there is
    to be nothing."""
    found: list[str] = []
    for data_type in set(DataType) - {DataType.CUSTOM}:
        stored = await client.all_of(f"/api/records/{data_type.value}")
        living = [item["data"] for item in stored if not item["deleted"]]
        truth = simulator.truth(data_type) if data_type in simulator.expresses and data_type in wanted else []
        found += differences(data_type, truth, living)
    return found


async def troubles(client: HubClient, run: Json) -> list[str]:
    """What a run that is as it should be has none of: an end other than success, warnings, rejected records.

    What found no row to join is compared with the truth like everything else, and a tombstone has nothing to join.
    """
    streams = run["streams"].items()
    found = [] if run["status"] == "succeeded" else [f"the run is {run['status']}: {run['failure']}"]
    found += [f"{name} failed: {stream['failure']}" for name, stream in streams if stream["failure"]]
    warnings = [f"{name}: {warning}" for name, stream in streams for warning in stream["warnings"]]
    found += [warning for warning in warnings if " no row in " not in warning]
    rejects = await client.all_of(f"/api/integrations/{run['integrationId']}/rejects", runId=run["id"])
    return found + [f"rejected: {reject}" for reject in rejects[:_MOST_SHOWN]]


def written(run: Json) -> dict[str, int]:
    """How many records a run has written, and how."""
    return {name: run["counts"][name] for name in _WRITES}
