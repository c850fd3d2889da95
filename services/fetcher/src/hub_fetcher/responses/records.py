"""Where the records are in a decoded body.

Invariant: a missing records path is an error; a present and empty array is not.
"""

import re
from collections.abc import Iterator
from typing import Any

import orjson
from hub_model.endpoints import Request
from hub_model.errors import ErrorClass, SourceError

from hub_fetcher.paging.signs import normal_name
from hub_fetcher.paths import MISSING, dig, dig_every
from hub_fetcher.responses.reported import RECORD_KEYS, SIDE_KEYS, array_paths, has_message

_PLAIN = Request(path="/")
_NUMBER = re.compile("[0-9]{2}")
_IN_PATHS = str.maketrans(".@*-$", "_____")


def find_records(
    body: Any, usual_name: str, path: str | None, request: Request = _PLAIN, *, is_vouched: bool = False
) -> tuple[str, list[Any]]:
    """Where the records are, and they.

    ``path`` is what the first page decided or the endpoint says; without it they are looked for in the usual places and
    under ``usual_name``. ``is_vouched``: the endpoint's own rules say that this answer is fine, whatever else it holds.
    """
    path = request.text.inside if path is None else path
    found = path if path is not None else _guess(body, usual_name)
    if request.records_from == "list" and "*" not in found:
        records = dig(body, found)
        if isinstance(records, list):
            return found, records
        holder = dig(body, found.rpartition(".")[0]) if found else None
        return found, _without(body, holder, records, found, request, is_vouched=is_vouched)
    return found, list(_gather(body, found, request, is_vouched))


def _gather(body: Any, path: str, request: Request, is_vouched: bool) -> Iterator[Any]:
    """The records at every place that the path leads to."""
    for value, holder in dig_every(body, path):
        if request.records_from == "single":
            if isinstance(value, dict):
                yield value
                continue
        elif request.records_from == "values":
            # PHP writes an object that has nothing, or has only counted keys, as a list.
            if isinstance(value, dict | list):
                yield from _values(value)
                continue
        elif isinstance(value, list):
            yield from value
            continue
        yield from _without(body, holder, value, path, request, is_vouched=is_vouched)


def _values(holder: dict[str, Any] | list[Any]) -> Iterator[Any]:
    for key, value in holder.items() if isinstance(holder, dict) else enumerate(holder):
        yield {"key": str(key), **value} if isinstance(value, dict) else {"key": str(key), "value": value}


def _without(body: Any, holder: Any, value: Any, path: str, request: Request, *, is_vouched: bool) -> list[Any]:
    """No records where the endpoint says that the source leaves an empty list out, and nothing speaks against it."""
    is_left_out = request.missing_records == "empty" and (value is None or value is MISSING)
    if is_left_out and body is None and not path:
        return []  # Moodle's whole answer, where there is nothing to tell
    if is_left_out and isinstance(holder, dict) and (is_vouched or not _speaks_against(body, holder, path)):
        return []
    raise _no_records(body, path, value, request)


def _speaks_against(body: Any, holder: dict[str, Any], path: str) -> bool:
    """Whether the answer holds a message, or a list of another name: then something else is the matter."""
    if has_message(body) or has_message(holder):
        return True
    before, star, _ = path.partition("*")
    if star and holder is not dig(body, before.rstrip(".").rpartition(".")[0]):
        return False  # an entry has lists of its own beside the one that is left out
    return any(isinstance(value, list) and normal_name(name) not in SIDE_KEYS for name, value in holder.items())


def _guess(body: Any, usual_name: str) -> str:
    """The path of the array of records; SourceError if there is none or more than one that it could be."""
    if isinstance(body, list):
        return ""
    arrays = array_paths(body)
    names = RECORD_KEYS | {usual_name.lower()}
    usual = [path for path in arrays if normal_name(path.rpartition(".")[2]) in names]
    others = [path for path in arrays if normal_name(path.rpartition(".")[2]) not in SIDE_KEYS]
    # Null where the records usually are: a list of another name beside it is not the records.
    if not usual and (null := next((name for name in _usual(body, names) if body[name] is None), None)):
        return null
    for choice in ([path for path in usual if "." not in path], usual, others):
        if len(choice) == 1:
            return choice[0]
        if choice:
            raise SourceError(
                f"several arrays could be the records: {_listed(choice)}",
                error_class=ErrorClass.CONFIG,
                code="records_ambiguous",
                public="Several lists in the response could be the records. Set the endpoint's 'recordsPath' to one "
                f"of: {_listed(choice)}.",
            )
    # A usual name that holds something else, null above all, is worth naming.
    return next(iter(_usual(body, names)), "")


def _usual(body: Any, names: frozenset[str]) -> list[str]:
    return [name for name in body if normal_name(name) in names] if isinstance(body, dict) else []


def _no_records(body: Any, path: str, value: Any, request: Request) -> SourceError:
    is_named = path == request.records_path or is_ordinary(path)
    where = "the response" if not path else f"'{path}'" if is_named else "what they were found in before"
    arrays = [found for found in array_paths(body) if found != path]
    hint = f" Lists in the response: {_listed(arrays)}." if arrays else ""
    wanted = {"list": "a list", "values": "an object", "single": "an object"}[request.records_from]
    state = "is missing" if value is MISSING else "is null" if value is None else f"is not {wanted}"
    return SourceError(
        f"{where} {state}",
        error_class=ErrorClass.CONFIG,
        code="records_null" if value is None else "records_missing",
        public=f"The records are not where they were expected: {where} {state}. Correct the endpoint's 'recordsPath', "
        f"or its path.{hint}",
    )


def _listed(paths: list[str]) -> str:
    """Paths for a person; keys may be anything, such as the names of people in an object by name."""
    return ", ".join([path for path in paths if is_ordinary(path)][:8]) or "none with an ordinary name"


def is_ordinary(path: str) -> bool:
    """Whether a path looks like one that a program's author wrote, and not like somebody's number or full name."""
    bare = path.translate(_IN_PATHS)
    return len(path) <= 64 and bare.isidentifier() and bare.isascii() and not _NUMBER.search(path)


def encode_records(records: list[Any]) -> bytes:
    """Their JSON. Raises SourceError for what can be read and not be written: nesting beyond 254 levels."""
    try:
        return orjson.dumps(records)
    except TypeError:
        raise SourceError(
            "a record is nested too deeply",
            error_class=ErrorClass.DATA,
            code="nested_too_deeply",
            public="A record of the source's answer is nested deeper than anything real. Ask the source's operator.",
        ) from None


def missing_text(path: str) -> SourceError:
    """The error of an answer without the text that its records stand in."""
    return SourceError(
        f"'{path}' is missing",
        error_class=ErrorClass.CONFIG,
        code="records_missing",
        public=f"The text that the records stand in is not where it was expected: '{path}' is missing. Correct the "
        "endpoint's 'text.inside', or its path.",
    )
