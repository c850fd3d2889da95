"""What all requests of one walk have in common, worked out once from the integration and the endpoint."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from urllib.parse import parse_qsl, urlsplit

import orjson
from hub_model.addresses import check_headers, origin_of
from hub_model.answers import ResponseFormat
from hub_model.endpoints import CREDENTIAL_PLACE, BodyType, Request, placeholders
from hub_model.errors import ErrorClass, SourceError
from hub_model.integrations import IntegrationDraft
from hub_model.pagination import PagePagination
from pydantic import JsonValue

from hub_fetcher.requests.flat import Nesting, flat
from hub_fetcher.requests.places import ABSENT, Places, fill, fill_path
from hub_fetcher.requests.urls import merge_headers, replaced

_CONTENT_TYPES = {
    BodyType.JSON: "application/json",
    BodyType.FORM: "application/x-www-form-urlencoded",
    BodyType.TEXT: "text/plain; charset=utf-8",
}
# Errors often come as JSON from a source of something else.
_ACCEPT = {
    ResponseFormat.AUTO: "application/json",
    ResponseFormat.JSON: "application/json",
    ResponseFormat.NDJSON: "application/x-ndjson, application/json;q=0.5, */*;q=0.1",
    ResponseFormat.CSV: "text/csv, */*;q=0.1",
    ResponseFormat.XML: "application/xml, text/xml, */*;q=0.1",
    ResponseFormat.TEXT: "text/plain, text/xml, */*;q=0.1",
}
# What may change between two stretches of a walk without changing what it reads.
_NOT_READ = {"mapping", "deletes", "max_pages", "max_duration"}


@dataclass(frozen=True, slots=True)
class RequestPlan:
    """``params`` are flat and ready to be sent, ``body`` is still a value, since paging may change it.

    ``label`` names the requests in errors, without a query string. ``source`` tells whether an endpoint is still the
    one that a walk began with. Where ``has_places``, ``fill`` has to come before the first request.
    """

    method: str
    url: str
    params: tuple[tuple[str, str], ...]
    body: JsonValue
    body_type: BodyType
    nesting: Nesting
    headers: Mapping[str, str]
    body_headers: tuple[tuple[str, str], ...]
    count_url: str
    origin: str
    label: str
    source: str
    template: "Template"
    has_places: bool

    def fill(self, places: Places, params: Mapping[str, str] | None = None) -> "RequestPlan":
        """The plan for one row of the parent stream and one window; ``params`` take the place of those of their names.

        SourceError where the row lacks what the request needs: an error of that row, not of the walk.
        """
        if not self.has_places and not params:
            return self
        template, given = self.template, params or {}
        own = [(name, fill(value, places, where=f"the parameter '{name}'")) for name, value in template.params]
        body = fill(template.body, places, where="the body")
        return replace(
            self,
            url=template.base + fill_path(template.path, places),
            params=tuple(replaced(flat(((n, v) for n, v in own if v is not ABSENT), self.nesting), given)),
            body=None if body is ABSENT else body,
            count_url=template.base + fill_path(template.count_path, places) if template.count_path else "",
            has_places=False,
        )


@dataclass(frozen=True, slots=True)
class Template:
    """The endpoint's own words, with the places still in them. ``base`` ends with a slash, and no path begins so."""

    base: str
    path: str
    params: tuple[tuple[str, JsonValue], ...]
    body: JsonValue
    count_path: str


def plan_requests(settings: IntegrationDraft, endpoint: Request) -> RequestPlan:
    """The plan of an endpoint; SourceError if its headers may not be sent."""
    counted = endpoint.pagination.count if isinstance(endpoint.pagination, PagePagination) else None
    path, _, query = endpoint.path.partition("#")[0].partition("?")
    template = Template(
        base=settings.base_url.rstrip("/") + "/",
        path=path.lstrip("/"),
        params=(*parse_qsl(query, keep_blank_values=True), *endpoint.params.items()),
        body=endpoint.body,
        count_path=counted.path.lstrip("/") if counted else "",
    )
    try:
        headers = merge_headers({"Accept": _ACCEPT[endpoint.format]}, settings.headers, check_headers(endpoint.headers))
    except ValueError as error:
        raise SourceError(str(error), error_class=ErrorClass.CONFIG, code="header_refused") from error
    content_type = _CONTENT_TYPES[endpoint.body_type]
    own_type = any(name.lower() == "content-type" for name in headers)
    url = template.base + template.path
    places = placeholders([endpoint.path, endpoint.params, endpoint.body, template.count_path])
    has_places = any(not name.startswith(CREDENTIAL_PLACE) for name in places)
    return RequestPlan(
        method=endpoint.method,
        url=url,
        params=() if has_places else tuple(flat(template.params, endpoint.nesting)),
        body=endpoint.body,
        body_type=endpoint.body_type,
        nesting=endpoint.nesting,
        headers=headers,
        body_headers=() if own_type else (("Content-Type", content_type),),
        count_url=template.base + template.count_path if template.count_path else "",
        origin=origin_of(url),
        label=urlsplit(url).path[:200],
        source=_identity(settings, endpoint),
        template=template,
        has_places=has_places,
    )


def _identity(settings: IntegrationDraft, endpoint: Request) -> str:
    read = endpoint.model_dump(mode="json", exclude=_NOT_READ)
    identity = orjson.dumps([settings.base_url, settings.headers, read], option=orjson.OPT_SORT_KEYS)
    return blake2b(identity, digest_size=8).hexdigest()
