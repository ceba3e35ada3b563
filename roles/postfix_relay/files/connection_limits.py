#!/usr/bin/python3
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keep how many connections an address may hold to some ports, in a table of nftables.

Run by systemd as `connection-limits SETTINGS`. SETTINGS is a JSON file: ports (a list of numbers), connections (of one
address to one port), counted (addresses that are never exempt) and exempt (addresses, networks and host names).

The table is this process's own (nft(8), flags owner). Nobody else can flush it, as nftables.service does with all
tables whenever it is reloaded, and it goes with the process. It refuses connections and accepts none: what any other
table of the host refuses stays refused.
"""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Execute = Callable[[str], str]
"""Runs commands of nft, all or none, and returns what nft complains of."""

TABLE = "inet ilnmors_mail"
# Whoever has one address of IPv6 has its whole /64 (RFC 6177), where a household's machines are as well.
SHARE_OF_A_PREFIX = 4
# Addresses whose connections are counted at a time. Who comes when there are as many is not counted.
MOST_ADDRESSES = 65535
# Seconds between looks at host names, and at how many connections were refused.
INTERVAL = 60


class Settings(NamedTuple):
    """What the settings' file says. As a dataclass it would take another 1.5 MiB for as long as this runs."""

    ports: tuple[int, ...]
    connections: int
    counted: tuple[Network, ...]
    exempt: tuple[Network, ...]
    names: tuple[str, ...]


def read_settings(path: str) -> Settings:
    """Read the file; host names are told apart from addresses."""
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 pathlib takes half a megabyte
        said = json.loads(file.read())
    exempt = [(entry, as_network(entry)) for entry in said["exempt"]]
    return Settings(
        ports=tuple(said["ports"]),
        connections=said["connections"],
        counted=tuple(map(ipaddress.ip_network, said["counted"])),
        exempt=tuple(network for __, network in exempt if network),
        names=tuple(entry for entry, network in exempt if not network),
    )


def as_network(entry: str) -> Network | None:
    """Return the network that an entry is, or None where it is a name."""
    try:
        return ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return None


def resolve(name: str) -> set[Network]:
    """Return the addresses of a name; none while it does not resolve."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError:
        return set()
    return {ipaddress.ip_network(str(entry[4][0]).partition("%")[0]) for entry in found}


def elements(networks: Iterable[Network], version: int) -> str:
    """List the networks of one family as nft reads them; one that is in another would be refused."""
    chosen = [network for network in networks if network.version == version]
    return ", ".join(map(str, ipaddress.collapse_addresses(chosen)))  # type: ignore[type-var]


def replace_set(name: str, networks: Sequence[Network]) -> str:
    """Write the commands that give the sets NAME4 and NAME6 other elements."""
    lines = []
    for version in (4, 6):
        lines.append(f"flush set {TABLE} {name}{version}")
        found = elements(networks, version)
        if found:
            lines.append(f"add element {TABLE} {name}{version} {{ {found} }}")
    return "\n".join(lines)


def build_table(settings: Settings) -> str:
    """Write the table, with nobody exempt but the host itself."""
    ports = ", ".join(map(str, settings.ports))
    most = settings.connections
    each = "{{ {} . tcp dport ct count over {} }} counter name refused reject with tcp reset"
    prefix = "ip6 saddr & ffff:ffff:ffff:ffff::"
    return f"""
table {TABLE} {{
  flags owner
  counter refused {{ }}
  set counted4 {{ type ipv4_addr; flags interval; }}
  set counted6 {{ type ipv6_addr; flags interval; }}
  set exempt4 {{ type ipv4_addr; flags interval; }}
  set exempt6 {{ type ipv6_addr; flags interval; }}
  set connections4 {{ type ipv4_addr . inet_service; size {MOST_ADDRESSES}; flags dynamic; }}
  set connections6 {{ type ipv6_addr . inet_service; size {MOST_ADDRESSES}; flags dynamic; }}
  set prefixes6 {{ type ipv6_addr . inet_service; size {MOST_ADDRESSES}; flags dynamic; }}
  chain input {{
    type filter hook input priority filter - 5; policy accept;
    iif lo accept
    tcp dport {{ {ports} }} ct state new jump arrive
  }}
  chain arrive {{
    ip saddr @counted4 goto count
    ip6 saddr @counted6 goto count
    ip saddr @exempt4 accept
    ip6 saddr @exempt6 accept
    goto count
  }}
  chain count {{
    add @connections4 {each.format("ip saddr", most)}
    add @connections6 {each.format("ip6 saddr", most)}
    add @prefixes6 {each.format(prefix, most * SHARE_OF_A_PREFIX)}
  }}
}}
{replace_set("counted", settings.counted)}
{replace_set("exempt", settings.exempt)}
"""


def say(level: int, text: str) -> None:
    """Write to the journal, with a priority (sd-daemon(3))."""
    print(f"<{level}>{text}", file=sys.stderr, flush=True)


def notify(text: str) -> None:
    """Tell systemd that it runs, and how (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.connect(address.replace("@", "\0", 1) if address.startswith("@") else address)
            client.send(f"READY=1\nSTATUS={text}".encode())


class Limits:
    """The table, what it exempts, and the messages about it."""

    def __init__(self, settings: Settings, execute: Execute, count: Callable[[], int]) -> None:
        self.settings = settings
        self.execute = execute
        self.count = count
        self.known: dict[str, set[Network]] = {name: set() for name in settings.names}
        self.refused = 0
        self.works = False

    def begin(self) -> None:
        """Make the table, or say why there is none: a container may have no rights for that."""
        complaint = self.execute(build_table(self.settings))
        self.works = not complaint
        if self.works:
            notify(f"Each address has {self.settings.connections} connections to each port.")
            return
        reason = complaint.strip().splitlines()[0]
        say(4, f"Connections of an address are limited by Postfix alone, for nftables refuses: {reason}")
        notify(f"No limits by nftables: {reason}")

    def look(self) -> None:
        """Follow the host names, and tell of connections that were refused."""
        if not self.works:
            return
        # A name that does not resolve now keeps the addresses that it had.
        found = {name: resolve(name) or self.known[name] for name in self.known}
        if found != self.known:
            networks = [*self.settings.exempt, *set().union(*found.values())]
            complaint = self.execute(replace_set("exempt", networks))
            if complaint:
                say(3, f"The exempt addresses could not be changed: {complaint.strip()}")
                return
            self.known = found
        refused = self.count()
        if refused > self.refused:
            say(5, f"{refused - self.refused} connections were refused, of addresses that had too many open.")
        self.refused = refused


def counted_packets(answer: Mapping[str, Any]) -> int:
    """Return how many packets nft's JSON output of a named counter says."""
    return sum(int(entry["counter"]["packets"]) for entry in answer["nftables"] if "counter" in entry)


def main() -> None:
    """Keep the table for as long as this runs."""
    # Debian's bindings, which only the host has.
    import nftables  # type: ignore[import-not-found]

    nft = nftables.Nftables()

    def execute(commands: str) -> str:
        failed, __, complaint = nft.cmd(commands)
        return str(complaint or "no reason given") if failed else ""

    def count() -> int:
        nft.set_json_output(True)
        __, answer, __ = nft.cmd(f"list counter {TABLE} refused")
        nft.set_json_output(False)
        return counted_packets(json.loads(answer)) if answer else 0

    limits = Limits(read_settings(sys.argv[1]), execute, count)
    limits.begin()
    while True:
        limits.look()
        time.sleep(INTERVAL)


if __name__ == "__main__":
    main()
