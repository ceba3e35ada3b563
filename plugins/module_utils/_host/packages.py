# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Have Debian packages installed: dpkg-query(1), dpkg(1), apt-get(8).

A host that has them all is asked nothing but dpkg's own database: no lists of packages, no mirror, no lock.
"""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

LISTS = Path("/var/lib/apt/lists")
JOURNAL = Path("/var/lib/dpkg/updates")
"""Where dpkg keeps what it has done and not yet written into its database: nothing, unless it was interrupted."""
POLICY = Path("/usr/sbin/policy-rc.d")
LOCK = Path("/run/ilnmors-mail-packages.lock")
OLD = 86400
"""Seconds after which lists of packages are refreshed before something is installed from them."""
PATIENCE = 300
"""Seconds to wait for another program that installs packages."""

# What of dpkg's answers is a half-way state that it finishes by itself.
UNFINISHED = ("unpacked", "half-configured", "triggers-awaited", "triggers-pending")
APT = (
    *("apt-get", "--yes", "--quiet", "--option", f"DPkg::Lock::Timeout={PATIENCE}"),
    *("--option", "Dpkg::Options::=--force-confdef", "--option", "Dpkg::Options::=--force-confold"),
)
POLICY_HEAD = """#!/bin/sh
# Made by ilnmors.mail.packages: what is being installed starts when it is configured.
"""


class PackagesError(Exception):
    """Packages that cannot be installed; the message says which, why, and what to do."""


def read_names(names: Iterable[str]) -> list[str]:
    """Check names of packages (Debian policy 5.6.1), each once; PackagesError names the first that is none."""
    names = list(dict.fromkeys(names))
    for name in names:
        if not re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", name):
            raise PackagesError(f"name: {name!r} is no name of a package; write one such as 'isync'")
    return names


def policy_text(units: Iterable[str], lock: Path) -> str:
    """Return a policy (invoke-rc.d(8)) that forbids starts of these units as long as an installation holds the lock.

    When that has ended, in whatever way, it forbids nothing.
    """
    # invoke-rc.d(8) names a service without its ending, deb-systemd-invoke(1p) the unit.
    names = sorted({name for unit in units for name in (unit, unit.removesuffix(".service"))})
    return f"""{POLICY_HEAD}case "$1" in
{"|".join(names)}) flock --nonblock {lock} true || exit 101 ;;
esac
"""


def read_units(units: Iterable[str]) -> list[str]:
    """Check names of units that are not to be started; PackagesError names the first that is none."""
    units = list(dict.fromkeys(units))
    for unit in units:
        if not re.fullmatch(r"[A-Za-z0-9_.@:-]+[.](service|socket|timer|path)", unit):
            raise PackagesError(
                f"not_started: {unit!r} is no name of a unit; write one such as 'dovecot.service'"
            )
    return units


def find_missing(names: Sequence[str]) -> dict[str, str]:
    """Return what dpkg says of each package that is not fully installed; "" where it knows nothing of it."""
    if not names:
        return {}
    done = _run(["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\n", "--", *names])
    found = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    return {name: found.get(name, "") for name in names if found.get(name) != "installed"}


def install(names: Sequence[str], not_started: Sequence[str]) -> None:
    """Install what is missing of the packages. not_started: units that the installation must not start."""
    missing = find_missing(names)
    if any(JOURNAL.glob("[0-9]*")) or any(state in UNFINISHED for state in missing.values()):
        with _without_starts(not_started) as lock:
            _finish(lock)
        missing = find_missing(names)
    if missing:
        with _without_starts(not_started) as lock:
            _install(list(missing), lock)
        missing = find_missing(names)
    if missing:
        raise PackagesError(
            f"name: {', '.join(missing)}: not installed, though apt-get says so; run it by hand"
        )


def _install(names: Sequence[str], lock: int) -> None:
    """Install from the lists that are there, or from fresh ones where they are old or do not do."""
    fresh = _is_old(LISTS) and not refresh()
    complaint = _apt_install(names, lock)
    if complaint and not fresh:
        stale = refresh()
        complaint = _apt_install(names, lock) if not stale else f"{complaint}; {stale}"
    if complaint:
        raise PackagesError(
            f"name: {', '.join(names)} cannot be installed: {complaint}. "
            "Let this host reach its Debian mirror, see what 'apt-get update' says, and run this again"
        )


def refresh() -> str:
    """Refresh the lists of packages; return apt's complaint, or nothing."""
    done = _run([*APT, "--option", "APT::Update::Error-Mode=any", "update"])
    if done.returncode:
        return _complaint(done)
    # apt-get leaves the time as it was where no list is newer.
    os.utime(LISTS)
    return ""


def _apt_install(names: Sequence[str], lock: int) -> str:
    done = _run([*APT, "--no-install-recommends", "install", "--", *names], lock)
    return _complaint(done) if done.returncode else ""


def _finish(lock: int) -> None:
    """Let dpkg finish what was interrupted; apt-get refuses to do anything before."""
    deadline = time.monotonic() + PATIENCE
    argv = ["dpkg", "--force-confdef", "--force-confold", "--configure", "--pending"]
    while (done := _run(argv, lock)).returncode:
        if "lock" not in done.stderr or time.monotonic() > deadline:
            raise PackagesError(
                f"name: an installation was interrupted and cannot be finished: {_complaint(done)}; "
                "run 'dpkg --configure --pending' on this host"
            )
        time.sleep(1)


def _is_old(path: Path) -> bool:
    try:
        return path.stat().st_mtime < time.time() - OLD
    except FileNotFoundError:
        return True


def _run(argv: Sequence[str], lock: int = -1) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # pylint: disable=ansible-bad-function
        argv,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        env={
            **os.environ,
            **{"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive", "DEBIAN_PRIORITY": "critical"},
            **{"APT_LISTCHANGES_FRONTEND": "none"},
        },
        # It lasts as long as the installation, also where that outlives this program.
        pass_fds=[lock] if lock >= 0 else [],
        check=False,
    )


def _complaint(done: subprocess.CompletedProcess[str]) -> str:
    """Return a failed program's output in one line: its errors, or its last line."""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("E: ").removeprefix("W: ") for line in lines if re.match("[EW]: ", line)]
    said = list(dict.fromkeys(errors))[:2] or lines[-1:] or [f"exit code {done.returncode}"]
    return "; ".join(" ".join(line.split()).rstrip(".:") for line in said)


# --- services of what is installed


def has_left_over() -> bool:
    """Tell whether an installation that was interrupted has left its policy, which forbids nothing any more."""
    if not _is_ours():
        return False
    try:
        with _locked(fcntl.LOCK_EX | fcntl.LOCK_NB):
            return True
    except BlockingIOError:
        return False


def clear_left_over() -> None:
    """Remove such a policy."""
    POLICY.unlink(missing_ok=True)


def _is_ours() -> bool:
    try:
        return POLICY.read_text(errors="replace").startswith(POLICY_HEAD)
    except FileNotFoundError:
        return False


@contextmanager
def _locked(how: int) -> Iterator[int]:
    descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, how)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _without_starts(units: Sequence[str]) -> Iterator[int]:
    """Keep units from being started within the block. A policy of the host's own is left alone."""
    if not units or (os.path.lexists(POLICY) and not _is_ours()):
        yield -1
        return
    with _locked(fcntl.LOCK_EX) as lock:
        beside = POLICY.with_name(f".{POLICY.name}.new")
        beside.write_text(policy_text(units, LOCK))
        beside.chmod(0o755)
        beside.replace(POLICY)
        try:
            yield lock
        finally:
            clear_left_over()
