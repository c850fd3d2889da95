"""What a draft says about its credentials must be sendable, complete, and where it is sealed."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from hub_model.access import given_secrets
from hub_model.addresses import check_headers
from hub_model.auth import AuthType, LoginSettings, OAuthSettings, Placement, login_places
from hub_model.endpoints import CREDENTIAL_PLACE, Request, placeholders
from hub_model.errors import Issue
from hub_model.integrations import IntegrationDraft
from hub_runtime.pointers import pointer_to
from hub_security.redaction import is_secret_name

_SECRET_PARAMS = re.compile(
    r"(?:x[_-])?(?:api|access|auth|refresh|session|security|subscription|private|secret|license)[_-]?(?:key|token)"
    r"|(?:ws)?token|jwt|(?:client|api|app)[_-]?secret|secret|password|passwd|passw|pwd",
    re.I,
)


def credential_issues(draft: IntegrationDraft) -> Iterator[Issue]:
    """The fetcher's own rules, told before anything is sealed: later only a failed sync could tell."""
    yield from _secret_issues(draft)
    yield from _username_issues(draft)
    placements: dict[str, Placement] = {"/apiKeyPlacement": draft.api_key_placement}
    placements |= {f"/extraKeys/{index}": key for index, key in enumerate(draft.extra_keys)}
    if draft.oauth is not None:
        placements["/oauth/tokenPlacement"] = draft.oauth.token_placement
        yield from _oauth_issues(draft.oauth)
    if draft.login is not None:
        placements["/login/requestAuthentication"] = draft.login.request_authentication
        yield from _login_issues(draft.login)
    for pointer, placement in placements.items():
        yield from _placement_issues(pointer, placement)
    yield from _clash_issues(draft)


def misplaced_in_headers(pointer: str, headers: Mapping[str, str]) -> Iterator[Issue]:
    """Headers that hold a credential, and are stored as they are."""
    for name in headers:
        if is_secret_name(name):
            yield _misplaced(pointer + pointer_to([name]), name, placement="header")


def misplaced_in_request(pointer: str, request: Request) -> Iterator[Issue]:
    """Headers, parameters and fields of a body that hold a credential."""
    yield from misplaced_in_headers(f"{pointer}/headers", request.headers)
    for name in request.params:
        if _SECRET_PARAMS.fullmatch(name):
            yield _misplaced(pointer + pointer_to(["params", name]), name, placement="query")
    for name, _ in parse_qsl(request.path.partition("?")[2], keep_blank_values=True):
        if _SECRET_PARAMS.fullmatch(name):
            yield _misplaced(f"{pointer}/path", name, placement="query")
    for name, value in request.body.items() if isinstance(request.body, dict) else ():
        if _SECRET_PARAMS.fullmatch(name) and not _is_place(value):
            yield _misplaced(pointer + pointer_to(["body", name]), name, placement="body")


def unknown_places(pointer: str, request: Request, draft: IntegrationDraft) -> Iterator[Issue]:
    """Places in the body for credentials that there are not."""
    keys: list[Placement] = [draft.api_key_placement, *draft.extra_keys]
    known = [key.name for key in keys if key.placement == "body"]
    for name in placeholders(request.body):
        if name.startswith(CREDENTIAL_PLACE) and name.removeprefix(CREDENTIAL_PLACE) not in known:
            yield Issue(
                f"{pointer}/body",
                "value_error",
                f"{{{{ {name} }}}} is the place of no key; there are those of apiKeyPlacement and extraKeys whose "
                f"placement is body{': ' if known else ''}{', '.join(known)}.",
            )


def _is_place(value: Any) -> bool:
    return any(name.startswith(CREDENTIAL_PLACE) for name in placeholders(value))


def _secret_issues(draft: IntegrationDraft) -> Iterator[Issue]:
    for pointer, secret in given_secrets(draft).values():
        value = secret.get_secret_value().strip()
        if not value or not value.isprintable():
            yield Issue(
                pointer, "value_error", "A credential has no line breaks or control characters, and is not blank."
            )


