# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Deliveries are counted from the journal, each once, whatever happens between two runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from mail_metrics import journal
from mail_metrics.deliveries import Deliveries
from mail_metrics.exposition import exposition
from mail_metrics.files import read_state, write_state
from mail_metrics.journal import Line, read_journal
from mail_metrics.programs import UnansweredError

GMAIL = "postfix/relay-gmail/smtp"
SENT = (
    "{}: to=<x@world.test>, relay=smtp.gmail.test[192.0.2.1]:587, delay=0.1, delays=0/0/0/0, dsn=2.0.0, status=sent "
    "(250 2.0.0 Ok)"
)
KEPT = (
    "{}: to=<il@home.internal>, orig_to=<root>, relay=mail[private/dovecot-lmtp], delay=0.1, delays=0/0/0/0, "
    "dsn=2.0.0, status=sent (250 2.0.0 Saved)"
)
REFUSED = (
    "{}: to=<x@world.test>, relay=none, delay=0.1, delays=0/0/0/0, dsn=4.4.1, status=deferred "
    "(connect to smtp.gmail.test[192.0.2.1]:587: Connection refused)"
)
SUSPENDED = (
    "{}: to=<y@world.test>, relay=none, delay=0.1, delays=0/0/0/0, dsn=4.4.1, status=deferred (delivery temporarily "
    "suspended: connect to smtp.gmail.test[192.0.2.1]:587: Connection refused)"
)
EXPIRED = "{}: from=<il@home.internal>, status=expired, returned to sender"


