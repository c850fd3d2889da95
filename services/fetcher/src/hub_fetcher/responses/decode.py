"""From the bytes of a body to a value, or to an error that says what came instead.

Labels lie, so the bytes decide what came: JSON begins with ``{`` or ``[``, markup with ``<``. What does not tell
itself apart (CSV, lines of text) is read as such only where the endpoint, or a content type of its own, says so.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from hub_model.answers import ResponseFormat, TextFormat
from hub_model.endpoints import Request
from hub_model.errors import ErrorClass, HubError, SourceError

from hub_fetcher.responses import web_pages
from hub_fetcher.responses.tabular import NotTabular, Rows, read_rows
from hub_fetcher.responses.text import as_utf8
from hub_fetcher.responses.unreadable import UnreadableBody, told_by, torn_or, unreadable, web_page
from hub_fetcher.responses.verdicts import Verdict, error_for
from hub_fetcher.responses.xml_tree import Lists, UnsafeXml, parse_xml

AUTO, JSON, NDJSON = ResponseFormat.AUTO, ResponseFormat.JSON, ResponseFormat.NDJSON
CSV, XML, TEXT = ResponseFormat.CSV, ResponseFormat.XML, ResponseFormat.TEXT
_DIGITS_TO_ZERO = bytes(ord("0") if chr(byte).isascii() and chr(byte).isdigit() else ord(" ") for byte in range(256))
_LONG_RUN = b"0" * 19  # the shortest whole number that may not fit
_LINES_TYPES = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")


@dataclass(frozen=True, slots=True)
class Decoded:
    """The value, in which format it came, and how many of its lines do not have the header's columns."""

    value: Any
    format: ResponseFormat
    ragged: int = 0


class Reading:
    """How the answers of one endpoint are read: its format, and what is a list in its XML."""

    def __init__(self, request: Request) -> None:
        self.format = request.format
        self.text = request.text
        self.is_wrapped = request.text.inside is not None
        lines = self.is_wrapped or request.format in (CSV, TEXT)
        path = request.records_path if request.records_from == "list" and not lines else None
        self.lists = Lists(path, request.xml_lists)
        self.is_nothing_fine = request.missing_records == "empty" and (
            request.format is NDJSON
            or (request.format in (CSV, TEXT) and bool(request.text.columns) and not self.is_wrapped)
        )

    @property
    def expected(self) -> tuple[ResponseFormat, ...]:
        """The formats that an answer may come in."""
        if self.format is AUTO or (self.is_wrapped and self.format in (CSV, TEXT)):
            return (JSON, NDJSON, CSV, XML) if self.format is AUTO else (JSON, XML)
        return (self.format,)


def decode(body: bytes, content_type: str, reading: Reading, *, label: str) -> Decoded:
    """The value of a body in whichever format it came, which need not be the one that is expected."""
    try:
        content = as_utf8(body, content_type)
    except (ValueError, LookupError):
        raise UnreadableBody(
            f"{label} answered in characters that are neither UTF-8 nor what its content type says",
            code="bad_charset",
            public="The characters of the source's answer cannot be read: they are neither UTF-8 nor what the source "
            "says they are. Ask the source's operator to send UTF-8.",
        ) from None
    text = content.strip()
    if not text:
        return _nothing(reading, label)
    kind = content_type.partition(";")[0].strip().lower()
    if text[:1] == b"<":
        # Bytes that were not changed are read in the encoding that the document itself names.
        return _markup(text, text if content is body else text.decode(), kind, reading, label)
    if text[:1] in b"{[":
        return _json(content, text, kind, reading, label)
    if reading.format is CSV or (reading.format is AUTO and kind in ("text/csv", "text/tab-separated-values")):
        spec = reading.text
        if reading.format is AUTO and kind == "text/tab-separated-values":
            spec = spec.model_copy(update={"delimiter": "\t"})
        return _table(content, spec, label, quoted=True)
    if reading.format is TEXT and not reading.is_wrapped:
        return _table(content, reading.text, label, quoted=False)
    return _json(content, text, kind, reading, label)


def unwrap(found: Any, reading: Reading, label: str) -> Rows:
    """The records in the text that was found in a decoded answer."""
    if found is None or (isinstance(found, str) and not found.strip()):
        return Rows([])
    if not isinstance(found, str):
        raise SourceError(
            f"{label}: what stands at 'text.inside' is no text",
            error_class=ErrorClass.CONFIG,
            code="records_missing",
            public=f"At '{reading.text.inside}' of the source's answer stands no text. Correct the endpoint's "
            "'text.inside'.",
        )
    return _rows(found, reading.text, label, quoted=reading.format is CSV)