def _username_issues(draft: IntegrationDraft) -> Iterator[Issue]:
    if draft.username:
        return
    why = None
    if draft.auth_type is AuthType.DIGEST:
        why = "authType digest needs a user name"
    elif draft.auth_type is AuthType.OAUTH and draft.oauth is not None and draft.oauth.grant == "password":
        why = "the grant password needs a user name"
    elif draft.auth_type is AuthType.LOGIN and draft.login is not None and "username" in _places(draft.login):
        why = "the login asks for {{ username }}"
    if why is not None:
        yield Issue("/username", "missing", f"Give the user name: {why}.")


def _oauth_issues(oauth: OAuthSettings) -> Iterator[Issue]:
    in_url = (("/oauth/tokenUrl", name) for name, _ in parse_qsl(urlsplit(oauth.token_url).query, True))
    in_form = ((f"/oauth/extraParams{pointer_to([name])}", name) for name in oauth.extra_params)
    for pointer, name in (*in_url, *in_form):
        if _SECRET_PARAMS.fullmatch(name):
            yield Issue(
                pointer,
                "credential_misplaced",
                f"{name} looks like a credential, and this place is not encrypted. Use oauth.clientSecret, "
                "oauth.refreshToken or password.",
            )


def _login_issues(login: LoginSettings) -> Iterator[Issue]:
    request = login.login_requester
    if "password" not in _places(login):
        yield Issue(
            "/login/loginRequester/body",
            "missing",
            'Say where the password goes, such as {"username": "{{ username }}", "password": "{{ password }}"}.',
        )
    body = request.body if isinstance(request.body, dict) else {}
    parts: dict[str, Mapping[str, object]] = {"params": request.params, "headers": request.headers, "body": body}
    for part, fields in parts.items():
        for name, value in fields.items():
            is_secret = bool(_SECRET_PARAMS.fullmatch(name)) or is_secret_name(name)
            if is_secret and isinstance(value, str) and not login_places(value):
                yield Issue(
                    f"/login/loginRequester/{part}{pointer_to([name])}",
                    "credential_misplaced",
                    f"{name} looks like a credential, and this place is not encrypted. Write {{{{ password }}}} here "
                    "and the value in password, or send it as one of extraKeys.",
                )


def _places(login: LoginSettings) -> list[str]:
    request = login.login_requester
    return login_places([request.params, request.headers, request.body])


def _placement_issues(pointer: str, placement: Placement) -> Iterator[Issue]:
    for field, text in {"prefix": placement.prefix, "suffix": placement.suffix}.items():
        if not text.isascii() or not (text + " ").isprintable():
            yield Issue(f"{pointer}/{field}", "value_error", f"The {field} must be printable ASCII, such as 'Token '.")
    if placement.placement != "header" or placement.name.lower() == "authorization":
        return  # a key may stand in Authorization, behind whatever prefix the system wants
    try:
        check_headers({placement.name: ""})
    except ValueError as error:
        yield Issue(f"{pointer}/name", "value_error", str(error))


def _clash_issues(draft: IntegrationDraft) -> Iterator[Issue]:
    """Two credentials in one place: the second would silently replace the first."""
    taken = {("header", "authorization")}
    match draft.auth_type:
        case AuthType.API_KEY:
            taken = {_place(draft.api_key_placement)}
        case AuthType.OAUTH if draft.oauth is not None:
            taken = {_place(draft.oauth.token_placement)}
        case AuthType.LOGIN if draft.login is not None:
            taken = {_place(draft.login.request_authentication)}
    for index, key in enumerate(draft.extra_keys):
        if _place(key) in taken:
            yield Issue(f"/extraKeys/{index}/name", "value_error", f"{key.name} holds the credential of authType.")


def _place(placement: Placement) -> tuple[str, str]:
    is_header = placement.placement == "header"
    return placement.placement, placement.name.lower() if is_header else placement.name


def _misplaced(pointer: str, name: str, *, placement: str) -> Issue:
    return Issue(
        pointer,
        "credential_misplaced",
        f"{name} looks like a credential, and this place is not encrypted. Put its value in apiKey, set authType to "
        f'api-key and apiKeyPlacement to {{"placement": "{placement}", "name": "{name[:64]}"}}; or, beside another '
        "credential, make it one of extraKeys.",
    )
