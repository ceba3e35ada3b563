# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What verify says of the units that fetch accounts by themselves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.fetch_units import (
    TARGET,
    Unit,
    fetch_state,
    look_at_units,
    unit_check,
)

WATCHER, TIMER, PATH = (
    "mbsync-fetch-watch@gmail.service",
    "mbsync-fetch@gmail.timer",
    "mbsync-fetch@gmail.path",
)
SERVICE = "mbsync-fetch@gmail.service"
STOPPED = Unit(active="inactive", sub="dead")
MASKED = Unit(load="masked", active="inactive", sub="dead")
RUNNING = {
    TARGET: Unit(file="enabled", sub="active"),
    TIMER: Unit(sub="waiting"),
    PATH: Unit(sub="waiting"),
    WATCHER: Unit(sub="running"),
    SERVICE: STOPPED,
}
WELL: dict[str, tuple[dict[str, Unit], str]] = {
    "all run": ({}, "timer, path and watcher run"),
    "there is no IDLE": (
        {WATCHER: Unit(active="inactive", status=69)},
        "timer and path run; the provider has no IDLE, so that mail is fetched by the timer alone",
    ),
    "the watcher begins anew for a token": (
        {WATCHER: Unit(active="activating", sub="auto-restart")},
        "timer, path and watcher run",
    ),
    "the watcher runs again where there had been no IDLE": (
        {WATCHER: Unit(status=69)},
        "timer, path and watcher run",
    ),
    "it is fetched now": ({SERVICE: Unit(active="activating", sub="start")}, "timer, path and watcher run"),
}


@pytest.mark.parametrize("case", WELL)
def test_units_that_run_pass(case: str) -> None:
    changed, said = WELL[case]
    check = unit_check("gmail", RUNNING | changed, "")
    assert (check.name, check.ok, check.detail) == ("gmail units", True, said)


WRONG: dict[str, tuple[dict[str, Unit], str]] = {
    "the timer is stopped": (
        {TIMER: STOPPED},
        f"{TIMER} is stopped: nothing is fetched regularly; run 'systemctl restart {TIMER}'",
    ),
    "the path has failed": (
        {PATH: Unit(active="failed", result="trigger-limit-hit")},
        f"{PATH} has failed (trigger-limit-hit): no fetch follows the provider's news; "
        f"run 'systemctl restart {PATH}'",
    ),
    "the watcher is stopped": (
        {WATCHER: Unit(active="inactive", status=15)},
        f"{WATCHER} is stopped: new mail is not waited for; run 'systemctl restart {WATCHER}'",
    ),
    "the watcher has failed": (
        {WATCHER: Unit(active="failed", result="oom-kill", status=9)},
        f"{WATCHER} has failed (oom-kill): new mail is not waited for; run 'systemctl restart {WATCHER}'",
    ),
    "the watcher ends again and again": (
        {WATCHER: Unit(active="activating", sub="auto-restart", result="exit-code", status=1)},
        f"{WATCHER} ends again and again (exit-code): new mail is not waited for; "
        f"look at 'journalctl --unit {WATCHER}'",
    ),
    "the watcher is masked": (
        {WATCHER: MASKED},
        f"{WATCHER} is masked: new mail is not waited for; run 'systemctl unmask {WATCHER}', then "
        f"'systemctl start {WATCHER}'",
    ),
    "masked, and still running": (
        {TIMER: Unit(load="masked")},
        f"{TIMER} is masked: nothing is fetched regularly; run 'systemctl unmask {TIMER}', then "
        f"'systemctl start {TIMER}'",
    ),
    "the fetch itself is masked": (
        {SERVICE: MASKED},
        f"{SERVICE} is masked: nothing is fetched; run 'systemctl unmask {SERVICE}'",
    ),
    "a unit is missing": (
        {TIMER: Unit(load="not-found", active="inactive")},
        f"systemd does not load {TIMER} (not-found): nothing is fetched regularly; run the site playbook",
    ),
    "all are stopped": (
        {TARGET: replace(STOPPED, file="enabled"), TIMER: STOPPED, PATH: STOPPED, WATCHER: STOPPED},
        f"{TARGET} is stopped, and nothing is fetched by itself; run 'systemctl start {TARGET}'",
    ),
    "not at the next start": (
        {TARGET: Unit(file="disabled")},
        f"{TARGET} is disabled: nothing is fetched after the host's next start; run 'systemctl enable {TARGET}'",
    ),
    "the target is masked": (
        {TARGET: MASKED},
        f"{TARGET} is masked; run 'systemctl unmask {TARGET}', then 'systemctl enable --now {TARGET}'",
    ),
    "there is no target": (
        {TARGET: Unit(load="not-found", active="inactive")},
        f"there is no {TARGET}; run the site playbook",
    ),
    "two faults": (
        {TIMER: STOPPED, PATH: STOPPED},
        f"{TIMER} is stopped: nothing is fetched regularly; run 'systemctl restart {TIMER}'; and {PATH} is stopped: "
        f"no fetch follows the provider's news; run 'systemctl restart {PATH}'",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_units_that_do_not_run_are_told_of(case: str) -> None:
    changed, said = WRONG[case]
    check = unit_check("gmail", RUNNING | changed, "")
    assert (check.name, check.ok, check.detail) == ("gmail units", False, said)


def test_a_hold_is_told_of() -> None:
    check = unit_check("gmail", RUNNING, "/etc/mbsync-fetch/accounts/gmail.hold")
    assert (check.ok, check.detail) == (
        False,
        "nothing is fetched while /etc/mbsync-fetch/accounts/gmail.hold exists; remove it",
    )


def test_a_fetch_that_waits_to_be_started_again_has_failed() -> None:
    assert fetch_state(Unit(active="activating", sub="start")) == "activating"
    assert fetch_state(Unit(active="activating", sub="auto-restart")) == "failed"
    assert fetch_state(STOPPED) == "inactive"


def test_systemd_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "systemctl"
    program.write_text(
        """#!/bin/sh
printf 'Id=a.timer\\nLoadState=masked\\nActiveState=inactive\\nSubState=dead\\nUnitFileState=masked\\n\\n'
printf 'Id=b.service\\nLoadState=loaded\\nActiveState=failed\\nSubState=failed\\n'
printf 'Result=exit-code\\nExecMainStatus=78\\n'
"""
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert look_at_units(["a.timer", "b.service", "c.path"]) == {
        "a.timer": Unit("masked", "inactive", "dead", "masked"),
        "b.service": Unit("loaded", "failed", "failed", "", "exit-code", 78),
        "c.path": Unit("not-found", "inactive"),
    }
