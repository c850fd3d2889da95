"""The broker's tables, and every statement on them. Runs in the database's threads; knows no asyncio.

A message is one small row per queue and copy; its body lies in a table of its own, so that claiming and retrying
never rewrite the body. ``claimed`` rows belong to a consumer of this process. The file lock proves that there is
no other process, so a claim needs no expiry: it ends with its settlement, or with the process (``prepare``).
"""

from collections.abc import Iterable, Sequence
from typing import Any

import apsw
import orjson
from hub_sqlite import in_statements, insert_group

from hub_messaging.adapters.sqlite.carried import Carried
from hub_messaging.adapters.sqlite.rows import (
    Ack,
    Bury,
    Claim,
    ClaimedRow,
    DeadRow,
    GiveBack,
    NewRow,
    QueueRow,
    Retry,
    Settlement,
)
from hub_messaging.broker import Envelope

# Crash loops: a message handed out this often without being settled is given up.
DELIVERY_LIMIT = 20

_SCHEMA = """
CREATE TABLE IF NOT EXISTS broker_queues (
    name TEXT PRIMARY KEY,
    durable INTEGER NOT NULL,
    max_length INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS broker_bindings (
    routing_key TEXT NOT NULL,
    queue TEXT NOT NULL REFERENCES broker_queues (name) ON DELETE CASCADE,
    PRIMARY KEY (routing_key, queue)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS broker_messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    copy_id TEXT NOT NULL,
    routing_key TEXT NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 1,
    delivery_count INTEGER NOT NULL DEFAULT 0,
    available_at REAL NOT NULL,
    delay_s REAL NOT NULL DEFAULT 0,
    claimed INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS broker_messages_waiting ON broker_messages (queue, available_at, seq) WHERE claimed = 0;
CREATE TABLE IF NOT EXISTS broker_bodies (
    seq INTEGER PRIMARY KEY,
    headers BLOB NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS broker_dead_letters (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    copy_id TEXT NOT NULL,
    queue TEXT NOT NULL,
    routing_key TEXT NOT NULL,
    headers BLOB NOT NULL,
    body BLOB NOT NULL,
    reason TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    died_at TEXT NOT NULL
) STRICT;
"""


def prepare(connection: apsw.Connection, now: float) -> Sequence[QueueRow]:
    """Create the tables, void what the former process held, and say which queues there are."""
    connection.execute(_SCHEMA)
    for (name,) in _rows(connection, "SELECT name FROM broker_queues WHERE durable = 0"):
        drop_queue(connection, name)
    connection.execute("UPDATE broker_messages SET claimed = 0 WHERE claimed = 1")
    # A clock set back while the process was down must not make a message wait longer than it was told to.
    connection.execute(
        "UPDATE broker_messages SET available_at = ?1 + delay_s WHERE claimed = 0 AND available_at > ?1 + delay_s",
        (now,),
    )
    waiting = dict(_rows(connection, "SELECT queue, count(*) FROM broker_messages GROUP BY queue"))
    keys: dict[str, set[str]] = {}
    for routing_key, queue in _rows(connection, "SELECT routing_key, queue FROM broker_bindings"):
        keys.setdefault(queue, set()).add(routing_key)
    return [
        QueueRow(name, max_length, frozenset(keys.get(name, ())), waiting.get(name, 0))
        for name, max_length in _rows(connection, "SELECT name, max_length FROM broker_queues")
    ]


def declare(
    connection: apsw.Connection, name: str, *, durable: bool, max_length: int, routing_keys: Iterable[str]
) -> None:
    """Create the queue and add its bindings; bindings that are there already stay."""
    connection.execute(
        "INSERT INTO broker_queues (name, durable, max_length) VALUES (?, ?, ?) "
        "ON CONFLICT (name) DO UPDATE SET max_length = excluded.max_length",
        (name, int(durable), max_length),
    )
    connection.executemany(
        "INSERT INTO broker_bindings (routing_key, queue) VALUES (?, ?) ON CONFLICT DO NOTHING",
        [(key, name) for key in routing_keys],
    )


def drop_queue(connection: apsw.Connection, name: str) -> None:
    """Remove the queue, its bindings and its messages."""
    connection.execute(
        "DELETE FROM broker_bodies WHERE seq IN (SELECT seq FROM broker_messages WHERE queue = ?)", (name,)
    )
    connection.execute("DELETE FROM broker_messages WHERE queue = ?", (name,))
    connection.execute("DELETE FROM broker_queues WHERE name = ?", (name,))


def insert(connection: apsw.Connection, rows: Sequence[NewRow], now: float) -> None:
    """Store the messages."""
    for group in in_statements(rows):
        first = insert_group(
            connection,
            "broker_messages (queue, copy_id, routing_key, available_at)",
            [(row.queue, row.copy_id, row.envelope.routing_key, now) for row in group],
        )
        insert_group(
            connection,
            "broker_bodies (seq, headers, body)",
            [(seq, row.headers, row.envelope.body) for seq, row in enumerate(group, first)],
        )


def settle_and_claim(
    connection: apsw.Connection,
    *,
    settlements: Sequence[Settlement],
    queue: str,
    limit: int,
    carried: Carried,
    now: float,
    died_at: str,
) -> Claim:
    """Settle first, so that what is given back can be claimed by the same call."""
    for settlement in settlements:
        _settle(connection, settlement)
    return _claim(connection, queue, limit, carried, now=now, died_at=died_at) if limit else Claim(())


