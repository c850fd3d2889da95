"""A source that costs as little as possible: pages of student records, rendered once, served over keep-alive HTTP.

Run as ``source_server.py RECORDS PAGE_SIZE [LATENCY_MS]``; prints its port. Pages are the seed's envelope. Beyond the
first 200 pages a page is a copy of an earlier one with other ids, so a million records need no more memory than a
hundred thousand. Each answer comes LATENCY_MS after its request, whatever else is under way.
"""

import asyncio
import sys

import orjson

RENDERED_PAGES = 200
BLOCK = b"BLOCK0000"


def render_page(page: int, size: int) -> bytes:
    """The records of one page, about 400 bytes each, with BLOCK where the page's own number goes."""
    records = []
    for row in range(size):
        number = page * size + row
        records.append(
            {
                "studentId": f"{BLOCK.decode()}-{row:04d}",
                "name": f"Student Number {number}",
                "firstName": f"First{number}",
                "lastName": f"Last{number}",
                "email": f"student.number.{number}@college.example.edu",
                "phone": f"+9198{number:08d}",
                "gender": "female" if number % 2 else "male",
                "dateOfBirth": f"200{number % 8}-0{number % 9 + 1}-1{number % 9}",
                "admissionDate": "2024-07-15",
                "rollNumber": f"R{number:07d}",
                "department": "Computer Science and Engineering",
                "program": "B.Tech",
                "batch": "2024-2028",
                "semester": str(number % 8 + 1),
                "section": "ABCD"[number % 4],
                "status": "active",
            }
        )
    return orjson.dumps(records)


class Source(asyncio.Protocol):
    """Answers every GET with the page that its ``page`` parameter names; understands nothing else."""

    pages: list[bytes]
    total: int
    size: int
    latency_s: float

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            target = self.buffer.split(b" ", 2)[1]
            self.buffer = self.buffer[end + 4 :]
            if self.latency_s:
                asyncio.get_running_loop().call_later(self.latency_s, self.transport.write, self.answer(target))
            else:
                self.transport.write(self.answer(target))

    def answer(self, target: bytes) -> bytes:
        page = next((int(part[5:]) for part in target.partition(b"?")[2].split(b"&") if part.startswith(b"page=")), 1)
        last = -(-self.total // self.size)
        records = b"[]"
        if page <= last:
            block = b"P%08d" % page
            records = self.pages[(page - 1) % len(self.pages)].replace(BLOCK, block)
        body = b'{"success":true,"data":%b,"pagination":{"page":%d,"limit":%d,"total":%d}}' % (
            records,
            page,
            self.size,
            self.total,
        )
        return (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)) + body


async def main(total: int, size: int, latency_ms: float = 0) -> None:
    Source.total, Source.size, Source.latency_s = total, size, latency_ms / 1000
    Source.pages = [render_page(page, size) for page in range(min(RENDERED_PAGES, -(-total // size)))]
    server = await asyncio.get_running_loop().create_server(Source, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), *map(float, sys.argv[3:])))
