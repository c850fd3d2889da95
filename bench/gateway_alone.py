"""The webhook-gateway as its own process, over the file of a hub that has stopped: what it accepts waits in the queue.

Run as ``gateway_alone.py`` with the hub's settings in the environment; prints its port. Production runs it like this;
inside a standalone hub the same processor also maps and stores what was accepted.
"""

import gc
import socket
from datetime import UTC, datetime

import uvicorn
from hub_runtime.process import run
from hub_standalone.main import open_adapters
from hub_standalone.settings import StandaloneSettings
from hub_webhook_gateway.main import build_service


async def main() -> int:
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)  # as in every process of the hub
    settings = StandaloneSettings()
    async with open_adapters(settings) as (broker, store):
        service = build_service(settings, broker=broker, store=store, clock=lambda: datetime.now(UTC))
        assert service.app is not None
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        print(listener.getsockname()[1], flush=True)
        config = uvicorn.Config(service.app, http="httptools", log_level="warning", access_log=False, lifespan="off")
        await uvicorn.Server(config).serve([listener])
        await service.stop(5)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