def parse_json(text: bytes) -> Any:
    """The value. Whole numbers beyond 64 bits become text: orjson would round them to the nearest float."""
    value = orjson.loads(text)
    if _LONG_RUN in text.translate(_DIGITS_TO_ZERO):
        return json.loads(text, parse_int=_exact_int)
    return value


def _nothing(reading: Reading, label: str) -> Decoded:
    if reading.is_nothing_fine:
        return Decoded([], reading.format)
    raise UnreadableBody(
        f"{label} answered with an empty body",
        code="empty_body",
        public="The source answers with an empty page instead of data; check the endpoint's path.",
    )


def _markup(text: bytes, document: bytes | str, kind: str, reading: Reading, label: str) -> Decoded:
    is_page = web_pages.is_web_page(text, is_xml=reading.format is XML)
    if is_page or (reading.format is not XML and not _says_xml(text, kind, reading)):
        raise web_page(text, label, is_page=is_page)
    try:
        return Decoded(parse_xml(document, reading.lists), XML)
    except UnsafeXml:
        raise UnreadableBody(
            f"{label} answered with XML that has a document type, entities of its own or no end of nesting",
            code="unsafe_xml",
            public="The source's XML has a document type or entities of its own, which are not read because they are a "
            "way to attack the reader. Ask the source's operator for plain XML.",
        ) from None
    except (ValueError, RecursionError):
        raise torn_or(unreadable(label, XML, kind, len(text)), label, is_torn=not text.endswith(b">")) from None


def _says_xml(text: bytes, kind: str, reading: Reading) -> bool:
    beginning = text[:300].lower()
    return (
        beginning.startswith(b"<?xml")
        or b":envelope" in beginning
        or kind.endswith(("/xml", "+xml"))
        or reading.is_wrapped
    )


def _json(content: bytes, text: bytes, kind: str, reading: Reading, label: str) -> Decoded:
    is_lines = reading.format is NDJSON or (reading.format is AUTO and kind in _LINES_TYPES)
    if not is_lines:
        try:
            return Decoded(parse_json(text), JSON)
        except (ValueError, RecursionError):
            pass
    if is_lines or (reading.format is AUTO and _looks_like_lines(text)):
        try:
            # A line may hold an object alone; anything else in one line is a document, or no JSON.
            records = [parse_json(line) for line in text.splitlines() if line.strip()]
        except (ValueError, RecursionError):
            records = []
        if records and all(isinstance(record, dict) for record in records):
            return Decoded(records, NDJSON)
        if is_lines:
            try:
                return Decoded(parse_json(text), JSON)
            except (ValueError, RecursionError):
                pass
    if reading.format in (CSV, TEXT) and not reading.is_wrapped:
        return _table(content, reading.text, label, quoted=reading.format is CSV)
    raise _no_json(text, kind, reading, label)


def _looks_like_lines(text: bytes) -> bool:
    first, _, rest = text.partition(b"\n")
    return first.startswith(b"{") and first.rstrip().endswith(b"}") and rest.lstrip().startswith(b"{")


def _no_json(text: bytes, kind: str, reading: Reading, label: str) -> HubError:
    # Without a cause: the parser's message quotes the text.
    is_message = text[:1] not in b"{["
    if is_message and (told := told_by(text.decode("utf-8", "replace"), label)) is not None:
        return told
    is_torn = (text[:1] == b"{" and not text.endswith(b"}")) or (text[:1] == b"[" and not text.endswith(b"]"))
    return torn_or(unreadable(label, reading.format, kind, len(text)), label, is_torn=is_torn)


def _table(content: bytes, spec: TextFormat, label: str, *, quoted: bool) -> Decoded:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise unreadable(label, CSV if quoted else TEXT, "text/csv" if quoted else "text/plain", len(content)) from None
    rows = _rows(text, spec, label, quoted=quoted)
    return Decoded(rows.records, CSV if quoted else TEXT, rows.ragged)


def _rows(text: str, spec: TextFormat, label: str, *, quoted: bool) -> Rows:
    if spec.delimiter not in text and len(_lines(text)) == 1 and (told := told_by(text, label)) is not None:
        raise told
    try:
        return read_rows(text, spec, quoted=quoted, label=label)
    except NotTabular as error:
        if error.cut_off:
            raise error_for(Verdict.TRUNCATED, f"{label} answered with a table that is cut off") from None
        raise UnreadableBody(
            f"{label} answered with text that has no such columns ({len(text)} characters)",
            code="not_csv" if quoted else "not_text",
            public="The source's answer has no such columns. Check 'text.delimiter' and 'text.columns' of the "
            "endpoint, and whether its path is right.",
        ) from None


def _lines(text: str) -> Sequence[str]:
    return text.strip().splitlines()


def _exact_int(digits: str) -> int | str:
    number = int(digits) if len(digits) < 21 else None
    return number if number is not None and -(2**63) <= number < 2**64 else digits
