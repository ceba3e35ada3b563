# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What scripts send, with a sendmail that only writes down what it gets."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._formats.sender_marks import NULL_MARK

PROGRAM = Path(__file__).parents[3] / "roles/dovecot_imap/files/sieve_sendmail.py"
OWNER = "guest@home.internal"
REDIRECTED = b"X-Sieve: Pigeonhole Sieve 2.4.1\nX-Sieve-Redirected-From: guest@home.internal\n"


def load() -> Any:
    """Load the program as a module."""
    loader = SourceFileLoader("sieve_sendmail", str(PROGRAM))
    spec = importlib.util.spec_from_loader("sieve_sendmail", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "dont_write_bytecode", True)
        loader.exec_module(module)
    return module


program = load()


@pytest.fixture(autouse=True)
def aliases(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let guest have another address, and il one."""
    file = tmp_path / "aliases"
    file.write_text(
        "office@home.internal:::::::userdb_user=guest@home.internal\n"
        "root@home.internal:::::::userdb_user=il@home.internal\n"
    )
    monkeypatch.setattr(program, "ALIASES", file)


def rewritten(header: bytes, recipient: str = "me@elsewhere.test", sender: str = OWNER) -> tuple[str, bytes]:
    """Return the envelope's sender, and the header."""
    fields, __ = program.read_fields(iter(header.splitlines(keepends=True)))
    changed = program.Header(fields)
    return program.rewrite(changed, OWNER, sender, [recipient]), b"".join(changed.fields)


# --- the sender


@pytest.mark.parametrize(
    ("header", "sender", "expected"),
    [
        (REDIRECTED + b"From: a@b.test\n", OWNER, OWNER),
        (REDIRECTED + b"From: a@b.test\n", "il@home.internal", OWNER),
        (REDIRECTED + b"From: a@b.test\n", "<>", OWNER + NULL_MARK),
        # A report has no sender, whatever was read from its header.
        (REDIRECTED + b"Content-Type: Multipart/Report; x=y\n", "mailer-daemon@b.test", OWNER + NULL_MARK),
        (
            REDIRECTED + b"Content-Type:\n multipart/report;\n x=y\n",
            "mailer-daemon@b.test",
            OWNER + NULL_MARK,
        ),
        (REDIRECTED + b"Content-Type: multipart/reported\nX: multipart/report\n", "a@b.test", OWNER),
        # An answer of a vacation, and a refusal.
        (b"X-Sieve: Pigeonhole\nFrom: guest@home.internal\n", "il@home.internal", OWNER),
        (b"From: postmaster@home.internal\nContent-Type: multipart/report\n", "", OWNER + NULL_MARK),
    ],
)
def test_the_owner_sends_it(header: bytes, sender: str, expected: str) -> None:
    assert rewritten(header, sender=sender)[0] == expected
    assert program.NULL_MARK == NULL_MARK


# --- who wrote what is redirected


@pytest.mark.parametrize(
    ("header", "added"),
    [
        (b"From: A friend <friend@b.test>\n", b"Reply-To: A friend <friend@b.test>\n"),
        (b"FROM : friend@b.test (A\n friend)\r\n", b"Reply-To: friend@b.test (A\n friend)\n"),
        (b"From: A <a@b.test>, B <b@b.test>\n", b"Reply-To: A <a@b.test>, B <b@b.test>\n"),
        (
            b"From: =?utf-8?b?66+8?= <min@b.test>\nList-Id: <l.b.test>\n",
            b"Reply-To: =?utf-8?b?66+8?= <min@b.test>\n",
        ),
        (b"From: \xeb\xaf\xbc <min@b.test>\n", b"Reply-To: \xeb\xaf\xbc <min@b.test>\n"),
        (b"From: nobody in particular\n", b""),
        (b"From:\n", b""),
        (b"Subject: none\n", b""),
    ],
)
def test_an_answer_to_redirected_mail_goes_to_who_wrote_it(header: bytes, added: bytes) -> None:
    first, *others = header.splitlines(keepends=True)
    while others and others[0][:1] == b" ":
        first += others.pop(0)
    assert rewritten(REDIRECTED + header)[1] == REDIRECTED + added + first + b"".join(others)


@pytest.mark.parametrize("name", [b"Reply-To", b"reply-to ", b"REPLY-TO"])
def test_a_message_that_says_where_answers_go_stays(name: bytes) -> None:
    header = REDIRECTED + b"From: friend@b.test\n" + name + b": list@b.test\n"
    assert rewritten(header)[1] == header


def test_from_is_one_field() -> None:
    """Providers refuse a message with two."""
    header = b"From: a@b.test\nTo: guest@home.internal\nFrom: b@b.test\n"
    assert rewritten(REDIRECTED + header)[1] == (
        REDIRECTED
        + b"Reply-To: a@b.test,\n b@b.test\nFrom: a@b.test\nTo: guest@home.internal\nX-Original-From: b@b.test\n"
    )


@pytest.mark.parametrize("recipient", ["il@home.internal", "il+x@HOME.internal"])
def test_what_is_redirected_in_the_house_stays(recipient: str) -> None:
    header = REDIRECTED + b"From: friend@b.test\nFrom: friend@b.test\r\nno field\n"
    assert rewritten(header, recipient)[1] == header


# --- what a script writes


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"guest@home.internal", b"guest@home.internal"),
        (b'"The guest" <Guest+x@home.internal>', b'"The guest" <Guest+x@home.internal>'),
        (b"Office <office@home.internal>", b"Office <office@home.internal>"),
        (b"Il <il@home.internal>", b"Il <guest@home.internal>"),
        (b"root@home.internal", b"<guest@home.internal>"),
        (b"Postmaster <postmaster@home.internal>", b"Postmaster <guest@home.internal>"),
        (b"a@b.test, guest@home.internal", b"<guest@home.internal>"),
        (b"", b"<guest@home.internal>"),
    ],
)
def test_a_script_writes_as_its_owner(value: bytes, expected: bytes) -> None:
    header = b"X-Sieve: Pigeonhole\nFrom: %b\nAuto-Submitted: auto-replied (vacation)\n"
    assert rewritten(header % value)[1] == header % expected


