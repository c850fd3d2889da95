"""Posts signed webhooks over keep-alive connections and prints how many were accepted per second.

Run as ``webhook_load.py URL SECRET REQUESTS CONNECTIONS``. Every body is different; all are signed before the clock
starts. Exits non-zero if any answer is not 2xx.
"""

import asyncio
import hashlib
import hmac
import secrets
import sys
import time
from urllib.parse import urlsplit

import orjson


def signed_requests(url: str, secret: str, count: int) -> list[bytes]:
    """Complete HTTP/1.1 requests, one attendance record each."""
    parts, prefix, requests = urlsplit(url), secrets.token_hex(4), []
    for number in range(count):
        record = {
            "studentId": f"{prefix}-{number}",
            "name": "Bench Student",
            "attendance": "present",
            "date": "2026-07-20",
            "subject": "Mathematics",
        }
        body = orjson.dumps({"dataType": "attendance", "records": [record]})
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        requests.append(
            f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nx-webhook-signature: {signature}\r\n\r\n".encode()
            + body
        )
    return requests


class Sender(asyncio.Protocol):
    """One connection: sends the next request as soon as the last one is answered."""

    def __init__(self, queue: list[bytes], statuses: dict[int, int], done: asyncio.Future[None]) -> None:
        self.queue, self.statuses, self.done, self.buffer = queue, statuses, done, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        if self.queue:
            self.transport.write(self.queue.pop())
        else:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
        )
        if len(rest) < length:
            return
        status = int(head[9:12])
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.buffer = rest[length:]
        self.send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


async def main(url: str, secret: str, count: int, connections: int) -> int:
    requests, statuses = signed_requests(url, secret, count), dict[int, int]()
    loop, parts = asyncio.get_running_loop(), urlsplit(url)
    started = time.perf_counter()
    ends = []
    for _ in range(connections):
        ends.append(loop.create_future())
        await loop.create_connection(lambda: Sender(requests, statuses, ends[-1]), parts.hostname, parts.port)
    await asyncio.gather(*ends)
    seconds = time.perf_counter() - started
    print(orjson.dumps({"seconds": seconds, "statuses": {str(k): v for k, v in statuses.items()}}).decode())
    return 0 if all(200 <= status < 300 for status in statuses) and sum(statuses.values()) == count else 1


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
