"""What a draft must fulfil beyond its form: mappings compile, and credentials stand where they are sealed."""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl

from hub_mapping.checking import endpoint_issues, stream_issues
from hub_model.endpoints import Request
from hub_model.errors import InvalidInput, Issue
from hub_model.integrations import ApiKeyPlacement, IntegrationDraft, check_headers
from hub_runtime.pointers import pointer_to
from hub_security.redaction import is_secret_name

from hub_config_api.destinations import Destinations

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # not isprintable(): names in Indian scripts need joiners
_SECRET_PARAMS = re.compile(r"(?:api|access|auth)[_-]?(?:key|token)|wstoken|client[_-]?secret|secret|password", re.I)


def check_draft(draft: IntegrationDraft, destinations: Destinations) -> None:
    """Raise InvalidInput with an issue for everything that is wrong, so that it can be mended in one go."""
    issues = [
        *destinations.issues(draft),
        *_text_issues(draft),
        *_credential_issues(draft),
        *_placement_issues(draft.api_key_placement),
        *_header_issues("/headers", draft.headers),
    ]
    for data_type, endpoint in draft.endpoints.items():
        pointer = pointer_to(["endpoints", data_type])
        issues += _request_issues(pointer, endpoint)
        if endpoint.deletes is not None:
            issues += _request_issues(f"{pointer}/deletes", endpoint.deletes)
        issues += _below(pointer, endpoint_issues(endpoint, data_type, time_zone=draft.time_zone))
    for name, stream in draft.streams.items():
        pointer = pointer_to(["streams", name])
        issues += _request_issues(pointer, stream)
        issues += _below(pointer, stream_issues(stream))
    if issues:
        fields = ", ".join(dict.fromkeys(issue.pointer for issue in issues))
        raise InvalidInput(f"Mend {fields} and send it again.", issues)


def _text_issues(draft: IntegrationDraft) -> Iterator[Issue]:
    texts = {"/name": draft.name, "/type": draft.type, "/username": draft.username or ""}
    if draft.oauth is not None:
        texts["/oauth/clientId"] = draft.oauth.client_id
        texts |= {pointer_to(["oauth", "scopes", index]): scope for index, scope in enumerate(draft.oauth.scopes)}
    for pointer, text in texts.items():
        if _CONTROL.search(text):
            yield Issue(pointer, "value_error", "Leave out line breaks and control characters.")


def _credential_issues(draft: IntegrationDraft) -> Iterator[Issue]:
    """The fetcher's own rule, told before the credential is sealed: later only a failed sync could tell."""
    credentials = {
        "/apiKey": draft.api_key,
        "/password": draft.password,
        "/oauth/clientSecret": draft.oauth.client_secret if draft.oauth else None,
    }
    for pointer, secret in credentials.items():
        value = secret.get_secret_value().strip() if secret else "absent"
        if not value or not value.isprintable():
            yield Issue(
                pointer, "value_error", "A credential has no line breaks or control characters, and is not blank."
            )


def _placement_issues(placement: ApiKeyPlacement) -> Iterator[Issue]:
    if not placement.prefix.isascii() or not (placement.prefix + " ").isprintable():
        yield Issue("/apiKeyPlacement/prefix", "value_error", "The prefix must be printable ASCII, such as 'Token '.")
    if placement.placement == "query" or placement.name.lower() == "authorization":
        return  # a key may stand in Authorization, behind whatever prefix the system wants
    try:
        check_headers({placement.name: ""})
    except ValueError as error:
        yield Issue("/apiKeyPlacement/name", "value_error", str(error))


def _below(pointer: str, issues: list[Issue]) -> list[Issue]:
    return [Issue(pointer + issue.pointer, issue.code, issue.message) for issue in issues]


def _request_issues(pointer: str, request: Request) -> Iterator[Issue]:
    try:
        check_headers(request.headers)
    except ValueError as error:
        yield Issue(f"{pointer}/headers", "value_error", str(error))
    yield from _header_issues(f"{pointer}/headers", request.headers)
    for name in request.params:
        if _SECRET_PARAMS.fullmatch(name):
            yield _misplaced(pointer + pointer_to(["params", name]), name, placement="query")
    for name, _ in parse_qsl(request.path.partition("?")[2], keep_blank_values=True):
        if _SECRET_PARAMS.fullmatch(name):
            yield _misplaced(f"{pointer}/path", name, placement="query")


def _header_issues(pointer: str, headers: Mapping[str, str]) -> Iterator[Issue]:
    for name in headers:
        if is_secret_name(name):
            yield _misplaced(pointer + pointer_to([name]), name, placement="header")


def _misplaced(pointer: str, name: str, *, placement: str) -> Issue:
    return Issue(
        pointer,
        "credential_misplaced",
        f"{name} looks like a credential, and this place is not encrypted. Put its value in apiKey, set authType to "
        f'api-key and apiKeyPlacement to {{"placement": "{placement}", "name": "{name[:64]}"}}.',
    )
