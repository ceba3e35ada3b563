# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Let units of systemd run as they are written on this host: systemctl(1), and the notes of pending.py.

What is to be done is read from the host alone: from systemd, and from the notes that are made before the files of a
unit are written. A note goes only when what it stands for has succeeded.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils._files import pending
from ansible_collections.ilnmors.mail.plugins.module_utils._files.staged_check import find_program

PROPERTIES = (
    *(
        "Names",
        "LoadState",
        "ActiveState",
        "SubState",
        "UnitFileState",
        "NeedDaemonReload",
        "Type",
        "StatusText",
    ),
)
OUTPUT_LINES = 20
SETTLE = 10.0
"""Seconds within which a unit that was acted on has to be active."""
PAUSE = 0.2
"""Seconds between two looks at a unit. One that dies of its new configuration does so at once."""


class UnitsError(Exception):
    """A unit or command that did not take what was written; the message says which, why, and what to do."""


@dataclass(frozen=True)
class Unit:
    """A unit that is "started" or "stopped", or ("kept") left as it is and only told of changes where it runs.

    `check`: a command that judges all that the unit reads, or nothing. `parts`: patterns of units that stop with it
    before systemd reads its units anew, also those whose files are gone.
    """

    name: str
    state: str = "started"
    check: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, str]:
        """Names of the notes that are about it."""
        return f"restart-{self.name}", f"reload-{self.name}"


@dataclass(frozen=True)
class Status:
    """What systemd says of a unit."""

    load: str = "not-found"
    active: str = "inactive"
    sub: str = "dead"
    file: str = ""
    outdated: bool = False
    type: str = ""
    text: str = ""

    @property
    def runs(self) -> bool:
        """Whether it is active, or becomes so at this moment after a reload."""
        return self.active in ("active", "reloading")

    @property
    def left_behind(self) -> bool:
        """Whether an upgrade gave it another type while it ran: systemd knows none of its processes."""
        return self.runs and self.sub == "exited" and self.type not in ("", "oneshot")


@dataclass(frozen=True)
class Plan:
    """What is to be done: units to enable and disable, what to do with each unit, and the commands that are pending."""

    enable: tuple[str, ...]
    disable: tuple[str, ...]
    actions: Mapping[str, str]
    commands: Mapping[str, Sequence[str]]
    daemon_reload: bool

    @property
    def changed(self) -> bool:
        """Whether anything is to be done."""
        return bool(self.enable or self.disable or self.actions or self.commands or self.daemon_reload)


def read_units(entries: Iterable[Mapping[str, Any]]) -> list[Unit]:
    """Read the module's units."""
    return [
        Unit(entry["name"], entry["state"], tuple(entry["check"]), tuple(entry["parts"])) for entry in entries
    ]


def make_plan(
    units: Sequence[Unit],
    commands: Mapping[str, Sequence[str]],
    found: Mapping[str, Status],
    notes: Iterable[str],
) -> Plan:
    """Compare what runs with what is written. found: each unit's status by its name, and those of their parts."""
    notes = set(notes)
    actions = {unit.name: _action(unit, found.get(unit.name, Status()), notes) for unit in units}
    actions = {name: action for name, action in actions.items() if action}
    return Plan(
        enable=_with(units, found, "started", ("disabled", "enabled-runtime")),
        disable=_with(units, found, "stopped", ("enabled", "enabled-runtime")),
        actions=actions,
        commands={name: argv for name, argv in commands.items() if name in notes},
        # Templates of parts that are not loaded are not among those that systemd calls outdated.
        daemon_reload="restart" in actions.values() or any(status.outdated for status in found.values()),
    )


def _with(
    units: Sequence[Unit], found: Mapping[str, Status], state: str, files: Sequence[str]
) -> tuple[str, ...]:
    """List the units that are to have a state, and whose files are in one of these."""
    return tuple(
        unit.name for unit in units if unit.state == state and found.get(unit.name, Status()).file in files
    )


def _action(unit: Unit, status: Status, notes: set[str]) -> str:
    """Say what a unit needs: "start", "stop", "reload", "restart", "replace" (stop and start), or nothing."""
    restart, reload = unit.notes
    if not status.runs:
        return "start" if unit.state == "started" else ""
    if unit.state == "stopped":
        return "stop"
    if status.left_behind:
        return "replace"
    if restart in notes:
        return "restart"
    return "reload" if reload in notes else ""


