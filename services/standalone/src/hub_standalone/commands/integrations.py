"""``hub integrations``: what a principal does with them, from a terminal."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from hub_model.errors import InvalidInput
from rich.console import Console

from hub_standalone.client import HubClient, Json
from hub_standalone.commands.connection import DEFAULT_COLLEGE, CollegeOption, TokenOption, UrlOption, connect
from hub_standalone.commands.tables import print_table
from hub_standalone.progress import ProgressView

T = TypeVar("T")

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The integration's id, as `list` shows it.")]


def build_group() -> typer.Typer:
    """The sub-commands, as one group."""
    group = typer.Typer(no_args_is_help=True, help="List, create, test and sync integrations.")
    group.command("list")(list_integrations)
    group.command("create")(create)
    group.command("test")(check_connection)
    group.command("sync")(sync)
    group.command("logs")(logs)
    return group


def list_integrations(
    url: UrlOption = None, token: TokenOption = None, college: CollegeOption = DEFAULT_COLLEGE
) -> None:
    """All integrations of the college."""
    rows = [
        (item["id"], item["name"], item["type"], item["status"], item["lastSync"] or "never")
        for item in _call(lambda client: client.integrations(), url, token, college)
    ]
    print_table(("id", "name", "type", "status", "last sync"), rows)


def create(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The body of POST /api/integrations; - reads stdin.")],
    url: UrlOption = None,
    token: TokenOption = None,
    college: CollegeOption = DEFAULT_COLLEGE,
) -> None:
    """Create an integration from a JSON file."""
    draft = _read_draft(file)
    made = _call(lambda client: client.create(draft), url, token, college)
    typer.echo(f"Created {made['name']}: {made['id']}")
    for warning in made["warnings"]:
        typer.echo(f"Note: {warning}")
    for line in _webhook_lines(made):
        typer.echo(line)
    typer.echo(f"Next: hub integrations test {made['id']}")


def check_connection(
    integration_id: IdArgument,
    url: UrlOption = None,
    token: TokenOption = None,
    college: CollegeOption = DEFAULT_COLLEGE,
) -> None:
    """Test the connection, step by step; exit code 1 if a step fails."""
    console = Console(soft_wrap=True)
    result = _call(
        lambda client: client.follow_test(integration_id, lambda check: print_check(console, check)),
        url,
        token,
        college,
    )
    if not result["success"]:
        raise typer.Exit(1)


def sync(
    integration_id: IdArgument,
    full: Annotated[bool, typer.Option("--full", help="Read everything again, not only what changed.")] = False,
    url: UrlOption = None,
    token: TokenOption = None,
    college: CollegeOption = DEFAULT_COLLEGE,
) -> None:
    """Sync now and watch; exit code 1 unless everything succeeded."""
    console = Console(soft_wrap=True)

    async def sync_and_follow(client: HubClient) -> Json:
        begun = await client.sync(integration_id, full=full)
        with ProgressView(console) as view:
            return await view.follow(client, "sync", integration_id, begun["runId"])

    run = _call(sync_and_follow, url, token, college)
    console.print(f"Run {run['id']} {run['status']}.")
    if run["status"] != "succeeded":
        console.print(f"More: hub integrations logs {integration_id}")
        raise typer.Exit(1)


def logs(
    integration_id: IdArgument,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many entries.")] = 20,
    url: UrlOption = None,
    token: TokenOption = None,
    college: CollegeOption = DEFAULT_COLLEGE,
) -> None:
    """What happened, newest last."""
    for entry in reversed(_call(lambda client: client.logs(integration_id, limit=limit), url, token, college)):
        typer.echo(f"{entry['at']}  {entry['level']:<7}  {entry['message']}")


def print_checks(console: Console, result: Json) -> None:
    """A connection test as a checklist."""
    for check in result["checks"]:
        print_check(console, check)


def print_check(console: Console, check: Json) -> None:
    """One step of a connection test; what failed, or may, says what to do."""
    fix = check.get("fix")
    mark = ("warn" if fix else "ok  ") if check["ok"] else "FAIL"
    console.print(f"  {mark}  {check['name']}: {check['detail']}", markup=False)
    if fix:
        console.print(f"        {fix}", markup=False)


def _webhook_lines(made: Json) -> Iterator[str]:
    """Where pushes go, and the secret where the hub has just made it."""
    webhook, secret = made["webhook"], made.get("webhookSecret")
    if (webhook.get("secretPlacement") or {}).get("placement") == "address":
        yield f"Webhooks go to {webhook['url']}/{secret or 'SECRET'}"
        yield f"The last part is their secret, {'shown only now' if secret else 'which you have given'}."
        return
    yield f"Webhooks go to {webhook['url']}"
    if secret:
        yield f"Their secret, shown only now: {secret}"


def _call(action: Callable[[HubClient], Awaitable[T]], url: str | None, token: str | None, college: str) -> T:
    async def call() -> T:
        async with connect(url, token, college) as client:
            return await action(client)

    return asyncio.run(call())


def _read_draft(file: Path) -> Json:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text()
        draft = json.loads(text)
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InvalidInput(f"{file} is not JSON: {error}") from error
    if not isinstance(draft, dict):
        raise InvalidInput(f"{file} must hold one JSON object, the integration")
    return draft
