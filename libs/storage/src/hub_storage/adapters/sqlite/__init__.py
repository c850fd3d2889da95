"""The store on a SQLite file, for one process."""

from hub_storage.adapters.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
