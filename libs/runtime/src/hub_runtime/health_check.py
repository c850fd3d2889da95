"""The command ``hub-health``: asks the process on this machine's ``HUB_HTTP_PORT`` whether it is ready.

For container health checks. It imports nothing of the hub, since it runs every few seconds beside each process.
"""

import http.client
import os
import sys
from typing import NoReturn

_TIMEOUT_S = 8.0


def main() -> NoReturn:
    """Exit with 0 if the process is ready (with the argument ``live``: alive), with 1 and its answer if not."""
    question = sys.argv[1] if len(sys.argv) > 1 else "ready"
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("HUB_HTTP_PORT", "8000")), _TIMEOUT_S)
    try:
        connection.request("GET", f"/health/{question}")
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    except OSError as error:
        sys.exit(f"no answer: {error}")
    sys.exit(None if answer.status == http.client.OK else f"{answer.status} {text}")
