"""The floor for webhooks: a bare ASGI app with the same HMAC, and the same app that also publishes with a confirm.

Run as ``bare_webhook.py SECRET [DATABASE]``; prints its port. With a database, every request is one confirmed
publish through the SQLite broker before the 202.
"""

import asyncio
import hashlib
import hmac
import socket
import sys
from pathlib import Path
from typing import Any

import uvicorn
from hub_messaging.adapters.sqlite import SqliteBroker
from hub_messaging.broker import Broker, Envelope, Subscription
from hub_sqlite import SqliteDatabase


def bare_app(secret: bytes, broker: Broker | None) -> Any:
    """Reads the body, checks ``x-webhook-signature``, publishes if there is a broker, answers 202."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        header = dict(scope["headers"]).get(b"x-webhook-signature", b"").decode()
        valid = hmac.compare_digest(hmac.new(secret, body, hashlib.sha256).hexdigest(), header)
        if valid and broker is not None:
            await broker.publish([Envelope("batch.fetched", body)])
        answer = b'{"status":"accepted"}'
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 202 if valid else 401, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    return app


async def serve(app: Any) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(app, http="httptools", loop="asyncio", log_level="warning", lifespan="off")
    await uvicorn.Server(config).serve([listener])


async def main(secret: str, database: str | None) -> None:
    if database is None:
        await serve(bare_app(secret.encode(), None))
        return
    async with SqliteDatabase(Path(database)) as file:
        broker = SqliteBroker(file)
        await broker.open()
        await broker.declare(Subscription(queue="bench", routing_keys=["batch.fetched"], max_length=10_000_000))
        await serve(bare_app(secret.encode(), broker))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None))
