"""The errors of bodies that are not what was asked for: damaged, cut off, a web page, or a message of the source."""

from hub_model.answers import ResponseFormat
from hub_model.errors import ErrorClass, HubError, SourceError

from hub_fetcher.responses import web_pages
from hub_fetcher.responses.text import named_type
from hub_fetcher.responses.verdicts import Verdict, error_for
from hub_fetcher.responses.words import text_speaks_of

_MESSAGE_BYTES = 500


class UnreadableBody(SourceError):
    """A body that is not what was asked for. It may be a mishap on the way, so asking again is worth a try."""

    def __init__(self, message: str, *, code: str, public: str, error_class: ErrorClass = ErrorClass.DATA) -> None:
        super().__init__(message, error_class=error_class, code=code, public=public)


def unreadable(label: str, wanted: ResponseFormat, content_type: str, size: int) -> UnreadableBody:
    """The error of a body that is nothing that could be read."""
    name = "JSON" if wanted is ResponseFormat.AUTO else wanted.value.upper()
    return UnreadableBody(
        f"{label} answered with a body that is not {name} ({named_type(content_type)}, {size} bytes)",
        code=f"not_{name.lower()}",
        public=f"The source's answer is not {name}, or is damaged. Check the endpoint's path and its 'format', or ask "
        "the source's operator.",
    )


def web_page(text: bytes, label: str, *, is_page: bool) -> HubError:
    """The error of markup in place of data; without ``is_page`` it may be XML as well."""
    verdict = web_pages.meaning(text)
    what = f"{label} answered with a web page"
    if verdict is Verdict.CREDENTIALS:
        public = (
            "The source shows its login page instead of data: the stored credentials are missing, wrong or expired."
        )
        return error_for(verdict, f"{label} answered with its login page", public=public)
    if verdict is not Verdict.WEB_PAGE:
        return error_for(verdict, what)
    return UnreadableBody(
        what if is_page else f"{label} answered with a web page or XML",
        code=verdict.value,
        error_class=ErrorClass.CONFIG,
        public="The source answers with a web page instead of data. Check the base URL and the endpoint's path; the "
        "address of the API often differs from the one that people open. If it is XML, set 'format' to 'xml'.",
    )


def torn_or(error: UnreadableBody, label: str, *, is_torn: bool) -> HubError:
    """The error, unless the body ends in the middle: then that is the trouble, and asking again may help."""
    return error_for(Verdict.TRUNCATED, f"{label} answered with a body that is cut off") if is_torn else error


def told_by(text: str, label: str) -> HubError | None:
    """The error that a short message in plain text reports: nothing else stands where data was asked for."""
    verdict = text_speaks_of(text) if len(text) <= _MESSAGE_BYTES else None
    return error_for(verdict, f"{label} answered with a message") if verdict else None
