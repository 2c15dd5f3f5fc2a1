"""Which servers may be reached."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durabox.network.policy import BadHostError, Policy, is_public, literal


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "0.1.2.3",
        "10.1.2.3",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::808:808",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "2002:a00:1::",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ],
)
def test_addresses_that_are_not_of_the_public_internet_are_told(address: str) -> None:
    assert not is_public(ip_address(address))
    assert not Policy.of(True, []).admits("name.example", 80, address)
    assert Policy.of(True, ["name.example"]).admits("name.example", 80, address)


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "8.8.8.8", "::ffff:8.8.8.8", "64:ff9b::808:808", "2606:4700::1111", "2002:808:808::1"],
)
def test_public_addresses_are_told(address: str) -> None:
    assert is_public(ip_address(address))
    assert not Policy.of(False, ["other.example"]).admits("name.example", 80, address)


@given(st.ip_addresses(v=4))
def test_an_address_is_as_public_in_ipv6_as_in_ipv4(address: IPv4Address) -> None:
    number = int(address)
    assert is_public(IPv6Address(0xFFFF << 32 | number)) == is_public(address)
    assert is_public(IPv6Address(0x64FF9B << 96 | number)) == is_public(address)
    assert not is_public(IPv6Address(number))


def test_a_port_limits_what_a_name_allows() -> None:
    policy = Policy.of(False, ["LOCALHOST:9000", "[::1]:80", "internal.example", "127.0.0.1"])
    assert policy.names("localhost", 9000)
    assert policy.names("localhost.", 9000)
    assert not policy.names("localhost", 9001)
    assert policy.names("[0:0::1]", 80)
    assert policy.names("internal.example", 1)
    assert not policy.names("sub.internal.example", 1)
    assert policy.names("127.0.0.1", 1)
    assert not policy.names("127.0.0.2", 1)


@pytest.mark.parametrize(
    "host",
    ["", "127.1", "0x7f.1", "0x7f000001", "2130706433", "0177.0.0.1", "1.2.3.4.5", "a b", "a..b", "-a", "a/b", "[::1", "é.example", "fe80::1%eth0", "1.2.3.4."],
)  # fmt: skip
def test_what_a_url_parser_would_have_normalised_is_no_host(host: str) -> None:
    with pytest.raises(BadHostError):
        literal(host)


@pytest.mark.parametrize(
    "entry", ["", ":80", "host:", "host:0", "host:65536", "http://host", "a:b:c", "[::1"]
)
def test_an_entry_that_is_no_host_is_refused(entry: str) -> None:
    with pytest.raises(BadHostError):
        Policy.of(True, [entry])
