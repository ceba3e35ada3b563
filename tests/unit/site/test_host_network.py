# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where a host listens, and which of its neighbours speak for strangers."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._site.host_network import (
    host_network,
    is_public,
    listen_addresses,
    untrusted_addresses,
)


def interface(name: str, *addresses: str) -> dict[str, Any]:
    """Describe an interface as ansible.builtin.setup does."""
    first, *others = [{"address": address} for address in addresses if ":" not in address] or [{}]
    ipv6 = [{"address": address, "prefix": "64"} for address in addresses if ":" in address]
    found = {"device": name, "ipv4": first, "ipv4_secondaries": others, "ipv6": ipv6}
    return {name.replace("-", "_"): {key: value for key, value in found.items() if value}}


LOOPBACK = interface("lo", "127.0.0.1", "::1")
HOME = {
    **LOOPBACK,
    **interface("enp1s0", "192.168.1.2", "fd00:1::2", "fe80::2"),
    **interface("docker0", "172.17.0.1"),
    **interface("br-0123456789ab", "172.18.0.1", "fd00:18::1"),
    **interface("br-lan", "10.0.0.1"),
    "default_ipv4": {"address": "192.168.1.2", "gateway": "192.168.1.1", "interface": "enp1s0"},
    "default_ipv6": {"address": "fd00:1::2", "gateway": "fe80::1", "interface": "enp1s0"},
    "interfaces": ["lo", "enp1s0", "docker0", "br-0123456789ab", "br-lan"],
}
RENTED = {
    **LOOPBACK,
    **interface("eth0", "8.8.8.8", "2a00::8"),
    **interface("wg0", "10.9.0.1"),
    **interface("docker0", "172.17.0.1"),
    **interface("tailscale0", "100.100.1.2"),
}


def strings(addresses: Any) -> list[str]:
    return list(map(str, addresses))


def test_a_host_is_read_from_its_facts() -> None:
    host = host_network(HOME)
    assert strings(host.addresses) == [
        *("172.18.0.1", "fd00:18::1", "10.0.0.1", "172.17.0.1", "192.168.1.2", "fd00:1::2"),
    ]
    assert strings(host.loopback) == ["127.0.0.1", "::1"]
    assert strings(host.bridges) == ["172.18.0.1", "fd00:18::1", "172.17.0.1"]
    assert strings(host.gateways) == ["192.168.1.1", "fe80::1"]


def test_a_host_without_ipv6_routes_or_other_interfaces_is_read() -> None:
    host = host_network({**interface("lo", "127.0.0.1"), "default_ipv4": {}, "default_ipv6": {}})
    assert (host.addresses, strings(host.loopback), host.gateways) == ((), ["127.0.0.1"], ())


@pytest.mark.parametrize(
    ("name", "is_bridge"),
    [
        *[(name, True) for name in ("docker0", "docker_gwbridge", "br-0123456789ab", "podman0", "podman12")],
        *[(name, True) for name in ("cni0", "cni-podman0", "lxcbr0", "lxdbr0", "incusbr0", "virbr0")],
        *[
            (name, False)
            for name in ("br0", "vmbr0", "br-lan", "eth0", "enp1s0", "wlan0", "wg0", "tailscale0")
        ],
    ],
)
def test_bridges_of_containers_are_known_by_their_names(name: str, is_bridge: bool) -> None:
    assert bool(host_network(interface(name, "10.88.0.1")).bridges) is is_bridge


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        *[
            (address, False)
            for address in ("10.1.2.3", "172.31.0.1", "192.168.0.1", "127.0.0.2", "169.254.1.1")
        ],
        *[(address, False) for address in ("fd12::1", "fe80::1", "::1", "100.64.0.1", "100.127.255.255")],
        *[(address, True) for address in ("8.8.8.8", "172.32.0.1", "100.128.0.1", "192.0.2.1", "2a00::1")],
    ],
)
def test_public_is_what_is_for_no_private_use(address: str, expected: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is expected


@pytest.mark.parametrize(
    ("wanted", "facts", "expected"),
    [
        ([], HOME, []),
        (["192.168.1.2"], HOME, ["127.0.0.1", "::1", "192.168.1.2"]),
        (["192.168.1.2"], interface("lo", "127.0.0.1"), ["127.0.0.1", "192.168.1.2"]),
        (["FD00:1::2", "127.0.0.1"], HOME, ["127.0.0.1", "::1", "fd00:1::2"]),
    ],
    ids=["everywhere", "one", "no-ipv6", "as-they-are-written"],
)
def test_the_loopback_is_always_listened_on(
    wanted: list[str], facts: dict[str, Any], expected: list[str]
) -> None:
    assert listen_addresses(wanted, facts) == expected


@pytest.mark.parametrize(
    ("trusted", "expected"),
    [
        (["127.0.0.0/8", "::1/128"], []),
        (["192.168.1.0/24"], ["192.168.1.1"]),
        (["192.168.1.0/24", "192.168.1.1/32"], []),
        (["172.16.0.0/12"], ["172.18.0.1", "172.17.0.1"]),
        (["fd00::/8", "fe80::/10"], ["fe80::1", "fd00:18::1"]),
        (["192.168.1.7/32"], []),
    ],
)
def test_what_speaks_for_strangers_is_trusted_only_by_itself(trusted: list[str], expected: list[str]) -> None:
    networks = list(map(ipaddress.ip_network, trusted))
    assert strings(untrusted_addresses(networks, host_network(HOME))) == expected
