"""``hub connectors``: what can be connected without writing an endpoint, and a draft to start from. Needs no hub."""

import json
from pathlib import Path
from typing import Annotated

import typer
from hub_connectors.drafting import draft_to_start_from
from hub_connectors.loader import find_preset, presets
from hub_connectors.spec import Preset, Setting, Support
from hub_model.errors import InvalidInput

from hub_standalone.commands.tables import print_table

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The connector's name, as `list` shows it.")]
_MARKS = {Support.YES: "yes", Support.CONDITIONAL: "if", Support.NO: "no"}


def build_group() -> typer.Typer:
    """The sub-commands, as one group."""
    group = typer.Typer(no_args_is_help=True, help="Ready-made connections to the systems that colleges use.")
    group.command("list")(list_connectors)
    group.command("show")(show)
    group.command("new")(new)
    return group


def list_connectors() -> None:
    """All connectors and what each can bring."""
    rows = [(preset.name, preset.title, ", ".join(_brought(preset))) for preset in presets().values()]
    print_table(("name", "system", "brings"), rows)


def show(name: NameArgument) -> None:
    """One connector: what it brings, what it asks, and what to know before."""
    preset = find_preset(name)
    typer.echo(f"{preset.title} ({preset.vendor}), version {preset.version}\n\n{preset.summary}\n\nBrings:")
    for data_type, capability in preset.capabilities.items():
        note = f"  {capability.note}" if capability.note else ""
        typer.echo(f"  {data_type:<11} {_MARKS[capability.support]:<4}{note}")
    typer.echo("\nSettings:" if preset.settings else "\nNo settings.")
    for setting in preset.settings:
        typer.echo(f"  {setting.name} ({_kind(setting)})\n      {setting.help}")
        if not setting.secret:
            typer.echo(f"      Example: {json.dumps(setting.example, ensure_ascii=False)}")
    scheme = f" (scheme {preset.webhook_scheme})" if preset.webhook_scheme else ""
    typer.echo(f"\nWebhooks{scheme}: {preset.webhooks}")
    for note in preset.notes:
        typer.echo(f"\nNote: {note}")
    typer.echo(f"\nSource: {preset.documentation}\nNext: hub connectors new {preset.name} > {preset.name}.json")


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A connector; generic-rest for any other API.")],
    file: Annotated[Path | None, typer.Option("--file", help="Write here instead of showing it.")] = None,
) -> None:
    """A draft to fill in and to create with `hub integrations create FILE`."""
    text = json.dumps(draft_to_start_from(find_preset(name)), indent=2, ensure_ascii=False)
    if file is None:
        typer.echo(text)
        return
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(f"{text}\n")
    except FileExistsError as error:
        raise InvalidInput(f"{file} exists already; name another file.") from error
    except OSError as error:
        raise InvalidInput(f"{file} cannot be written: {error.strerror}.") from error
    typer.echo(f"Fill in {file}, then: hub integrations create {file}")


def _brought(preset: Preset) -> list[str]:
    return [
        str(data_type) if capability.support is Support.YES else f"{data_type}*"
        for data_type, capability in preset.capabilities.items()
        if capability.support is not Support.NO
    ]


def _kind(setting: Setting) -> str:
    if setting.required:
        return f"{setting.kind}, needed"
    return (
        str(setting.kind) if setting.default is None else f"{setting.kind}, {json.dumps(setting.default)} if left out"
    )
