# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether what keeps strangers off a mail host is in the kernel: limits of connections, and bans.

Both can be lost while their services run: somebody flushes nftables, or a table was never made.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
import subprocess
import time
from collections.abc import Callable, Sequence

from ansible_collections.ilnmors.mail.plugins.module_utils._checks.checks import Job, NotTried, Passed
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.errors import CheckError

LIMITS_UNIT = "postfix-connection-limits.service"
LIMITS_TABLE = "inet ilnmors_mail"
BANS_TABLE = "inet f2b-table"
"""Where the action `nftables` of fail2ban has all that its jails have banned."""
TIMEOUT = 30
NOBODYS = ipaddress.IPv4Network("192.0.2.0/24")
"""Addresses of documentation (RFC 5737), of which one is banned for a moment to see that a ban works."""
IN_KERNEL_WITHIN = 10.0
"""Seconds that fail2ban has to do what it was told."""

Run = Callable[[Sequence[str]], "str | None"]
"""Runs a command and returns what it prints, or None where it fails or is not there."""


def run(command: Sequence[str]) -> str | None:
    """Ask this host."""
    try:
        # pylint: disable-next=ansible-bad-function
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def guard_jobs(connections: int, jail: str, ask: Run = run, probe: bool = True) -> list[Job]:
    """Return the checks of what is wanted.

    connections: of an address, 0 without limits; jail: '' without bans; probe: whether an address may be banned.
    """
    jobs: list[Job] = []
    if connections:
        jobs.append(("connection limits", lambda: check_limits(connections, ask)))
    if jail:
        jobs.append((f"bans ({jail})", lambda: check_bans(jail, ask, probe)))
    return jobs


def check_limits(connections: int, ask: Run) -> Passed:
    """See that the kernel has the table of limits."""
    shown = ask(["systemctl", "show", "--property=ActiveState,StatusText", LIMITS_UNIT]) or ""
    unit = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    status = unit.get("StatusText", "")
    if unit.get("ActiveState") == "active" and status.startswith("No limits by nftables: "):
        reason = status.removeprefix("No limits by nftables: ")
        raise NotTried(
            f"this kernel takes none ({reason}); Postfix has its own, and one address can slow down 465"
        )
    table = ask(["nft", "list", "table", *LIMITS_TABLE.split()])
    if table is None or not re.search(rf"ct count over {connections}\b", table):
        raise CheckError(
            "the kernel has no limits, so that one address can keep others from sending",
            f"run 'systemctl restart {LIMITS_UNIT}' there, and see 'journalctl -u {LIMITS_UNIT}' if that does not help",
        )
    return Passed(f"each address has {connections} connections to each port")


def check_bans(jail: str, ask: Run, probe: bool) -> Passed:
    """See that the jail is on, and that the kernel keeps out whom it has banned; if that is nobody, that it would."""
    status = ask(["fail2ban-client", "status", jail])
    if status is None:
        raise CheckError(
            "no address that guesses passwords is banned, for the jail is not on",
            "run 'systemctl restart fail2ban' there, and see 'journalctl -u fail2ban' if that does not help",
        )
    banned = _banned(status)
    missing = sorted(banned - _kept_out(ask, jail))
    if missing:
        raise CheckError(
            f"the kernel lets in {', '.join(missing)}, which fail2ban has banned",
            f"run 'fail2ban-client reload --restart {jail}' there",
        )
    if banned:
        return Passed(f"banned addresses: {len(banned)}")
    if probe:
        _try_a_ban(jail, ask)
    return Passed("nobody is banned now" + (", and a ban works" if probe else ""))


def _try_a_ban(jail: str, ask: Run) -> None:
    # Another one for each of two that check at the same time.
    address = str(secrets.choice(list(NOBODYS.hosts())))
    until = time.monotonic() + IN_KERNEL_WITHIN
    try:
        told = ask(["fail2ban-client", "set", jail, "banip", address]) is not None
        while not (kept_out := address in _kept_out(ask, jail)) and told and time.monotonic() < until:
            time.sleep(0.1)
    finally:
        ask(["fail2ban-client", "set", jail, "unbanip", address])
    if not kept_out:
        raise CheckError(
            f"an address that fail2ban was told to ban ({address}, nobody's) did not get into the kernel",
            "see what 'journalctl -u fail2ban' says of nft there; it needs a kernel with nf_tables and CAP_NET_ADMIN",
        )


def _banned(status: str) -> set[str]:
    found = re.search(r"Banned IP list:[ \t]*(.*)", status)
    return {_plain(address) for address in found[1].split()} if found else set()


def _kept_out(ask: Run, jail: str) -> set[str]:
    """Return the addresses in the jail's sets of the table of bans, as nft lists it (nft(8))."""
    table = ask(["nft", "list", "table", *BANS_TABLE.split()]) or ""
    sets = re.findall(rf"set addr6?-set-{re.escape(jail)} \{{(.*?)\n\t\}}", table, re.DOTALL)
    elements = (re.search(r"elements = \{(.*?)\}", text, re.DOTALL) for text in sets)
    return {_plain(word.strip()) for found in elements if found for word in found[1].split(",")}


def _plain(address: str) -> str:
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address
