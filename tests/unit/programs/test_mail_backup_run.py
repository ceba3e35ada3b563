# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the backup talks to restic, what it makes of failures, and whom it tells."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from mail_backup.__main__ import EXIT, attempt
from mail_backup.backup import open_repository
from mail_backup.config import Access, Config, Place
from mail_backup.drill import DifferenceError, folder_differences
from mail_backup.locks import BusyError
from mail_backup.notice import message
from mail_backup.restic import (
    GENTLY,
    LOCK_PAUSE,
    REMEDIES,
    TAG,
    TIMED_OUT,
    RepositoryError,
    Restic,
    fault_of,
    run,
)
from mail_backup.status import Status, Work, describe, metrics

SECRET = "s3cret"
LIST = ["snapshots", "--json", "--tag", TAG]


def config(tmp_path: Path, **more: Any) -> Config:
    return Config(
        host="mail",
        domain="home.internal",
        mail_directory=tmp_path / "vmail",
        places=(Place("certificates", tmp_path / "ssl"),),
        keep={"daily": 7, "weekly": 0, "monthly": 2},
        state=tmp_path / "state",
        cache=tmp_path / "cache",
        **more,
    )


class Program:
    """Stands for restic: notes what it is asked, and answers."""

    def __init__(self, *answers: tuple[int, str, str]) -> None:
        self.answers = list(answers)
        self.asked: list[list[str]] = []
        self.environment: dict[str, str] = {}

    def __call__(
        self, command: list[str], environment: dict[str, str], __: float | None
    ) -> subprocess.CompletedProcess[str]:
        self.asked.append(command)
        self.environment = environment
        code, out, error = self.answers.pop(0) if self.answers else (0, "", "")
        return subprocess.CompletedProcess(command, code, out, error)


def restic(
    tmp_path: Path,
    program: Program,
    repository: str = "/mnt/backup/mail",
    sleep: Callable[[float], None] = lambda __: None,
) -> Restic:
    access = Access(repository, {"AWS_SECRET_ACCESS_KEY": SECRET}, tmp_path)
    return Restic(config(tmp_path), access, program, sleep)


# --- what restic says, as it was seen (0.14 and 0.18)


@pytest.mark.parametrize(
    ("code", "said", "fault"),
    [
        (1, "Fatal: wrong password or no key found", "password"),
        (12, "whatever", "password"),
        (1, "Fatal: unable to open config file: stat /x/config: no such file\nIs there a repository", "missing"),
        (10, "", "missing"),
        (1, "Fatal: unable to create lock in backend: repository is already locked by PID 9 on mail", "locked"),
        (1, "Save(<data/1>) returned error: write /x/data/1: no space left on device", "full"),
        (1, 'Head "https://nas/config": dial tcp 10.0.0.9:8000: connect: connection refused', "unreachable"),
        (1, "ssh: connect to host nas port 22: No route to host\nFatal: unable to start the sftp", "unreachable"),
        (1, "dial tcp: lookup nas: no such host\nIs there a repository at the following location?", "unreachable"),
        (1, 'Head "https://nas/config": x509: certificate signed by unknown authority\nIs there', "untrusted"),
        (1, "Host key verification failed.\nFatal: unable to start the sftp session", "untrusted"),
        (1, "backup@nas: Permission denied (publickey).\nFatal: unable to start the sftp session", "login"),
        (1, "unable to open config file: unexpected HTTP response (401): 401 Unauthorized", "login"),
        (1, "Fatal: unable to open config file: Stat: Access Denied.\nIs there a repository", "login"),
        (1, "Stat: The Access Key Id you provided does not exist in our records.\nIs there", "login"),
        (1, "The request signature we calculated does not match the signature you provided.", "login"),
        (1, "s3.getCredentials: no credentials found. Use `-o s3.unsafe-anonymous-auth=true`", "login"),
        (1, "Stat: The specified bucket does not exist.\nIs there a repository at the following", "missing"),
        (TIMED_OUT, "Stat(<config/>) returned error, retrying after 1s: dial tcp: connection refused", "unreachable"),
        (1, "pack 3f: ciphertext verification failed\nFatal: repository contains errors", "corrupt"),
        (1, "Load(<data/3f>): unexpected EOF", "corrupt"),
        (1, "something that nobody has seen", "error"),
    ],
)  # fmt: skip
def test_a_failure_is_told_apart(code: int, said: str, fault: str) -> None:
    assert fault_of(code, said) == fault
    assert fault in REMEDIES


def test_no_secret_is_on_a_command_line_or_in_a_message(tmp_path: Path) -> None:
    address = f"rest:https://il:{SECRET}@nas:8000/"
    program = Program((1, "", f"Fatal: {address} said no to {SECRET}, https://x:{SECRET}@nas"))
    with pytest.raises(RepositoryError) as error:
        restic(tmp_path, program, address).call("snapshots")
    assert SECRET not in str(error.value)
    assert not any(SECRET in word for word in program.asked[0])
    assert program.environment["RESTIC_REPOSITORY"] == address
    assert program.environment["AWS_SECRET_ACCESS_KEY"] == SECRET


