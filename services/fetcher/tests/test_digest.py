"""HTTP Digest: the vectors of its RFC, and a server that checks every answer by itself and counts."""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from hub_fetcher.auth.credentials import Outgoing
from hub_fetcher.auth.digest import DigestSession
from hub_model.errors import ErrorClass, SourceError
from hypothesis import given
from hypothesis import strategies as st

_PARAM = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')
CHALLENGE = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)


def parsed(header: str) -> dict[str, str]:
    assert header.startswith("Digest ")
    return {name: quoted or plain for name, quoted, plain in _PARAM.findall(header)}


class FixedNonce(httpx2.DigestAuth):
    """The client of the RFC's example."""

    def _get_client_nonce(self, nonce_count: int, nonce: bytes) -> bytes:
        return b"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_answers_of_rfc_7616_section_3_9_1(monkeypatch: pytest.MonkeyPatch, algorithm: str, response: str) -> None:
    monkeypatch.setattr(httpx2, "DigestAuth", FixedNonce)
    session = DigestSession("Mufasa", "Circle of Life")
    asked = Outgoing("GET", "http://www.example.org/dir/index.html", {})
    assert session.authorize(asked) == {}
    assert session.challenged(asked, httpx2.Headers({"www-authenticate": CHALLENGE.format(algorithm)}))
    given = parsed(session.authorize(asked)["Authorization"])
    assert (given["response"], given["nc"], given["qop"], given["uri"]) == (
        response,
        "00000001",
        "auth",
        "/dir/index.html",
    )
    assert given["opaque"] == "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"


@dataclass
class Device:
    """A terminal that knows one user, and each nonce for so many requests."""

    college: Any
    algorithm: str = "MD5"
    uses: int = 1000
    says_stale: bool = True
    qop: str = 'qop="auth", '
    user: str = "admin"
    password: str = "p:w/ü"
    nonces: list[str] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    challenges: int = 0

    def __post_init__(self) -> None:
        self.college.answer = self.answer

    def answer(self, asked: Any) -> Any:
        header = asked.headers.get("authorization")
        if header is None:
            return self.challenge(is_stale=False)
        given = parsed(header)
        if not self.nonces or given["nonce"] != self.nonces[-1] or given["response"] != self.expected(asked, given):
            return self.challenge(is_stale=given["nonce"] in self.nonces[:-1])
        if len(self.counts) >= self.uses:
            return self.challenge(is_stale=True)
        if self.qop:
            assert int(given["nc"], 16) == len(self.counts) + 1
            self.counts.append(int(given["nc"], 16))
        page = int(asked.query.get("page", 1))
        return self.college.json({"data": [{"id": page}], "next": f"/students?page={page + 1}" if page < 5 else None})

    def challenge(self, *, is_stale: bool) -> Any:
        self.challenges += 1
        self.nonces.append(f"nonce-{self.challenges}")
        self.counts = []
        stale = ", stale=true" if is_stale and self.says_stale else ""
        answer = self.college.json({}, 401)
        answer.headers["WWW-Authenticate"] = (
            f'Digest realm="device", {self.qop}algorithm={self.algorithm}, nonce="{self.nonces[-1]}"{stale}'
        )
        return answer

    def expected(self, asked: Any, given: dict[str, str]) -> str:
        def hashed(text: str) -> str:
            return hashlib.new({"MD5": "md5", "SHA-256": "sha256"}[self.algorithm], text.encode()).hexdigest()

        one = hashed(f"{self.user}:device:{self.password}")
        two = hashed(f"{asked.method}:{asked.target}")
        counted = f"{given['nc']}:{given['cnonce']}:auth:" if self.qop else ""
        return hashed(f"{one}:{given['nonce']}:{counted}{two}")


@pytest.fixture
def terminal(make_integration: Any) -> Any:
    def make(password: str = "p:w/ü", **endpoint: Any) -> Any:
        return make_integration(
            authType="digest",
            username="admin",
            secrets={"password": password},
            endpoints={
                "students": {
                    "path": "/students",
                    "pagination": {"type": "next_url", "nextUrlPath": "next"},
                    **endpoint,
                }
            },
        )

    return make


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
async def test_one_challenge_serves_a_whole_walk_and_the_next(
    walk_all: Any, college: Any, terminal: Any, algorithm: str
) -> None:
    device = Device(college, algorithm)
    for _ in range(2):
        assert [record["id"] for record in (await walk_all(integration=terminal())).records] == [1, 2, 3, 4, 5]
    assert (device.challenges, device.counts[-1], len(college.asked)) == (1, 10, 11)


