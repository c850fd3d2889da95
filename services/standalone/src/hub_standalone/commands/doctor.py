"""``hub doctor``: what is wrong, and what to do about it, on one screen."""

import asyncio
import io
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hub_standalone.doctor import Report


def doctor(
    context: typer.Context,
    url: Annotated[
        list[str] | None,
        typer.Option(
            "--url", envvar="HUB_URL", help="Address of a service; once for each.", show_default="the local hub"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same, for machines.")] = False,
) -> None:
    """Look at everything a hub relies on: one line each, with what to do. Start here when something is wrong.

    Settings, keys, broker, queues, dead letters, store, clocks, services.
    Run it where the hub's settings are: it reads what the services read.
    No check takes longer than 10 s, and no secret is shown.
    Queues and indexes that are missing are made, as by any service's start.

    Exit code 0: nothing FAILED, there may be warnings. 1: something did.
    """
    from hub_messaging.clock import utc_now
    from hub_runtime.logging import configure_logging

    from hub_standalone.doctor import examine

    # Whatever goes wrong is a line of the report; a log beside it would only say it again.
    configure_logging(service="hub", stream=io.BytesIO())
    urls = url or []
    source = context.get_parameter_source("url")
    is_asked_for = source is not None and source.name == "COMMANDLINE"
    with asyncio.Runner() as runner:
        report = runner.run(examine(urls, is_asked_for=is_asked_for, clock=utc_now))
        code = 0 if report.ok else 1
        _print(report, as_json=as_json)
        if report.unfinished:
            # What did not answer may hold a thread, such as a name's resolution, which Python would wait for.
            sys.stdout.flush()
            os._exit(code)
    raise typer.Exit(code)


def _print(report: "Report", *, as_json: bool) -> None:
    import orjson

    from hub_standalone.letters import plain

    if as_json:
        body = {"ok": report.ok, "checks": report.findings}
        typer.echo(orjson.dumps(body, option=orjson.OPT_INDENT_2).decode())
        return
    for finding in report.findings:
        typer.echo(plain(f"{finding.status:<8} {finding.check}: {finding.detail} {finding.fix}".rstrip(), most=2000))
    failed = sum(finding.status == "FAILED" for finding in report.findings)
    warned = sum(finding.status == "warning" for finding in report.findings)
    typer.echo(f"{failed} FAILED, {warned} to look at." if failed or warned else "All is well.")