def test_the_last_words_of_restic_are_read_from_json(tmp_path: Path) -> None:
    said = json.dumps({"message_type": "exit_error", "code": 1, "message": "Fatal: no\nwhy"})
    with pytest.raises(RepositoryError, match=r"^Fatal: no$"):
        restic(tmp_path, Program((1, "", said))).call("backup")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "Unable to use it\nsubprocess ssh: nas: Permission denied (publickey).\nFatal: unable to start the sftp",
            "subprocess ssh: nas: Permission denied (publickey).",
        ),
        (
            "Stat(<config/>) failed: Stat: Access Denied.\nFatal: unable to open config file: Stat: Access Denied.\nIs",
            "Fatal: unable to open config file: Stat: Access Denied.",
        ),
        (
            'Stat(<config/>) returned error, retrying after 901.141695ms: Head "https://nas/config": x509: unknown',
            'Head "https://nas/config": x509: unknown',
        ),
    ],
)
def test_the_most_telling_of_restics_words_are_told(tmp_path: Path, said: str, told: str) -> None:
    with pytest.raises(RepositoryError) as error:
        restic(tmp_path, Program((1, "", said))).call("snapshots")
    assert str(error.value) == told


def test_a_repository_that_does_not_answer_is_told_soon(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="did not answer within 120 s") as error:
        restic(tmp_path, Program((TIMED_OUT, "", ""))).snapshots()
    assert error.value.fault == "unreachable"


@pytest.mark.parametrize(
    ("said", "patience"), [("dial tcp: connection refused", 0.2), ("x509: certificate has expired", 600)]
)
def test_what_hangs_is_ended_and_what_it_said_is_kept(
    monkeypatch: pytest.MonkeyPatch, said: str, patience: float
) -> None:
    monkeypatch.setattr("mail_backup.restic.LOOK", 0.05)
    done = run(["sh", "-c", f"echo '{said}' >&2; exec sleep 600"], {"PATH": os.defpath}, patience)
    assert (done.returncode, done.stderr.strip()) == (TIMED_OUT, said)


def test_only_the_authorities_that_are_given_are_trusted(tmp_path: Path) -> None:
    program = Program()
    (tmp_path / "ca").write_text("")
    restic(tmp_path, program, "rest:https://nas:8000/").call("snapshots")
    (tmp_path / "ca").write_text("-----BEGIN CERTIFICATE-----")
    restic(tmp_path, program, "rest:https://nas:8000/").call("snapshots")
    assert "--cacert" not in program.asked[0]
    assert ["--cacert", str(tmp_path / "ca")] == program.asked[1][-3:-1]


def test_anothers_lock_is_waited_for(tmp_path: Path) -> None:
    waited: list[float] = []
    locked = (11, "", "already locked")
    program = Program(locked, (0, "", ""), locked, (0, "", ""), (0, "done", ""))
    assert restic(tmp_path, program, sleep=waited.append).call("forget") == "done"
    # At once after what is dead has been removed, then now and then.
    assert waited == [0, LOCK_PAUSE]
    assert [command[-1] for command in program.asked] == ["forget", "unlock"] * 2 + ["forget"]


@pytest.mark.parametrize(
    ("repository", "server"),
    [
        ("sftp:backup@nas:/mail", "backup@nas -s sftp"),
        ("sftp:nas:mail", "nas -s sftp"),
        ("sftp://backup@nas:2222//mail", "-p 2222 backup@nas -s sftp"),
    ],
)
def test_sftp_asks_nothing_and_trusts_nobody_else(tmp_path: Path, repository: str, server: str) -> None:
    (tmp_path / "ssh_key").write_text("x")
    program = Program()
    restic(tmp_path, program, repository).call("snapshots")
    command = next(word for word in program.asked[0] if word.startswith("sftp.command="))
    assert command.endswith(server)
    for word in ("BatchMode=yes", "StrictHostKeyChecking=yes", f"-i {tmp_path}/ssh_key"):
        assert word in command


def test_limits_are_handed_on(tmp_path: Path) -> None:
    program = Program()
    Restic(config(tmp_path, upload=500, download=0), Access("/x", {}, tmp_path), program).snapshots()
    assert program.asked[0] == [*GENTLY, "restic", "--quiet", "--limit-upload", "500", *LIST]


def test_what_somebody_waits_for_is_not_done_gently(tmp_path: Path) -> None:
    program = Program()
    Restic(config(tmp_path), Access("/x", {}, tmp_path), program, gently=False).snapshots()
    assert program.asked[0] == ["restic", "--quiet", *LIST]


# --- the repository is made once


def test_a_first_backup_makes_the_repository(tmp_path: Path) -> None:
    program = Program((10, "", "x"))
    open_repository(config(tmp_path), restic(tmp_path, program), Status(), lambda __: None)
    assert [command[-1] for command in program.asked] == ["mail", "init"]


def test_one_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    program = Program((10, "", "x"))
    status = Status(backup=Work("ok", last_success=1.0))
    with pytest.raises(RepositoryError, match="not there any more") as error:
        open_repository(config(tmp_path), restic(tmp_path, program), status, lambda __: None)
    assert "mount the disk" in error.value.remedy


