"""Simulated sources of every kind, honest and dishonest: each record is read, or the walk says that some may not be.

Every position on the way is carried through its written form.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest
from hub_fetcher.paging.guards import note_page
from hub_fetcher.paging.pagination import arrive, begin, step
from hub_fetcher.paging.position import End, PageFacts, Position
from hub_fetcher.paging.sizes import asking_less, told_by
from hub_fetcher.paging.totals import counted
from hub_fetcher.requests.plan import plan_requests
from hub_fetcher.requests.request import SourceRequest, request_at
from hub_model.endpoints import Endpoint
from hub_model.errors import ErrorClass, SourceError
from hub_model.integrations import IntegrationDraft
from hypothesis import given, settings
from hypothesis import strategies as st

BASE = "https://erp.example.edu/v1"
DRAFT = IntegrationDraft.model_validate(
    {"name": "n", "type": "t", "baseUrl": BASE, "authType": "bearer", "endpoints": {"students": "/rows"}}
)


@dataclass(frozen=True)
class Asked:
    """A request as the source understands it: paging values from the query and from a JSON body."""

    path: str
    values: dict[str, str]

    @classmethod
    def of(cls, request: SourceRequest) -> "Asked":
        parts = urlsplit(request.url)
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        assert len(pairs) == len(dict(pairs)), "no parameter is sent twice"
        body = orjson.loads(request.body)["page"] if request.body else {}
        return cls(parts.path, {**dict(pairs), **{name: str(value) for name, value in body.items()}})

    def number(self, name: str, default: int) -> int:
        return int(self.values.get(name, default))


@dataclass(frozen=True)
class Reply:
    """What the source answers: the envelope and the rows in it, or a refusal with a text."""

    rows: list[int] = field(default_factory=list)
    envelope: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    link: str | None = None
    refused: str | None = None
    too_large: bool = False


@dataclass
class Walked:
    """What a walk gave. ``end`` is how it ended."""

    rows: list[int]
    asked: list[Asked]
    end: End | SourceError

    @property
    def is_complete(self) -> bool:
        return isinstance(self.end, End) and self.end.complete


def walk(pagination: dict[str, Any], api: Callable[[Asked], Reply], *, limit: int = 600, **endpoint: Any) -> Walked:
    """Walk a source to its end, as the fetcher does."""
    spec = Endpoint.model_validate({"path": "/rows", "pagination": pagination, **endpoint})
    plan = plan_requests(DRAFT, spec)
    position = begin(spec.pagination)
    walked = Walked([], [], End())
    for _ in range(limit):
        request = request_at(plan, position)
        walked.asked.append(Asked.of(request))
        reply = api(walked.asked[-1])
        following: Position | End | SourceError
        if refusal := _refusal(reply):
            following = asking_less(position, refusal) or refusal
        else:
            try:
                following = _turn(position, request, reply, walked)
            except SourceError as error:
                following = error
        if not isinstance(following, Position):
            walked.end = following
            return walked
        written = orjson.dumps(following.to_message())
        position = Position.model_validate(orjson.loads(written))
        assert position == following
    raise AssertionError(f"no end after {limit} requests")


def _refusal(reply: Reply) -> SourceError | None:
    """What comes in place of a page."""
    if reply.too_large:
        return SourceError("too large", error_class=ErrorClass.DATA, code="response_too_large")
    if reply.refused is None:
        return None
    error = told_by(SourceError("no", error_class=ErrorClass.CONFIG, code="http_400"), 400, reply.refused.encode())
    assert isinstance(error, SourceError)
    return error


def _turn(position: Position, request: SourceRequest, reply: Reply, walked: Walked) -> Position | End:
    if position.counting:
        return counted(position, reply.envelope)
    if reply.rows:
        noted = note_page(position, orjson.dumps(reply.rows))
        if isinstance(noted, End):
            return noted
        position = noted
    walked.rows += reply.rows
    facts = PageFacts(
        url=request.url, body=reply.envelope, records=len(reply.rows), headers=reply.headers, next_link=reply.link
    )
    return step(arrive(position, facts), facts)


KINDS = ["page", "offset", "body", "cursor", "token", "header", "next_url", "wrong_host", "link_header", "counted"]
TOLD = ["nothing", "total", "text total", "pages", "flag", "word"]


@dataclass(frozen=True)
class Source:
    """A source of ``total`` rows.

    It gives ``own`` rows to a page unless asked for another size, and at most ``cap``: it clamps the size ("size"), or
    the rows alone and not the place of the next page ("rows"), or refuses it ("refuse"). ``hidden`` rows are taken out
    of a page after it is cut. ``told`` is what it says about more, and behind the end it sends nothing or its last page
    once more (``repeats``).
    """

    kind: str
    total: int
    own: int
    cap: int
    clamp: str
    told: str
    hidden: frozenset[int] = frozenset()
    repeats: bool = False

    @property
    def visible(self) -> list[int]:
        return [row for row in range(self.total) if row not in self.hidden]

    def spec(self, asked: int) -> dict[str, Any]:
        size = {"pageSize": asked, "sizeParam": "n"}
        more = {"flag": {"hasMorePath": "more"}, "word": {"hasMorePath": "state", "hasMoreValue": "MORE"}}
        numbered = {**size, **(more.get(self.told, {}))}
        if self.told == "word" and self.kind not in ("offset", "body"):
            numbered = size
        links = {"link_header": {"type": "link_header", **size}}
        return {
            "page": {"type": "page", **numbered},
            "counted": {"type": "page", **numbered, "count": {"path": "/count", "totalPath": "n"}},
            "offset": {"type": "offset", **numbered},
            "body": {
                "type": "offset",
                **numbered,
                "injectInto": "body",
                "offsetParam": "page.offset",
                "sizeParam": "page.n",
            },
            "cursor": {"type": "cursor", "cursorPath": "next", **size},
            "token": {"type": "cursor", "cursorPath": "next", **size},
            "header": {"type": "cursor", "cursorHeader": "Next-Page-Token", **size},
            "next_url": {"type": "next_url", "nextUrlPath": "next", **size},
            "wrong_host": {"type": "next_url", "nextUrlPath": "next", "rebuildHost": True, **size},
            **links,
        }[self.kind]

    def endpoint(self) -> dict[str, Any]:
        return {"method": "POST", "body": {"page": {"q": 1}}} if self.kind == "body" else {}

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == "/v1/count":
            return Reply(envelope={"n": str(len(self.visible))})
        wanted = asked.number("n", self.own)
        if wanted > self.cap and self.clamp == "refuse":
            return Reply(refused=f"page size is limited to a value between 1 and {self.cap}")
        size = min(wanted, self.cap)
        stride = wanted if self.clamp == "rows" else size
        return self._page(asked, size, stride)

    def _page(self, asked: Asked, size: int, stride: int) -> Reply:
        start = self._start(asked, stride)
        if self.repeats and start >= self.total:
            start = max(0, (self.total - 1) // size * size)
        rows = [row for row in range(start, min(start + size, self.total)) if row not in self.hidden]
        following = start + size
        has_more = following < self.total
        envelope = {
            "nothing": {},
            "total": {"total": len(self.visible)},
            "text total": {"meta": {"totalCount": str(len(self.visible))}},
            "pages": {"totalPages": -(-self.total // stride)} if self.kind == "page" else {},
            "flag": {"more": "true" if has_more else "false"},
            "word": {"state": "MORE" if has_more else "OK"},
        }[self.told]
        return self._onward(asked, rows, dict(envelope), following if has_more else None)

    def _start(self, asked: Asked, stride: int) -> int:
        if self.kind in ("page", "counted"):
            return (asked.number("page", 1) - 1) * stride
        return asked.number("offset", asked.number("cursor", 0))

    def _onward(self, asked: Asked, rows: list[int], envelope: dict[str, Any], following: int | None) -> Reply:
        if self.kind in ("page", "offset", "body", "counted"):
            return Reply(rows, envelope)
        if self.kind == "header":
            return Reply(rows, envelope, {} if following is None else {"next-page-token": str(following)})
        if self.kind in ("cursor", "token"):
            token = following if self.kind == "cursor" or following is None else str(following)
            return Reply(rows, {**envelope, "next": token})
        link = None if following is None else f"?n={asked.number('n', self.own)}&offset={following}"
        if self.kind == "link_header":
            return Reply(rows, envelope, link=link)
        host = "http://127.0.0.1:8081/rows" if self.kind == "wrong_host" else "/v1/rows"
        return Reply(rows, {**envelope, "next": host + link if link else None})


sizes = st.integers(min_value=1, max_value=40)


@st.composite
def honest(draw: st.DrawFn, *, clamps: tuple[str, ...] = ("size", "refuse")) -> Source:
    return Source(
        kind=draw(st.sampled_from(KINDS)),
        total=draw(st.integers(0, 150)),
        own=draw(sizes),
        cap=draw(sizes),
        clamp=draw(st.sampled_from(clamps)),
        told=draw(st.sampled_from(TOLD)),
    )


@given(source=honest(), asked=sizes)
@settings(max_examples=400, deadline=None)
def test_every_record_of_an_honest_source_is_read_exactly_once(source: Source, asked: int) -> None:
    walked = walk(source.spec(asked), source, **source.endpoint())
    assert walked.rows == source.visible
    # One full page alone, and no header or link where there could be one: more may well be there.
    only_page = len(walked.rows) == walked.asked[-1].number("n", 0) and source.kind in ("header", "link_header")
    assert walked.is_complete or only_page
    assert source.kind != "header" or walked.is_complete or "no mark of a next page" in walked.end.warnings[0]


@given(source=honest(clamps=("rows",)), asked=sizes)
@settings(max_examples=200, deadline=None)
def test_a_source_that_clamps_the_rows_and_not_the_places_loses_none(source: Source, asked: int) -> None:
    """Unless what it gives is so little of what it is asked for that rows hidden from us are the likelier reason.

    Nothing can be done where it says that there is one page, counted in pages of the size asked for.
    """
    if source.kind == "page" and source.told == "pages" and source.total <= asked:
        return
    if source.kind in ("page", "counted") and source.cap * 10 < asked and source.cap % 10 and source.cap % 25:
        return
    walked = walk(source.spec(asked), source, **source.endpoint())
    assert sorted(set(walked.rows)) == source.visible or not walked.is_complete


@given(source=honest(), asked=sizes, data=st.data())
@settings(max_examples=300, deadline=None)
def test_rows_hidden_from_us_lose_no_others_where_the_source_says_whether_there_is_more(
    source: Source, asked: int, data: st.DataObject
) -> None:
    own = {"page": ["pages"], "offset": ["word"], "body": ["word"]}.get(source.kind, [])
    told = data.draw(st.sampled_from(["flag", "total", *own]))
    hidden = data.draw(st.frozensets(st.integers(0, 150), max_size=60))
    if told == "total":
        # A count says nothing about a page: one with no visible row at all looks like the end.
        hidden = frozenset(row for row in hidden if row % 3 == 0)
    holed = Source(source.kind, source.total, source.own, source.cap, source.clamp, told, hidden)
    walked = walk(holed.spec(asked), holed, **holed.endpoint())
    assert sorted(set(walked.rows)) == holed.visible or not walked.is_complete


@given(source=honest(), asked=sizes)
@settings(max_examples=200, deadline=None)
def test_a_source_that_repeats_its_last_page_loses_none_and_is_not_called_complete_on_that_ground(
    source: Source, asked: int
) -> None:
    clamped = Source(source.kind, source.total, source.own, source.cap, source.clamp, source.told, repeats=True)
    walked = walk(clamped.spec(asked), clamped, **clamped.endpoint())
    assert sorted(set(walked.rows)) == clamped.visible or not walked.is_complete
    assert walked.is_complete or isinstance(walked.end, SourceError) or walked.end.warnings


@given(
    kind=st.sampled_from(KINDS),
    tokens=st.lists(st.integers(0, 10**6), min_size=1, max_size=40),
    pages=st.lists(st.lists(st.integers(0, 99), max_size=4), min_size=1, max_size=40),
    told=st.sampled_from(["nothing", "flag", "word", "total", "pages"]),
)
@settings(max_examples=400, deadline=None)
def test_a_source_that_never_ends_is_noticed_whatever_it_repeats(
    kind: str, tokens: list[int], pages: list[list[int]], told: str
) -> None:
    """Tokens and pages come in cycles of any two lengths, and the source always says that there is more."""
    served = itertools.count()
    source = Source(kind, 10**9, 5, 5, "size", told)

    def api(asked: Asked) -> Reply:
        if asked.path == "/v1/count":
            return Reply(envelope={"n": 10**9})
        number = next(served)
        token = tokens[number % len(tokens)]
        rows = pages[number % len(pages)]
        envelope = {"total": 10**9, "more": True, "state": "MORE", "totalPages": 10**9, "next": token}
        if kind in ("next_url", "wrong_host"):
            envelope["next"] = f"/v1/rows?t={token}"
        return Reply(rows, envelope, {"next-page-token": str(token)}, link=f"/v1/rows?t={token}")

    walked = walk(source.spec(5), api, **source.endpoint())
    assert not walked.is_complete
    codes = ("pagination_loop", "pagination_stalled")
    assert walked.end.warnings if isinstance(walked.end, End) else walked.end.code in codes


@given(kind=st.sampled_from(["page", "offset", "body"]), total=st.integers(20, 120), gone=st.integers(1, 9))
def test_a_source_that_shrinks_while_it_is_read_is_never_called_complete(kind: str, total: int, gone: int) -> None:
    remaining = list(range(total))
    source = Source(kind, total, 10, 10, "size", "total")

    def api(asked: Asked) -> Reply:
        size = asked.number("n", 10)
        start = (asked.number("page", 1) - 1) * size if kind == "page" else asked.number("offset", 0)
        reply = Reply(remaining[start : start + size], {"total": len(remaining)})
        del remaining[:gone]
        return reply

    walked = walk(source.spec(10), api, **source.endpoint())
    assert not walked.is_complete


@given(
    kind=st.sampled_from(["page", "offset", "body", "cursor", "next_url"]),
    total=st.integers(1, 400),
    heavy=st.frozensets(st.integers(0, 400), max_size=40),
    room=st.integers(1, 12),
    asked=st.sampled_from([1, 7, 10, 12, 64, 100]),
    heeds=st.booleans(),
    told=st.sampled_from(["nothing", "total", "flag"]),
)
@settings(max_examples=400, deadline=None)
def test_answers_that_are_too_large_are_asked_for_in_smaller_pages_and_nothing_is_passed_over(
    kind: str, total: int, heavy: frozenset[int], room: int, asked: int, heeds: bool, told: str
) -> None:
    """An answer has room for so many heavy rows. A source may heed the size asked for, or have one of its own."""
    source = Source(kind, total, asked, asked if heeds else 10, "size", told)

    def api(request: Asked) -> Reply:
        own = request if heeds else Asked(request.path, {**request.values, "n": "10"})
        reply = source(own)
        return Reply(too_large=True) if len(heavy.intersection(reply.rows)) > room else reply

    walked = walk(source.spec(asked), api, **source.endpoint())
    if isinstance(walked.end, SourceError):
        assert walked.end.code in ("response_too_large", "pagination_loop")
    else:
        assert walked.rows == source.visible or not walked.is_complete
    if heeds and kind not in ("page", "next_url"):
        assert not isinstance(walked.end, SourceError)


@pytest.mark.parametrize("kind", ["page", "offset", "cursor", "next_url", "counted"])
@pytest.mark.parametrize(
    ("words", "sizes_asked"),
    [
        ("Limit must be omitted or set to a value between 0 and 500.", [1000, 500]),
        ('{"error":"too many students"}', [1000, 500]),
        ("per_page is too large", [1000, 500]),
        ("HTTP 400: page size is limited to 400 rows", [1000, 400]),
        ("the page size must not exceed the maximum", [1000, 500]),
    ],
)
def test_a_refused_size_is_asked_for_smaller_remembered_and_told_once(
    kind: str, words: str, sizes_asked: list[int]
) -> None:
    source = Source(kind, 1200, 100, sizes_asked[-1], "refuse", "total")

    def api(asked: Asked) -> Reply:
        reply = source(asked)
        return Reply(refused=words) if reply.refused else reply

    walked = walk(source.spec(1000), api)
    assert walked.rows == source.visible
    assert isinstance(walked.end, End)
    assert walked.end.complete
    told = f"The source does not give pages of 1000 records; pages of {sizes_asked[-1]} were asked for."
    assert [warning[: len(told)] for warning in walked.end.warnings] == [told]
    asked_sizes = [asked.number("n", 0) for asked in walked.asked if asked.path == "/v1/rows"]
    assert asked_sizes == [1000] + [sizes_asked[-1]] * (len(asked_sizes) - 1)


@pytest.mark.parametrize("words", ["rate limit exceeded", "the daily quota of your page size", "no such field", ""])
def test_a_refusal_about_something_else_is_not_tried_with_other_sizes(words: str) -> None:
    walked = walk({"type": "page", "pageSize": 1000}, lambda asked: Reply(refused=words))
    assert isinstance(walked.end, SourceError)
    assert (walked.end.code, len(walked.asked)) == ("http_400", 1)


def test_a_source_that_refuses_every_size_is_asked_a_few_times_and_then_it_is_an_error() -> None:
    walked = walk({"type": "page", "pageSize": 10_000}, lambda asked: Reply(refused="bad page size"))
    assert isinstance(walked.end, SourceError)
    assert len(walked.asked) == 14


def test_a_refusal_in_the_middle_of_a_walk_is_not_about_the_size() -> None:
    """The same size was accepted before, so it is how deep the list goes."""
    source = Source("offset", 10**6, 100, 100, "size", "nothing")

    def api(asked: Asked) -> Reply:
        return (
            Reply(refused="result window is too large, limit 2000")
            if asked.number("offset", 0) >= 2000
            else (source(asked))
        )

    walked = walk(source.spec(100), api)
    assert isinstance(walked.end, SourceError)
    assert len(walked.rows) == 2000


@pytest.mark.parametrize(("total", "own"), [(20, 10), (23, 10), (100, 7)])
def test_a_source_that_does_not_heed_a_size_is_not_asked_for_a_place_counted_in_smaller_pages(
    total: int, own: int
) -> None:
    """Its page 2 is too large. Of the page that half the size makes of that it sends no row, or too few, or another."""

    def api(asked: Asked) -> Reply:
        page = asked.number("page", 1)
        return Reply(list(range((page - 1) * own, min(page * own, total)))) if page != 2 else Reply(too_large=True)

    walked = walk({"type": "page", "pageSize": 10 if own == 10 else 100}, api)
    assert isinstance(walked.end, SourceError)
    assert walked.end.code == "response_too_large"
    assert len(walked.asked) == (3 if own == 10 else 2)
