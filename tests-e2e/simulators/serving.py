"""Serves a simulator on a port of loopback, in the loop of whoever asks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx2
from hub_runtime.serving import HttpServer
from hub_standalone.demo.simulated.simulator import Simulator

S = TypeVar("S", bound=Simulator)


@asynccontextmanager
async def serve(simulator: S, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[S]:
    """The simulator, while the block runs. Its ``origin`` says where it is; with port 0 any free one is taken."""
    server = HttpServer(simulator, host=host, port=port)
    await server.start()
    try:
        simulator.origin = f"http://{host}:{server.port}"
        yield simulator
    finally:
        await server.stop(1.0)


def connect(simulator: Simulator, **options: Any) -> httpx2.AsyncClient:
    """A client that reaches the simulator without a server between them."""
    transport = httpx2.ASGITransport(app=simulator)
    return httpx2.AsyncClient(transport=transport, base_url=simulator.origin, **options)
