"""Where to go next by what the source gives to go on with, a cursor or a link.

That decides, and not the emptiness of the page. ``has_more`` is what a flag of the source says, if it has one.
"""

from typing import Any

from hub_model.errors import ErrorClass, SourceError
from hub_model.pagination import CursorPagination, LinkHeaderPagination, NextUrlPagination

from hub_fetcher.paging.guards import next_url, past, rehosted, remember
from hub_fetcher.paging.position import End, PageFacts, Position, size_of
from hub_fetcher.paging.totals import end
from hub_fetcher.paths import MISSING, dig


def next_cursor(spec: CursorPagination, position: Position, facts: PageFacts, has_more: bool | None) -> Position | End:
    header = spec.cursor_header
    token = dig(facts.body, spec.cursor_path) if header is None else facts.headers.get(header.lower(), MISSING)
    if has_more is False:
        return end(position)
    if _is_end_token(token):
        return _end_of_tokens(position, facts, has_more, was_there=token is not MISSING)
    if isinstance(token, bool | dict | list):
        raise SourceError(
            f"the cursor at {spec.cursor_path} is not text or a number",
            error_class=ErrorClass.CONFIG,
            code="cursor_not_scalar",
            public=f"'{spec.cursor_path}' does not hold a cursor but a structure; correct the endpoint's 'cursorPath'.",
        )
    seen = remember(position.seen, str(token))
    place = token if isinstance(token, int) else str(token)
    return past(position.model_copy(update={"seen": seen}), facts, place)


def next_link(
    spec: NextUrlPagination | LinkHeaderPagination, position: Position, facts: PageFacts, has_more: bool | None
) -> Position | End:
    link = dig(facts.body, spec.next_url_path) if isinstance(spec, NextUrlPagination) else facts.next_link
    if has_more is False:
        return end(position)
    if _is_end_token(link):
        # A source that links to the first page or to this one would link to the next one too.
        was_there = link is not MISSING if isinstance(spec, NextUrlPagination) else "link" in facts.headers
        return _end_of_tokens(position, facts, has_more, was_there=was_there)
    if not isinstance(link, str):
        raise SourceError(
            "the link to the next page is not text",
            error_class=ErrorClass.CONFIG,
            code="next_url_invalid",
            public="The path to the next page's URL holds something else; correct the endpoint's 'nextUrlPath'.",
        )
    url = next_url(facts.url, rehosted(facts.url, link) if spec.rebuild_host else link)
    seen = position.seen or remember((), facts.url)
    return past(position.model_copy(update={"seen": remember(seen, url)}), facts, url)


def _is_end_token(token: Any) -> bool:
    """0 is a token; null, nothing, "" and false are the end."""
    return token is None or token is MISSING or token is False or (isinstance(token, str) and not token.strip())


def _end_of_tokens(position: Position, facts: PageFacts, has_more: bool | None, *, was_there: bool) -> End:
    if has_more:
        raise SourceError(
            "the source says that there is more, and not how to get it",
            error_class=ErrorClass.CONFIG,
            code="cursor_missing",
            public="The source says that there are more records, but the mark of the next page is not where the "
            "endpoint's 'pagination' says. Correct its path.",
        )
    size = size_of(position)
    is_full = size is not None and facts.records >= size.asked
    if is_full and not was_there and position.pages == 1 and position.total != position.records:
        return End(
            complete=False,
            warnings=(
                f"The first page was full ({facts.records} records), and no mark of a next page was where 'pagination' "
                "says. If there are more records, correct that; if not, set a larger 'pageSize'.",
            ),
        )
    return end(position)
