"""CSV, and lines of text cut into columns, as records. Every value stays the text that it is.

A line with another number of columns than the header is no record, since nobody can tell which value is whose: its
cells come as ``#cells``, which no mapping fills a record from, so that it is rejected and seen, and it is counted.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hub_model.answers import TextFormat
from hub_model.errors import ErrorClass, SourceError

_LINE_END = re.compile(r"\r\n|\n|\r")
CELLS = "#cells"


class NotTabular(ValueError):
    """The text has no columns: a message, most likely. ``cut_off``: it ends within a quoted cell."""

    def __init__(self, message: str, *, cut_off: bool = False) -> None:
        super().__init__(message)
        self.cut_off = cut_off


@dataclass(frozen=True, slots=True)
class Rows:
    """Records, and how many of them are ``ragged``."""

    records: list[dict[str, Any]]
    ragged: int = 0


def read_rows(text: str, spec: TextFormat, *, quoted: bool, label: str) -> Rows:
    """The records of a text. ``quoted``: cells may be in quotes, as in CSV (RFC 4180); otherwise a line is a line, and
    may leave out columns at its end.

    Raises NotTabular, and SourceError for a header that names no columns.
    """
    lines = _quoted_lines(text, spec.delimiter) if quoted else _plain_lines(text, spec.delimiter)
    try:
        return _rows(lines, spec.columns, is_short_fine=not quoted, label=label)
    except csv.Error as error:
        # The module's own words, which hold no text of the document.
        cut_off = "unexpected end of data" in str(error)
        raise NotTabular("the text is no CSV", cut_off=cut_off) from None


def _rows(lines: Iterator[list[str]], columns: Sequence[str] | None, *, is_short_fine: bool, label: str) -> Rows:
    names = list(columns) if columns else _header(next(lines, []), label)
    width = len(names)
    least = width if not is_short_fine else min(2, width)
    records: list[dict[str, Any]] = []
    ragged = 0
    for cells in lines:
        if len(cells) > width and not any(cells[width:]):
            del cells[width:]
        if least <= len(cells) <= width:
            records.append(dict(zip(names, cells, strict=False)))
        else:
            ragged += 1
            records.append({CELLS: cells})
    if ragged and ragged == len(records):
        raise NotTabular("no line has the columns")
    return Rows(records, ragged)


def _header(cells: Sequence[str], label: str) -> list[str]:
    names = [cell.strip() for cell in cells]
    if len(names) < 2:
        raise NotTabular("the first line does not name columns")
    for place, name in enumerate(names):
        # A file without a header has data in its first line, so no name is repeated here.
        if not name or name in names[:place]:
            what = "has no name" if not name else f"has the same name as column {names.index(name) + 1}"
            raise SourceError(
                f"{label} answered with a header whose column {place + 1} {what}",
                error_class=ErrorClass.CONFIG,
                code="bad_header",
                public=f"Column {place + 1} in the first line of the source's answer {what}. Name the columns "
                "yourself in the endpoint's 'text.columns' if there is no such line, or ask the source's operator.",
            )
    return names


def _quoted_lines(text: str, delimiter: str) -> Iterator[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    return (cells for cells in reader if any(cell.strip() for cell in cells))


def _plain_lines(text: str, delimiter: str) -> Iterator[list[str]]:
    return (line.split(delimiter) for line in _LINE_END.split(text) if line.strip())
