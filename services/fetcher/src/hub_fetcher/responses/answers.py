"""What the answers of one endpoint mean: the endpoint's own rules first, then the status, then what the body says.

Invariant: an answer is records, or an error that says what came instead; what cannot be understood is an error.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hub_model.answers import ResponseAction, ResponseFormat
from hub_model.endpoints import Request
from hub_model.errors import ErrorClass, HubError, InvalidInput, SourceError

from hub_fetcher.limits.headers import wait_s
from hub_fetcher.paging.sizes import told_by
from hub_fetcher.paths import MISSING, dig
from hub_fetcher.responses.classify import described, error_of
from hub_fetcher.responses.decode import Decoded, Reading, decode, unwrap
from hub_fetcher.responses.filters import Rule, compile_rules, error_by
from hub_fetcher.responses.records import missing_text
from hub_fetcher.responses.reported import check_reported, partial_warnings
from hub_fetcher.responses.text import as_text

_NO_CONTENT = 204


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as it arrived. ``headers`` finds names in any case; of an error the body may be its beginning only."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an answer holds. Without ``has_content`` it holds no records.

    ``is_vouched``: the endpoint's rules say that it is fine. ``tolerated``: the error that it is on any but the first
    page of a walk. ``remarks``: how often it was short of something, by a word for it.
    """

    value: Any = None
    has_content: bool = True
    is_vouched: bool = False
    tolerated: SourceError | None = None
    remarks: Counter[str] = field(default_factory=Counter)


class Answers:
    """How the answers to one endpoint's requests are understood."""

    def __init__(self, request: Request, label: str) -> None:
        self._request = request
        self._label = label
        self._reading = Reading(request)
        try:
            self._rules = compile_rules(request)
        except InvalidInput as error:
            raise SourceError(
                f"the response filters of {label} cannot be used: {error}",
                error_class=ErrorClass.CONFIG,
                code="filter_invalid",
                public="A condition in the endpoint's 'responseFilters' cannot be used. Correct it.",
            ) from error

    def understand(self, answer: Answer, now: datetime) -> Meaning:
        """What the answer holds; raises the error that it is, if it is one.

        Where a new token may help, its code is ``credentials_refused``.
        """
        decoded, undecodable = self._decoded(answer)
        rule = self._rule(answer, decoded)
        error = self._error(answer, decoded, undecodable, now)
        if rule is None:
            if error is not None:
                raise error
        elif rule.spec.action is not ResponseAction.SUCCESS:
            return self._ruled(rule, answer, error, now)
        elif decoded is None and undecodable is not None:
            raise undecodable
        if decoded is None:
            return Meaning(has_content=False)
        return self._meaning(decoded, is_vouched=rule is not None)

    def _decoded(self, answer: Answer) -> tuple[Decoded | None, HubError | None]:
        is_success = 200 <= answer.status < 300
        if answer.status == _NO_CONTENT or not (is_success or self._rules):
            return None, None
        try:
            return decode(answer.body, answer.content_type, self._reading, label=self._label), None
        except HubError as error:
            return None, error

    def _rule(self, answer: Answer, decoded: Decoded | None) -> Rule | None:
        if not self._rules:
            return None
        text: list[str] = []

        def lowered() -> str:
            # Once, and only if a rule asks for it: a page may be large.
            if not text:
                text.append(_text(answer).casefold())
            return text[0]

        value = decoded.value if decoded else None
        return next(
            (
                rule
                for rule in self._rules
                if rule.matches(answer.status, value, lowered, is_decoded=decoded is not None)
            ),
            None,
        )

    def _error(
        self, answer: Answer, decoded: Decoded | None, undecodable: HubError | None, now: datetime
    ) -> HubError | None:
        """The error that the answer is, as far as the endpoint's rules are not asked."""
        error = error_of(answer.status, answer.headers, answer.body, label=self._label, now=now)
        if error is not None:
            return told_by(error, answer.status, answer.body)
        if decoded is None:
            return undecodable
        try:
            check_reported(
                decoded.value,
                self._path,
                label=self._label,
                describe=lambda words: described(answer.content_type, answer.body, words),
            )
        except HubError as reported:
            return reported
        if decoded.format not in self._reading.expected:
            return _wrong_format(decoded.format, self._reading.format, self._label)
        return None

    @property
    def _path(self) -> str | None:
        return self._request.records_path if self._request.records_path is not None else self._request.text.inside

    def _ruled(self, rule: Rule, answer: Answer, error: HubError | None, now: datetime) -> Meaning:
        what = f"{self._label} answered {answer.status}"
        told = error_by(rule, what, error, wait_s(answer.headers, now))
        if rule.spec.action is ResponseAction.IGNORE and isinstance(told, SourceError):
            remarks = Counter([f"ignored:{answer.status}"])
            return Meaning(has_content=False, tolerated=told, remarks=remarks)
        raise told

    def _meaning(self, decoded: Decoded, *, is_vouched: bool) -> Meaning:
        remarks = partial_warnings(decoded.value) if not is_vouched else Counter[str]()
        value, ragged = decoded.value, decoded.ragged
        inside = self._request.text.inside
        if inside is not None:
            found = dig(value, inside)
            if found is MISSING:
                raise missing_text(inside)
            rows = unwrap(found, self._reading, self._label)
            value, ragged = _replaced(value, inside, rows.records), rows.ragged
        if ragged:
            remarks["ragged"] += ragged
        return Meaning(value=value, is_vouched=is_vouched, remarks=remarks)


def _replaced(value: Any, path: str, records: list[Any]) -> Any:
    """The value with the records in place of the text at the path."""
    if not path:
        return records
    if isinstance(value, list):
        index, _, rest = path.partition(".")
        return [_replaced(entry, rest, records) if str(place) == index else entry for place, entry in enumerate(value)]
    head = path
    while head not in value:
        head = head.rpartition(".")[0]
    return {**value, head: _replaced(value[head], path[len(head) + 1 :], records)}


def _text(answer: Answer) -> str:
    try:
        return as_text(answer.body, answer.content_type)
    except (ValueError, LookupError):
        return answer.body.decode("utf-8", "replace")


def _wrong_format(came: ResponseFormat, wanted: ResponseFormat, label: str) -> SourceError:
    return SourceError(
        f"{label} answered with {came.value} where {wanted.value} is expected",
        error_class=ErrorClass.CONFIG,
        code="wrong_format",
        public=f"The source answers with {came.value.upper()}, and the endpoint's 'format' says {wanted.value}. "
        "Correct the 'format', or the path or parameter that makes the source choose.",
    )