class Journal:
    """Stands for the journal: lines with cursors, of which the oldest may go."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.written = 0
        self.read_lines = 0

    def say(self, text: str, identifier: str = GMAIL) -> None:
        self.written += 1
        self.lines.append(Line(f"cursor{self.written:04}", identifier, text))

    def read(self, cursor: str | None) -> Iterator[Line]:
        """As journalctl does: from the cursor on, or from the next line where that is gone."""
        for line in self.lines[-1:] if cursor is None else self.lines:
            if cursor is None or line.cursor >= cursor:
                self.read_lines += 1
                yield line


def counted(deliveries: Deliveries) -> dict[str, float]:
    lines = exposition(deliveries.metrics()).splitlines()
    pairs = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
    return {name.removeprefix("mail_deliveries_total"): float(value) for name, value in pairs if value != "0"}


@pytest.fixture
def told() -> Journal:
    return Journal()


def begun(told: Journal) -> Deliveries:
    deliveries = Deliveries()
    deliveries.read(told.read)
    return deliveries


def test_what_was_said_before_the_first_time_is_not_counted(told: Journal) -> None:
    told.say(SENT.format("A1"))
    deliveries = begun(told)
    deliveries.read(told.read)
    assert counted(deliveries) == {}


def test_the_first_line_of_an_empty_journal_is_counted(told: Journal) -> None:
    deliveries = begun(told)
    told.say(SENT.format("A1"))
    deliveries.read(told.read)
    assert counted(deliveries) == {'{destination="world",provider="gmail",status="sent"}': 1}


def test_each_way_and_end_is_counted(told: Journal) -> None:
    deliveries = begun(told)
    told.say(SENT.format("A1"))
    told.say(KEPT.format("A2"), "postfix/lmtp")
    told.say(REFUSED.format("A3"))
    told.say(SUSPENDED.format("A4"), "postfix/error")
    told.say(EXPIRED.format("A3"), "postfix/qmgr")
    told.say("A5: removed", "postfix/qmgr")
    told.say("connect from somewhere.test[192.0.2.7]", "postfix/smtpd")
    deliveries.read(told.read)
    assert counted(deliveries) == {
        '{destination="world",provider="gmail",status="sent"}': 1,
        '{destination="world",provider="gmail",status="deferred"}': 2,
        '{destination="world",provider="gmail",status="expired"}': 1,
        '{destination="house",status="sent"}': 1,
    }


def test_a_run_that_was_killed_counts_again_what_it_had_not_kept_and_nothing_twice(
    told: Journal, tmp_path: Path
) -> None:
    state = tmp_path / "state.json"
    write_state(state, begun(told))
    for number in range(9):
        told.say(SENT.format(f"A{number}"))
        killed = read_state(state)
        killed.read(told.read)
        if number % 3 == 0:
            write_state(state, killed)
    last = read_state(state)
    last.read(told.read)
    assert list(counted(last).values()) == [9]
    write_state(state, last)
    assert read_state(state) == last


@pytest.mark.parametrize("gone", range(6))
def test_nothing_is_lost_where_the_journal_forgets_what_was_counted(told: Journal, gone: int) -> None:
    for number in range(3):
        told.say(SENT.format(f"A{number}"))
    deliveries = begun(told)
    for number in range(3):
        told.say(SENT.format(f"B{number}"))
    del told.lines[:gone]
    deliveries.read(told.read)
    assert sum(counted(deliveries).values()) == min(3, 6 - gone)


def test_a_run_reads_only_so_much_and_the_next_one_goes_on(
    told: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal.new_lines, "__defaults__", (4,))
    deliveries = begun(told)
    for number in range(10):
        told.say(SENT.format(f"A{number}"))
    for expected in (4, 8, 10):
        before = told.read_lines
        deliveries.read(told.read)
        assert sum(counted(deliveries).values()) == expected
        assert told.read_lines - before <= 5


def test_a_host_that_two_accounts_have_tells_of_neither(told: Journal) -> None:
    deliveries = begun(told)
    told.say(SENT.format("A1"))
    told.say(SENT.format("A2"), "postfix/relay-work/smtp")
    told.say(SUSPENDED.format("A4"), "postfix/error")
    deliveries.read(told.read)
    assert counted(deliveries)['{destination="unknown",status="deferred"}'] == 1


@pytest.mark.parametrize(
    "text",
    [
        'A1: to=<"a>, relay=x, delay=1, delays=1/1/1/1, dsn=2.0.0, status=sent ("@b>, relay=none, delay=0.1',
        "A1: to=<a@b>, relay=none, status=",
        "warning: A1: to=<a@b>, relay=x, status=sent (x)",
        "",
    ],
)
def test_what_is_no_line_of_a_delivery_is_passed_by(told: Journal, text: str) -> None:
    deliveries = begun(told)
    told.say(text)
    deliveries.read(told.read)
    assert counted(deliveries) == {}


def test_messages_that_no_longer_wait_are_forgotten(told: Journal) -> None:
    deliveries = begun(told)
    for name in ("A1", "A2", "A3"):
        told.say(REFUSED.format(name))
    told.say("A1: removed", "postfix/qmgr")
    deliveries.read(told.read)
    deliveries.forget(["A2", "B9"])
    assert list(deliveries.ways.messages) == ["A2"]


# --- journalctl itself


def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    path = tmp_path / "journalctl"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


LINE = '{"__CURSOR":"c1","SYSLOG_IDENTIFIER":"postfix/lmtp","MESSAGE":"A1: removed"}'


def test_journalctl_is_asked_from_the_cursor_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, monkeypatch, f"echo \"$@\" >{tmp_path}/asked; echo '{LINE}'")
    assert list(read_journal("s=1;i=2")) == [Line("c1", "postfix/lmtp", "A1: removed")]
    assert (
        "--cursor=s=1;i=2 _SYSTEMD_UNIT=postfix.service + _SYSTEMD_UNIT" in (tmp_path / "asked").read_text()
    )


def test_journalctl_that_goes_on_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, monkeypatch, f"while :; do echo '{LINE}'; done")
    lines = read_journal("")
    assert next(lines).cursor == "c1"
    lines.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("script", ["echo no >&2; exit 1", "echo no", "echo '{}'", "echo '[]'"])
def test_a_journal_that_cannot_be_read_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    program(tmp_path, monkeypatch, script)
    with pytest.raises(UnansweredError, match="journalctl"):
        list(read_journal("c0"))


def test_what_is_no_text_is_passed_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, monkeypatch, """echo '{"__CURSOR":"c1","MESSAGE":[65,255]}'""")
    assert list(read_journal("c0")) == [Line("c1", "", "")]
