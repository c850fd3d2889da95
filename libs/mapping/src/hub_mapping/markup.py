"""The text of HTML that a source puts into names and remarks."""

import re
from html import unescape
from html.parser import HTMLParser

from hub_mapping.flaws import flaw
from hub_mapping.texts import check_unicode

MAX_HTML = 16_000

_SPACES = re.compile(r"\s+")
_UNSEEN = frozenset(["script", "style", "head", "template", "noscript"])
# Between these, words do not run together.
_APART = frozenset(
    ["address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "footer", "form", "h1", "h2", "h3"]
) | frozenset(
    [
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "nav",
        "ol",
        "option",
        "p",
        "pre",
        "section",
        "table",
        "td",
        "tr",
        "ul",
    ]
)
_VOID = frozenset(
    ["br", "hr", "img", "input", "wbr", "meta", "link", "col", "area", "base", "embed", "source", "track"]
)


def text_of_html(html: str, language: str | None = None) -> str:
    """What a reader would see: entities resolved, tags gone, spaces collapsed.

    Of Moodle's multilang spans beside each other, ``language`` is kept, or the first where it is not among them.
    """
    if len(html) > MAX_HTML:
        raise flaw("too_long", f"Has {len(html)} characters of HTML; at most {MAX_HTML} are read.")
    if "<" not in html and "&" not in html:
        return _SPACES.sub(" ", html).strip()
    check_unicode(html)
    parser = _Text(language)
    # What follows the last > is in no tag. The parser would look there for the end of each < anew.
    whole, end, rest = html.rpartition(">")
    parser.feed(whole + end)
    parser.close()
    parser.handle_data(unescape(rest))
    return parser.text()


class _Text(HTMLParser):
    """Gathers text; of each group of multilang spans only one."""

    def __init__(self, language: str | None) -> None:
        super().__init__(convert_charrefs=True)
        self._language = language
        self._unseen = 0
        self._texts: list[str] = []
        # The spans of the present group, by language, and how deep inside one of them the parser is.
        self._group: dict[str, list[str]] = {}
        self._span: list[str] | None = None
        self._depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN:
            self._unseen += 1
        if tag in _APART:
            self.handle_data(" ")
        if self._span is not None:
            self._depth += tag not in _VOID
            return
        found = dict(attrs)
        if tag in ("span", "lang") and "multilang" in (found.get("class") or "multilang" * (tag == "lang")).split():
            self._span = self._group.setdefault((found.get("lang") or "").lower(), [])
            self._depth = 1

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN and self._unseen:
            self._unseen -= 1
        if tag in _APART:
            self.handle_data(" ")
        if self._span is not None and tag not in _VOID:
            self._depth -= 1
            if self._depth <= 0:
                self._span = None

    def handle_data(self, data: str) -> None:
        if self._unseen:
            return
        if self._span is not None:
            self._span.append(data)
            return
        if not data.isspace():
            self._close_group()
        self._texts.append(data)

    def text(self) -> str:
        self._close_group()
        return _SPACES.sub(" ", "".join(self._texts)).strip()

    def _close_group(self) -> None:
        if self._group:
            spans = list(self._group.values())
            self._texts += self._group.get((self._language or "").lower(), spans[0])
            self._group = {}
