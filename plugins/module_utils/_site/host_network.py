# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where a mail host listens, and which machines near it speak for strangers."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Address: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"
Network: TypeAlias = "ipaddress.IPv4Network | ipaddress.IPv6Network"

# RFC 1918, RFC 4193, and each machine's own loopback and link.
_PRIVATE: tuple[Network, ...] = tuple(
    map(
        ipaddress.ip_network,
        (
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "fc00::/7",
            "127.0.0.0/8",
            "::1/128",
            "169.254.0.0/16",
            "fe80::/10",
        ),
    )
)
# RFC 6598: not routed in the internet, but shared by all customers of a carrier. Tailscale uses it as well.
_SHARED = ipaddress.ip_network("100.64.0.0/10")
# Bridges that Docker, Podman, CNI, LXC, Incus and libvirt make; br0, vmbr0 and br-lan lead to the house.
_CONTAINER_BRIDGE = re.compile(
    r"(docker\w*|br-[0-9a-f]{12}|podman\d+|cni[\w-]*|(lxc|lxd|incus|vir)br\d+)\Z", re.ASCII
)


def is_within(inner: Network, outer: Network) -> bool:
    """Whether all addresses of one network are in another, whatever their families."""
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]


def is_private(network: Network) -> bool:
    """Whether all of a network is for private use."""
    return any(is_within(network, private) for private in _PRIVATE)


def is_shared(network: Network) -> bool:
    """Whether a network is a carrier's, behind its address translation."""
    return is_within(network, _SHARED)


def is_own(network: Network) -> bool:
    """Whether a network can only be the house's: private, or one machine behind a carrier's address translation."""
    return is_private(network) or (is_shared(network) and network.num_addresses == 1)


def is_public(address: Address) -> bool:
    """Whether the internet could reach an address, were it not for firewalls."""
    return not is_private(ipaddress.ip_network(address)) and not is_shared(ipaddress.ip_network(address))


@dataclass(frozen=True)
class HostNetwork:
    """What is known of a host: its addresses, without its loopback and those of one link alone, and its neighbours.

    loopback: 127.0.0.1, and ::1 where IPv6 is on. bridges: the addresses on networks of containers.
    gateways: the routers to everywhere else.
    """

    addresses: tuple[Address, ...]
    loopback: tuple[Address, ...]
    bridges: tuple[Address, ...]
    gateways: tuple[Address, ...]


def _interface_addresses(interface: Mapping[str, Any]) -> Iterator[Address]:
    entries = [
        interface.get("ipv4") or {},
        *interface.get("ipv4_secondaries", ()),
        *interface.get("ipv6", ()),
    ]
    for entry in entries:
        if entry.get("address"):
            yield ipaddress.ip_address(entry["address"].partition("%")[0])


def host_network(facts: Mapping[str, Any]) -> HostNetwork:
    """Read the facts of ansible.builtin.setup, subset network."""
    interfaces = {
        value["device"]: list(_interface_addresses(value))
        for name, value in facts.items()
        if isinstance(value, Mapping) and "device" in value and not name.startswith("default_")
    }
    found = [address for name in sorted(interfaces) for address in interfaces[name]]
    routes = (facts.get(f"default_ipv{version}", {}).get("gateway") for version in (4, 6))
    return HostNetwork(
        addresses=tuple(
            dict.fromkeys(
                address for address in found if not address.is_loopback and not address.is_link_local
            )
        ),
        loopback=(
            ipaddress.ip_address("127.0.0.1"),
            *(address for address in found if address == ipaddress.ip_address("::1")),
        ),
        bridges=tuple(
            address
            for name in sorted(interfaces)
            if _CONTAINER_BRIDGE.match(name)
            for address in interfaces[name]
        ),
        gateways=tuple(ipaddress.ip_address(route.partition("%")[0]) for route in routes if route),
    )


def listen_addresses(wanted: Sequence[str], facts: Mapping[str, Any]) -> list[str]:
    """Return where to listen: on the loopback, and on what is wanted; nothing if that is everywhere.

    facts: see host_network.
    """
    if not wanted:
        return []
    addresses = [*host_network(facts).loopback, *map(ipaddress.ip_address, wanted)]
    return list(map(str, dict.fromkeys(addresses)))


def untrusted_addresses(trusted: Sequence[Network], host: HostNetwork) -> list[Address]:
    """Return the addresses in trusted networks that connections of strangers come from.

    A router that translates addresses, and a bridge of containers, speak for whoever is behind them. One that is
    itself listed, as a network of one address, is trusted.
    """
    return [
        address
        for address in dict.fromkeys((*host.gateways, *host.bridges))
        if any(address in network for network in trusted) and ipaddress.ip_network(address) not in trusted
    ]
