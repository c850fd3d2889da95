"""The table of the canonical records."""

import apsw

# student_id and record_date repeat two fields of the data, because records are looked up by them most.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    college_id TEXT NOT NULL,
    data_type TEXT NOT NULL,
    key TEXT NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    student_id TEXT,
    record_date TEXT,
    sources TEXT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (college_id, data_type, key)
) STRICT;
CREATE INDEX IF NOT EXISTS records_by_change ON records (college_id, data_type, updated_at);
CREATE INDEX IF NOT EXISTS records_by_student ON records (college_id, student_id, data_type)
    WHERE student_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS records_by_date ON records (college_id, record_date, data_type)
    WHERE record_date IS NOT NULL;
"""


def prepare(connection: apsw.Connection) -> None:
    """Create the table and its indexes where they are missing."""
    connection.execute(_SCHEMA)
