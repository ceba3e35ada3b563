# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a machine can run the house at all: its system, whose rights a run has, programs, room, the kernel."""

from __future__ import annotations

import os
import platform
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

RELEASES = ("12", "13")
# Debian itself, and the system of the Raspberry Pi, which is made of it (os-release(5), ID).
SYSTEMS = ("debian", "raspbian")
PACKAGES = ("postfix", "dovecot-core", "nginx")
BARE_ROOM = 500
"""Megabytes that the packages of all roles need on a bare host, with what apt downloads."""
LEAST_ROOM = 20
"""Megabytes without which a run would stop in the middle."""
_NETLINK_NETFILTER = 12
_CAP_NET_ADMIN = 12


@dataclass(frozen=True)
class Machine:
    """What is found on a host.

    system: its ID, release: its VERSION_ID, called: its name, as os-release(5) has them. is_root: whether this program
    is root. programs: those of `ss` that are there. bare: whether no service of the house is installed. room:
    megabytes free, by directory. has_firewall: whether the kernel lets a program of this host filter its network.
    """

    system: str
    release: str
    called: str
    is_root: bool
    programs: Sequence[str]
    bare: bool
    room: Mapping[str, int]
    has_firewall: bool


def read_machine() -> Machine:
    """Look at this host."""
    try:
        about = platform.freedesktop_os_release()
    except OSError:
        about = {}
    return Machine(
        system=about.get("ID", ""),
        release=about.get("VERSION_ID", ""),
        called=about.get("PRETTY_NAME", "a system without /etc/os-release"),
        is_root=os.geteuid() == 0,
        programs=[name for name in ("ss",) if shutil.which(name)],
        bare=not any(Path(f"/var/lib/dpkg/info/{name}.list").exists() for name in PACKAGES),
        room={path: shutil.disk_usage(path).free // 1_000_000 for path in ("/usr", "/var")},
        has_firewall=_has_firewall(),
    )


def machine_problems(machine: Machine, bans: Sequence[str] = ()) -> Iterator[str]:
    """Check what every role needs. bans: the variables for which addresses are to be banned."""
    if machine.system not in SYSTEMS or machine.release not in RELEASES:
        yield f"the host runs {machine.called}; use one with Debian {' or '.join(RELEASES)}"
        return
    if not machine.is_root:
        yield (
            "the tasks do not run as root; set 'ansible_become: true' for the host in the inventory, or run "
            "ansible-playbook with --become (and --ask-become-pass)"
        )
        return
    if "ss" not in machine.programs:
        yield "the host has no 'ss', which tells who listens on its ports; run 'apt-get install iproute2' there"
    least = BARE_ROOM if machine.bare else LEAST_ROOM
    full = [f"{path} ({free} MB)" for path, free in machine.room.items() if free < least]
    if full:
        yield f"the host has less than {least} MB left for {', '.join(full)}; make room there"
    for option in () if machine.has_firewall else bans:
        yield (
            f"{option}: the kernel does not let this host ban addresses (nftables, CAP_NET_ADMIN); let the container "
            f"have its own network with that right, or write 'false'"
        )


def name_problems(names: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Check that names of the house resolve on this host. names: each after the variable that it is of."""
    for option, name in names:
        try:
            socket.getaddrinfo(name, None)
        except OSError:
            yield (
                f"{option}: {name!r} does not resolve on this host; add it to your DNS ('ansible-playbook "
                "ilnmors.mail.dns' prints the records), or to /etc/hosts of this host"
            )


def role_problems(programs: Mapping[str, str]) -> Iterator[str]:
    """Check that other roles were there before. programs: what each installs, by the role's name."""
    for role, program in programs.items():
        if not Path(program).exists():
            yield (
                f"the host has no {program}, without which nothing works that this role sets up; "
                f"give the host the role {role} before this one"
            )


def _has_firewall() -> bool:
    """Whether this program may filter packets (capabilities(7)), and the kernel has a filter (netlink(7))."""
    status = Path("/proc/self/status").read_text("ascii", "replace")
    effective = next((line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), "0")
    if not int(effective, 16) >> _CAP_NET_ADMIN & 1:
        return False
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER):
            return True
    except OSError:
        return False
