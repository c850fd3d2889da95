"""The request for one page: a value, made of a plan and a position. Credentials are no part of it."""

from typing import NamedTuple
from urllib.parse import quote, urlencode

import orjson
from hub_model.endpoints import BodyType
from hub_model.errors import ErrorClass, SourceError
from hub_model.pagination import (
    CursorPagination,
    LinkHeaderPagination,
    NextUrlPagination,
    OffsetPagination,
    PagePagination,
)
from pydantic import JsonValue

from hub_fetcher.paging.position import Position, is_in_body, size_of
from hub_fetcher.requests.flat import flat, put
from hub_fetcher.requests.places import CREDENTIAL
from hub_fetcher.requests.plan import RequestPlan
from hub_fetcher.requests.urls import replaced, with_params


class SourceRequest(NamedTuple):
    """What is asked for. ``headers`` are those that this request has beside its plan's."""

    url: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: str | None = None


def request_at(plan: RequestPlan, position: Position) -> SourceRequest:
    """The position's request. Paging values replace others of the same name, in the query or in the body."""
    if plan.has_places:
        raise AssertionError("a plan with places must be filled in before anything is asked")
    spec = position.pagination
    if position.counting:
        return SourceRequest(plan.count_url)
    if isinstance(position.place, str) and isinstance(spec, NextUrlPagination | LinkHeaderPagination):
        return _asking(plan, position.place, plan.body)
    paging = _paging(position)
    if is_in_body(spec):
        if any(isinstance(value, str) and CREDENTIAL.search(value) for value in paging.values()):
            raise _cursor_unusable()
        return _asking(plan, with_params(plan.url, plan.params), plan.body, paging)
    params = replaced(plan.params, {name: str(value) for name, value in paging.items()})
    return _asking(plan, with_params(plan.url, params), plan.body)


def _paging(position: Position) -> dict[str, int | str]:
    spec = position.pagination
    size = size_of(position)
    paging: dict[str, int | str] = {size.param: size.asked} if size else {}
    match spec:
        case PagePagination():
            paging[spec.page_param] = position.place or 0
        case OffsetPagination():
            paging[spec.offset_param] = position.place or 0
        case CursorPagination() if position.place is not None:
            paging[spec.cursor_param] = position.place
    return paging


def _asking(plan: RequestPlan, url: str, body: JsonValue, paging: dict[str, int | str] | None = None) -> SourceRequest:
    if plan.method == "GET":
        return SourceRequest(url)
    if body is None and not paging:
        return SourceRequest(url, plan.method)
    return SourceRequest(url, plan.method, plan.body_headers, _written(plan, body, paging or {}))


def _written(plan: RequestPlan, body: JsonValue, paging: dict[str, int | str]) -> str:
    if plan.body_type is BodyType.TEXT:
        if paging or not isinstance(body, str):
            raise _config("a text body holds no paging values, and has to be text")
        return body
    if plan.body_type is BodyType.JSON:
        for name, value in paging.items():
            body = put(body, name, value)
        return orjson.dumps(body).decode()
    if body is not None and not isinstance(body, dict):
        raise _config("a form's body has to be an object of names and values")
    return urlencode(_form(plan, body or {}, paging), quote_via=quote, safe="")


def _form(plan: RequestPlan, body: dict[str, JsonValue], paging: dict[str, int | str]) -> list[tuple[str, str]]:
    """The fields; a paging name with dots leads into the body, any other is a field's name as it is sent."""
    nested: JsonValue = body
    for name, value in paging.items():
        if "." in name:
            nested = put(nested, name, value)
    own = flat(nested.items() if isinstance(nested, dict) else (), plan.nesting)
    return replaced(own, {name: str(value) for name, value in paging.items() if "." not in name})


def _cursor_unusable() -> SourceError:
    return SourceError(
        "the cursor would put the credential into the body",
        error_class=ErrorClass.DATA,
        code="cursor_unusable",
        public="The source's mark of the next page says where the credential goes, so it is not sent. Ask the source's "
        "operator.",
    )


def _config(what: str) -> SourceError:
    return SourceError(
        what,
        error_class=ErrorClass.CONFIG,
        code="body_invalid",
        public=f"The request cannot be made: {what}. Correct the endpoint's 'body', 'bodyType' and 'pagination'.",
    )
