"""Putting a credential into a request: headers, query, form, JSON object, or a place in the body that names it."""

from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl, quote, urlencode
from xml.sax.saxutils import escape

import orjson
from hub_model.errors import ErrorClass, SourceError

from hub_fetcher.auth.credentials import Credential, Outgoing
from hub_fetcher.requests.places import CREDENTIAL
from hub_fetcher.requests.urls import merge_headers, with_params

_FORM = "application/x-www-form-urlencoded"


def attach(credential: Credential, request: Outgoing) -> Outgoing:
    """The request with the credential in it. SourceError if it has no place there."""
    params, fields = credential.params, credential.fields
    if request.method == "GET":
        params, fields = (*params, *fields), ()
    headers, body = request.headers, request.body
    if fields:
        headers, body = _with_fields(headers, body, dict(fields))
    made = Outgoing(
        method=request.method,
        url=with_params(request.url, list(params)),
        headers=merge_headers(headers, credential.headers),
        body=body,
    )
    if credential.sign is None:
        return made
    return made._replace(headers=merge_headers(made.headers, credential.sign(made)))


def content_type_of(headers: Mapping[str, str]) -> str:
    """The media type in lower case, without parameters; "" if there is none."""
    value = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    return value.partition(";")[0].strip().lower()


def _with_fields(
    headers: Mapping[str, str], body: str | None, fields: dict[str, str]
) -> tuple[Mapping[str, str], str | None]:
    kind = content_type_of(headers)
    if body is None or kind == _FORM:
        pairs = [(name, _filled(value, fields, str)) for name, value in parse_qsl(body or "", keep_blank_values=True)]
        named = set(CREDENTIAL.findall(" ".join(value for _, value in parse_qsl(body or "", keep_blank_values=True))))
        pairs += [(name, value) for name, value in fields.items() if name not in named]
        typed = headers if kind else merge_headers(headers, {"Content-Type": _FORM})
        return typed, urlencode(pairs, quote_via=quote, safe="")
    if set(CREDENTIAL.findall(body)) >= fields.keys():
        is_markup = kind.endswith("xml") or body.lstrip().startswith("<")
        escaped = _json_text if kind.endswith("json") else escape if is_markup else str
        return headers, _filled(body, fields, escaped)
    value = orjson.loads(body) if kind.endswith("json") else None
    if not isinstance(value, dict):
        raise SourceError(
            f"the credential {' and '.join(fields)} has no place in a body of the type {kind or 'text'}",
            error_class=ErrorClass.CONFIG,
            code="credential_unplaced",
            public="The credential cannot be put into this body by itself. Write {{ credential.NAME }} where it goes, "
            f"with the name {' or '.join(fields)}.",
        )
    return headers, orjson.dumps({**value, **fields}).decode()


def _filled(text: str, fields: Mapping[str, str], escaped: Callable[[str], str]) -> str:
    return CREDENTIAL.sub(lambda place: escaped(fields[place[1]]) if place[1] in fields else place[0], text)


def _json_text(value: str) -> str:
    return orjson.dumps(value).decode()[1:-1]
