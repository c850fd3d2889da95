"""The guarded client against the address part of the attack corpus, with an injected resolver and real sockets."""

import asyncio
import gzip
import ssl
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hub_model.errors import ErrorClass, InvalidInput, SourceError, TooLarge, Unavailable
from hub_security.addresses import AddressPolicy, parse_networks
from hub_security.bodies import read_bounded
from hub_security.egress import open_client
from hub_security.hosts import Host, PortPolicy, check_url, parse_host
from hypothesis import given
from hypothesis import strategies as st

LOOPBACK = "127.0.0.0/8"


class FakeResolver:
    """Answers from a list of answers; the last one repeats. Remembers what it was asked."""

    def __init__(self, *answers: Sequence[str] | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Server:
    """A raw TCP server that counts connections and answers each request with the same bytes."""

    def __init__(self, reply: bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok") -> None:
        self.reply = reply
        self.requests: list[bytes] = []
        self.connections = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.requests.append(head)
                writer.write(self.reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(server: Server, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()


def is_refusal(error: SourceError) -> bool:
    return error.code == "address_refused" and error.error_class is ErrorClass.CONFIG


REFUSED_ADDRESSES = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3"),
    *("::1", "::", "0:0:0:0:0:0:0:1"),
    *("::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:a9fe:a9fe", "::ffff:100.64.0.1"),
    *("::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1"),
    *("2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:53aa:64c::1", "fe80::1", "fec0::1", "febf:ffff::1"),
    *("fc00::1", "fd00:ec2::254", "ff02::1", "ff0e::1", "100::1", "2001:db8::1", "3fff::1", "5f00::1", "100:0:0:1::1"),
    *("169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16"),
    *("10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "100.64.0.0", "100.127.255.255"),
    *("192.0.0.8", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1"),
    *("192.31.196.1", "192.52.193.1", "192.175.48.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255"),
    *("2620:4f:8000::1", "2001:20::1", "::ffff:10.0.0.1"),
]
PUBLIC_ADDRESSES = [
    *("8.8.8.8", "100.63.255.254", "100.128.0.1", "172.15.255.255", "172.32.0.0", "192.167.255.255", "11.0.0.0"),
    *("126.255.255.255", "128.0.0.0", "223.255.255.255", "198.17.255.255", "198.20.0.0", "168.63.129.17"),
    *("2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8", "2001:200::1", "2620:4f:8001::1"),
]


@pytest.mark.parametrize("text", REFUSED_ADDRESSES)
def test_the_table_refuses_what_is_not_public(text: str) -> None:
    assert not AddressPolicy().permits(ip_address(text))


@pytest.mark.parametrize("text", PUBLIC_ADDRESSES)
def test_the_table_permits_public_addresses_up_to_the_edges(text: str) -> None:
    assert AddressPolicy().permits(ip_address(text))


@given(st.ip_addresses(v=4))
def test_a_mapped_address_is_judged_as_the_address_it_maps(address: object) -> None:
    policy = AddressPolicy()
    assert policy.permits(ip_address(f"::ffff:{address}")) == policy.permits(ip_address(str(address)))


def test_an_operator_allows_private_networks_and_nothing_beside_them() -> None:
    policy = AddressPolicy(allowed=parse_networks(["10.20.0.0/16", "fd12::/16"]))
    assert policy.permits(ip_address("10.20.3.4"))
    assert policy.permits(ip_address("::ffff:10.20.3.4"))
    assert policy.permits(ip_address("fd12::5"))
    assert not policy.permits(ip_address("10.21.0.1"))


@pytest.mark.parametrize(
    "text", ["169.254.169.254", "100.100.100.200", "168.63.129.16", "fe80::1", "0.0.0.0", "fd00:ec2::254"]
)
def test_metadata_and_link_local_addresses_are_refused_whatever_is_allowed(text: str) -> None:
    assert not AddressPolicy(allowed=parse_networks(["0.0.0.0/0", "::/0"])).permits(ip_address(text))


def test_a_refused_network_wins_over_public_and_allowed() -> None:
    policy = AddressPolicy(
        allowed=parse_networks(["10.0.0.0/8"]), refused=parse_networks(["10.1.0.0/16", "8.8.8.8/32"])
    )
    assert not policy.permits(ip_address("10.1.2.3"))
    assert not policy.permits(ip_address("8.8.8.8"))
    assert policy.permits(ip_address("10.2.0.0"))


def test_a_network_that_is_none_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"10\.0\.0\.1/8"):
        parse_networks(["10.0.0.1/8"])


LITERALS = [
    *("http://127.0.0.1/", "http://127.255.255.254/", "http://localhost/", "http://LOCALHOST./", "http://0.0.0.0/"),
    *("http://0/", "http://0.1.2.3/", "http://2130706433/", "http://0x7f000001/", "http://017700000001/"),
    *("http://127.1/", "http://0x7f.1/", "http://0177.0.0.1/", "http://127.000.000.001/", "http://3232235777/"),
    *("http://[::1]/", "http://[::]/", "http://[0:0:0:0:0:0:0:1]/", "http://[::ffff:127.0.0.1]/"),
    *("http://[::ffff:a9fe:a9fe]/", "http://[::127.0.0.1]/", "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/"),
    *("http://[fe80::1]/", "http://[fe80::1%25eth0]/", "http://[fec0::1]/", "http://[fd00:ec2::254]/"),
    *("http://169.254.169.254/", "http://10.0.0.1/", "http://192.168.1.1/", "http://100.64.0.1/"),
    *("http://metadata.google.internal/", "http://db.svc.cluster.local/", "http://printer/", "http://nas.local/"),
    *("file:///etc/passwd", "gopher://example.com/", "ftp://example.com/", "dict://example.com/", "data:,x"),
    *("jar:http://example.com!/", "unix:/run/x.sock", "HTTP:///path", "http:/one-slash", "//example.com/"),
    *("http://good.example@127.0.0.1/", "http://127.0.0.1\\@good.example/", "http://a:b@c@127.0.0.1/"),
    *(
        "http://①②⑦.⓪.⓪.①/",
        "http://127。0。0。1/",
        "http://ⓛocalhost/",
        "http://１２７.0.0.1/",
    ),
    *(
        "http://127.0.0.1\0.good.example/",
        "http://good.example\t/",
        "http://good\r\n.example/",
        "http://good .example/",
    ),
    *("http://good.example:99999/", "http://good.example:0/", "http://good.example:25/", "http://good.example:6379/"),
    *(
        "http://good.example:27017/",
        "http://good.example:5672/",
        "http://good.example:80:90/",
        "http://good.example:x/",
    ),
    *("http://good.example:-1/", "http://:80/", "http:///", "http://good..example/", "http://-good.example/"),
    *("http://%31%32%37.0.0.1/", "http://[v1.x]/", "http://[::1/", "http://good.example%00/", "http://good.0x/"),
]


@pytest.mark.parametrize("url", LITERALS)
async def test_a_hostile_url_is_refused_before_any_lookup_or_packet(url: str) -> None:
    resolver = FakeResolver(["127.0.0.1"])
    async with serving(Server()) as server, open_client(resolve=resolver) as client:
        with pytest.raises((SourceError, httpx2.InvalidURL, httpx2.UnsupportedProtocol)) as caught:
            await client.get(url)
        assert not isinstance(caught.value, SourceError) or is_refusal(caught.value)
        assert server.connections == 0
    assert resolver.asked == []


def outcome(url: str) -> Host | SourceError:
    try:
        return check_url(url)
    except SourceError as error:
        return error


@pytest.mark.parametrize("url", [*LITERALS, "http://münchen.example/"])
def test_check_url_refuses_hostile_text_or_leaves_it_to_the_dial(url: str) -> None:
    checked = outcome(url)
    if isinstance(checked, SourceError):
        assert is_refusal(checked)
    else:
        assert checked.is_internal or (checked.address is not None and not AddressPolicy().permits(checked.address))


@given(st.text(max_size=40), st.sampled_from(["", "http://", "https://", "http://a@", "http://[", "http://127."]))
def test_check_url_raises_source_error_and_nothing_else(text: str, prefix: str) -> None:
    checked = outcome(prefix + text)
    assert is_refusal(checked) if isinstance(checked, SourceError) else checked.text.isascii()


@pytest.mark.parametrize(
    "url",
    [
        "https://erp.college.edu/api/v1",
        "http://8.8.8.8:8080/x?y=1",
        "https://[2606:4700::1111]/",
        "https://xn--mnchen-3ya.example:8443/",
        "http://a_b.example/",
    ],
)
def test_check_url_accepts_ordinary_addresses(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://user@good.example/", "user or password"),
        ("https://good.example/a b", "spaces"),
        ("https://good.example/\x7f", "control"),
        ("https://good.example/\x1f", "control"),
        ("https://good.example/\\", "backslashes"),
        ("https://[2606:4700::1111%25eth0]/", "scope"),
        ("https://[2606:4700::1111/", "not a URL"),
        ("https://2606:4700::1111/", "malformed"),
        ("ftp://good.example/", "begin with https"),
        ("https:good.example/", "begin with https"),
        ("https://good.example:8o/", "malformed"),
        ("https://good_.example-/", "letters, digits"),
        ("https://" + "a." * 125 + "aaaa/", "letters, digits"),
        ("https://" + "a" * 64 + ".example/", "letters, digits"),
    ],
)
def test_a_refusal_names_the_rule(url: str, reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        check_url(url)


@pytest.mark.parametrize(
    "url", ["https://good.example/!~", "https://" + "a." * 125 + "aaa/", "https://" + "a" * 63 + ".example/"]
)
def test_the_longest_and_oddest_that_is_allowed(url: str) -> None:
    assert check_url(url).address is None


def test_a_host_in_brackets_is_the_address_within() -> None:
    assert check_url("https://[2606:4700::1111]:8443/").address == ip_address("2606:4700::1111")
    for text in ("[2606:4700::1111", "2606:4700::1111]", "[good.example]", "[8.8.8.8]", "[]"):
        with pytest.raises(SourceError):
            parse_host(text)


@pytest.mark.parametrize(
    "port",
    [
        *(1, 21, 22, 23, 25, 53, 79, 81, 110, 143, 389, 442, 444, 445, 1023, 65536, 70000),
        *(1433, 1521, 3306, 5432, 5984, 6379, 7000, 7001, 9042, 9200, 9300, 11211, 27017, 27018, 27019),
        *(4369, 5671, 5672, 9092, 15672, 25672),
        *(2049, 2375, 2376, 2379, 2380, 3389, 5900, 6443, 8500, 10250, 10255),
    ],
)
def test_ports_of_other_protocols_are_refused(port: int) -> None:
    with pytest.raises(SourceError):
        PortPolicy().check(port)


@pytest.mark.parametrize("port", [80, 443, 1024, 3000, 8000, 8069, 8080, 8443, 65535])
def test_ports_of_web_servers_are_accepted(port: int) -> None:
    PortPolicy().check(port)


def test_an_operator_may_allow_a_port() -> None:
    check_url("http://good.example:81/", PortPolicy(frozenset([81])))
    with pytest.raises(SourceError):
        check_url("http://good.example:82/", PortPolicy(frozenset([81])))


@pytest.mark.parametrize(
    "answers",
    [
        ["127.0.0.1"],
        ["8.8.8.8", "127.0.0.1"],
        ["127.0.0.1", "8.8.8.8"],
        ["8.8.8.8", "fd00::1"],
        ["2606:4700::1111", "10.0.0.1"],
        ["::ffff:127.0.0.1"],
        ["fe80::1%eth0"],
        ["2606:4700::1111%eth0"],
        ["8.8.8.8"] * 65,
    ],
)
async def test_one_refused_answer_refuses_the_whole_name(answers: list[str]) -> None:
    async with serving(Server()) as server, open_client(resolve=FakeResolver(answers)) as client:
        with pytest.raises(SourceError) as caught:
            await client.get(f"http://rebind.example:{server.port}/")
        assert server.connections == 0
    assert is_refusal(caught.value)
    assert not any(answer in str(caught.value) + caught.value.public for answer in answers)


async def test_a_literal_private_address_is_refused_at_the_dial() -> None:
    async with serving(Server()) as server, open_client() as client:
        for host in ("127.0.0.1", "[::ffff:127.0.0.1]"):
            with pytest.raises(SourceError) as caught:
                await client.get(f"http://{host}:{server.port}/")
            assert is_refusal(caught.value)
        assert server.connections == 0


async def test_the_checked_answer_is_dialled_and_no_second_lookup_made() -> None:
    resolver = FakeResolver(["127.0.0.1"], ["10.9.9.9"])
    async with serving(Server()) as server, open_client(allowed_networks=[LOOPBACK], resolve=resolver) as client:
        response = await client.get(f"http://rebind.example:{server.port}/")
        assert response.text == "ok"
        assert resolver.asked == ["rebind.example"]
        assert b"host: rebind.example" in server.requests[0].lower()


async def test_every_new_connection_resolves_and_checks_anew() -> None:
    resolver = FakeResolver(["127.0.0.1"], ["10.9.9.9"])
    closing = Server(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
    async with serving(closing) as server, open_client(allowed_networks=[LOOPBACK], resolve=resolver) as client:
        url = f"http://rebind.example:{server.port}/"
        assert (await client.get(url)).status_code == 200
        with pytest.raises(SourceError):
            await client.get(url)
        assert server.connections == 1


async def test_an_internal_name_needs_an_allowed_network_and_must_lead_into_it() -> None:
    async with serving(Server()) as server:
        url = f"http://erp-simulator:{server.port}/"
        async with open_client(allowed_networks=[LOOPBACK], resolve=FakeResolver(["127.0.0.1"])) as client:
            assert (await client.get(url)).status_code == 200
        async with open_client(allowed_networks=[LOOPBACK], resolve=FakeResolver(["8.8.8.8"])) as client:
            with pytest.raises(SourceError):
                await client.get(url)
        async with open_client(resolve=FakeResolver(["8.8.8.8"])) as client:
            with pytest.raises(SourceError):
                await client.get(url)


async def test_localhost_resolves_for_real_where_loopback_is_allowed() -> None:
    async with serving(Server()) as server, open_client(allowed_networks=[LOOPBACK, "::1/128"]) as client:
        assert (await client.get(f"http://localhost:{server.port}/")).text == "ok"
        assert (await client.get(f"http://127.0.0.1:{server.port}/")).text == "ok"


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    async with serving(Server()) as server:
        resolver = FakeResolver(["127.0.0.2", "127.0.0.1"])
        async with open_client(allowed_networks=[LOOPBACK], resolve=resolver) as client:
            assert (await client.get(f"http://two.example:{server.port}/")).text == "ok"


@pytest.mark.parametrize("failure", [OSError("no such name"), UnicodeError("label"), []])
async def test_a_name_that_does_not_resolve_is_a_connection_error(failure: Exception | list[str]) -> None:
    async with open_client(resolve=FakeResolver(failure)) as client:
        with pytest.raises(httpx2.ConnectError):
            await client.get("http://gone.example/")


async def test_a_resolver_that_hangs_is_given_up() -> None:
    async def hang(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    async with open_client(resolve=hang, resolve_timeout_s=0.05) as client:
        with pytest.raises(httpx2.ConnectTimeout):
            await client.get("http://slow.example/")


async def test_redirects_are_not_followed() -> None:
    reply = b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n"
    async with serving(Server(reply)) as server, open_client(allowed_networks=[LOOPBACK]) as client:
        response = await client.get(f"http://127.0.0.1:{server.port}/")
        assert response.status_code == 302
        assert server.connections == 1


async def test_cookies_are_not_kept() -> None:
    reply = b"HTTP/1.1 200 OK\r\nset-cookie: session=tenant-a; Path=/\r\ncontent-length: 0\r\n\r\n"
    async with serving(Server(reply)) as server, open_client(allowed_networks=[LOOPBACK]) as client:
        for _ in range(2):
            await client.get(f"http://127.0.0.1:{server.port}/")
        assert len(client.cookies) == 0
        assert not any(b"cookie" in request.lower() for request in server.requests)


async def test_proxies_and_netrc_of_the_environment_are_ignored(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login canary password canary\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    async with serving(Server()) as server, open_client(allowed_networks=[LOOPBACK]) as client:
        assert (await client.get(f"http://127.0.0.1:{server.port}/")).text == "ok"
        assert b"authorization" not in server.requests[0].lower()


def certificate(folder: Path, name: str, *, days: int = 1) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server context whose self-signed certificate names ``name``, and a client context that trusts it.

    It is valid until so many ``days`` from now.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cafile=pem)


async def test_tls_verifies_the_name_and_not_the_dialled_address(tmp_path: Path) -> None:
    server_tls, client_tls = certificate(tmp_path, "erp.example")
    async with serving(Server(), tls=server_tls) as server:
        resolver = FakeResolver(["127.0.0.1"])
        async with open_client(allowed_networks=[LOOPBACK], tls=client_tls, resolve=resolver) as client:
            assert (await client.get(f"https://erp.example:{server.port}/")).text == "ok"
            with pytest.raises(httpx2.ConnectError):
                await client.get(f"https://other.example:{server.port}/")
        async with open_client(allowed_networks=[LOOPBACK], resolve=resolver) as client:
            with pytest.raises(httpx2.ConnectError):
                await client.get(f"https://erp.example:{server.port}/")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("flaw", ["expired", "old protocol"])
async def test_a_certificate_or_protocol_that_is_out_of_date_is_refused(tmp_path: Path, flaw: str) -> None:
    server_tls, client_tls = certificate(tmp_path, "erp.example", days=-1 if flaw == "expired" else 1)
    if flaw == "old protocol":
        server_tls.set_ciphers("ALL:@SECLEVEL=0")
        server_tls.minimum_version = ssl.TLSVersion.TLSv1
        server_tls.maximum_version = ssl.TLSVersion.TLSv1_1
    resolver = FakeResolver(["127.0.0.1"])
    async with (
        serving(Server(), tls=server_tls) as server,
        open_client(allowed_networks=[LOOPBACK], tls=client_tls, resolve=resolver) as client,
    ):
        with pytest.raises(httpx2.ConnectError):
            await client.get(f"https://erp.example:{server.port}/")


@pytest.mark.parametrize(
    ("headers", "is_refused"),
    [
        ([f"x-{number}: v" for number in range(150)], False),
        ([f"x-{number}: v" for number in range(1000)], True),
        (["x-large: " + "v" * 60_000], False),
        (["x-large: " + "v" * 70_000], True),
    ],
    ids=["150", "1000", "60 kB", "70 kB"],
)
async def test_headers_are_bounded_in_number_and_bytes(headers: list[str], is_refused: bool) -> None:
    async with (
        serving(Server(reply_with(b"ok", *headers))) as server,
        open_client(allowed_networks=[LOOPBACK]) as client,
    ):
        url = f"http://127.0.0.1:{server.port}/"
        if not is_refused:
            assert (await client.get(url)).text == "ok"
            return
        for _ in range(3):
            with pytest.raises(SourceError) as caught:
                await client.get(url)
            assert caught.value.code == "headers_too_large"


async def test_headers_of_300_kilobytes_are_not_even_read() -> None:
    async with (
        serving(Server(reply_with(b"ok", "x-large: " + "v" * 300_000))) as server,
        open_client(allowed_networks=[LOOPBACK]) as client,
    ):
        with pytest.raises(httpx2.RemoteProtocolError):
            await client.get(f"http://127.0.0.1:{server.port}/")


def reply_with(body: bytes, *headers: str) -> bytes:
    head = ["HTTP/1.1 200 OK", f"content-length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


async def read(reply: bytes, max_bytes: int, deadline_s: float = 5.0) -> bytes:
    async with (
        serving(Server(reply)) as server,
        open_client(allowed_networks=[LOOPBACK]) as client,
        client.stream("GET", f"http://127.0.0.1:{server.port}/") as response,
    ):
        return await read_bounded(response, max_bytes, deadline_s=deadline_s)


async def test_a_body_is_read_up_to_the_limit_and_not_a_byte_further() -> None:
    assert await read(reply_with(b"x" * 1000), 1000) == b"x" * 1000
    with pytest.raises(TooLarge):
        await read(reply_with(b"x" * 1001), 1000)
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + (b"3e8\r\n" + b"x" * 1000 + b"\r\n") * 2
    with pytest.raises(TooLarge):
        await read(chunked, 1000)


async def test_gzip_is_inflated_within_the_limit() -> None:
    body = gzip.compress(b"student " * 1000)
    assert await read(reply_with(body, "content-encoding: gzip"), 8000) == b"student " * 1000
    with pytest.raises(TooLarge):
        await read(reply_with(body, "content-encoding: GZIP"), 7999)
    two_members = gzip.compress(b"a" * 10) + gzip.compress(b"b" * 10)
    assert await read(reply_with(two_members, "content-encoding: x-gzip"), 1000) == b"a" * 10 + b"b" * 10
    assert await read(reply_with(b"", "content-encoding: gzip"), 10) == b""


async def test_a_compression_bomb_stops_at_the_limit() -> None:
    bomb = gzip.compress(bytes(64 * 1024 * 1024), 9)
    with pytest.raises(TooLarge):
        await read(reply_with(bomb, "content-encoding: gzip"), 1024 * 1024)


@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "gzip, gzip", "compress"])
async def test_other_encodings_are_refused(encoding: str) -> None:
    with pytest.raises(SourceError) as caught:
        await read(reply_with(zlib.compress(b"x"), f"content-encoding: {encoding}"), 1000)
    assert caught.value.code == "unsupported_encoding"


async def test_a_body_that_only_says_it_is_gzip_is_read_as_it_is() -> None:
    assert await read(reply_with(b"[1]", "content-encoding: gzip"), 1000) == b"[1]"


@pytest.mark.parametrize("headers", [(), ("content-type: application/gzip",), ("content-encoding: identity",)])
async def test_gzip_without_its_label_is_inflated_within_the_limit(headers: tuple[str, ...]) -> None:
    body = gzip.compress(b"student " * 1000)
    assert await read(reply_with(body, *headers), 8000) == b"student " * 1000
    with pytest.raises(TooLarge):
        await read(reply_with(body, *headers), 7999)
    with pytest.raises(Unavailable):
        await read(reply_with(body[:-9], *headers), 8000)


async def test_a_gzip_file_in_a_gzip_response_is_inflated_twice_and_no_more() -> None:
    once = gzip.compress(b"x")
    twice = gzip.compress(once)
    assert await read(reply_with(twice, "content-encoding: gzip"), 1000) == b"x"
    assert await read(reply_with(gzip.compress(twice), "content-encoding: gzip"), 1000) == once
    bomb = gzip.compress(gzip.compress(bytes(64 * 1024 * 1024), 9), 9)
    with pytest.raises(TooLarge):
        await read(reply_with(bomb, "content-encoding: gzip"), 1024 * 1024)


async def test_damaged_gzip_is_an_error() -> None:
    damaged = bytearray(gzip.compress(b"student " * 1000))
    damaged[20] ^= 0xFF
    with pytest.raises((SourceError, Unavailable)):
        await read(reply_with(bytes(damaged), "content-encoding: gzip"), 10_000)


async def test_gzip_that_ends_early_is_an_error_and_never_a_short_answer() -> None:
    with pytest.raises(Unavailable):
        await read(reply_with(gzip.compress(b"x" * 5000)[:-9], "content-encoding: gzip"), 10_000)


async def test_a_dripping_body_is_cut_off_by_the_deadline() -> None:
    unfinished = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx"
    with pytest.raises(Unavailable) as caught:
        await read(unfinished, 1000, deadline_s=0.1)
    assert caught.value.code == "deadline_exceeded"
