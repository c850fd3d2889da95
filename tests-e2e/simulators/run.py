"""Serves one simulated vendor by hand: ``python tests-e2e/simulators/run.py moodle --port 9001``."""

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from simulators.catalogue import SIMULATORS
from simulators.serving import serve


async def main() -> None:
    """Prints the base URL and what to enter, then serves until it is interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("vendor", choices=sorted(SIMULATORS))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    async with serve(SIMULATORS[given.vendor](), host=given.host, port=given.port) as simulator:
        print(json.dumps({"baseUrl": simulator.base_url, **simulator.connection()}, indent=2), flush=True)
        stopped = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        await stopped.wait()


if __name__ == "__main__":
    asyncio.run(main())
