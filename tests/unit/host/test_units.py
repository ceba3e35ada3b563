# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is done to units: planned from systemd and the notes, and a note goes only with success."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._files import pending
from ansible_collections.ilnmors.mail.plugins.module_utils._host import units
from ansible_collections.ilnmors.mail.plugins.module_utils._host.units import (
    Plan,
    Status,
    Unit,
    UnitsError,
    apply,
    look,
    make_plan,
    missing,
)

RUNS = Status("loaded", "active", "running", "enabled")
STOPPED = Status("loaded", "inactive", "dead", "enabled")
FAILED = Status("loaded", "failed", "failed", "enabled")
DISABLED = Status("loaded", "active", "running", "disabled")
OUTDATED = Status("loaded", "active", "running", "enabled", outdated=True)
UPGRADED = Status("loaded", "active", "exited", "enabled", type="forking")
ONESHOT = Status("loaded", "active", "exited", "enabled", type="oneshot")


@pytest.mark.parametrize(
    ("status", "notes", "state", "expected"),
    [
        (RUNS, [], "started", ""),
        (RUNS, ["reload-a.service"], "started", "reload"),
        (RUNS, ["restart-a.service"], "started", "restart"),
        (RUNS, ["reload-a.service", "restart-a.service"], "started", "restart"),
        (RUNS, ["reload-b.service", "a.service"], "started", ""),
        (STOPPED, [], "started", "start"),
        (FAILED, ["reload-a.service"], "started", "start"),
        (Status(), [], "started", "start"),
        (STOPPED, ["restart-a.service"], "kept", ""),
        (RUNS, ["restart-a.service"], "kept", "restart"),
        (UPGRADED, ["reload-a.service"], "started", "replace"),
        (RUNS, ["reload-a.service"], "stopped", "stop"),
        (Status("loaded", file="disabled"), ["reload-a.service"], "stopped", ""),
        (ONESHOT, [], "started", ""),
    ],
)
def test_a_unit_needs_what_systemd_and_the_notes_say(
    status: Status, notes: list[str], state: str, expected: str
) -> None:
    plan = make_plan([Unit("a.service", state)], {}, {"a.service": status}, notes)
    assert plan.actions.get("a.service", "") == expected
    assert plan.changed == bool(expected)


def test_a_unit_that_is_to_start_is_enabled() -> None:
    found = {"a.service": DISABLED, "b.service": DISABLED}
    plan = make_plan([Unit("a.service"), Unit("b.service", "kept")], {}, found, [])
    assert (plan.enable, plan.disable, plan.changed) == (("a.service",), (), True)


@pytest.mark.parametrize(
    ("found", "notes", "expected"),
    [
        ({"a.service": RUNS}, [], False),
        ({"a.service": OUTDATED}, [], True),
        ({"a.service": RUNS, "a-part@x.service": OUTDATED}, [], True),
        ({"a.service": RUNS}, ["reload-a.service"], False),
        ({"a.service": RUNS}, ["restart-a.service"], True),
    ],
)
def test_systemd_reads_its_units_anew_where_they_changed(
    found: dict[str, Status], notes: list[str], expected: bool
) -> None:
    plan = make_plan([Unit("a.service", parts=("a-part*",))], {}, found, notes)
    assert plan.daemon_reload is expected
    assert plan.changed is bool(expected or notes)


def test_commands_run_where_they_are_noted() -> None:
    commands = {"forget-logins": ["doveadm"], "apply-limits": ["sysctl"]}
    assert make_plan([], commands, {}, ["forget-logins"]).commands == {"forget-logins": ["doveadm"]}


def test_units_that_are_to_run_have_to_be_there() -> None:
    wanted = [Unit("a.service"), Unit("b.service"), Unit("c.service", "kept")]
    assert missing(wanted, {"a.service": RUNS, "b.service": Status()}) == ["b.service"]


SHOWN = """\
Names=dovecot.service
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
NeedDaemonReload=no
Type=notify

Names=mail.target other.target
LoadState=loaded
ActiveState=active
SubState=active
UnitFileState=disabled
NeedDaemonReload=yes

Names=gone.service
LoadState=not-found
ActiveState=inactive
SubState=dead
UnitFileState=
NeedDaemonReload=no
Type=simple
"""


class Systemd:
    """Stand for systemd, and for programs. Words that fail, as they begin, are in `fails`."""

    def __init__(self) -> None:
        self.called: list[str] = []
        self.fails: dict[str, str] = {}
        self.states: dict[str, Status] = {}

    def run(self, argv: Sequence[str], what: str, *, check: bool = True) -> str:
        line = " ".join(argv)
        if argv[:2] == ("systemctl", "show"):
            return "\n\n".join(
                f"Names={name}\nActiveState={self.states.get(name, RUNS).active}\nLoadState=loaded"
                for name in argv[5:]
            )
        self.called.append(line)
        for begin, said in self.fails.items():
            if line.startswith(begin) and check:
                raise UnitsError(f"{what}: {said}")
        return ""


@pytest.fixture
def systemd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Systemd:
    fake = Systemd()
    monkeypatch.setattr(units, "_run", fake.run)
    monkeypatch.setattr(units, "PAUSE", 0)
    monkeypatch.setattr(units, "SETTLE", 0.05)
    monkeypatch.setattr(pending, "DIRECTORY", tmp_path / "pending")
    return fake


def test_systemds_answer_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "systemctl", lambda *__: SHOWN)
    found = look([Unit("dovecot.service")])
    assert found == {
        "dovecot.service": Status("loaded", "active", "running", "enabled", type="notify"),
        "mail.target": Status("loaded", "active", "active", "disabled", outdated=True),
        "other.target": Status("loaded", "active", "active", "disabled", outdated=True),
        "gone.service": Status("not-found", "inactive", "dead", "", type="simple"),
    }


