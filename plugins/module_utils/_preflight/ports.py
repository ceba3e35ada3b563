# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the ports that a service is about to listen on are free, or its own already."""

from __future__ import annotations

import ipaddress
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

Address: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"

# Services that another one replaces when it is installed.
_REPLACED = {"postfix": ("exim4",)}
# Processes that are not named as their service is.
_PROCESSES = {"postfix": "master"}
_LINE = re.compile(r"\S+\s+\d+\s+\d+\s+(?P<address>\S+):(?P<port>\d+)\s+\S+:\*(?P<owner>.*)")


@dataclass(frozen=True)
class Listener:
    """What a service is about to listen on.

    option: what decides it. service: the name of its unit. addresses: `*` for all of IPv4, `::` for all of IPv6.
    ports: TCP ports; 0 is none.
    """

    option: str
    service: str
    addresses: Sequence[str]
    ports: Sequence[int]


@dataclass(frozen=True)
class Taken:
    """A port that somebody has.

    address: None for all, of both families; shown: as ss writes it, with the port. unit, process: whose it is, empty
    where that is not known.
    """

    address: Address | None
    shown: str
    port: int
    unit: str
    process: str

    @property
    def owner(self) -> str:
        """Who has it."""
        return self.unit or self.process or "a program that cannot be told"


def port_problems(wanted: Sequence[Listener], taken: Sequence[Taken]) -> Iterator[str]:
    """Check that no other program has a port."""
    for listener in wanted:
        for other in taken:
            if other.port not in listener.ports or _is_own(other, listener):
                continue
            if _overlap(other, listener.addresses):
                yield (
                    f"{listener.option}: {listener.service} cannot listen on port {other.port}, for {other.owner} does "
                    f"already (on {other.shown}); stop that, or write here what leaves both their own"
                )


def has_another(taken: Sequence[Taken], address: Address, port: int, service: str) -> bool:
    """Whether another program than a service has a port of an address."""
    listener = Listener("", service, [str(address)], [port])
    return any(
        other.port == port and not _is_own(other, listener) and _overlap(other, listener.addresses)
        for other in taken
    )


def read_listening(output: str, sockets: str = "") -> list[Taken]:
    """Read what `ss --no-header --listening --tcp --numeric --processes --cgroup` prints (ss(8)).

    sockets: what `systemctl list-sockets --no-legend --full` prints. Where a kernel filters no addresses by unit,
    systemd opens a socket unit's ports as its own.
    """
    units = dict(line.split()[:2] for line in sockets.splitlines() if line.strip())
    return [
        replace(taken, unit=units.get(taken.shown, taken.unit)) if taken.unit == "init.scope" else taken
        for taken in (_read_line(line) for line in output.splitlines() if line.strip())
    ]


def ask_listening() -> list[Taken]:
    """Return the TCP ports that programs of this host listen on."""
    ss = ["ss", "--no-header", "--listening", "--tcp", "--numeric", "--processes", "--cgroup"]
    systemctl = ["systemctl", "list-sockets", "--no-legend", "--full"]
    # pylint: disable-next=ansible-bad-function
    ports = subprocess.run(ss, capture_output=True, text=True, check=True).stdout
    # None where systemd does not run.
    # pylint: disable-next=ansible-bad-function
    sockets = subprocess.run(systemctl, capture_output=True, text=True, check=False).stdout
    return read_listening(ports, sockets)


def _read_line(line: str) -> Taken:
    found = _LINE.fullmatch(line.strip())
    if not found:
        raise ValueError(f"no line of ss: {line!r}")
    host = found["address"].partition("%")[0].strip("[]")
    unit = re.search(r"cgroup:\S*/([^\s/]+\.\w+)", found["owner"])
    process = re.search(r'users:\(\("([^"]+)"', found["owner"])
    return Taken(
        address=None if host == "*" else ipaddress.ip_address(host),
        shown=f"{found['address']}:{found['port']}",
        port=int(found["port"]),
        unit=unit[1] if unit else "",
        process=process[1] if process else "",
    )


def _is_own(taken: Taken, listener: Listener) -> bool:
    """Whether a port is the service's already, or that of one which makes room for it.

    The unit decides where it is known: processes that have changed their user are not shown in every container.
    """
    names = (listener.service, *_REPLACED.get(listener.service, ()))
    if taken.unit:
        return taken.unit.partition(".")[0].partition("@")[0] in names
    return taken.process in (*names, _PROCESSES.get(listener.service))


def _overlap(taken: Taken, wanted: Sequence[str]) -> bool:
    """Whether both cannot listen on one port. Where ss writes `*`, IPv6 takes IPv4 along (ipv6(7), IPV6_V6ONLY)."""
    if taken.address is None:
        return True
    here = [ipaddress.ip_address("0.0.0.0" if address == "*" else address) for address in wanted]  # noqa: S104
    return any(
        taken.address.version == address.version
        and (taken.address == address or taken.address.is_unspecified or address.is_unspecified)
        for address in here
    )
