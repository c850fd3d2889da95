"""What the demo prints at its end: what arrived, and where to look."""

import json
from collections import Counter
from collections.abc import Sequence

from hub_model.records import DataType
from rich.console import Console

from hub_standalone.client import Json
from hub_standalone.demo.scene import Scene
from hub_standalone.progress import describe_counts

_SHOWN_TYPES = (DataType.STUDENTS, DataType.TIMETABLE, DataType.ATTENDANCE, DataType.MARKS)


async def print_arrivals(console: Console, scene: Scene, runs: Sequence[Json]) -> None:
    """Counts per type, the runs, a few records, and what was rejected."""
    arrived: Counter[str] = Counter()
    for run in runs:
        for data_type, stream in run["streams"].items():
            arrived[data_type] += stream["counts"]["inserted"]
    console.print("\n[bold]What arrived[/bold]")
    for data_type in DataType:
        if arrived[data_type.value]:
            console.print(f"  {data_type.value:<11}{arrived[data_type.value]:>7,}")
    console.print("\n[bold]Runs[/bold]")
    for run in runs:
        console.print(f"  {run['id']}  {run['status']}: {describe_counts(run)}", markup=False)
    mishaps = ", ".join(mishap.value for mishap in scene.college.mishaps)
    console.print(f"  although a page of the college ... {mishaps}")
    faults = ", ".join(fault.kind.value for fault in scene.lms.faults.ordered if fault.happened)
    console.print(f"  and an answer of the LMS ... {faults}")
    console.print("\n[bold]A few records[/bold]")
    for data_type in _SHOWN_TYPES:
        page = await scene.client.request("GET", f"/api/records/{data_type.value}", params={"limit": 1})
        for item in page["items"]:
            console.print(f"  {data_type.value}: {_one_line(item['data'])}", markup=False)
    rejects = await scene.client.all_of(f"/api/integrations/{runs[0]['integrationId']}/rejects")
    console.print("\n[bold]Rejected[/bold]")
    for item in rejects:
        console.print(f"  {item['dataType']}: {_one_line(item['raw'])}", markup=False)
        for issue in item["issues"]:
            console.print(f"    {issue['pointer']}: {issue['message']}", markup=False)


def print_ways_to_look(console: Console, scene: Scene) -> None:
    """Addresses, and commands that can be pasted."""
    console.print("\n[bold]Look around[/bold] until Ctrl-C")
    for line in (
        f"{scene.url}/docs",
        f"{scene.url}/metrics",
        f"the college itself: {scene.college.base_url}",
        f"the system's log: {scene.log}",
        "",
        f"export HUB_URL={scene.url} HUB_TOKEN={scene.token}",
        ".venv/bin/hub integrations list",
        'curl -H "Authorization: Bearer $HUB_TOKEN" "$HUB_URL/api/integrations"',
        'curl -H "Authorization: Bearer $HUB_TOKEN" "$HUB_URL/api/records/attendance?studentId=CS2501&limit=3"',
        'curl -N -H "Authorization: Bearer $HUB_TOKEN" "$HUB_URL/api/events"',
    ):
        console.print(f"  {line}" if line else "", markup=False)
    console.print(f"\n  You are the Principal of {scene.college_id}; the token is good for hours.")


def _one_line(data: Json) -> str:
    return json.dumps(data, ensure_ascii=False)
