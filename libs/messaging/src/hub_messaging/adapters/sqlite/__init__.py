"""The broker on a SQLite file, for one process."""

from hub_messaging.adapters.sqlite.broker import SqliteBroker

__all__ = ["SqliteBroker"]
