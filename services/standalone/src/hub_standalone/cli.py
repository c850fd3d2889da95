"""The command line ``hub``: one process with everything, its demo, and a client for its API."""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer
from hub_model.errors import HubError, InvalidInput
from hub_security.redaction import Redactor
from rich.console import Console

from hub_standalone.client import ApiError
from hub_standalone.commands import connectors, dlq, integrations, serving, tokens
from hub_standalone.commands.doctor import doctor


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit: 0 done, 1 it failed and stderr says why, 2 the command was misspelt."""
    try:
        build_app()(args=list(arguments) if arguments is not None else None, prog_name="hub")
    except HubError as error:
        print_error(error)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def build_app() -> typer.Typer:
    """Every command, wired."""
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help="Student Hub Integrations: a college's data, from its own systems, by itself.",
    )
    app.callback()(options)
    app.command()(serving.run)
    app.command()(serving.demo)
    app.command()(tokens.keys)
    app.command()(tokens.token)
    app.command()(doctor)
    app.add_typer(integrations.build_group(), name="integrations")
    app.add_typer(connectors.build_group(), name="connectors")
    app.add_typer(dlq.build_group(), name="dlq")
    return app


def options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            is_eager=True,
            callback=lambda value: _print_version(wanted=value),
            help="Show the version and exit.",
        ),
    ] = False,
) -> None:
    """Student Hub Integrations: a college's data, from its own systems, by itself."""


def print_error(error: HubError) -> None:
    """One sentence, and one line per field with what to do about it."""
    console = Console(stderr=True, soft_wrap=True)
    # An address that is quoted because it is wrong may hold a password all the same.
    console.print(Redactor().redact(f"hub: {error}"), markup=False, highlight=False)
    if isinstance(error, ApiError | InvalidInput):
        for issue in error.issues:
            console.print(f"  {issue.pointer or 'the body'}: {issue.message}", markup=False, highlight=False)


def _print_version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"hub {version('hub-standalone')}")
        raise typer.Exit