def test_dovecot_says_itself_that_a_script_refuses() -> None:
    header = (
        b"From: Mail Delivery Subsystem <postmaster@home.internal>\nAuto-Submitted: auto-replied (rejected)\n"
    )
    assert rewritten(header)[1] == header
    assert b"<guest@home.internal>" in rewritten(header.replace(b"postmaster@", b"il@"))[1]


def test_aliases_may_be_unreadable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(program, "ALIASES", tmp_path / "none")
    assert program.owns(OWNER, "guest+x@home.internal")
    assert not program.owns(OWNER, "office@home.internal")


# --- the program


def run(
    tmp_path: Path, message: bytes, script: str = "", header_fails: bool = False
) -> tuple[int, str, bytes]:
    """Run the program; return its exit code, sendmail's arguments and what sendmail read."""
    sendmail = tmp_path / "sendmail"
    sendmail.write_text(
        f'#!/bin/sh\necho "$*" >{tmp_path}/arguments\n{script or f"cat >{tmp_path}/message"}\n'
    )
    sendmail.chmod(0o755)
    source = PROGRAM.read_text().replace("/usr/sbin/sendmail", str(sendmail)).replace("-IS", "-I")
    if header_fails:
        source = source.replace(
            "    if not header.redirected:", "    raise LookupError\n    if not header.redirected:"
        )
    arguments = [OWNER, "-i", "-f", "il@home.internal", "--", "me@elsewhere.test"]
    done = subprocess.run([sys.executable, "-c", source, *arguments], input=message, check=False)
    read = tmp_path / "message"
    return (
        done.returncode,
        (tmp_path / "arguments").read_text().strip(),
        read.read_bytes() if read.exists() else b"",
    )


ARGUMENTS = "-i -f guest@home.internal -- me@elsewhere.test"
BODY = b"\nFrom: the body\n\xff\x00.\n" + b"x" * 3_000_000


def test_the_message_is_handed_on(tmp_path: Path) -> None:
    message = REDIRECTED + b"From: friend@b.test\n"
    code, arguments, read = run(tmp_path, message + BODY)
    assert (code, arguments) == (0, ARGUMENTS)
    assert read == REDIRECTED + b"Reply-To: friend@b.test\nFrom: friend@b.test\n" + BODY


@pytest.mark.parametrize("message", [b"", b"\n", b"no header", b" \n", b"From: a@b.test", b"\xff\xfe:\n\n"])
def test_any_message_is_handed_on(tmp_path: Path, message: bytes) -> None:
    code, arguments, read = run(tmp_path, REDIRECTED + message)
    assert (code, arguments) == (0, ARGUMENTS)
    assert read.startswith(REDIRECTED)
    assert read.endswith(message)


def test_a_header_that_cannot_be_changed_stays(tmp_path: Path) -> None:
    message = REDIRECTED + b"From: friend@b.test\n\nText.\n"
    assert run(tmp_path, message, header_fails=True) == (0, ARGUMENTS, message)


@pytest.mark.parametrize("script", ["exit 75", "cat >/dev/null; exit 75"])
def test_what_sendmail_refuses_is_tried_again(tmp_path: Path, script: str) -> None:
    assert run(tmp_path, REDIRECTED + BODY, script)[0] == 75
