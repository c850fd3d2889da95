"""A source that answers pages of students from memory; one of them has no id and must end in the rejects."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import orjson


def student(number: int) -> dict[str, str]:
    return {"studentId": f"CS{number:05d}", "name": f"Student {number}", "email": f"s{number}@college.example.edu"}


def students(count: int, invalid: int) -> list[dict[str, str]]:
    """``count`` students; the one at ``invalid`` lacks its id."""
    rows = [student(number) for number in range(count)]
    del rows[invalid]["studentId"]
    return rows


@asynccontextmanager
async def serve(rows: list[dict[str, str]], page_size: int) -> AsyncIterator[str]:
    """The base URL of a server that pages through ``rows`` in the form of the integration guide."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            query = parse_qs(urlsplit(head.split(b" ", 2)[1].decode()).query)
            page = int(query.get("page", ["1"])[0])
            body = orjson.dumps(
                {
                    "success": True,
                    "data": rows[(page - 1) * page_size : page * page_size],
                    "pagination": {"page": page, "limit": page_size, "total": len(rows)},
                }
            )
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
            writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
            await writer.drain()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the hub has gone, as it is meant to
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