def test_a_disk_that_is_not_mounted_is_not_written_below(tmp_path: Path) -> None:
    there = config(tmp_path, local_repository=str(tmp_path / "disk" / "mail"))
    with pytest.raises(RepositoryError, match="disk, where the repository is to be made, is not there"):
        open_repository(there, restic(tmp_path, Program((10, "", ""))), Status(), lambda __: None)


# --- how it goes


@pytest.mark.parametrize(
    ("raised", "state"),
    [
        (RepositoryError("password", "wrong"), "password"),
        (DifferenceError("il: Sent: the message is missing"), "wrong"),
        (OSError(28, "No space left on device"), "full"),
        (OSError(5, "Input/output error"), "error"),
        (BusyError("held"), "locked"),
        (ValueError("odd"), "error"),
    ],
)
def test_what_fails_is_in_the_status(raised: Exception, state: str) -> None:
    def do() -> dict[str, Any]:
        raise raised

    work = attempt(Work("ok", last_success=5.0, last_try=5.0), do, lambda: 9.0)
    assert (work.state, work.failures, work.last_success, work.last_try) == (state, 1, 5.0, 9.0)
    assert work.reason
    assert work.remedy
    assert str(raised) in describe(work)


def test_somebody_is_told_once_of_a_failure_and_once_of_its_end() -> None:
    work = Work("ok", last_success=0.0).failed(10, "password", "wrong password", "write the right one")
    assert work.notice(10, 100) == "stopped"
    told = Work(**{**vars(work), "told": True}).failed(20, "password", "wrong", "x")
    assert told.notice(20, 100) == ""
    works = told.succeeded(30, {})
    assert works.notice(30, 100) == "works"
    assert Work(**{**vars(works), "told": False}).notice(30, 100) == ""


@pytest.mark.parametrize(
    ("last", "now", "notice"), [(5.0, 50, ""), (5.0, 200, "stopped"), (0.0, 50, "stopped")]
)
def test_a_repository_that_may_come_back_is_waited_for(last: float, now: float, notice: str) -> None:
    work = Work("ok", last_success=last).failed(now, "unreachable", "x", "y")
    assert work.notice(now, 100) == notice


def test_the_message_says_what_happened_and_what_to_do() -> None:
    work = Work("ok", last_success=1_796_000_000.0).failed(9, "password", "wrong password", "write it anew")
    mail = message_from_bytes(message("backup", work, "stopped", "mail", "home.internal", 1_796_000_001.0))
    text = " ".join(str(mail.get_payload()).split())
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["To"] == "postmaster@home.internal"
    assert "What happened: wrong password" in text
    assert "What to do: write it anew." in text
    assert "2026-11" in text
    again = message_from_bytes(message("drill", work, "works", "mail", "home.internal", 1.0))
    assert again["Subject"] == "The drills of the backup of mail work again"


def test_a_status_survives_its_file(tmp_path: Path) -> None:
    status = Status(backup=Work("ok", last_success=1.0, facts={"messages": 3}))
    status.write(tmp_path / "status.json")
    assert Status.read(tmp_path / "status.json") == status
    for damage in ("", "{", '{"backup": 3}', '{"backup": {"x": 1}}', "[]"):
        (tmp_path / "status.json").write_text(damage)
        assert Status.read(tmp_path / "status.json") == Status()


def test_metrics_have_the_ages() -> None:
    text = metrics(
        Status(backup=Work("ok", last_success=17.0, facts={"messages": 3}), drill=Work("wrong", failures=2))
    )
    assert 'mail_backup_up{work="drill"} 0' in text
    assert 'mail_backup_last_success_timestamp_seconds{work="backup"} 17.0' in text
    assert "\nmail_backup_messages 3\n" in text


def test_exit_codes_say_what_is_tried_again() -> None:
    assert EXIT["unreachable"] == 75
    assert EXIT["password"] == 77


# --- a drill


RECORDED: dict[str, Any] = {
    "validity": 7,
    "next_uid": 3,
    "messages": {"a": [1, "S", "d1", 3, 9], "b": [2, "", "d2", 4, 9]},
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, []),
        ({"validity": 8}, ["the UIDVALIDITY is 8, and was 7"]),
        ({"messages": {"a": RECORDED["messages"]["a"]}}, ["the message b (UID 2) is missing"]),
        (
            {"messages": {**RECORDED["messages"], "b": [2, "", "other", 4, 9]}},
            ["the message b has another text"],
        ),
        (
            {"messages": {**RECORDED["messages"], "a": [5, "", "d1", 3, 9]}},
            ["the message a has another UID", "the message a has another flags"],
        ),
        ({"messages": {**RECORDED["messages"], "c": [3, "", "d", 1, 1]}}, ["the message c was not recorded"]),
    ],
)
def test_a_drill_names_every_difference(change: dict[str, Any], said: list[str]) -> None:
    assert list(folder_differences(RECORDED, {**RECORDED, **change})) == said
