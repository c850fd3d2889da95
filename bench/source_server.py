"""A source that costs as little as possible: pages of records, rendered once, served over keep-alive HTTP.

Run as ``source_server.py RECORDS PAGE_SIZE [LATENCY_MS]``; prints its port. Pages are the seed's envelope. Beyond the
first 200 pages a page is a copy of an earlier one with other ids, so a million records need no more memory than a
hundred thousand. Each answer comes LATENCY_MS after its request, whatever else is under way.

    /students   RECORDS of them
    /registers  as many entries, ten in each session, whose people are known by a number
    /people     the 10,000 of them
    /classes    one for each page of /students, whose number it has
    /members    the same pages, each as the whole list of its class
"""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import orjson

RENDERED_PAGES = 200
BLOCK = b"BLOCK0000"
ENTRIES, PEOPLE = 10, 10_000

Row = dict[str, Any]


def student(number: int, row: int) -> Row:
    """About 400 bytes, with BLOCK where the page's own number goes."""
    return {
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


def session(number: int, row: int) -> Row:
    """A session as an LMS has it: whoever was marked, by a number, with words that the session itself explains."""
    first = number * ENTRIES
    return {
        "id": f"{BLOCK.decode()}-{row:04d}",
        "day": f"2026-0{number % 9 + 1}-1{number % 9}",
        "course": f"CS30{number % 6}",
        "statuses": [{"id": 31, "acronym": "P"}, {"id": 32, "acronym": "A"}],
        "log": [
            {"person": (first + entry) % PEOPLE, "status": 31 + entry % 2, "remarks": ""} for entry in range(ENTRIES)
        ],
    }


def person(number: int, row: int) -> Row:
    return {"id": number, "idnumber": f"CS{number:05d}", "fullname": f"Student Number {number}", "city": "Pune"}


def class_of(number: int, row: int) -> Row:
    return {"id": number + 1, "subject": f"CS30{number % 6}"}


@dataclass(frozen=True)
class Feed:
    """The pages of one kind of record. ``told`` is the total that each of them names."""

    pages: list[bytes]
    total: int
    size: int
    told: int


def rendered(make: Callable[[int, int], Row], total: int, size: int) -> Feed:
    count = min(RENDERED_PAGES, -(-total // size))
    pages = [orjson.dumps([make(page * size + row, row) for row in range(size)]) for page in range(count)]
    return Feed(pages, total, size, told=total)


class Source(asyncio.Protocol):
    """Answers every GET with the page that its ``page`` parameter names; understands nothing else."""

    feeds: dict[bytes, Feed]
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
        path, _, query = target.partition(b"?")
        feed = self.feeds[path]
        page = next((int(part[5:]) for part in query.split(b"&") if part.startswith(b"page=")), 1)
        last = -(-feed.total // feed.size)
        records = b"[]"
        if page <= last:
            block = b"P%08d" % page
            records = feed.pages[(page - 1) % len(feed.pages)].replace(BLOCK, block)
        body = b'{"success":true,"data":%b,"pagination":{"page":%d,"limit":%d,"total":%d}}' % (
            records,
            page,
            feed.size,
            feed.told,
        )
        return (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)) + body


async def main(total: int, size: int, latency_ms: float = 0) -> None:
    Source.latency_s = latency_ms / 1000
    classes = -(-total // size)
    students = rendered(student, total, size)
    Source.feeds = {
        b"/students": students,
        b"/members": replace(students, told=size),
        b"/registers": rendered(session, total // ENTRIES, size // ENTRIES),
        b"/people": rendered(person, PEOPLE, size),
        b"/classes": rendered(class_of, classes, classes),
    }
    server = await asyncio.get_running_loop().create_server(Source, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), *map(float, sys.argv[3:])))
