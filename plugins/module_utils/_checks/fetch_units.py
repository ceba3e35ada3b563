# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the units run that fetch provider accounts by themselves."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.ilnmors.mail.plugins.module_utils._checks.checks import Check

ACCOUNTS = Path("/etc/mbsync-fetch/accounts")
TARGET = "mbsync-fetch.target"
WITHOUT = {
    "timer": "nothing is fetched regularly",
    "path": "no fetch follows the provider's news",
    "watcher": "new mail is not waited for",
    "service": "nothing is fetched",
}
"""What each unit of an account is called here, and what does not happen without it."""
NO_IDLE = 69
"""How the watcher ends where the provider has no IDLE (roles/mbsync_fetch/files/mbsync_fetch/watch)."""
_PROPERTIES = "Id,LoadState,ActiveState,SubState,UnitFileState,Result,ExecMainStatus"


@dataclass(frozen=True)
class Unit:
    """What systemd says of a unit (org.freedesktop.systemd1(5)).

    load, active, sub, file: such as "loaded" or "masked", "active", "running", "enabled". result: how it ended last.
    status: with which exit status.
    """

    load: str = "loaded"
    active: str = "active"
    sub: str = ""
    file: str = ""
    result: str = "success"
    status: int = 0


def units_of(name: str) -> dict[str, str]:
    """Return the units of an account, by what they are called here."""
    return {
        "timer": f"mbsync-fetch@{name}.timer",
        "path": f"mbsync-fetch@{name}.path",
        "watcher": f"mbsync-fetch-watch@{name}.service",
        "service": f"mbsync-fetch@{name}.service",
    }


def look_at_units(units: Sequence[str]) -> dict[str, Unit]:
    """Ask systemd for units by their names; those that it does not know of are not found."""
    answer = subprocess.run(  # pylint: disable=ansible-bad-function
        ["systemctl", "show", f"--property={_PROPERTIES}", *units],
        capture_output=True,
        text=True,
        check=False,
    )
    found = dict.fromkeys(units, Unit(load="not-found", active="inactive"))
    for block in answer.stdout.split("\n\n"):
        said = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if said.get("Id") in found:
            found[said["Id"]] = Unit(
                load=said.get("LoadState", ""),
                active=said.get("ActiveState", ""),
                sub=said.get("SubState", ""),
                file=said.get("UnitFileState", ""),
                result=said.get("Result") or "success",
                status=int(said.get("ExecMainStatus") or 0),
            )
    return found


def hold_of(name: str) -> str:
    """Return the path of the file that keeps an account from being fetched, "" if there is none."""
    hold = ACCOUNTS / f"{name}.hold"
    return str(hold) if hold.exists() else ""


def fetch_state(service: Unit) -> str:
    """Return the state of what fetches an account: one that only waits to be started again has failed."""
    return "failed" if service.sub.startswith("auto-restart") else service.active


def unit_check(name: str, units: Mapping[str, Unit], hold: str) -> Check:
    """Return the check of an account's units. hold: the path of the file that keeps it from being fetched, or ""."""
    problems = [*_held(hold), *_target_problems(units[TARGET])]
    if units[TARGET].active == "active":
        for kind, unit in units_of(name).items():
            problems += _problems(kind, unit, units[unit])
    said = "timer, path and watcher run"
    watcher = units[units_of(name)["watcher"]]
    if watcher.active == "inactive" and watcher.status == NO_IDLE:
        said = "timer and path run; the provider has no IDLE, so that mail is fetched by the timer alone"
    return Check(f"{name} units", not problems, 0.0, "; and ".join(problems) or said)


def _held(hold: str) -> Iterator[str]:
    if hold:
        yield f"nothing is fetched while {hold} exists; remove it"


def _target_problems(target: Unit) -> Iterator[str]:
    if target.load == "masked":
        yield f"{TARGET} is masked; run 'systemctl unmask {TARGET}', then 'systemctl enable --now {TARGET}'"
    elif target.load == "not-found":
        yield f"there is no {TARGET}; run the site playbook"
    elif target.active != "active":
        yield f"{TARGET} is stopped, and nothing is fetched by itself; run 'systemctl start {TARGET}'"
    elif target.file != "enabled":
        yield (
            f"{TARGET} is {target.file or 'not enabled'}: nothing is fetched after the host's next start; "
            f"run 'systemctl enable {TARGET}'"
        )


def _problems(kind: str, name: str, unit: Unit) -> Iterator[str]:
    without = WITHOUT[kind]
    if unit.load == "masked":
        start = "" if kind == "service" else f", then 'systemctl start {name}'"
        yield f"{name} is masked: {without}; run 'systemctl unmask {name}'{start}"
    elif unit.load != "loaded":
        yield f"systemd does not load {name} ({unit.load}): {without}; run the site playbook"
    elif kind == "watcher":
        yield from _watcher_problems(name, unit)
    elif kind != "service" and unit.active != "active":
        how = "has failed" if unit.active == "failed" else "is stopped"
        why = f" ({unit.result})" if unit.result != "success" else ""
        yield f"{name} {how}{why}: {without}; run 'systemctl restart {name}'"


def _watcher_problems(name: str, unit: Unit) -> Iterator[str]:
    without = WITHOUT["watcher"]
    if unit.active == "active" or (unit.active == "inactive" and unit.status == NO_IDLE):
        return
    if unit.active == "activating":
        # It ends with success when it needs a newer credential.
        if unit.result != "success":
            yield f"{name} ends again and again ({unit.result}): {without}; look at 'journalctl --unit {name}'"
        return
    how = f"has failed ({unit.result})" if unit.active == "failed" else "is stopped"
    yield f"{name} {how}: {without}; run 'systemctl restart {name}'"
