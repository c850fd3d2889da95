"""Every error the hub raises on purpose.

    HubError
    ├── TransientError            trying again may help; retry_after_s says when
    │   ├── Unavailable           a broker, store or source could not be reached or did not answer
    │   │   └── BackendUnavailable  it is the hub's own broker or store: every message fares the same
    │   ├── QueueFull             the broker refused a message because its queue is at its limit
    │   └── RateLimited           the other side asked us to wait
    └── PermanentError            trying again changes nothing
        ├── InvalidInput          the caller's input is wrong; issues name each field and the fix
        ├── NotFound              no such thing, or not in the caller's college
        ├── Conflict              it exists already, or the state does not allow it
        │   └── StaleVersion      the caller edited an older version
        ├── Unauthenticated       no valid token or signature
        ├── Forbidden             a valid token whose role may not do this
        ├── TooLarge              larger than a message or a body may be
        ├── Unroutable            no queue is bound to the message's routing key
        ├── SourceError           the college's system answered in a way that asks for a person
        └── SecretUnreadable      a sealed secret cannot be opened: wrong key, or moved from its place

Middleware decides by the two branches only. Anything that is not a HubError is a bug. ``str()`` of an error is
one sentence for an operator; ``public`` is one sentence for a principal. Neither ever holds a secret or
student data.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class ErrorClass(StrEnum):
    """Who can fix a failed sync: it decides between pausing, retrying, rejecting and dead-lettering."""

    CONFIG = "config"
    AUTH = "auth"
    TRANSIENT = "transient"
    RATE = "rate"
    DATA = "data"
    BUG = "bug"


class HubError(Exception):
    """Root of the tree. ``code`` is stable and machine-readable (snake_case)."""

    code = "error"
    error_class = ErrorClass.BUG

    def __init__(self, message: str, *, code: str | None = None, public: str | None = None) -> None:
        super().__init__(message)
        self.code = code or type(self).code
        self.public = public or message


class TransientError(HubError):
    """Trying again may help."""

    code = "transient"
    error_class = ErrorClass.TRANSIENT

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float | None = None,
        code: str | None = None,
        public: str | None = None,
    ) -> None:
        super().__init__(message, code=code, public=public)
        self.retry_after_s = retry_after_s


class Unavailable(TransientError):
    code = "unavailable"


class BackendUnavailable(Unavailable):
    """The hub's own broker or store is away. Its code is that of ``Unavailable``: to a caller it is the same."""


class Unreadable(TransientError):
    """A stored document that another version of the hub wrote, with something that this one does not know. To leave
    that out would be to do something else than it says; once every process is of that version, it can be read."""

    code = "unreadable"


class QueueFull(TransientError):
    code = "queue_full"


class RateLimited(TransientError):
    code = "rate_limited"
    error_class = ErrorClass.RATE


class PermanentError(HubError):
    """Trying again changes nothing."""

    code = "permanent"


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing wrong with one field. ``pointer`` is a JSON Pointer (RFC 6901) into the input."""

    pointer: str
    code: str
    message: str


class InvalidInput(PermanentError):
    code = "invalid_input"
    error_class = ErrorClass.CONFIG

    def __init__(self, message: str, issues: Sequence[Issue] = (), *, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.issues = tuple(issues)


class NotFound(PermanentError):
    code = "not_found"


class Conflict(PermanentError):
    code = "conflict"


class StaleVersion(Conflict):
    code = "stale_version"


class Unauthenticated(PermanentError):
    code = "unauthenticated"


class Forbidden(PermanentError):
    code = "forbidden"


class TooLarge(PermanentError):
    code = "too_large"
    error_class = ErrorClass.DATA


class Unroutable(PermanentError):
    code = "unroutable"


class SourceError(PermanentError):
    """The college's system answered, and only a person can mend what it says.

    ``error_class`` is CONFIG (wrong path, unexpected shape), AUTH (credentials refused) or DATA.
    """

    code = "source_error"

    def __init__(self, message: str, *, error_class: ErrorClass, code: str, public: str | None = None) -> None:
        super().__init__(message, code=code, public=public)
        self.error_class = error_class


class SecretUnreadable(PermanentError):
    code = "secret_unreadable"
    error_class = ErrorClass.CONFIG