def apply(units: Sequence[Unit], plan: Plan, notes: pending.Notes) -> None:
    """Do what is planned. UnitsError says what failed; its note, and those of all that comes after it, stay."""
    acting = [unit for unit in units if unit.name in plan.actions]
    for unit in acting:
        if unit.check and plan.actions[unit.name] != "stop":
            _run(unit.check, f"{unit.name}: what is written for it is refused, and it runs on as it did")
    stopped = [part for unit in acting if plan.actions[unit.name] == "restart" for part in unit.parts]
    if stopped:
        systemctl("stop", *stopped)
    if plan.daemon_reload:
        systemctl("daemon-reload")
    for verb, names in (("enable", plan.enable), ("disable", plan.disable)):
        if names:
            systemctl(verb, "--quiet", *names)
    for unit in units:
        if action := plan.actions.get(unit.name):
            _act(unit, action)
        # One that does not run reads everything when it starts.
        pending.forget(unit.notes, notes)
    for name, argv in plan.commands.items():
        _run(argv, name)
        pending.forget([name], notes)


def _act(unit: Unit, action: str) -> None:
    if action == "start":
        # What has failed too often is not started again before somebody says so.
        systemctl("reset-failed", unit.name, check=False)
    for verb in ("stop", "start") if action == "replace" else (action,):
        systemctl(verb, unit.name)
    if unit.state == "started":
        _see_it_runs(unit.name, action)


def _see_it_runs(name: str, action: str) -> None:
    deadline = time.monotonic() + SETTLE
    seen = 0
    while seen < 2:
        status = show([name]).get(name, Status())
        seen = seen + 1 if status.active == "active" else 0
        if status.active == "failed" or (not seen and time.monotonic() > deadline):
            raise UnitsError(
                f"{name} is {status.active} ({status.sub}) after its {action}; look at 'journalctl --unit {name}'"
            )
        time.sleep(PAUSE if seen < 2 else 0)


def show(names: Sequence[str]) -> dict[str, Status]:
    """Ask systemd about units, by their names or patterns of those that are loaded."""
    output = systemctl("show", "--property", ",".join(PROPERTIES), "--", *names)
    found: dict[str, Status] = {}
    for block in output.split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        status = Status(
            load=values.get("LoadState", "not-found"),
            active=values.get("ActiveState", "inactive"),
            sub=values.get("SubState", "dead"),
            file=values.get("UnitFileState", ""),
            outdated=values.get("NeedDaemonReload") == "yes",
            type=values.get("Type", ""),
            text=values.get("StatusText", ""),
        )
        found |= dict.fromkeys(values.get("Names", "").split(), status)
    return found


def look(units: Sequence[Unit]) -> dict[str, Status]:
    """Ask systemd about these units and their parts."""
    return show([name for unit in units for name in (unit.name, *unit.parts)]) if units else {}


def missing(units: Sequence[Unit], found: Mapping[str, Status]) -> list[str]:
    """List the units that are to run and have no file on this host."""
    return [
        unit.name
        for unit in units
        if unit.state == "started" and found.get(unit.name, Status()).load == "not-found"
    ]


def systemctl(*words: str, check: bool = True) -> str:
    """Run systemctl, and return what it prints. UnitsError has its words."""
    return _run(("systemctl", *words), " ".join(("systemctl", *words[:1])), check=check)


def _run(argv: Sequence[str], what: str, *, check: bool = True) -> str:
    try:
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            [find_program(argv[0]) or argv[0], *argv[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env={**os.environ, "LC_ALL": "C", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"},
            check=False,
        )
    except FileNotFoundError:
        raise UnitsError(f"{what}: '{argv[0]}' was not found on this host; install it first") from None
    if done.returncode and check:
        # What a checker prints otherwise may be a whole configuration.
        said = done.stderr.strip() or "(it said nothing)"
        shown = "\n".join(said.splitlines()[-OUTPUT_LINES:])
        raise UnitsError(f"{what}: '{shlex.join(argv)}' failed with exit code {done.returncode}:\n{shown}")
    return done.stdout
