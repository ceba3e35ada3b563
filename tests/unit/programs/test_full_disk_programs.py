# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the disk takes nothing, programs of the house end in a sentence or go on without, none in a traceback."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

FILES = Path(__file__).parents[3] / "roles/dovecot_imap/files"
WARNING = Path(__file__).parents[3] / "roles/dovecot_imap/templates/quota-warning.j2"
FETCH = Path(__file__).parents[3] / "roles/mbsync_fetch/files"


def on_a_full_disk(*command: str, given: bytes = b"", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program that may make files and write nothing into them."""
    done = subprocess.run(
        command,
        input=given,
        capture_output=True,
        check=False,
        timeout=60,
        env={**os.environ, **environment},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
    )
    return subprocess.CompletedProcess(
        command, done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    )


def assert_one_sentence(done: subprocess.CompletedProcess[str]) -> None:
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_an_index_that_cannot_be_marked_is_said(tmp_path: Path) -> None:
    done = on_a_full_disk(sys.executable, "-I", str(FILES / "check_index.py"), str(tmp_path), "7")
    assert done.returncode == 1
    assert_one_sentence(done)
    assert "File too large" in done.stderr


def test_an_attachment_that_finds_no_room_has_no_text() -> None:
    done = on_a_full_disk(
        sys.executable, str(FILES / "decode-attachment"), "application/pdf", given=b"%PDF" * 50_000
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("size", [10, 1_000_000])
def test_what_a_script_sends_waits_where_the_queue_has_no_room(tmp_path: Path, size: int) -> None:
    """Dovecot tries again later: the exit code is sendmail's own (EX_TEMPFAIL)."""
    sendmail = tmp_path / "sendmail"
    sendmail.write_text("#!/bin/sh\necho 'postdrop: warning: No space left on device' >&2\nexit 75\n")
    sendmail.chmod(0o755)
    program = tmp_path / "sieve-sendmail"
    program.write_text((FILES / "sieve_sendmail.py").read_text().replace("/usr/sbin/sendmail", str(sendmail)))
    message = b"X-Sieve: x\nX-Sieve-Redirected-From: il@home.internal\nFrom: a@b.test\n\n" + b"x\n" * size
    owner, recipient = "il@home.internal", "guest@home.internal"
    done = on_a_full_disk(
        sys.executable, str(program), owner, "-i", "-f", owner, "--", recipient, given=message
    )
    assert done.returncode == 75
    assert_one_sentence(done)


def test_a_warning_that_cannot_be_delivered_ends_as_the_delivery_does(tmp_path: Path) -> None:
    delivery = tmp_path / "dovecot-lda"
    delivery.write_text("#!/bin/sh\ncat >/dev/null\necho 'lda: No space left on device' >&2\nexit 75\n")
    delivery.chmod(0o755)
    program = tmp_path / "quota-warning"
    program.write_text(WARNING.read_text().replace("/usr/lib/dovecot/dovecot-lda", str(delivery)))
    done = on_a_full_disk("sh", str(program), "80", "il@home.internal")
    assert done.returncode == 75
    assert_one_sentence(done)


@pytest.mark.parametrize("there", [True, False], ids=["full", "unusable"])
def test_a_fetch_that_cannot_begin_says_so(tmp_path: Path, there: bool) -> None:
    """Its own directory takes nothing, or cannot even be used."""
    state = tmp_path / "state"
    if there:
        state.mkdir()
    done = on_a_full_disk(
        *(sys.executable, "-S", "-m", "mbsync_fetch.start", "gmail"),
        PYTHONPATH=str(FETCH),
        PYTHONDONTWRITEBYTECODE="1",
        STATE_DIRECTORY=str(state),
        RUNTIME_DIRECTORY=str(tmp_path),
        CREDENTIALS_DIRECTORY=str(tmp_path),
    )
    assert done.returncode not in (0, 77, 78)
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()
