"""What a draft must fulfil beyond its form: mappings compile, and credentials stand where they are sealed."""

import re
from collections.abc import Iterator

from hub_mapping.checking import endpoint_issues, stream_issues
from hub_mapping.pushes import push_issues
from hub_model.addresses import check_headers
from hub_model.endpoints import Request
from hub_model.errors import InvalidInput, Issue
from hub_model.integrations import IntegrationDraft
from hub_runtime.pointers import pointer_to

from hub_config_api.contradictions import request_contradictions, unstorable
from hub_config_api.credentials import credential_issues, misplaced_in_headers, misplaced_in_request, unknown_places
from hub_config_api.destinations import Destinations

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # not isprintable(): names in Indian scripts need joiners


def check_draft(draft: IntegrationDraft, destinations: Destinations) -> None:
    """Raise InvalidInput with an issue for everything that is wrong, so that it can be mended in one go."""
    issues = [
        *destinations.issues(draft),
        *_text_issues(draft),
        *credential_issues(draft),
        *misplaced_in_headers("/headers", draft.headers),
        *unstorable(draft),
        *_below("/webhook", push_issues(draft.webhook) if draft.webhook else []),
    ]
    for data_type, endpoint in draft.endpoints.items():
        pointer = pointer_to(["endpoints", data_type])
        has_windows = endpoint.incremental is not None
        issues += _request_issues(pointer, endpoint, draft, has_windows=has_windows)
        if endpoint.deletes is not None:
            issues += _request_issues(f"{pointer}/deletes", endpoint.deletes, draft, has_windows=has_windows)
        issues += _below(pointer, endpoint_issues(endpoint, data_type, time_zone=draft.time_zone))
    for name, stream in draft.streams.items():
        pointer = pointer_to(["streams", name])
        issues += _request_issues(pointer, stream, draft, has_windows=stream.incremental is not None)
        issues += _below(pointer, stream_issues(stream))
    if issues:
        fields = ", ".join(dict.fromkeys(issue.pointer for issue in issues))
        raise InvalidInput(f"Mend {fields} and send it again.", issues)


def _text_issues(draft: IntegrationDraft) -> Iterator[Issue]:
    texts = {"/name": draft.name, "/type": draft.type, "/username": draft.username or ""}
    if draft.oauth is not None:
        texts["/oauth/clientId"] = draft.oauth.client_id
        texts |= {pointer_to(["oauth", "scopes", index]): scope for index, scope in enumerate(draft.oauth.scopes)}
        texts |= {pointer_to(["oauth", "extraParams", name]): text for name, text in draft.oauth.extra_params.items()}
    if draft.oauth1 is not None:
        texts |= {"/oauth1/consumerKey": draft.oauth1.consumer_key, "/oauth1/realm": draft.oauth1.realm or ""}
    for pointer, text in texts.items():
        if _CONTROL.search(text):
            yield Issue(pointer, "value_error", "Leave out line breaks and control characters.")


def _below(pointer: str, issues: list[Issue]) -> list[Issue]:
    return [Issue(pointer + issue.pointer, issue.code, issue.message) for issue in issues]


def _request_issues(pointer: str, request: Request, draft: IntegrationDraft, *, has_windows: bool) -> Iterator[Issue]:
    try:
        check_headers(request.headers)
    except ValueError as error:
        yield Issue(f"{pointer}/headers", "value_error", str(error))
    yield from misplaced_in_request(pointer, request)
    yield from unknown_places(pointer, request, draft)
    yield from request_contradictions(pointer, request, has_windows=has_windows)