def _settle(connection: apsw.Connection, settlement: Settlement) -> None:
    match settlement:
        case Ack(seq):
            _delete(connection, seq)
        case Retry(seq, delay_s, available_at, counted):
            connection.execute(
                "UPDATE broker_messages SET claimed = 0, attempt = attempt + ?, delivery_count = 0, available_at = ?, "
                "delay_s = ? WHERE seq = ?",
                (int(counted), available_at, delay_s, seq),
            )
        case Bury(seq, reason, died_at):
            _bury(connection, seq, reason, died_at)
        case GiveBack(seq, counts):
            connection.execute(
                "UPDATE broker_messages SET claimed = 0, delivery_count = delivery_count - ? WHERE seq = ?",
                (int(not counts), seq),
            )


def _claim(connection: apsw.Connection, queue: str, limit: int, carried: Carried, *, now: float, died_at: str) -> Claim:
    claimed = _rows(
        connection,
        "UPDATE broker_messages SET claimed = 1, delivery_count = delivery_count + 1 WHERE seq IN ("
        "SELECT seq FROM broker_messages WHERE queue = ? AND claimed = 0 AND available_at <= ? "
        "ORDER BY available_at, seq LIMIT ?) "
        "RETURNING available_at, seq, copy_id, routing_key, attempt, delivery_count",
        (queue, now, limit),
    )
    rows = []
    for _, seq, copy_id, routing_key, attempt, delivery_count in sorted(claimed):
        if delivery_count > DELIVERY_LIMIT:
            _bury(connection, seq, "delivery_limit", died_at)
            continue
        envelope = carried.take(queue, copy_id) or _read(connection, seq, routing_key)
        rows.append(ClaimedRow(seq, copy_id, envelope, attempt, delivery_count))
    next_at = None
    if len(claimed) < limit:
        [(next_at,)] = _rows(
            connection, "SELECT min(available_at) FROM broker_messages WHERE queue = ? AND claimed = 0", (queue,)
        )
    return Claim(rows, buried=len(claimed) - len(rows), next_at=next_at)


def _read(connection: apsw.Connection, seq: int, routing_key: str) -> Envelope:
    [(headers, body)] = _rows(connection, "SELECT headers, body FROM broker_bodies WHERE seq = ?", (seq,))
    return Envelope(routing_key, body, orjson.loads(headers))


def _bury(connection: apsw.Connection, seq: int, reason: str, died_at: str) -> None:
    connection.execute(
        "INSERT INTO broker_dead_letters (copy_id, queue, routing_key, headers, body, reason, attempt, died_at) "
        "SELECT copy_id, queue, routing_key, headers, body, ?, attempt, ? "
        "FROM broker_messages JOIN broker_bodies USING (seq) WHERE seq = ?",
        (reason, died_at, seq),
    )
    _delete(connection, seq)


def _delete(connection: apsw.Connection, seq: int) -> None:
    connection.execute("DELETE FROM broker_messages WHERE seq = ?", (seq,))
    connection.execute("DELETE FROM broker_bodies WHERE seq = ?", (seq,))


def replay(connection: apsw.Connection, letter_id: str, *, copy_id: str, now: float) -> bool:
    """Turn the letter into a waiting message of its queue, in one transaction; False if there is no such letter."""
    moved = _rows(
        connection,
        "INSERT INTO broker_messages (queue, copy_id, routing_key, available_at) "
        "SELECT queue, ?1, routing_key, ?2 FROM broker_dead_letters WHERE copy_id = ?3 RETURNING seq",
        (copy_id, now, letter_id),
    )
    for (seq,) in moved:
        connection.execute(
            "INSERT INTO broker_bodies (seq, headers, body) "
            "SELECT ?1, headers, body FROM broker_dead_letters WHERE copy_id = ?2",
            (seq, letter_id),
        )
    return discard(connection, letter_id)


def discard(connection: apsw.Connection, letter_id: str) -> bool:
    """Remove the letter; False if there is no such letter."""
    return bool(_rows(connection, "DELETE FROM broker_dead_letters WHERE copy_id = ? RETURNING seq", (letter_id,)))


def find(connection: apsw.Connection, letter_id: str) -> DeadRow | None:
    """The letter, if there is one."""
    rows = _rows(
        connection,
        "SELECT copy_id, queue, routing_key, headers, body, reason, attempt, died_at FROM broker_dead_letters "
        "WHERE copy_id = ?",
        (letter_id,),
    )
    return DeadRow(*rows[0]) if rows else None


def dead_letters(connection: apsw.Connection, queue: str | None, limit: int) -> Sequence[DeadRow]:
    """Newest first, of one queue or of all."""
    return [
        DeadRow(*row)
        for row in _rows(
            connection,
            "SELECT copy_id, queue, routing_key, headers, body, reason, attempt, died_at FROM broker_dead_letters "
            "WHERE ?1 IS NULL OR queue = ?1 ORDER BY seq DESC LIMIT ?2",
            (queue, limit),
        )
    ]


def count_dead_letters(connection: apsw.Connection, queue: str | None) -> int:
    """How many letters there are, of one queue or of all."""
    [(count,)] = _rows(connection, "SELECT count(*) FROM broker_dead_letters WHERE ?1 IS NULL OR queue = ?1", (queue,))
    return int(count)


def depth(connection: apsw.Connection, queue: str) -> int:
    """How many messages of the queue are not settled."""
    [(count,)] = _rows(connection, "SELECT count(*) FROM broker_messages WHERE queue = ?", (queue,))
    return int(count)


def _rows(connection: apsw.Connection, sql: str, parameters: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
    """Every row at once: an UPDATE ... RETURNING has happened only when its last row was read."""
    return connection.execute(sql, parameters).fetchall()
