"""Which network addresses the hub may dial: a table compiled in, plus what an operator allows or refuses by CIDR.

Does not build on ``ipaddress``'s is_global and is_private, whose answers differ between Python versions and let
several tunnels to private networks pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from hub_model.errors import InvalidInput

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in texts)


_REFUSED_V4 = _networks(
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "168.63.129.16/32",
)
_OPEN_V6 = _networks("2000::/3")
_REFUSED_V6 = _networks("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")

# Whatever an operator allows: this host under another name, cloud metadata services, multicast.
_NEVER = _networks(
    "0.0.0.0/8",
    "169.254.0.0/16",
    "100.100.100.200/32",
    "168.63.129.16/32",
    "192.0.0.192/32",
    "224.0.0.0/4",
    "255.255.255.255/32",
    "::/128",
    "fe80::/10",
    "fd00:ec2::/32",
    "ff00::/8",
)


def parse_networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """The networks of a setting; InvalidInput names the one that is not a CIDR."""
    networks = []
    for text in texts:
        try:
            networks.append(ip_network(text.strip()))
        except ValueError as error:
            raise InvalidInput(f"{text!r} is not a network; write one such as 10.20.0.0/16") from error
    return tuple(networks)


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """Public addresses may be dialled, and those in ``allowed``; ``refused`` wins over both."""

    allowed: tuple[Network, ...] = ()
    refused: tuple[Network, ...] = ()

    def permits(self, address: Address) -> bool:
        """Whether this address may be dialled."""
        plain = _plain(address)
        if plain is None or _within(plain, _NEVER) or _within(plain, self.refused):
            return False
        return _within(plain, self.allowed) or _is_public(plain)

    def permits_internal(self, address: Address) -> bool:
        """Whether this address may be dialled under a name that only means something inside a network."""
        plain = _plain(address)
        return plain is not None and self.permits(plain) and _within(plain, self.allowed)


def _plain(address: Address) -> Address | None:
    """The address itself, an IPv4 one out of its IPv6 mapping; None if it carries a scope."""
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return None
        return address.ipv4_mapped or address
    return address


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return not _within(address, _REFUSED_V4)
    return _within(address, _OPEN_V6) and not _within(address, _REFUSED_V6)


def _within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)
