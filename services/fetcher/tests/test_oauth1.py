"""OAuth 1.0a: the vectors of its RFC, and a server that checks every signature by itself."""

import base64
import hmac
import re
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import pytest
from hub_fetcher.auth.credentials import Outgoing
from hub_fetcher.auth.oauth1 import signature
from hub_model.errors import SourceError
from hypothesis import given
from hypothesis import strategies as st
from oauthlib.oauth1 import Client

SECRET = "canary-consumer&secret"
_PARAM = re.compile(r'(\w+)="([^"]*)"')


def parsed(header: str) -> dict[str, str]:
    assert header.startswith("OAuth ")
    return {name: unquote(value) for name, value in _PARAM.findall(header)}


def test_the_signature_of_rfc_5849_section_1_2() -> None:
    """The request for photos, whose signature the RFC gives."""
    client = Client(
        "dpf43f3p2l4k3l03",
        client_secret="kd94hf93k423kf44",
        resource_owner_key="nnch734d00sl2jdk",
        resource_owner_secret="pfkkdhi9sl3r4s00",
        realm="Photos",
        nonce="chapoH",
        timestamp="137131202",
    )
    # oauthlib always sends oauth_version, which the RFC's example leaves out: without it the signature is the RFC's.
    inner = client.get_oauth_params
    client.get_oauth_params = lambda request: [pair for pair in inner(request) if pair[0] != "oauth_version"]
    request = Outgoing("GET", "http://photos.example.net/photos?file=vacation.jpg&size=original", {})
    given = parsed(signature(client, request)["Authorization"])
    assert given["oauth_signature"] == "MdpQcU8iPSUjWoN/UDMsK2sui9I="
    assert given["realm"] == "Photos"


def expected(method: str, url: str, form: str, header: dict[str, str], digest: str, token_secret: str = "") -> str:
    """RFC 5849 section 3.4, written anew."""

    def escape(text: str) -> str:
        return quote(text, safe="~")

    parts = urlsplit(url)
    pairs = [(name, value) for name, value in header.items() if name not in ("realm", "oauth_signature")]
    pairs += parse_qsl(parts.query, keep_blank_values=True) + parse_qsl(form, keep_blank_values=True)
    normal = "&".join(f"{name}={value}" for name, value in sorted((escape(n), escape(v)) for n, v in pairs))
    host = parts.netloc.lower()
    base = "&".join([method, escape(f"{parts.scheme}://{host}{parts.path or '/'}"), escape(normal)])
    key = f"{escape(SECRET)}&{escape(token_secret)}"
    return base64.b64encode(hmac.new(key.encode(), base.encode(), digest).digest()).decode()


@pytest.mark.parametrize(
    ("settings", "secrets", "digest", "token_secret"),
    [
        ({}, {}, "sha1", ""),
        ({"signatureMethod": "HMAC-SHA256", "realm": "r"}, {}, "sha256", ""),
        ({}, {"token": "tok", "tokenSecret": "ts&"}, "sha1", "ts&"),
    ],
)
@pytest.mark.parametrize(
    "endpoint",
    [
        {"params": {"filter": "dateLastModified>'2026-01-01'", "a": ["2", "1", "ü &=+"], "limit": 3, "empty": ""}},
        {"path": "/users?x=a%20b&offset=0"},
        {"method": "POST", "bodyType": "form", "body": {"b5": "=%3D", "a3": ["a", "2 q"]}, "params": {"q": "1"}},
        {"method": "POST", "body": {"json": True}},
    ],
)
async def test_each_request_is_signed_as_the_server_sees_it(
    walk_all: Any,
    college: Any,
    make_integration: Any,
    endpoint: dict[str, Any],
    settings: dict[str, Any],
    secrets: dict[str, str],
    digest: str,
    token_secret: str,
) -> None:
    """OneRoster 1.1. Credentials in the query are signed too."""
    nonces = set()

    def reply(asked: Any) -> Any:
        header = parsed(asked.headers["authorization"])
        is_form = asked.headers.get("content-type", "").startswith("application/x-www-form")
        form = asked.body.decode() if is_form else ""
        good = expected(asked.method, college.url + asked.target, form, header, digest, token_secret)
        assert header["oauth_signature"] == good
        assert header["oauth_consumer_key"] == "hub"
        assert header.get("oauth_token") == secrets.get("token")
        nonces.add(header["oauth_nonce"])
        page = int(asked.query.get("page", 1)) + 1
        return college.json({"data": [{"id": page}], "next": f"{asked.target}&page={page}" if page < 4 else None})

    college.answer = reply
    integration = make_integration(
        authType="oauth1",
        oauth1={"consumerKey": "hub", **settings},
        extraKeys=[{"placement": "query", "name": "vendor"}],
        secrets={"consumerSecret": SECRET, "extraKeys:vendor": "v 1", **secrets},
        endpoints={
            "students": {
                "path": "/users",
                "pagination": {"type": "next_url", "nextUrlPath": "next"}
                if "method" not in endpoint
                else {"type": "none"},
                **endpoint,
            }
        },
    )
    walked = await walk_all(integration=integration)
    assert len(walked.records) == len(nonces) == (1 if "method" in endpoint else 3), walked.last


def test_a_link_that_is_not_wholly_percent_encoded_is_signed_as_it_will_be_read() -> None:
    """A source's own next link, followed as it is."""
    client = Client("c", client_secret=SECRET, nonce="n", timestamp="1")
    url = "https://erp.edu/a?filter[status]=active|new&q={x}"
    header = parsed(signature(client, Outgoing("GET", url, {}))["Authorization"])
    assert header["oauth_signature"] == expected("GET", url, "", header, "sha1")


async def test_a_request_that_cannot_be_signed_is_an_error_without_its_url() -> None:
    client = Client("c", client_secret=SECRET)
    with pytest.raises(SourceError) as caught:
        signature(client, Outgoing("GET", "http://a.edu/x?q=%zz&canary=1", {}))
    assert caught.value.code == "request_unsignable"
    assert "canary" not in str(caught.value) + caught.value.public
    assert caught.value.__cause__ is None


@given(st.lists(st.tuples(st.text(min_size=1), st.text()), max_size=5))
def test_any_parameters_are_signed_as_the_rfc_says(params: list[tuple[str, str]]) -> None:
    params = [(n, v) for n, v in params if not any("\ud800" <= char <= "\udfff" for char in n + v)]
    query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in params)
    client = Client("c", client_secret=SECRET, nonce="n", timestamp="1")
    url = f"https://erp.edu/a/b?{query}"
    header = parsed(signature(client, Outgoing("GET", url, {}))["Authorization"])
    assert header["oauth_signature"] == expected("GET", url, "", header, "sha1")
