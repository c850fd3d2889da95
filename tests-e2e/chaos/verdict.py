"""What must be true in the end. Every finding is a sentence; none is a pass."""

from collections import Counter
from typing import Any

from chaos.college import STUDENTS, College


async def findings(college: College) -> list[str]:
    """What is lost, invented, there twice or miscounted at one college."""
    found: list[str] = []
    students = await college.api.all_of("/api/records/students")
    found += compared(
        college.id,
        "student",
        {row["studentId"]: row["name"] for row in college.rows},
        _values(students, "name"),
        students,
    )
    pushed = await college.api.all_of("/api/records/attendance")
    stored = _values(pushed, "attendance")
    if lost := college.accepted.keys() - stored.keys():
        found.append(f"{college.id}: {len(lost)} accepted pushes are not stored, such as {min(lost)}")
    found += compared(college.id, "push", college.sent | college.accepted, stored, pushed, may_lack=True)
    for number, (run_id, changed) in enumerate(college.runs.items()):
        run = (await college.api.until_taken("GET", f"/api/integrations/{college.erp['id']}/runs/{run_id}")).json()
        found += miscounted(f"{college.id}, run {number + 1}", run, is_first=number == 0, changed=changed)
    return found


def _values(items: list[dict[str, Any]], name: str) -> dict[str, str]:
    return {item["data"]["studentId"]: item["data"][name] for item in items}


def compared(
    college: str,
    what: str,
    expected: dict[str, str],
    stored: dict[str, str],
    items: list[dict[str, Any]],
    *,
    may_lack: bool = False,
) -> list[str]:
    """What differs between what was sent and what is stored; ``may_lack``: not all that was sent was accepted."""
    found = []
    if twice := [key for key, count in Counter(item["data"]["studentId"] for item in items).items() if count > 1]:
        found.append(f"{college}: {what} {twice[0]} and {len(twice) - 1} others are stored twice")
    if invented := stored.keys() - expected.keys():
        found.append(f"{college}: {what} {min(invented)} was never sent")
    if not may_lack and (lost := expected.keys() - stored.keys()):
        found.append(f"{college}: {len(lost)} of {what} are not stored, such as {min(lost)}")
    if wrong := [key for key in expected.keys() & stored.keys() if expected[key] != stored[key]]:
        found.append(f"{college}: {len(wrong)} of {what} have another value, such as {min(wrong)}")
    return found


def miscounted(name: str, run: dict[str, Any], *, is_first: bool, changed: int) -> list[str]:
    """What is wrong with a run that met so many changed rows."""
    counts = run["counts"]
    expected = {
        "fetched": STUDENTS,
        "inserted": STUDENTS if is_first else 0,
        "updated": changed,
        "unchanged": 0 if is_first else STUDENTS - changed,
    }
    found = [] if run["status"] == "succeeded" else [f"{name} {run['status']}: {run.get('failure')}"]
    wrong = {key: (counts[key], value) for key, value in expected.items() if counts[key] != value}
    return [*found, *([f"{name} counted {wrong} (counted, expected)"] if wrong else [])]
