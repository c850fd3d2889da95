"""HTTP Digest (RFC 7616): httpx2 computes the answers to a source's challenges; nothing is sent from here.

A challenge is answered again and again, counting, until the source makes a new one (``stale``).
"""

import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping

import httpx2

from hub_fetcher.auth.credentials import Credential, Outgoing, unusable

_MAX_SESSIONS = 1_000
_MAX_READY = 100
_CHALLENGE = re.compile(r"(?:^|,\s*)digest\s+", re.IGNORECASE)


class DigestSession:
    """The challenge of one source and the count of its uses; several requests at once share it."""

    def __init__(self, user: str, password: str) -> None:
        self._user, self._password = user, password
        self._auth = httpx2.DigestAuth(user, password)
        # The answers to a challenge that was just made, by what is asked for: they are the first of its count.
        self._ready: OrderedDict[tuple[str, str], str] = OrderedDict()

    def authorize(self, asked: Outgoing) -> Mapping[str, str]:
        """The header for this request; none before the first challenge."""
        ready = self._ready.pop((asked.method, asked.url), None)
        if ready is None:
            ready = next(self._auth.auth_flow(_bare(asked))).headers.get("Authorization")
        return {"Authorization": ready} if ready else {}

    def challenged(self, asked: Outgoing, answer: Mapping[str, str]) -> bool:
        """Take in the challenge of a refusal; False if there is none, SourceError if none can be answered."""
        challenges = list(_challenges(answer))
        for challenge in challenges:
            auth = httpx2.DigestAuth(self._user, self._password)
            flow = auth.auth_flow(_bare(asked))
            request = next(flow)
            try:
                response = httpx2.Response(401, headers={"www-authenticate": challenge}, request=request)
                header = flow.send(response).headers["Authorization"]
            except (httpx2.ProtocolError, NotImplementedError, ValueError, StopIteration):
                continue  # another algorithm or quality of protection: the source may offer several
            self._auth = auth
            self._ready[asked.method, asked.url] = header
            while len(self._ready) > _MAX_READY:
                self._ready.popitem(last=False)
            return True
        if challenges:
            raise unusable(
                "the source's Digest challenge cannot be answered",
                code="digest_unsupported",
                public="The source asks for a kind of HTTP Digest that the hub does not know. It knows MD5 and SHA-256 "
                "with qop auth.",
            )
        return False


class DigestSessions:
    """Sessions by what they are for, so that the stretches of a walk go on with one challenge."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, DigestSession] = OrderedDict()

    def get(self, identity: str, user: str, password: str) -> DigestSession:
        session = self._sessions.setdefault(identity, DigestSession(user, password))
        self._sessions.move_to_end(identity)
        while len(self._sessions) > _MAX_SESSIONS:
            self._sessions.popitem(last=False)
        return session


class DigestCredential:
    """User name and password of one integration, as an ``Authenticator``."""

    def __init__(self, session: DigestSession) -> None:
        self._session = session

    async def credential(self) -> Credential:
        return Credential(sign=self._session.authorize)

    async def renew(self, refused: Credential, asked: Outgoing, answer: Mapping[str, str]) -> bool:
        return self._session.challenged(asked, answer)


def _challenges(answer: Mapping[str, str]) -> Iterator[str]:
    """Each Digest challenge, however many schemes stand in one header."""
    values = answer.get_list("www-authenticate") if isinstance(answer, httpx2.Headers) else list(answer.values())
    for value in values:
        for text in _CHALLENGE.split(value)[1:]:
            yield f"Digest {text}"


def _bare(asked: Outgoing) -> httpx2.Request:
    return httpx2.Request(asked.method, asked.url)
