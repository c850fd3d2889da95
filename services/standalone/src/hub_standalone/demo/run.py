"""``hub demo``: a principal connects a simulated college, and everything that happens is shown."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from hub_model.errors import Unavailable
from rich.console import Console
from rich.markup import escape

from hub_standalone.client import HubClient, Json
from hub_standalone.commands.integrations import print_checks
from hub_standalone.demo.check import differences
from hub_standalone.demo.college import Mishap
from hub_standalone.demo.drafts import biometric_draft, erp_draft
from hub_standalone.demo.lms import lms_draft, with_lms
from hub_standalone.demo.report import print_arrivals, print_ways_to_look
from hub_standalone.demo.scene import Scene
from hub_standalone.demo.truth import truth
from hub_standalone.demo.webhook import push_signed
from hub_standalone.demo.world import Row
from hub_standalone.progress import ProgressView

_SYNC_DEADLINE_S = 120.0
_ARRIVAL_DEADLINE_S = 20.0
_POLL_S = 0.05


async def run_demo(stage: AbstractAsyncContextManager[Scene], *, once: bool) -> int:
    """Play the demo; return the exit code: with ``once`` 1 if anything differs from the college's truth."""
    console = Console(soft_wrap=True, highlight=False)
    console.print("Starting a simulated college ...")
    async with stage as scene:
        integrations = await _connect(console, scene)
        problems = await _test(console, scene, integrations)
        runs = await _sync_all(console, scene, integrations)
        problems += [f"run {run['id']} {run['status']}" for run in runs if run["status"] != "succeeded"]
        await _push_late_arrival(console, scene, integrations[1])
        await print_arrivals(console, scene, runs)
        if once:
            problems += await _check(console, scene, runs)
        else:
            print_ways_to_look(console, scene)
            await _until_stopped()
    for problem in problems:
        console.print(f"[bold red]DIFFERS[/bold red]  {escape(problem)}")
    return 1 if problems else 0


async def _connect(console: Console, scene: Scene) -> list[Json]:
    """The integrations, as the principal creates them: the ERP, the biometric system, then the LMS."""
    drafts = [
        erp_draft(scene.college, scene.credentials),
        biometric_draft(scene.college, scene.credentials),
        lms_draft(scene.lms),
    ]
    integrations = [await scene.client.create(draft) for draft in drafts]
    for integration in integrations:
        console.print(f"  [bold]{integration['name']}[/bold] is connected to {integration['baseUrl']}")
    return integrations


async def _test(console: Console, scene: Scene, integrations: list[Json]) -> list[str]:
    """Test the connections; what is wrong with them."""
    results = [await scene.client.test(integration["id"]) for integration in integrations]
    for integration, result in zip(integrations, results, strict=True):
        console.print(f"\n[bold]Testing {integration['name']}[/bold]")
        print_checks(console, result)
    return [result["message"] for result in results if not result["success"]]


async def _sync_all(console: Console, scene: Scene, integrations: list[Json]) -> list[Json]:
    """Sync all at once; their runs as they ended."""
    console.print("\n[bold]Syncing[/bold]")
    async with _within(_SYNC_DEADLINE_S, "the syncs", scene):
        with ProgressView(console) as view:
            runs = await asyncio.gather(*(_sync(scene.client, view, integration) for integration in integrations))
    return list(runs)


async def _sync(client: HubClient, view: ProgressView, integration: Json) -> Json:
    begun = await client.sync(integration["id"])
    return await view.follow(client, integration["name"], integration["id"], begun["runId"])


async def _push_late_arrival(console: Console, scene: Scene, integration: Json) -> None:
    """A student who was absent comes in: the gate's system pushes it, signed, and the record changes."""
    console.print("\n[bold]A webhook[/bold]")
    row = scene.college.let_in_late()
    status = await push_signed(scene.webhook_url(integration), integration["webhookSecret"], row)
    console.print(f"  {row['name']} ({row['studentId']}) came late; the signed push was answered with {status}")
    async with _within(_ARRIVAL_DEADLINE_S, "the pushed record", scene):
        await _until_stored(scene.client, row)
    console.print("  and the record says so")


async def _until_stored(client: HubClient, row: Row) -> None:
    while True:
        for item in await client.all_of("/api/records/attendance", studentId=row["studentId"], date=row["date"]):
            if item["data"].get("checkInAt") and item["data"]["attendance"] == row["attendance"]:
                return
        await asyncio.sleep(_POLL_S)


@asynccontextmanager
async def _within(deadline_s: float, what: str, scene: Scene) -> AsyncIterator[None]:
    """A demo that waits for ever helps nobody."""
    try:
        async with asyncio.timeout(deadline_s):
            yield
    except TimeoutError as error:
        raise Unavailable(f"{what} did not come to an end within {deadline_s:g} s; see {scene.log}") from error


async def _check(console: Console, scene: Scene, runs: list[Json]) -> list[str]:
    """What differs from the truth, whether in the records or in what should have happened on the way."""
    expected = with_lms(truth(scene.college.world), scene.lms)
    total = sum(len(records) for records in expected.records.values())
    problems = await differences(scene.client, expected, runs=runs)
    missed = set(Mishap) - set(scene.college.mishaps)
    problems += [f"the college never did this: {mishap.value}" for mishap in missed]
    problems += [f"the LMS never did this: it {fault.kind}" for fault in scene.lms.faults.ordered if not fault.happened]
    if not problems:
        console.print(
            f"\n[bold green]Checked[/bold green]: all {total:,} records are as the college has them, field by field; "
            f"{len(expected.rejects)} invalid record was set aside."
        )
    return problems


async def _until_stopped() -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    try:
        await stopped.wait()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
