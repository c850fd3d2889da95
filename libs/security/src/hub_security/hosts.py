"""Strict reading of the addresses people give: whatever two parsers could understand differently is refused."""

import re
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import urlsplit

from hub_model.errors import ErrorClass, SourceError

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")
_INTERNAL_ENDINGS = (".internal", ".local", ".localhost", ".localdomain", ".lan", ".intranet", ".corp", ".home.arpa")

# Below 1024 only the ports of HTTP; above, none that another protocol is known to listen on.
_LOW_PORTS = frozenset([80, 443])
_DATABASE_PORTS = [1433, 1521, 3306, 5432, 5984, 6379, 7000, 7001, 9042, 9200, 9300, 11211, 27017, 27018, 27019]
_BROKER_PORTS = [4369, 5671, 5672, 9092, 15672, 25672]
_MACHINE_PORTS = [2049, 2375, 2376, 2379, 2380, 3389, 5900, 6443, 8500, 10250, 10255]
_SERVICE_PORTS = frozenset([*_DATABASE_PORTS, *_BROKER_PORTS, *_MACHINE_PORTS])


@dataclass(frozen=True, slots=True)
class Host:
    """A checked host: either ``address`` (it was a literal) or a name to resolve.

    ``is_internal``: the name means something only inside a network (no dot, .internal, .local, ...).
    """

    text: str
    address: IPv4Address | IPv6Address | None = None
    is_internal: bool = False


@dataclass(frozen=True, slots=True)
class PortPolicy:
    """80, 443 and ports from 1024 on, without those of databases and brokers; ``allowed`` adds any other."""

    allowed: frozenset[int] = field(default_factory=frozenset)

    def check(self, port: int) -> None:
        """Raise SourceError unless the port may be dialled."""
        if port in self.allowed:
            return
        if not 0 < port < 65536 or (port < 1024 and port not in _LOW_PORTS) or port in _SERVICE_PORTS:
            raise refused(f"the port {port} may not be connected to")


def parse_host(text: str) -> Host:
    """Check a host as it stands in a URL, IPv6 with or without brackets; SourceError names the rule it breaks."""
    if not text.isascii():
        raise refused("the host is not ASCII; write an international name in punycode (xn--...)")
    host = text.lower()
    if ":" in host or "[" in host or "]" in host:
        address = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        return Host(address, _ipv6(address))
    labels = host.split(".")
    if _NUMERIC.fullmatch(labels[-1]):
        # Resolvers read 2130706433, 0x7f.1 and 0177.0.0.1 as 127.0.0.1; only the plain form is accepted.
        return Host(host, _ipv4(host))
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise refused("the host is not a name of letters, digits and hyphens")
    return Host(host, is_internal=len(labels) == 1 or host.endswith(_INTERNAL_ENDINGS))


def check_url(url: str, ports: PortPolicy | None = None) -> Host:
    """Check a full URL before any parser may mend it; SourceError (config, address_refused) names the rule.

    Resolves nothing: which addresses the host has is checked when it is dialled.
    """
    if any(ord(char) <= 32 or ord(char) >= 127 for char in url) or "\\" in url:
        raise refused("the URL has spaces, control characters, backslashes or characters beyond ASCII")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise refused("this is not a URL") from None
    if parts.scheme not in ("http", "https") or not url[len(parts.scheme) :].startswith("://"):
        raise refused("the URL does not begin with https:// or http://")
    if "@" in parts.netloc:
        raise refused("the URL holds a user or password")
    match = re.fullmatch(r"(\[[^\[\]]*\]|[^:\[\]]+)(?::([0-9]{1,5}))?", parts.netloc)
    if match is None:
        raise refused("the URL's host and port are malformed")
    (ports or PortPolicy()).check(int(match[2]) if match[2] else {"http": 80, "https": 443}[parts.scheme])
    return parse_host(match[1])


def refused(rule: str) -> SourceError:
    """The one error for every address the hub does not dial. It names the rule, never what a name resolved to."""
    return SourceError(
        f"address refused: {rule}",
        error_class=ErrorClass.CONFIG,
        code="address_refused",
        public=f"The hub does not connect to this address: {rule}.",
    )


def _ipv4(host: str) -> IPv4Address:
    try:
        return IPv4Address(host)
    except AddressValueError:
        raise refused("the host ends in a number and is not a plain IPv4 address") from None


def _ipv6(host: str) -> IPv6Address:
    if "%" in host:
        raise refused("the host is an IPv6 address with a scope")
    try:
        return IPv6Address(host)
    except AddressValueError:
        raise refused("the host is not an IPv6 address") from None