HOUSE = [
    Unit("mail.target", parts=("mail-*",)),
    Unit("nginx.service", check=("nginx", "-t")),
    Unit("fail2ban.service", "kept"),
]
COMMANDS = {"forget-logins": ["doveadm", "flush"]}


def carry_out(found: dict[str, Status], *notes: str) -> Plan:
    pending.note(notes)
    plan = make_plan(HOUSE, COMMANDS, found, pending.noted())
    apply(HOUSE, plan, pending.noted())
    return plan


def test_what_is_noted_is_done_and_forgotten(systemd: Systemd) -> None:
    found = dict.fromkeys(("mail.target", "nginx.service", "fail2ban.service"), RUNS)
    carry_out(
        found, "restart-mail.target", "reload-nginx.service", "reload-fail2ban.service", "forget-logins"
    )
    assert systemd.called == [
        "nginx -t",
        "systemctl stop mail-*",
        "systemctl daemon-reload",
        "systemctl restart mail.target",
        "systemctl reload nginx.service",
        "systemctl reload fail2ban.service",
        "doveadm flush",
    ]
    assert pending.noted() == {}


def test_a_second_time_nothing_is_done(systemd: Systemd) -> None:
    plan = carry_out(dict.fromkeys(("mail.target", "nginx.service", "fail2ban.service"), RUNS))
    assert not plan.changed
    assert systemd.called == []


def test_what_is_started_has_read_everything(systemd: Systemd) -> None:
    found = {"mail.target": RUNS, "nginx.service": FAILED, "fail2ban.service": STOPPED}
    carry_out(found, "reload-nginx.service", "restart-nginx.service", "reload-fail2ban.service")
    assert systemd.called == [
        "nginx -t",
        "systemctl reset-failed nginx.service",
        "systemctl start nginx.service",
    ]
    assert pending.noted() == {}


def test_a_unit_that_is_to_stop_is_disabled(systemd: Systemd) -> None:
    unit = Unit("a.service", "stopped", check=("false",))
    plan = make_plan([unit], {}, {"a.service": RUNS}, [])
    assert (plan.enable, plan.disable, plan.actions) == ((), ("a.service",), {"a.service": "stop"})
    apply([unit], plan, {})
    assert systemd.called == ["systemctl disable --quiet a.service", "systemctl stop a.service"]


def test_what_an_upgrade_left_behind_is_stopped_and_started(systemd: Systemd) -> None:
    carry_out({"mail.target": RUNS, "nginx.service": UPGRADED})
    assert systemd.called == ["nginx -t", "systemctl stop nginx.service", "systemctl start nginx.service"]


@pytest.mark.parametrize(
    ("fails", "called", "left"),
    [
        # Nothing is done to any unit before all are judged.
        ("nginx -t", ["nginx -t"], {"restart-mail.target", "reload-nginx.service", "forget-logins"}),
        (
            "systemctl reload nginx",
            [
                "nginx -t",
                "systemctl stop mail-*",
                "systemctl daemon-reload",
                "systemctl restart mail.target",
                "systemctl reload nginx.service",
            ],
            {"reload-nginx.service", "forget-logins"},
        ),
        (
            "doveadm",
            [
                "nginx -t",
                "systemctl stop mail-*",
                "systemctl daemon-reload",
                "systemctl restart mail.target",
                "systemctl reload nginx.service",
                "doveadm flush",
            ],
            {"forget-logins"},
        ),
    ],
)
def test_what_fails_stays_noted_and_so_does_what_comes_after_it(
    systemd: Systemd, fails: str, called: list[str], left: set[str]
) -> None:
    systemd.fails = {fails: "no"}
    found = dict.fromkeys(("mail.target", "nginx.service", "fail2ban.service"), RUNS)
    with pytest.raises(UnitsError):
        carry_out(found, "restart-mail.target", "reload-nginx.service", "forget-logins")
    assert systemd.called == called
    assert set(pending.noted()) == left


@pytest.mark.parametrize("state", ["failed", "inactive", "activating"])
def test_a_unit_that_dies_of_what_it_reads_keeps_its_note(systemd: Systemd, state: str) -> None:
    systemd.states = {"nginx.service": Status("loaded", state, "x")}
    found = dict.fromkeys(("mail.target", "nginx.service", "fail2ban.service"), RUNS)
    with pytest.raises(
        UnitsError, match=f"nginx.service is {state} .* after its reload; look at 'journalctl"
    ):
        carry_out(found, "reload-nginx.service")
    assert set(pending.noted()) == {"reload-nginx.service"}


def test_a_programs_errors_are_told_and_not_its_output(tmp_path: Path) -> None:
    program = tmp_path / "check"
    program.write_text("#!/bin/sh\necho a secret\necho line 3 is wrong >&2\nexit 3\n")
    program.chmod(0o755)
    unit = Unit("a.service", check=(str(program), "-t"))
    plan = make_plan([unit], {}, {"a.service": RUNS}, ["reload-a.service"])
    with pytest.raises(UnitsError) as error:
        apply([unit], plan, {})
    assert str(error.value) == (
        "a.service: what is written for it is refused, and it runs on as it did: "
        f"'{program} -t' failed with exit code 3:\nline 3 is wrong"
    )


def test_a_program_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    unit = Unit("a.service", check=("no-such-program",))
    with pytest.raises(UnitsError, match="'no-such-program' was not found on this host"):
        apply([unit], make_plan([unit], {}, {"a.service": RUNS}, ["reload-a.service"]), {})
