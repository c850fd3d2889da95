"""The code words that vendors' errors are known by, and what each of them means.

Only these words ever leave an answer, in the spelling of this table: what else stands there may hold a key, or a name.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from hub_fetcher.paging.signs import normal_name
from hub_fetcher.responses.verdicts import Verdict

_BY_VERDICT: dict[Verdict, str] = {
    # Moodle's errorcode, Frappe's exc_type, OneRoster's imsx_codeMinor, Google's status and reason, OAuth's error,
    # Ed-Fi's problem type, Hikvision's subStatusCode, SOAP's faultcode; in this order.
    Verdict.CREDENTIALS: """
        invalidtoken invalidtimedtoken invalidiptoken invalidlogin wsaccessuserdeleted wsaccessuserunconfirmed
        wsaccessusersuspended wsaccessuserexpired wsaccessusernologin forcepasswordchangenotice passwordisexpired
        usernotfullysetup sitepolicynotagreed requireloginerror
        AuthenticationError SessionExpired CSRFTokenError InvalidAuthorizationHeader InvalidAuthorizationPrefix
        InvalidAuthorizationToken
        unauthorisedrequest unauthorizedrequest
        UNAUTHENTICATED authError
        invalid_token expired_token token_expired invalid_client invalid_grant unauthorized unauthenticated
        invalid_api_key INVALID_SESSION_ID token_not_valid authentication_failed not_authenticated
        authentication
        badAuthorization""",
    Verdict.PERMISSION: """
        accessexception nopermissions required_capability_exception requiredcapability webservice_access_exception
        errorcoursecontextnotvalid errorcatcontextnotvalid notenrolled cannotviewreport cannotviewprofile
        PermissionError
        forbidden
        PERMISSION_DENIED insufficientPermissions
        insufficient_scope access_denied permission_denied unauthorized_client
        authorization
        lowPrivilege""",
    Verdict.RATE: """
        TooManyRequestsError RateLimitExceededError
        server_busy
        RESOURCE_EXHAUSTED rateLimitExceeded userRateLimitExceeded quotaExceeded
        too_many_requests rate_limited rate_limit_exceeded""",
    Verdict.MAINTENANCE: """
        sitemaintenance upgraderunning
        InReadOnlyMode
        maintenance maintenance_mode""",
    Verdict.TROUBLE: """
        dmlreadexception dml_read_exception dmlexception dml_exception dbconnectionfailed ddlexception
        QueryTimeoutError QueryDeadlockError TimeoutError OperationalError
        internal_server_error
        UNAVAILABLE INTERNAL DEADLINE_EXCEEDED ABORTED backendError internalError
        temporarily_unavailable server_error service_unavailable internal_error timeout
        deviceBusy
        Server Receiver""",
    Verdict.NOT_THERE: """
        invalidrecord invalidrecordunknown invalidcourseid cannotfindservice
        DoesNotExistError PageDoesNotExistError
        unknownobject
        NOT_FOUND notFound
        not_found""",
    Verdict.SWITCHED_OFF: """
        enablewsdescription webservicesnotenabled servicenotavailable
        feature-disabled
        SERVICE_DISABLED accessNotConfigured
        notSupport""",
    Verdict.UNLICENSED: """
        IsNotOpenAPI""",
    Verdict.REFUSED: """
        invalidparameter invalid_parameter_exception invalidresponse keyalreadyset missingparam
        ValidationError DataError MandatoryError LinkValidationError UnsupportedMediaType NotImplementedError
        invalid_filter_field invalid_selection_field invalid_sort_field invaliddata invalid_data blank_selection_field
        INVALID_ARGUMENT FAILED_PRECONDITION OUT_OF_RANGE invalidParameter
        invalid_request invalid_scope unsupported_grant_type
        bad-request parameter-validation-failed
        invalidOperation methodNotAllowed invalidXMLContent invalidJSONContent
        Client Sender VersionMismatch MustUnderstand""",
}
# What a word of several decides: the rarer it is said by mistake, the earlier.
_ORDER = (
    Verdict.RATE,
    Verdict.MAINTENANCE,
    Verdict.UNLICENSED,
    Verdict.SWITCHED_OFF,
    Verdict.CREDENTIALS,
    Verdict.PERMISSION,
    Verdict.TROUBLE,
    Verdict.NOT_THERE,
    Verdict.REFUSED,
)
_WORDS = {word.lower(): (word, verdict) for verdict, words in _BY_VERDICT.items() for word in words.split()}

# Where such words stand. A field that only ever holds text for people is no place for one.
_FIELDS = frozenset(
    [
        "errorcode",
        "exctype",
        "exception",
        "code",
        "status",
        "type",
        "error",
        "reason",
        "imsxcodeminor",
        "imsxcodeminorfieldvalue",
        "faultcode",
        "substatuscode",
        "statusstring",
        "warningcode",
        "errortype",
    ]
)
_MOST_FIELDS = 400
_MAX_DEPTH = 6
# Of a body that cannot be decoded, such as one that was read to its beginning only.
_PAIR = re.compile(rb'"([A-Za-z_]{4,32})"\s*:\s*"([^"\\]{2,120})"')
_AUTH = re.compile(
    r"token|un-?auth?ori[sz]ed|unathori[sz]ed|not authori[sz]ed|unauthenticated|credential|log ?in|api ?key"
    r"|permission|forbidden|access denied|password|invalid (?:user|corp)"
)
_RATE = re.compile(r"rate ?limit|too many requests|throttl|quota exceeded")
_TEXT_FIELDS = _FIELDS | frozenset(
    [
        "errors",
        "errormessage",
        "errordescription",
        "exc",
        "message",
        "msg",
        "detail",
        "details",
        "description",
        "statusinfoset",
        "faultstring",
        "debuginfo",
        "imsxdescription",
    ]
)


def known_words(value: Any) -> dict[str, Verdict]:
    """The code words in a decoded answer, outermost first, each with what it means."""
    found: dict[str, Verdict] = {}
    for name, text in _fields(value):
        if name in _FIELDS:
            _note(text, found)
    return found


def known_words_of(body: bytes) -> dict[str, Verdict]:
    """The same for a body that may be cut off or no JSON at all."""
    try:
        found = known_words(orjson.loads(body))
    except ValueError:
        found = {}
        for name, text in _PAIR.findall(body[:65_536]):
            if normal_name(name.decode()) in _FIELDS:
                _note(text.decode("utf-8", "replace"), found)
    if b"IsNotOpenAPI" in body[:65_536]:
        _note("IsNotOpenAPI", found)
    return found


def decisive(words: Mapping[str, Verdict]) -> Verdict | None:
    """What the words mean together."""
    return next((verdict for verdict in _ORDER if verdict in words.values()), None)


def speaks_of(value: Any) -> Verdict | None:
    """What the texts for people in an answer are about, if they are about credentials or too many requests."""
    told = [text for name, text in _fields(value) if name in _TEXT_FIELDS]
    return text_speaks_of(" ".join(told)[:4096])


def text_speaks_of(text: str) -> Verdict | None:
    """The same for a text."""
    lowered = text.lower()
    if _RATE.search(lowered):
        return Verdict.RATE
    return Verdict.CREDENTIALS if _AUTH.search(lowered) else None


def _note(text: str, found: dict[str, Verdict]) -> None:
    for candidate in _candidates(text):
        known = _WORDS.get(candidate)
        if known is not None:
            found.setdefault(*known)
            return


def _candidates(text: str) -> Iterator[str]:
    """The text, and what stands last in it: ``a.b.PermissionError: ...``, ``urn:ed-fi:api:not-found``."""
    lowered = text.strip().lower()[:200]
    yield lowered
    parts = lowered.split(":")
    yield parts[0].rpartition(".")[2]
    yield parts[-1]


def _fields(value: Any) -> Iterator[tuple[str, str]]:
    """Names and texts of the fields, level by level, of a small part of the answer."""
    level: list[tuple[str, Any]] = [("", value)]
    left = _MOST_FIELDS
    for _ in range(_MAX_DEPTH):
        inner: list[tuple[str, Any]] = []
        for name, item in level:
            if isinstance(item, Mapping):
                inner += [(normal_name(key), below) for key, below in list(item.items())[:left]]
            elif isinstance(item, list):
                inner += [(name, below) for below in item[:20]]
            elif isinstance(item, str):
                yield name, item
            left -= 1
        if left <= 0:
            return
        level = inner
