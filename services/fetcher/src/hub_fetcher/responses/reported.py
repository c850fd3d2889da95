"""What a decoded body says about the request itself: that it failed, though the status is one of success, or in part.

Invariant: a body that reports an error under status 200 is never zero records.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from hub_model.errors import ErrorClass, HubError, SourceError

from hub_fetcher.paging.signs import as_count, as_flag, normal_name
from hub_fetcher.paths import MISSING, dig, dig_every
from hub_fetcher.responses.verdicts import Verdict, error_for
from hub_fetcher.responses.words import decisive, known_words, speaks_of, text_speaks_of

Describe = Callable[[Iterable[str]], str]

RECORD_KEYS = frozenset(
    ["data", "records", "results", "result", "items", "rows", "value", "values", "list", "content", "entries"]
)
WRAPPERS = RECORD_KEYS | {"response", "body", "payload", "message", "embedded"}
# Lists of these names are beside the records.
SIDE_KEYS = frozenset(
    ["errors", "warnings", "messages", "links", "notices", "statusinfoset", "included", "fields", "columns", "schema"]
)
_FAILED = frozenset(["error", "fail", "failed", "failure", "false"])
_SUCCESS_KEYS = ("success", "ok", "issuccess")
_STATUS_KEYS = ("status", "statuscode", "code", "httpstatus", "responsecode")
_NOTHING = frozenset(["", "0", "false", "none", "null", "no", "ok", "success"])
_MESSAGE_KEYS = frozenset(["message", "msg", "detail", "reason", "errormessage", "errordescription", "errorcode"])
# What an object that is nothing but an error consists of.
_ERROR_KEYS = _MESSAGE_KEYS | frozenset(
    [
        "error",
        "errors",
        "exception",
        "exc",
        "exctype",
        "debuginfo",
        "description",
        "details",
        "title",
        "type",
        "code",
        "status",
        "statuscode",
        "success",
        "ok",
        "timestamp",
        "path",
        "requestid",
        "traceid",
        "correlationid",
    ]
)
_FAILED_MAJORS = frozenset(["failure", "unsupported"])
_UNKNOWN_KEY = "invalidfieldparameter"


def check_reported(body: Any, path: str | None, *, label: str, describe: Describe) -> None:
    """Raise if the body itself says that the request failed. ``path`` leads to the records, where that is known.

    ``describe`` makes an operator's detail of code words.
    """
    if (error := _reported(body, path, label, describe)) is not None:
        raise error


def _reported(body: Any, path: str | None, label: str, describe: Describe) -> HubError | None:
    if isinstance(body, list):
        # An error in a list of its own, or in a line of its own; among records it would be one of them.
        is_error = len(body) == 1 and isinstance(body[0], dict) and _is_only_error(body[0])
        return _failure(body[0], label, describe) if is_error else None
    if not isinstance(body, dict):
        return None
    if (fault := _fault(body)) is not None:
        return _soap_failure(fault, label, describe)
    if (refused := _refused_by_text(body)) is not None:
        return error_for(refused, f"{label} answered with an error of its own", detail=describe(()))
    has_records = _has_records(body, path)
    levels = (level for level in _levels(body, path) if _says_failed(level, has_records=has_records))
    return next((_failure(level, label, describe) for level in levels), None)


def partial_warnings(body: Any) -> Counter[str]:
    """How often the body says, beside its records, that something of them is missing, by the source's code word.

    Raises SourceError where the warning is that a search was not narrowed as it was asked to be.
    """
    found: Counter[str] = Counter()
    if not isinstance(body, dict):
        return found
    for name, entries in body.items():
        if normal_name(name) not in ("warnings", "errors") or not isinstance(entries, list):
            continue
        for entry in entries:
            code = entry.get("warningcode") if isinstance(entry, dict) else None
            if isinstance(code, str) and code.lower() == _UNKNOWN_KEY:
                raise _search_widened()
            words = known_words(entry)
            kind = "warning" if normal_name(name) == "warnings" and code is None else "loss"
            found[f"{kind}:{next(iter(words), '')}"] += 1
    return found


def has_message(body: Any) -> bool:
    """Whether an object has something to say that is not data: it may be why the records are missing."""
    return isinstance(body, dict) and any(
        normal_name(name) in _MESSAGE_KEYS | {"error", "errors"} and _is_something(value)
        for name, value in body.items()
    )


def array_paths(body: Any) -> list[str]:
    """Keys of the body, and of the usual objects right below it, whose values are arrays; outer ones first."""
    if not isinstance(body, dict):
        return []
    outer = [name for name, value in body.items() if isinstance(value, list)]
    inner = [
        f"{name}.{key}"
        for name, value in body.items()
        if isinstance(value, dict) and (normal_name(name) in WRAPPERS or len(body) == 1)
        for key, item in value.items()
        if isinstance(item, list)
    ]
    return outer + inner


def _levels(body: dict[str, Any], path: str | None) -> Iterator[dict[str, Any]]:
    """The body and the objects that hold the records: each may say that the request failed."""
    yield body
    if path is None:
        for name, value in body.items():
            if isinstance(value, dict) and (normal_name(name) in WRAPPERS or len(body) == 1):
                yield value
        return
    steps = path.split(".")
    for end in range(1, len(steps)):
        if "*" in steps[:end]:
            return
        holder = dig(body, ".".join(steps[:end]))
        if isinstance(holder, dict):
            yield holder


def _has_records(body: dict[str, Any], path: str | None) -> bool:
    if path is not None:
        return any(_known(value) for value, _ in dig_every(body, path))
    return any(
        _known(dig(body, found))
        for found in array_paths(body)
        if normal_name(found.rpartition(".")[2]) not in SIDE_KEYS
    )


def _known(value: Any) -> Any:
    return None if value is MISSING or not isinstance(value, list | dict) else value


def _says_failed(body: dict[str, Any], *, has_records: bool) -> bool:
    fields = {normal_name(name): value for name, value in body.items()}
    return (
        any(as_flag(fields.get(name)) is False for name in _SUCCESS_KEYS)
        or fields.get("status") is False
        or (isinstance(fields.get("status"), str) and fields["status"].strip().lower() in _FAILED)
        or any(_is_something(fields.get(name)) for name in ("error", "exception", "exc", "exctype"))
        or _info_failed(body)
        or any(_info_failed(info) for info in _listed(fields.get("statusinfoset")))
        or (not has_records and _failed_without_records(fields))
    )


def _failed_without_records(fields: Mapping[str, Any]) -> bool:
    if _is_something(fields.get("errors")) or any(_is_http_error(fields.get(name)) for name in _STATUS_KEYS):
        return True
    # A code of the source's own, beside its message: 0 is success, and whatever is one in HTTP.
    code = as_count(fields.get("code"))
    if code is None:
        code = as_count(str(fields.get("code")).removeprefix("-"))
    return bool(code) and not 200 <= (code or 0) < 300 and ("msg" in fields or "message" in fields)


def _is_only_error(record: dict[str, Any]) -> bool:
    names = {normal_name(name) for name in record}
    return names <= _ERROR_KEYS and bool(names & {"error", "errors", "exception", "errorcode", "exctype"})


def _is_something(value: Any) -> bool:
    return bool(value) and str(value).strip().lower() not in _NOTHING


def _is_http_error(value: Any) -> bool:
    code = as_count(value)
    return code is not None and 400 <= code < 600


def _info_failed(info: Any) -> bool:
    return isinstance(info, dict) and str(info.get("imsx_codeMajor", "")).lower() in _FAILED_MAJORS


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _fault(body: dict[str, Any]) -> dict[str, Any] | None:
    fault = dig(body, "Envelope.Body.Fault")
    return fault if isinstance(fault, dict) else None


def _soap_failure(fault: dict[str, Any], label: str, describe: Describe) -> HubError:
    """SOAP's own words: the request is at fault (Client, Sender), or the server is."""
    words = known_words(fault)
    verdict = speaks_of(fault) or decisive(words) or Verdict.DATA
    return error_for(verdict, f"{label} answered with a SOAP fault", detail=describe(words))


def _refused_by_text(body: dict[str, Any]) -> Verdict | None:
    """What a SOAP service says in its result where it ought to say how much it sends: ``Unathorised``."""
    answers = dig(body, "Envelope.Body")
    for answer in answers.values() if isinstance(answers, dict) else ():
        for name, value in answer.items() if isinstance(answer, dict) else ():
            if name.endswith("Result") and isinstance(value, str) and len(value) <= 200:
                return text_speaks_of(value)
    return None


def _failure(body: dict[str, Any], label: str, describe: Describe) -> HubError:
    """The source's words decide what it means and are not repeated: they may hold a key or a name."""
    words = known_words(body)
    verdict = decisive(words) or speaks_of(body) or Verdict.DATA
    what = f"{label} answered with an error of its own under a status of success"
    return error_for(verdict, what, detail=describe(words))


def _search_widened() -> SourceError:
    return SourceError(
        "the source ignored a search key that it does not know, so that it answers with more than was asked for",
        error_class=ErrorClass.CONFIG,
        code="search_key_ignored",
        public="The source does not know one of the keys that the endpoint searches by, and answers as if it was not "
        "there. Correct the search criteria in the endpoint's 'params' or 'body'.",
    )
