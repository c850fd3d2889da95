"""A hub that somebody else has started, such as Docker Compose: known by its addresses and the key of its tokens.

HUB_E2E_URL            where its API answers
HUB_E2E_WEBHOOKS_URL   where its gateway answers
HUB_E2E_COLLEGE_HOST   the name or address under which it reaches a college on this machine
HUB_E2E_TOKEN_SECRET   the file with the secret its tokens are signed with
HUB_E2E_LOG            the command that prints what its processes have written
"""

import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from running import RunningHub


@dataclass(kw_only=True)
class Elsewhere(RunningHub):
    """Its processes are not ours; ``log_command`` prints what they have written."""

    log_command: str

    @property
    def log(self) -> str:
        """What its processes have written. Compose 1 cannot leave out the container's name before each line."""
        done = subprocess.run(shlex.split(self.log_command), capture_output=True, text=True, check=True)
        lines = (line.partition(" | ")[2] or line for line in done.stdout.splitlines())
        return "".join(f"{line}\n" for line in lines if line.startswith("{"))


def running_elsewhere(folder: Path) -> Elsewhere:
    """As the variables say."""
    return Elsewhere(
        url=os.environ["HUB_E2E_URL"],
        webhooks_url=os.environ["HUB_E2E_WEBHOOKS_URL"],
        folder=folder,
        token_secret=Path(os.environ["HUB_E2E_TOKEN_SECRET"]).read_text().strip(),
        log_command=os.environ["HUB_E2E_LOG"],
    )
