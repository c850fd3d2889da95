"""``hub keys`` and ``hub token``: what a development machine needs before anything can be sealed or signed in."""

from typing import Annotated

import typer
from hub_runtime.settings import load_settings
from hub_security.roles import Role

from hub_standalone.commands.connection import make_token
from hub_standalone.keys import create_compose_secrets, create_keys
from hub_standalone.local import LocalSettings


def keys() -> None:
    """Create development keys and a token secret where they are missing."""
    folder = load_settings(LocalSettings).keys_folder
    create_compose_secrets(folder.parent / "compose")
    if create_keys(folder):
        typer.echo(f"Development keys are in {folder}. Keep them: secrets sealed to lost keys cannot be read.")
    else:
        typer.echo(f"Development keys are in {folder} already.")


def token(
    role: Annotated[Role, typer.Option(help="Principal and Admin may manage integrations.")],
    college: Annotated[str, typer.Option(help="The only college the token opens.")],
    hours: Annotated[float, typer.Option(min=0.01, max=12, help="How long it is valid.")] = 1.0,
) -> None:
    """Print a token for a role and a college, signed with the development secret."""
    typer.echo(make_token(load_settings(LocalSettings), role=role, college=college, hours=hours))
