"""Where the records are in a decoded body, and whether the body says that the request failed.

Invariant: a body that reports an error under status 200 is never zero records.
"""

import re
from typing import Any

import orjson
from hub_model.errors import ErrorClass, SourceError
from hub_model.records import DataType

from hub_fetcher.paging.signs import as_count, as_flag, normal_name
from hub_fetcher.paths import MISSING, dig

_RECORD_KEYS = frozenset(
    ["data", "records", "results", "result", "items", "rows", "value", "values", "list", "content", "entries"]
)
_WRAPPERS = _RECORD_KEYS | {"response", "body", "payload", "message", "embedded"}
_SIDE_KEYS = frozenset(
    ["errors", "warnings", "messages", "links", "notices", "statusinfoset", "included", "fields", "columns", "schema"]
)
_ERROR_KEYS = frozenset(
    [
        "error",
        "errors",
        "errorcode",
        "errormessage",
        "errordescription",
        "exception",
        "exc",
        "exctype",
        "message",
        "msg",
        "code",
        "detail",
        "details",
        "reason",
        "description",
        "statusinfoset",
    ]
)
_FAILED = frozenset(["error", "fail", "failed", "failure", "false"])
_SUCCESS_KEYS = ("success", "ok", "issuccess")
_STATUS_KEYS = ("status", "statuscode", "code", "httpstatus", "responsecode")
_NOTHING = frozenset(["", "0", "false", "none", "null", "no", "ok", "success"])
_AUTH_WORDS = re.compile(
    r"token|unauthori[sz]ed|not authori[sz]ed|unauthenticated|credential|log ?in|api ?key|permission|forbidden"
    r"|access denied|password"
)


def find_records(body: Any, data_type: DataType, path: str | None) -> tuple[str, list[Any]]:
    """Where the records are, and they.

    Invariant: a missing records path is an error; a present and empty array is not.
    """
    try:
        found = path if path is not None else _guess(body, data_type)
        records = dig(body, found)
        if not isinstance(records, list):
            raise _no_records(body, found, records)
    except SourceError:
        _refuse_reported(body)
        raise
    for level in _levels(body, found):
        _refuse_reported(level, has_records=bool(records))
    return found, records


def _levels(body: Any, path: str) -> list[Any]:
    """The body and the object that holds the records: each may say that the request failed."""
    holder = path.rpartition(".")[0]
    return [body, dig(body, holder)] if holder else [body]


def _guess(body: Any, data_type: DataType) -> str:
    """The path of the array of records; SourceError if there is none or more than one that it could be."""
    if isinstance(body, list):
        return ""
    arrays = array_paths(body)
    usual = [path for path in arrays if normal_name(path.rpartition(".")[2]) in _RECORD_KEYS | {data_type.value}]
    others = [path for path in arrays if normal_name(path.rpartition(".")[2]) not in _SIDE_KEYS]
    # Null where the records usually are: a list of another name beside it is not the records.
    if not usual and (null := next((name for name in _usual_names(body, data_type) if body[name] is None), None)):
        return null
    for choice in ([path for path in usual if "." not in path], usual, others):
        if len(choice) == 1:
            return choice[0]
        if choice:
            raise SourceError(
                f"several arrays could be the records: {', '.join(choice[:8])}",
                error_class=ErrorClass.CONFIG,
                code="records_ambiguous",
                public="Several lists in the response could be the records. Set the endpoint's 'recordsPath' to one "
                f"of: {', '.join(choice[:8])}.",
            )
    # A usual name that holds something else, null above all, is worth naming.
    return next(iter(_usual_names(body, data_type)), "")


def _usual_names(body: Any, data_type: DataType) -> list[str]:
    usual = _RECORD_KEYS | {data_type.value}
    return [name for name in body if normal_name(name) in usual] if isinstance(body, dict) else []


def array_paths(body: Any) -> list[str]:
    """Keys of the body, and of the usual objects right below it, whose values are arrays; outer ones first."""
    if not isinstance(body, dict):
        return []
    outer = [name for name, value in body.items() if isinstance(value, list)]
    inner = [
        f"{name}.{key}"
        for name, value in body.items()
        if isinstance(value, dict) and normal_name(name) in _WRAPPERS
        for key, item in value.items()
        if isinstance(item, list)
    ]
    return outer + inner


def _no_records(body: Any, path: str, found: Any) -> SourceError:
    where = f"'{path}'" if path else "the response"
    arrays = array_paths(body)
    hint = f" Lists in the response: {', '.join(arrays[:8])}." if arrays else ""
    value = dig(body, path)
    state = "is missing" if value is MISSING else "is null" if value is None else "is not a list"
    return SourceError(
        f"{where} {state}",
        error_class=ErrorClass.CONFIG,
        code="records_null" if value is None else "records_missing",
        public=f"The records are not where they were expected: {where} {state}. Correct the endpoint's 'recordsPath', "
        f"or its path.{hint}",
    )


def _refuse_reported(body: Any, *, has_records: bool = False) -> None:
    """Raise if the body itself says that the request failed."""
    if not isinstance(body, dict):
        return
    fields = {normal_name(name): value for name, value in body.items()}
    failed = (
        any(as_flag(fields.get(name)) is False for name in _SUCCESS_KEYS)
        or fields.get("status") is False
        or str(fields.get("status", "")).strip().lower() in _FAILED
        or any(_is_something(fields.get(name)) for name in ("error", "exception", "exc"))
        or (not has_records and _is_something(fields.get("errors")))
        or (not has_records and any(_is_http_error(fields.get(name)) for name in _STATUS_KEYS))
        or _info_set_failed(fields.get("statusinfoset"))
    )
    if failed:
        raise _reported(fields)


def _is_something(value: Any) -> bool:
    return bool(value) and str(value).strip().lower() not in _NOTHING


def _is_http_error(value: Any) -> bool:
    code = as_count(value)
    return code is not None and 400 <= code < 600


def _info_set_failed(infos: Any) -> bool:
    return isinstance(infos, list) and any(
        isinstance(info, dict) and str(info.get("imsx_codeMajor", "")).lower() == "failure" for info in infos
    )


def _reported(fields: dict[str, Any]) -> SourceError:
    """The source's words decide the class and are not repeated: they may hold a key or a name."""
    told = [value for name, value in fields.items() if name in _ERROR_KEYS]
    words = orjson.dumps(told, default=str).decode().lower()[:4096]
    if _AUTH_WORDS.search(words):
        return SourceError(
            "the body reports an error about credentials under status 200",
            error_class=ErrorClass.AUTH,
            code="credentials_refused",
            public="The source answers that the credentials are not accepted. Enter them again, and check that they "
            "may read this data.",
        )
    return SourceError(
        "the body reports an error under status 200",
        error_class=ErrorClass.DATA,
        code="error_in_body",
        public="The source answers with an error of its own instead of data. Try the endpoint's path by hand to see "
        "what it says.",
    )
