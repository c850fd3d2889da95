"""``hub run`` and ``hub demo``: the commands that are a hub, rather than talk to one.

What they run is imported when they are called: a command that only asks a hub should not have to load one.
"""

import sys
from typing import Annotated

import typer


def run() -> None:
    """Run every service in this process until Ctrl-C; settings come from HUB_... variables and .env."""
    from hub_model.errors import InvalidInput
    from hub_runtime import process
    from hub_runtime.settings import load_settings

    from hub_standalone.main import run_system
    from hub_standalone.settings import StandaloneSettings

    settings = load_settings(StandaloneSettings)
    files = [
        settings.public_keys_file,
        *([] if settings.fetcher_keys else [settings.fetcher_keys_file]),
        *([] if settings.gateway_keys else [settings.gateway_keys_file]),
    ]
    if missing := [str(file) for file in files if not file.exists()]:
        raise InvalidInput(
            f"There is no {', '.join(missing)}: put it back, or `hub keys` creates keys for development."
        )
    sys.exit(process.run(lambda: run_system(settings)))


def demo(
    once: Annotated[bool, typer.Option("--once", help="Check every stored record, then exit.")] = False,
    url: Annotated[
        str | None, typer.Option(help="A hub that runs already.", show_default="one of the demo's own")
    ] = None,
    college_url: Annotated[
        str, typer.Option(help="With --url: where that hub reaches this machine; the port is served here.")
    ] = "http://127.0.0.1:9000",
    webhooks_url: Annotated[
        str | None, typer.Option(help="With --url: where pushes go.", show_default="where the hub says")
    ] = None,
) -> None:
    """A simulated college, three integrations, a sync, a webhook; stays up until Ctrl-C to look around."""
    from hub_runtime import process

    from hub_standalone.demo.run import run_demo
    from hub_standalone.demo.scene import FOLDER, set_scene, visit

    stage = visit(url, college_url=college_url, webhooks_url=webhooks_url) if url else set_scene(FOLDER)
    sys.exit(process.run(lambda: run_demo(stage, once=once)))
