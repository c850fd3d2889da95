"""A token endpoint as vendors have them: which grants it knows, how the client shows itself, what it leaves out."""

import base64
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import unquote_plus

from hub_standalone.demo.simulated.simulator import form_of, json, same
from starlette.requests import Request
from starlette.responses import Response


@dataclass
class TokenEndpoint:
    """Gives access tokens and knows those that still hold. ``refresh_token`` is the one that holds now.

    ``rotates``: every refresh gives another refresh token and ends the one before. ``accepts``: ``basic`` and
    ``body``, the ways in which the client may send its secret.
    """

    client_id: str
    client_secret: str
    now: Callable[[], datetime]
    grants: tuple[str, ...] = ("client_credentials",)
    accepts: tuple[str, ...] = ("basic", "body")
    life_s: int = 3600
    says_expiry: bool = True
    rotates: bool = False
    username: str = ""
    password: str = ""
    refresh_token: str = ""
    issued: int = 0
    _until: dict[str, datetime] = field(default_factory=dict)

    def holds(self, token: str) -> bool:
        return self._until.get(token, self.now()) > self.now()

    def bearer_of(self, request: Request) -> bool:
        """Whether the request bears a token that holds."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self.holds(token)

    def revoke_all(self) -> None:
        self._until.clear()

    async def answer(self, request: Request) -> Response:
        form = await form_of(request)
        client_id, client_secret = self._client(request, form)
        if not (same(client_id, self.client_id) and same(client_secret, self.client_secret)):
            return json({"error": "invalid_client"}, 401, {"www-authenticate": "Basic"})
        grant = form.get("grant_type", "")
        if grant not in self.grants:
            return json({"error": "unsupported_grant_type"}, 400)
        if grant == "refresh_token" and not same(form.get("refresh_token"), self.refresh_token):
            return json({"error": "invalid_grant", "error_description": "Token has been expired or revoked."}, 400)
        given = (form.get("username"), form.get("password"))
        if grant == "password" and not (same(given[0], self.username) and same(given[1], self.password)):
            return json({"error": "invalid_grant"}, 400)
        return json(self._issue(grant), headers={"cache-control": "no-store"})

    def _client(self, request: Request, form: dict[str, str]) -> tuple[str, str]:
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic" and "basic" in self.accepts:
            user, _, password = base64.b64decode(encoded).decode().partition(":")
            return unquote_plus(user), unquote_plus(password)
        if "body" in self.accepts:
            return form.get("client_id", ""), form.get("client_secret", "")
        return "", ""

    def _issue(self, grant: str) -> dict[str, object]:
        token = f"at-{secrets.token_urlsafe(24)}"
        self.issued += 1
        self._until[token] = self.now() + timedelta(seconds=self.life_s)
        body: dict[str, object] = {"access_token": token, "token_type": "bearer"}
        if self.says_expiry:
            body["expires_in"] = self.life_s
        if grant == "refresh_token" and self.rotates:
            self.refresh_token = f"rt-{secrets.token_urlsafe(24)}"
            body["refresh_token"] = self.refresh_token
        return body
