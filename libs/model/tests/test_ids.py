"""Ids: unguessable, or derived and then the same everywhere."""

import re
import uuid

from hub_model.ids import derived_id, new_id
from hypothesis import given
from hypothesis import strategies as st

parts = st.lists(st.text(max_size=5) | st.integers(0, 99), max_size=4).map(tuple)


@given(parts, parts)
def test_derived_ids_are_equal_for_equal_parts_alone(
    first: tuple[str | int, ...], second: tuple[str | int, ...]
) -> None:
    same = tuple(map(str, first)) == tuple(map(str, second))
    assert (derived_id(*first) == derived_id(*second)) == same


def test_a_derived_id_stays_the_same_over_releases() -> None:
    # Messages in flight and stored runs carry such ids: a new one would make repetitions look new.
    assert derived_id("run", "batch.fetched", "students", 7) == "c0327e4b-122e-55ef-8e29-2e78dd2ec063"


@given(parts)
def test_a_derived_id_is_a_uuid_of_version_5(some: tuple[str | int, ...]) -> None:
    namespace = uuid.UUID("6f1d3a52-0c57-5b0e-9a5e-3d6b0f6f2c11")
    name = "".join(f"{len(str(part))}:{part}" for part in some)
    assert derived_id(*some) == str(uuid.uuid5(namespace, name))


def test_parts_are_kept_apart() -> None:
    assert derived_id("a", "bc") != derived_id("ab", "c")
    assert derived_id("1:a") != derived_id("a")
    assert derived_id() != derived_id("")


def test_new_ids_are_128_random_bits() -> None:
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(re.fullmatch("[0-9a-f]{32}", text) for text in ids)
