"""From an endpoint and a position to the URL that is asked for. Credentials are no part of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import orjson
from hub_model.endpoints import Endpoint
from hub_model.errors import ErrorClass, SourceError
from hub_model.integrations import IntegrationDraft, check_headers, origin_of
from hub_model.pagination import (
    CursorPagination,
    LinkHeaderPagination,
    NextUrlPagination,
    OffsetPagination,
    PagePagination,
)
from pydantic import JsonValue

from hub_fetcher.paging.position import Position


@dataclass(frozen=True, slots=True)
class RequestPlan:
    """What all requests of one walk have in common. ``label`` names them in errors, without a query string."""

    url: str
    params: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    origin: str
    label: str
    source: str


def plan_requests(settings: IntegrationDraft, endpoint: Endpoint) -> RequestPlan:
    """The plan of an endpoint; SourceError if its headers may not be sent."""
    path, _, query = endpoint.path.partition("#")[0].partition("?")
    url = f"{settings.base_url.rstrip('/')}/{path.lstrip('/')}"
    written = tuple(parse_qsl(query, keep_blank_values=True))
    params = (*written, *_flat(endpoint.params))
    try:
        headers = merge_headers({"Accept": "application/json"}, settings.headers, check_headers(endpoint.headers))
    except ValueError as error:
        raise SourceError(str(error), error_class=ErrorClass.CONFIG, code="header_refused") from error
    paging = endpoint.pagination.model_dump(mode="json")
    identity = orjson.dumps([url, params, headers, endpoint.records_path, paging], option=orjson.OPT_SORT_KEYS)
    return RequestPlan(
        url=url,
        params=params,
        headers=headers,
        origin=origin_of(url),
        label=urlsplit(url).path[:200],
        source=blake2b(identity, digest_size=8).hexdigest(),
    )


def url_at(plan: RequestPlan, position: Position) -> str:
    """The URL of the position's request. Paging parameters replace others of the same name."""
    paging: dict[str, str] = {}
    match position.pagination:
        case NextUrlPagination() | LinkHeaderPagination() if isinstance(position.place, str):
            return position.place
        case PagePagination() as spec:
            paging = {**_size(spec), spec.page_param: str(position.place)}
        case OffsetPagination() as spec:
            paging = {**_size(spec), spec.offset_param: str(position.place)}
        case CursorPagination() as spec:
            paging = _size(spec)
            if position.place is not None:
                paging[spec.cursor_param] = str(position.place)
        case NextUrlPagination() | LinkHeaderPagination() as spec:
            paging = _size(spec)
    params = [(name, value) for name, value in plan.params if name not in paging]
    return with_params(plan.url, [*params, *paging.items()])


def merge_headers(*headers: Mapping[str, str]) -> dict[str, str]:
    """All of them; of one name in any spelling the last."""
    merged = {name.lower(): (name, value) for mapping in headers for name, value in mapping.items()}
    return dict(merged.values())


def with_params(url: str, params: list[tuple[str, str]]) -> str:
    """The URL with these parameters added."""
    if not params:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(params, quote_via=quote, safe='')}"


def without_params(url: str, names: frozenset[str]) -> str:
    """The URL without the parameters of these names: a source's own next link may repeat the credential."""
    parts = urlsplit(url)
    if not names or not parts.query:
        return url
    kept = [part for part in parts.query.split("&") if not names & {name for name, _ in parse_qsl(part, True)}]
    return urlunsplit(parts._replace(query="&".join(kept)))


def _size(
    spec: PagePagination | OffsetPagination | CursorPagination | NextUrlPagination | LinkHeaderPagination,
) -> dict[str, str]:
    return {spec.size_param: str(spec.page_size)} if spec.size_param else {}


def _flat(params: Mapping[str, JsonValue]) -> Iterator[tuple[str, str]]:
    """Query parameters as text: a list repeats its name, null leaves it out, an object is sent as JSON."""
    for name, value in params.items():
        for item in value if isinstance(value, list) else [value]:
            if item is not None:
                yield name, item if isinstance(item, str) else orjson.dumps(item).decode()
