"""What happened, one JSON line each: what was acknowledged, what was broken and mended, what was found in the end."""

import json
import time
from pathlib import Path
from typing import Any


class History:
    """Appends lines, each with the seconds since the beginning; the file outlives the process that writes it."""

    def __init__(self, file: Path) -> None:
        self._began = time.monotonic()
        self._file = file.open("a", buffering=1)

    def note(self, event: str, **facts: Any) -> None:
        self._file.write(json.dumps({"s": round(time.monotonic() - self._began, 3), "event": event, **facts}) + "\n")

    def close(self) -> None:
        self._file.close()


def read(file: Path) -> list[dict[str, Any]]:
    """Every line of a history."""
    return [json.loads(line) for line in file.read_text().splitlines()]
