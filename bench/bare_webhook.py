"""The floors for webhooks: a bare ASGI app with the same HMAC, the same app that also publishes with a confirm, and the
same that also keeps a receipt of each event, without which a repeated event could not be told from a new one.

Run as ``bare_webhook.py SECRET [DATABASE [receipts]]``; prints its port. With a database, every request is one
confirmed publish through the SQLite broker before the 202.
"""

import gc
import hashlib
import hmac
import socket
import sys
from pathlib import Path
from typing import Any

import uvicorn
from hub_messaging.adapters.sqlite import SqliteBroker
from hub_messaging.broker import Broker, Envelope, Subscription
from hub_runtime.process import run
from hub_sqlite import SqliteDatabase
from hub_storage.adapters.sqlite import SqliteStore
from hub_storage.collection import Collection, CollectionSpec

RECEIPTS = CollectionSpec("receipts")


def bare_app(secret: bytes, broker: Broker | None = None, receipts: Collection | None = None) -> Any:
    """Reads the body, checks ``x-webhook-signature``, keeps and publishes it as far as it can, answers 202."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        header = dict(scope["headers"]).get(b"x-webhook-signature", b"").decode()
        valid = hmac.compare_digest(hmac.new(secret, body, hashlib.sha256).hexdigest(), header)
        if valid and receipts is not None:
            fingerprint = hashlib.sha256(body).hexdigest()
            await receipts.insert({fingerprint: {"fingerprint": fingerprint, "status": "accepted"}})
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
    config = uvicorn.Config(app, http="httptools", log_level="warning", access_log=False, lifespan="off")
    await uvicorn.Server(config).serve([listener])


async def main(secret: str, database: str | None, kept: str | None) -> int:
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)  # as in every process of the hub
    if database is None:
        await serve(bare_app(secret.encode()))
        return 0
    async with SqliteDatabase(Path(database)) as file:
        broker, store = SqliteBroker(file), SqliteStore(file)
        await broker.open()
        await store.open([RECEIPTS])
        await broker.declare(Subscription(queue="bench", routing_keys=["batch.fetched"], max_length=10_000_000))
        await serve(bare_app(secret.encode(), broker, store.collection(RECEIPTS) if kept else None))
    return 0


if __name__ == "__main__":
    given: list[str | None] = [*sys.argv[1:], None, None]
    raise SystemExit(run(lambda: main(given[0] or "", given[1], given[2])))
