"""A way to a server that can be cut: every TCP connection over it is reset at once, and new ones are served."""

import asyncio
from contextlib import suppress

_CHUNK_BYTES = 65_536


class Proxy:
    """Forwards from a port of its own to ``port``, both on loopback."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])

    def cut(self) -> int:
        """Reset every connection; how many there were."""
        count = len(self._writers) // 2
        for writer in list(self._writers):
            writer.transport.abort()
        return count

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pump = asyncio.create_task(self._serve(reader, writer))
        self._pumps.add(pump)
        pump.add_done_callback(self._pumps.discard)

    async def _serve(self, near: asyncio.StreamReader, near_writer: asyncio.StreamWriter) -> None:
        try:
            far, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            near_writer.transport.abort()
            return
        self._writers |= {near_writer, far_writer}
        try:
            await asyncio.gather(self._pump(near, far_writer), self._pump(far, near_writer))
        finally:
            for writer in (near_writer, far_writer):
                self._writers.discard(writer)
                writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(_CHUNK_BYTES):
                writer.write(data)
                await writer.drain()
        writer.close()
