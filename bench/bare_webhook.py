"""The floors for webhooks: a bare ASGI app with the same HMAC; the same app that also publishes with a confirm, the
body as it is or the message that a consumer needs; and the same that also keeps a receipt of each event, without which
a repeated event could not be told from a new one.

Run as ``bare_webhook.py SECRET [DATABASE [message] [receipts]]``; prints its port. With a database, every request is
one confirmed publish through the SQLite broker before the 202.
"""

import gc
import hashlib
import hmac
import socket
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import uvicorn
from hub_messaging.adapters.sqlite import SqliteBroker
from hub_messaging.broker import Broker, Envelope, Subscription
from hub_messaging.envelope import encode
from hub_model.messages import BatchFetched
from hub_model.records import DataType, Origin
from hub_runtime.process import run
from hub_sqlite import SqliteDatabase
from hub_storage.adapters.sqlite import SqliteStore
from hub_storage.collection import Collection, CollectionSpec

RECEIPTS = CollectionSpec("receipts")


def body_alone(body: bytes) -> Envelope:
    return Envelope("batch.fetched", body)


def whole_message(body: bytes) -> Envelope:
    """What the gateway publishes, without a check of anything."""
    sent, now = orjson.loads(body), datetime.now(UTC)
    message = BatchFetched(
        college_id="college",
        integration_id="integration",
        run_id=str(uuid4()),
        data_type=DataType(sent["dataType"]),
        sequence=0,
        origin=Origin.WEBHOOK,
        observed_at=now,
        records=sent["records"],
    )
    return encode(message, source="bare", now=now)


def bare_app(
    secret: bytes,
    broker: Broker | None = None,
    envelope_of: Callable[[bytes], Envelope] = body_alone,
    receipts: Collection | None = None,
) -> Any:
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
            await broker.publish([envelope_of(body)])
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


async def main(secret: str, database: str | None = None, *wanted: str) -> int:
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
        envelope_of = whole_message if "message" in wanted else body_alone
        receipts = store.collection(RECEIPTS) if "receipts" in wanted else None
        await serve(bare_app(secret.encode(), broker, envelope_of, receipts))
    return 0


if __name__ == "__main__":
    raise SystemExit(run(lambda: main(*sys.argv[1:])))