@pytest.mark.parametrize("says_stale", [True, False])
async def test_a_stale_nonce_is_replaced_in_the_middle_of_a_walk(
    walk_all: Any, college: Any, terminal: Any, says_stale: bool
) -> None:
    """Not every terminal says that the nonce was merely too old."""
    device = Device(college, uses=2, says_stale=says_stale)
    assert len((await walk_all(integration=terminal())).records) == 5
    assert device.challenges == 3


async def test_a_wrong_password_is_an_error_about_credentials_after_one_answer(
    walk_all: Any, college: Any, terminal: Any
) -> None:
    Device(college)
    walked = await walk_all(integration=terminal("canary-wrong"))
    assert (walked.last.code, walked.last.error_class) == ("credentials_refused", ErrorClass.AUTH)
    assert len(college.asked) == 2
    assert all("canary" not in str(asked) for asked in college.asked)


async def test_a_body_is_sent_again_with_the_answer(walk_all: Any, college: Any, terminal: Any) -> None:
    """Hikvision: a search is a POST."""
    Device(college)
    body = {"AcsEventCond": {"major": 5}}
    integration = terminal(method="POST", body=body, pagination={"type": "none"})
    assert (await walk_all(integration=integration)).records == [{"id": 1}]
    assert [asked.body for asked in college.asked] == [b'{"AcsEventCond":{"major":5}}'] * 2


async def test_a_challenge_without_qop_is_answered_too(walk_all: Any, college: Any, terminal: Any) -> None:
    """RFC 2069, which old devices speak."""
    device = Device(college, qop="")
    assert len((await walk_all(integration=terminal())).records) == 5
    assert device.challenges == 1


@pytest.mark.parametrize(
    "headers",
    [
        ['Basic realm="x"', 'Digest realm="r", qop="auth", nonce="n", algorithm=MD5'],
        ['Basic realm="x", Digest realm="r", qop="auth", nonce="n"'],
        ['Digest realm="r", nonce="n", algorithm=SHA-512-256', 'Digest realm="r", nonce="n", qop="auth"'],
        ['Digest realm="r", nonce="n", qop="auth-int"', 'DIGEST realm="r", nonce="n", qop="auth,auth-int"'],
    ],
)
def test_of_several_challenges_the_first_that_can_be_answered_is(headers: list[str]) -> None:
    session = DigestSession("u", "p")
    asked = Outgoing("GET", "http://a.edu/x", {})
    answer = httpx2.Headers([("www-authenticate", value) for value in headers])
    assert session.challenged(asked, answer)
    assert parsed(session.authorize(asked)["Authorization"])["nonce"] == "n"


@pytest.mark.parametrize(
    "challenge",
    [
        'Digest realm="r", nonce="n", qop="auth-int"',
        'Digest realm="r", nonce="n", algorithm=SHA-512-256',
        'Digest realm="r"',
        "Digest nonsense",
        'Digest realm="r", nonce="n", qop="other"',
    ],
)
def test_a_challenge_that_cannot_be_answered_is_told(challenge: str) -> None:
    session = DigestSession("u", "p")
    with pytest.raises(SourceError) as caught:
        session.challenged(Outgoing("GET", "http://a.edu/x", {}), httpx2.Headers({"www-authenticate": challenge}))
    assert (caught.value.code, caught.value.error_class) == ("digest_unsupported", ErrorClass.AUTH)
    assert session.authorize(Outgoing("GET", "http://a.edu/x", {})) == {}


def test_a_refusal_without_a_challenge_is_final() -> None:
    session = DigestSession("u", "p")
    assert not session.challenged(Outgoing("GET", "http://a.edu/x", {}), httpx2.Headers({"www-authenticate": "Basic"}))
    assert not session.challenged(Outgoing("GET", "http://a.edu/x", {}), httpx2.Headers({}))


@given(st.text(max_size=80))
def test_no_challenge_breaks_anything(text: str) -> None:
    session = DigestSession("u", "p")
    asked = Outgoing("GET", "http://a.edu/x", {})
    header = f"Digest {text.encode('ascii', 'ignore').decode()}"
    try:
        session.challenged(asked, {"www-authenticate": header})
    except SourceError:
        pass
    else:
        session.authorize(asked)
