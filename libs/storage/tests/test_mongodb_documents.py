"""JSON as BSON and back; names that cannot be operators; the driver's errors as the hub's."""

import inspect
from collections.abc import Iterator
from typing import Any

import bson.errors
import orjson
import pymongo.errors
import pytest
from hub_model.errors import BackendUnavailable, HubError, InvalidInput, TooLarge
from hub_storage.adapters.mongodb.contention import rounds
from hub_storage.adapters.mongodb.documents import (
    CODEC,
    encode,
    escape_name,
    escape_top_name,
    from_bson,
    to_bson,
    unescape_name,
)
from hub_storage.adapters.mongodb.errors import translated, translation
from hypothesis import given
from hypothesis import strategies as st

CANARY = "canary-7f3a"
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
)
_names = st.text() | st.text(alphabet="%.$_0245EFé\x00\n")


@given(_names, _names)
def test_a_name_is_read_back_and_no_two_are_written_alike(name: str, other: str) -> None:
    for escape in (escape_name, escape_top_name):
        written = escape(name)
        assert unescape_name(written) == name
        assert (escape(other) == written) == (other == name)
        assert written
        assert not written.startswith("$")
        assert "." not in written
        assert "\x00" not in written
    assert not escape_top_name(name).startswith("_")


def test_an_ordinary_name_is_written_as_it_is() -> None:
    for name in ("collegeId", "a_b", "a$b", "हिन्दी", "x-y z"):
        assert escape_name(name) == escape_top_name(name) == name


@given(st.dictionaries(st.text().map(escape_top_name), _json))
def test_any_document_is_read_back_from_its_bytes_as_it_was(document: dict[str, Any]) -> None:
    read = bson.decode(bytes(encode(to_bson(document)).raw), codec_options=CODEC)
    assert orjson.dumps(from_bson(read)) == orjson.dumps(document)
    assert ascii(from_bson(read)) == ascii(document)


def test_what_is_nested_deeper_than_the_server_takes_is_refused() -> None:
    deep: Any = 1
    for _ in range(99):
        deep = [deep]
    with pytest.raises(InvalidInput, match="levels"):
        to_bson(deep)
    to_bson(deep[0])


def test_what_is_larger_than_the_server_takes_is_refused_before_it_is_sent() -> None:
    with pytest.raises(TooLarge):
        encode({"_id": "x", "numbers": list(range(1_500_000))})


def _error_classes(module: Any) -> Iterator[type[Exception]]:
    for _, value in inspect.getmembers(module, inspect.isclass):
        if issubclass(value, pymongo.errors.PyMongoError | bson.errors.BSONError):
            yield value


def _instance(kind: type[Any]) -> Exception:
    bulk = {"writeErrors": [{"code": 1, "errmsg": CANARY, "op": {"name": CANARY}}]}
    match kind:
        case pymongo.errors.BulkWriteError:
            return kind(bulk)
        case pymongo.errors.ClientBulkWriteException:
            return kind(bulk, verbose=False)
        case pymongo.errors.EncryptedCollectionError:
            return kind(ValueError(CANARY), {})
        case pymongo.errors.EncryptionError:
            return kind(ValueError(CANARY))
    return kind(CANARY)


@pytest.mark.parametrize(
    "kind",
    sorted({*_error_classes(pymongo.errors), *_error_classes(bson.errors)}, key=lambda kind: kind.__name__),
    ids=lambda kind: kind.__name__,
)
def test_every_error_of_the_driver_is_one_of_the_hubs_and_quotes_nothing(kind: type[Exception]) -> None:
    with pytest.raises(HubError) as caught, translated("reading 'runs'"):
        raise _instance(kind)
    assert type(caught.value) in {BackendUnavailable, InvalidInput, TooLarge}
    assert CANARY not in str(caught.value)
    assert CANARY not in caught.value.public
    assert "reading 'runs'" in str(caught.value)
    if issubclass(kind, pymongo.errors.ConnectionFailure):
        assert isinstance(caught.value, BackendUnavailable)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (10334, TooLarge),
        (17419, TooLarge),
        (14031, BackendUnavailable),
        (189, BackendUnavailable),
        (64, BackendUnavailable),
        (2, BackendUnavailable),
    ],
)
def test_a_refusal_is_told_by_its_code(code: int, expected: type[HubError]) -> None:
    refusal = pymongo.errors.OperationFailure(CANARY, code, {"errmsg": CANARY, "codeName": "Named"})
    error = translation(refusal, "x")
    assert type(error) is expected
    assert CANARY not in str(error)


async def test_contention_ends() -> None:
    with pytest.raises(BackendUnavailable, match="too many others"):
        _ = [number async for number in rounds("changing runs", pause_s=0)]
