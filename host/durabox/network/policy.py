"""Which servers may be reached: judged by the address that is connected to, never by the name alone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from durabox.errors import DuraboxError

_NAME: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")
#: The last label of a name that URL parsers take for an IPv4 address, in whatever notation.
_NUMERIC: Final = re.compile(r"(\d+|0x[0-9a-f]*)\.?", re.IGNORECASE)
_ENTRY: Final = re.compile(r"(\[[^\]]+\]|[^:\[\]]+)(?::(\d{1,5}))?")

#: Special by the registries of IANA. Python's own list depends on its version.
_SPECIAL_IPV4: Final = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
    )
)
_SPECIAL_IPV6: Final = tuple(ip_network(text) for text in ("2001::/23", "2001:db8::/32", "3fff::/20"))
#: Only here are IPv6 addresses of the public internet.
_UNICAST: Final = ip_network("2000::/3")
_TO_IPV4: Final = IPv6Network("64:ff9b::/96")
_6TO4: Final = IPv6Network("2002::/16")
#: Public by number, but a cloud's own metadata service to machines inside it.
_METADATA: Final = frozenset({ip_address("168.63.129.16")})


class BadHostError(DuraboxError, ValueError):
    """What was named to be reachable is no host, or no host with a port."""

    code = "bad-host"


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address belongs to the public internet: not loopback, private, link-local, shared, multicast or special."""
    if isinstance(address, IPv6Address):
        inside = address.ipv4_mapped
        if inside is None and address in _TO_IPV4:
            inside = IPv4Address(int(address) & 0xFFFFFFFF)
        if inside is not None:
            return is_public(inside)
        if address not in _UNICAST:
            return False
        if address in _6TO4:
            return is_public(IPv4Address(int(address) >> 80 & 0xFFFFFFFF))
        return not any(address in network for network in _SPECIAL_IPV6)
    return address not in _METADATA and not any(address in network for network in _SPECIAL_IPV4)


def literal(host: str) -> IPv4Address | IPv6Address | None:
    """
    The address that a URL's host is.

    Returns:
        ``None`` when it is a name.
    Raises:
        BadHostError: It is neither; a URL parser has normalised every other notation of an address.
    """
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    try:
        address = ip_address(host)
    except ValueError:
        if (
            _NAME.fullmatch(host) is None
            or len(host) > 254
            or _NUMERIC.fullmatch(host.rstrip(".").rpartition(".")[2])
        ):
            raise BadHostError(f"{host!r} is no host") from None
        return None
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise BadHostError(f"{host!r} is an address of one interface")
    return address


@dataclass(frozen=True, slots=True)
class Policy:
    """
    Which servers may be reached.

    Args:
        public: Whether every server with a public address may be.
        named: Servers that may be whatever their address is: ``(host, port)``, ``None`` for every port.
    """

    public: bool
    named: frozenset[tuple[str, int | None]]

    @classmethod
    def of(cls, public: bool, named: Iterable[str]) -> Policy:
        """
        The policy that names hosts as people write them: ``example.com``, ``localhost:9000``, ``[::1]:80``.

        Raises:
            BadHostError: One is no host.
        """
        return cls(public, frozenset(_entry(text) for text in named))

    def names(self, host: str, port: int) -> bool:
        """Whether that server may be reached whatever its address is."""
        key = _key(host)
        return (key, port) in self.named or (key, None) in self.named

    def admits(self, host: str, port: int, address: str) -> bool:
        """Whether that server may be reached at that address."""
        if self.names(host, port):
            return True
        return self.public and is_public(ip_address(address.partition("%")[0]))


def _entry(text: str) -> tuple[str, int | None]:
    found = _ENTRY.fullmatch(text)
    if found is None or (found[2] is not None and not 0 < int(found[2]) <= 65535):
        raise BadHostError(f"{text!r} is no host: expected such as example.com, localhost:9000 or [::1]:80")
    literal(found[1])
    return _key(found[1]), None if found[2] is None else int(found[2])


def _key(host: str) -> str:
    address = literal(host)
    return host.lower().rstrip(".") if address is None else str(address)
