"""One SQLite file: a writer thread with group commit, readers, and the process lock."""

from hub_sqlite.database import SqliteDatabase, sqlite_path
from hub_sqlite.inserting import in_statements, insert_group
from hub_sqlite.lock import FileLock

__all__ = ["FileLock", "SqliteDatabase", "in_statements", "insert_group", "sqlite_path"]
