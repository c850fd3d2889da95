"""What shaping and mapping cost per record that comes out, with and without what an endpoint may ask for.

Prints JSON: processor microseconds per record of each form, shaping and mapping by themselves; medians of ROUNDS in
which the forms take turns. ``shapes.py RECORDS PAGE_SIZE ROUNDS``. The forms of one group give the same records, the
first of them as a plain endpoint that gets them as they are.
"""

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from hub_fetcher.responses.records import encode_records
from hub_fetcher.walking.cutting import cut
from hub_fetcher.walking.joins import Joiner, Lookup
from hub_fetcher.walking.shaping import Shaper
from hub_mapping import CompiledMapping, compile_mapping
from hub_model.endpoints import Endpoint
from hub_model.records import DataType
from source_server import PEOPLE, Row, person, session, student

NOW = datetime.now(UTC)
NAMES = list(student(0, 0))
ENTRIES_MAPPING = {
    "only": True,
    "rules": [
        {"to": "studentId", "from": ["student.idnumber", "log.person"]},
        {"to": "date", "from": "day"},
        {"to": "subjectId", "from": "course"},
        {"to": "sessionId", "from": "id"},
        {
            "to": "attendance",
            "from": "log.status",
            "do": [["find", "statuses", "id", "acronym"], ["map", {"P": "present", "A": "absent"}]],
        },
    ],
}
EXPLODE = [{"path": "log", "as": "log"}]
JOINS = [{"stream": "people", "left": "log.person", "right": "id", "as": "student"}]


@dataclass(frozen=True)
class Form:
    """An endpoint over pages of records."""

    pages: Sequence[bytes]
    shaper: Shaper
    mapping: CompiledMapping

    def run(self) -> tuple[float, float, int]:
        """Seconds of shaping and of mapping, and the records that came out."""
        shaping = mapping = 0.0
        count = 0
        for body in self.pages:
            records = orjson.loads(body)
            started = time.process_time()
            encoded = encode_records(records)
            if not self.shaper.is_plain:
                records = self.shaper.shape(records).records
                encoded = encode_records(records)
            batches = list(cut(records, encoded, page=1))
            shaped = time.process_time()
            mapped = [self.mapping.map_batch(batch, observed_at=NOW) for batch in batches]
            shaping, mapping = shaping + shaped - started, mapping + time.process_time() - shaped
            count += sum(len(batch.records) for batch in mapped)
        return shaping, mapping, count


def pages_of(make: Callable[[int, int], Row], total: int, size: int) -> list[bytes]:
    return [orjson.dumps([make(start + row, row) for row in range(size)]) for start in range(0, total, size)]


def form(pages: Sequence[bytes], data_type: DataType, joiner: Joiner | None = None, **spec: Any) -> Form:
    endpoint = Endpoint.model_validate({"path": "/", **spec})
    mapping = compile_mapping(endpoint.mapping, data_type, time_zone="Asia/Kolkata")
    return Form(pages, Shaper(endpoint, joiner), mapping)


def forms(total: int, size: int) -> dict[str, Form]:
    people = {str(number): [orjson.dumps(person(number, 0))] for number in range(PEOPLE)}
    joiner = Joiner(Endpoint.model_validate({"path": "/", "joins": JOINS}).joins, [Lookup(people, 0)])
    students = pages_of(student, total, size)
    sessions = pages_of(session, total // 10, size // 10)
    whole = {"explode": EXPLODE, "mapping": ENTRIES_MAPPING}
    shaper = form(sessions, DataType.ATTENDANCE, joiner, **whole).shaper
    entries = [orjson.dumps(shaper.shape(orjson.loads(body)).records) for body in sessions]
    fields = {name: name for name in NAMES}
    active = [{"path": "status", "equals": "active"}]
    return {
        "students, plain": form(students, DataType.STUDENTS),
        "students, when": form(students, DataType.STUDENTS, when=active),
        "students, when and fields": form(students, DataType.STUDENTS, when=active, fields=fields),
        "entries, plain": form(entries, DataType.ATTENDANCE, mapping=ENTRIES_MAPPING),
        "entries, exploded": form(sessions, DataType.ATTENDANCE, **whole),
        "entries, exploded and joined": form(sessions, DataType.ATTENDANCE, joiner, **whole),
    }


def main(arguments: Sequence[str]) -> None:
    total, size, rounds = map(int, arguments)
    seen: dict[str, list[list[float]]] = {}
    tried = forms(total, size)
    for _ in range(rounds):
        for name, each in tried.items():
            shaping, mapping, count = each.run()
            assert count, name
            seen.setdefault(name, []).append([shaping / count * 1e6, mapping / count * 1e6])
    print(
        orjson.dumps(
            {name: [statistics.median(part) for part in zip(*rows, strict=True)] for name, rows in seen.items()}
        ).decode()
    )


if __name__ == "__main__":
    main(sys.argv[1:])
