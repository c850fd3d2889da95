"""Compares what the hub holds, read through its API, with the college's truth: every record, field by field."""

from collections.abc import Mapping, Sequence

from hub_model.records import DataType

from hub_standalone.client import HubClient, Json
from hub_standalone.demo.truth import Identity, Truth, identity_of
from hub_standalone.demo.world import Row

_SHOWN = 5


async def differences(client: HubClient, expected: Truth, *, runs: Sequence[Json]) -> list[str]:
    """One line per difference, at most a few per data type; empty when everything is as it should be.

    ``runs`` read everything once, so what they rejected must be the invalid rows and no others.
    """
    found: list[str] = []
    for data_type, records in expected.records.items():
        stored = await client.all_of(f"/api/records/{data_type.value}")
        found += _first(compare_records(data_type, records, [item["data"] for item in stored]), data_type.value)
        found += [f"{data_type.value}: {item['key']} is marked deleted" for item in stored if item["deleted"]]
    rejects: list[Json] = []
    for run in runs:
        rejects += await client.all_of(f"/api/integrations/{run['integrationId']}/rejects", runId=run["id"])
    found += compare_rejects(expected.rejects, rejects)
    return found


def compare_records(data_type: DataType, expected: Mapping[Identity, Row], stored: Sequence[Row]) -> list[str]:
    """How the stored records differ from the expected ones."""
    found: list[str] = []
    seen: set[Identity] = set()
    for data in stored:
        identity = identity_of(data_type, data)
        if identity in seen:
            found.append(f"{identity} is stored twice")
        elif identity not in expected:
            found.append(f"{identity} is not in the college")
        else:
            found += compare_fields(identity, expected[identity], data)
        seen.add(identity)
    return found + [f"{identity} is missing" for identity in expected if identity not in seen]


def compare_fields(identity: Identity, expected: Row, stored: Row) -> list[str]:
    """Each field that differs, is missing, or should not be there. Null and missing are the same; 1 and "1" are not."""
    return [
        f"{identity}: {name} is {stored.get(name)!r}, should be {expected.get(name)!r}"
        for name in dict.fromkeys([*expected, *stored])
        if stored.get(name) != expected.get(name)
    ]


def compare_rejects(expected: Sequence[Row], stored: Sequence[Json]) -> list[str]:
    """Whether exactly the invalid rows were rejected, as they came, each with a reason."""
    raws = [item["raw"] for item in stored]
    found = [f"rejects: {row} is missing" for row in expected if row not in raws]
    found += [f"rejects: {row} should not be there" for row in raws if row not in expected]
    if not found and len(raws) != len(expected):
        found.append(f"rejects: {len(raws)} stored, should be {len(expected)}")
    return found + ["rejects: one has no issues" for item in stored if not item["issues"]]


def _first(lines: list[str], subject: str) -> list[str]:
    shown = [f"{subject}: {line}" for line in lines[:_SHOWN]]
    return [*shown, f"{subject}: and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else shown
