"""The driver's errors as the hub's. Texts name what failed and never quote the driver: it quotes documents and URLs.

Whatever the driver does not say for certain is Unavailable: a write may have happened, and everything that is
written here may be written again.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from bson.errors import BSONError
from hub_model.errors import BackendUnavailable, HubError, InvalidInput, TooLarge
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    DocumentTooLarge,
    ExecutionTimeout,
    InvalidName,
    InvalidURI,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteConcernError,
    WTimeoutError,
)

DUPLICATE_KEY = 11000
# Unauthorized, AuthenticationFailed, and what Atlas says for the latter.
REFUSED_CODES = frozenset({13, 18, 8000})
# BSONObjectTooLarge, and what an update says whose result would be.
_TOO_LARGE_CODES = frozenset({10334, 17419, 17420})

# Most specific first.
_REASONS: tuple[tuple[type[PyMongoError], str], ...] = (
    (ServerSelectionTimeoutError, "no primary could be reached in time"),
    (WaitQueueTimeoutError, "all of its connections are busy"),
    (NetworkTimeout, "it did not answer in time; what was asked for may have happened"),
    (NotPrimaryError, "its primary changed; what was asked for may have happened"),
    (AutoReconnect, "the connection broke; what was asked for may have happened"),
    (ConnectionFailure, "it cannot be reached"),
    (WTimeoutError, "a write was not confirmed by a majority in time; it may have happened"),
    (WriteConcernError, "a write was not confirmed; it may have happened"),
    (ExecutionTimeout, "it ran out of time"),
)


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raises the hub's error for one of the driver's; ``doing`` says what failed, such as "reading runs"."""
    try:
        yield
    except (PyMongoError, BSONError, OverflowError, UnicodeError) as error:
        raise translation(error, doing) from error


def translation(error: Exception, doing: str) -> HubError:
    """The hub's error for any that the driver raises."""
    if isinstance(error, DocumentTooLarge) or _code(error) in _TOO_LARGE_CODES:
        return TooLarge(f"MongoDB, {doing}: a document is larger than it holds")
    if isinstance(error, InvalidURI | InvalidName | ConfigurationError | BSONError | OverflowError | UnicodeError):
        return InvalidInput(f"MongoDB, {doing}: {type(error).__name__}: the driver cannot send this")
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return _away(f"MongoDB, {doing}: {reason}")
    if isinstance(error, OperationFailure):
        return _away(f"MongoDB, {doing}: refused with code {_code(error)} ({_code_name(error)})")
    return _away(f"MongoDB, {doing}: {type(error).__name__}")


def unexpected(error: BulkWriteError, doing: str) -> HubError | None:
    """What is wrong with a bulk beyond keys that exist already; None if that is all."""
    if error.details.get("writeConcernErrors"):
        return _away(f"MongoDB, {doing}: a write was not confirmed; it may have happened")
    for problem in error.details.get("writeErrors", ()):
        if problem["code"] != DUPLICATE_KEY:
            return translation(OperationFailure("", problem["code"]), doing)
    return None


def _away(message: str) -> HubError:
    """A college is told neither the store's name nor those of its collections."""
    return BackendUnavailable(message, public="The hub cannot reach its database just now. Try again in a few minutes.")


def _code(error: Exception) -> int | None:
    return error.code if isinstance(error, OperationFailure) else None


def _code_name(error: OperationFailure) -> str:
    name = (error.details or {}).get("codeName")
    return name if isinstance(name, str) else type(error).__name__
