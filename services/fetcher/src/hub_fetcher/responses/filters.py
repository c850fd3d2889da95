"""The endpoint's own rules about its answers: the first that matches decides, before anything else is asked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hub_mapping.conditions import compile_conditions
from hub_model.answers import FailureType, ResponseAction, ResponseFilter
from hub_model.endpoints import Request
from hub_model.errors import ErrorClass, HubError, RateLimited, SourceError, Unavailable

from hub_fetcher.responses.verdicts import ASKED_TO_WAIT

_CLASSES = {
    FailureType.CONFIG: ErrorClass.CONFIG,
    FailureType.AUTH: ErrorClass.AUTH,
    FailureType.TRANSIENT: ErrorClass.TRANSIENT,
    FailureType.DATA: ErrorClass.DATA,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """A filter, ready to be asked. ``number`` is its place among the endpoint's, from 1."""

    spec: ResponseFilter
    number: int
    holds: Callable[[object], bool]

    def matches(self, status: int, value: Any, text: Callable[[], str], *, is_decoded: bool) -> bool:
        """Whether all that is given matches. A body that cannot be decoded fulfils no condition on its value."""
        spec = self.spec
        return (
            (not spec.http_codes or status in spec.http_codes)
            and (not spec.when or (is_decoded and self.holds(value)))
            and (not spec.error_message_contains or spec.error_message_contains.casefold() in text())
        )


def compile_rules(request: Request) -> tuple[Rule, ...]:
    """The rules of an endpoint; SourceError if a condition cannot be compiled."""
    return tuple(
        Rule(spec, number, compile_conditions(spec.when))
        for number, spec in enumerate(request.response_filters, start=1)
    )


def error_by(rule: Rule, what: str, usual: HubError | None, retry_after_s: float | None) -> HubError:
    """The error that the rule makes of an answer. ``usual``: the error that it would be without the rule."""
    spec = rule.spec
    message = f"{what}, which the endpoint's response filter {rule.number} calls {spec.action.value}"
    public = spec.error_message
    if spec.action is ResponseAction.RATE_LIMITED:
        return RateLimited(message, retry_after_s=retry_after_s, public=public or ASKED_TO_WAIT)
    if spec.action is ResponseAction.RETRY:
        told = public or f"The source is in trouble at the moment ({what}); try again later."
        return Unavailable(message, code="source_unavailable", public=told, retry_after_s=retry_after_s)
    is_refresh = spec.action is ResponseAction.REFRESH_TOKEN_THEN_RETRY
    usual_class = usual.error_class if isinstance(usual, SourceError) else ErrorClass.DATA
    default = ErrorClass.AUTH if is_refresh else usual_class
    told = usual.public if isinstance(usual, SourceError) else _TOLD.format(what=what)
    if is_refresh:
        told = f"The source does not accept the credentials, not even renewed ones ({what}). Enter them again."
    return SourceError(
        message,
        error_class=_CLASSES[spec.failure_type] if spec.failure_type else default,
        code="credentials_refused" if is_refresh else "answer_refused",
        public=public or told,
    )


_TOLD = "The source's answer is one that the endpoint's 'responseFilters' call a failure ({what})."
