# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When a fetch is tried again, and what is kept of it."""

from __future__ import annotations

import json
import stat
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from mbsync_fetch.account.failures import Kind
from mbsync_fetch.account.files import write_file
from mbsync_fetch.status.credential import credential_digest, is_digest_of
from mbsync_fetch.status.report import Refused, Report
from mbsync_fetch.status.status import NOTES, Note, Status

NOW = 1_800_000_000.0  # 2027-01-15 08:00:00 UTC
MINUTE, HOUR = 60, 3600
SECRET = "right horse"

INBOX = Report(
    "INBOX", "Google/INBOX", provider=3, in_house=2, missing=1, refused=(Refused(7, "server error"),)
)
SENT = Report("[Gmail]/보낸편지함", "Google/보낸편지함", provider=5, in_house=5)


def fail(
    status: Status, kind: Kind, now: float = NOW, *, token: bool = False, secret: str = SECRET
) -> Status:
    return status.failed(now, kind, "it said no", secret, token=token, jitter=lambda: 0)


# --- when to try


@pytest.mark.parametrize("kind", ["unreachable", "tls", "error", "house unavailable", "house full"])
def test_failures_are_tried_again_less_and_less_often(kind: Kind) -> None:
    status, delays = Status(), []
    for __ in range(8):
        status = fail(status, kind)
        delays.append((status.next_try - NOW) / MINUTE)
    assert delays == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_provider_that_is_asked_for_too_much_is_left_alone_for_hours() -> None:
    status, delays = fail(Status(), "error"), []
    for __ in range(4):
        status = fail(status, "provider limit")
        delays.append((status.next_try - NOW) / HOUR)
    assert delays == [2, 4, 4, 4]
    assert fail(Status(), "provider limit").next_try == NOW + HOUR


def test_what_may_be_read_in_a_day_is_waited_for_until_the_next() -> None:
    status = fail(Status(), "budget")
    assert (status.state, status.next_try) == ("limit", NOW + 16 * HOUR)


def test_a_delay_varies_upwards_only() -> None:
    late = Status().failed(NOW, "error", "no", SECRET, jitter=lambda: 1)
    assert late.next_try == NOW + 1.2 * MINUTE


@pytest.mark.parametrize(
    ("kind", "made"),
    [
        ("unreachable", True),
        ("tls", True),
        ("house full", True),
        ("error", True),
        ("refused", False),
        ("provider limit", False),
        ("budget", False),
    ],
)
def test_what_a_person_asks_for_waits_only_for_the_providers_sake(kind: Kind, made: bool) -> None:
    status = fail(Status(), kind)
    assert (status.may_try(NOW + 1, SECRET, asked=True) is None) is made


def test_a_wait_says_until_when_and_why() -> None:
    status = fail(Status(), "unreachable")
    assert status.may_try(NOW + 59, SECRET) == "waits until 2027-01-15 08:01:00 UTC: it said no"
    assert status.may_try(NOW + 60, SECRET) is None


def test_a_clock_that_was_set_back_does_not_stop_it() -> None:
    assert fail(Status(), "unreachable").may_try(NOW - 1, SECRET) is None


def test_three_refused_logins_are_the_last() -> None:
    status, now = Status(), NOW
    for state, delay in (("refused", 15 * MINUTE), ("refused", HOUR)):
        status = fail(status, "refused", now)
        assert (status.state, status.next_try) == (state, now + delay)
        assert status.may_try(now + delay - 1, SECRET)
        assert not status.tell_owner
        now += delay
        assert status.may_try(now, SECRET) is None
    status = fail(status, "refused", now)
    assert status.state == "stopped"
    assert status.may_try(now + 365 * 24 * HOUR, SECRET) == (
        "stopped after 3 refused logins: write the right (app) password of the account in mail_providers "
        "and run the site playbook"
    )


@pytest.mark.parametrize("refusals", [1, 3])
def test_another_password_is_tried_at_once_and_has_as_many_attempts(refusals: int) -> None:
    status = Status()
    for __ in range(refusals):
        status = fail(status, "refused")
    assert status.may_try(NOW, "another") is None
    again = fail(status.owner_told(), "refused", secret="another")
    assert (again.state, again.refusals, again.told) == ("refused", 1, False)


def test_a_failure_of_another_kind_does_not_hide_that_it_has_stopped() -> None:
    status = Status()
    for __ in range(3):
        status = fail(status, "refused")
    status = fail(status, "unreachable", secret="another")
    assert status.state == "retrying"
    assert status.may_try(NOW + HOUR, "another") is None
    assert status.may_try(NOW + HOUR, SECRET)


def test_each_new_token_is_tried_once_where_tokens_are_refused() -> None:
    status = Status()
    for number in range(3):
        status = fail(status, "refused", token=True, secret=f"token {number}")
    assert status.tell_owner
    status = status.owner_told()
    assert status.may_try(NOW, "token 2")
    assert status.may_try(NOW, "token 3") is None
    status = fail(status, "refused", token=True, secret="token 3")
    assert (status.state, status.told, status.tell_owner) == ("stopped", True, False)
    assert status.may_try(NOW, "token 3")


def test_a_success_forgets_the_failures() -> None:
    status = Status()
    for __ in range(3):
        status = fail(status, "refused")
    status = status.owner_told().noted(NOW, "a note").counted(NOW, 5).succeeded(NOW, [INBOX])
    assert status == Status(
        state="ok",
        last_success=NOW,
        last_try=NOW,
        folders=(INBOX,),
        notes=(Note(NOW, "a note"),),
        day="2027-01-15",
        bytes_today=5,
    )
    assert status.may_try(NOW, SECRET) is None


def test_an_account_that_is_not_authorized_is_looked_at_each_time() -> None:
    waits = Status().unauthorized(NOW, "outlook")
    assert (waits.state, waits.refusals, waits.tell_owner) == ("refused", 0, False)
    assert waits.describe().startswith(
        "the account is not authorized yet; run: ansible-playbook ilnmors.mail.authorize -e account=outlook; "
    )
    assert waits.may_try(NOW, "") is None
    # Nobody was asked, so that nothing counts against the first token.
    assert fail(waits, "refused", token=True).refusals == 1


def test_a_failure_says_what_to_do_and_when_it_is_tried_again() -> None:
    full = Status().failed(NOW, "house full", "Quota exceeded\r\n(mailbox is full)", SECRET, jitter=lambda: 0)
    assert full.describe() == (
        "Quota exceeded (mailbox is full); delete mail in the owner's mailbox, or raise the owner's quota in "
        "mail_users; the next attempt is made after 2027-01-15 08:01:00 UTC"
    )
    stopped = replace(fail(Status(), "refused", token=True), state="stopped")
    assert stopped.describe() == (
        "it said no; authorize the account again with the playbook ilnmors.mail.authorize; no more attempts are made "
        "until then"
    )


# --- what is kept


def test_part_of_the_folders_leaves_the_others() -> None:
    status = Status().succeeded(NOW, [INBOX, SENT], unmatched=["Trips/*"])
    more = replace(INBOX, provider=4)
    status = status.succeeded(NOW + 1, [more], whole=False)
    assert (status.folders, status.unmatched) == ((more, SENT), ("Trips/*",))
    assert status.succeeded(NOW + 2, [SENT]).folders == (SENT,)


def test_the_last_notes_are_kept() -> None:
    status = Status()
    for number in range(NOTES + 5):
        status = status.noted(NOW + number, f"note {number}")
    assert [note.text for note in status.notes] == [f"note {number}" for number in range(5, NOTES + 5)]


def test_bytes_are_counted_by_the_day() -> None:
    status = Status().counted(NOW, 300).counted(NOW + 1, 50)
    assert status.bytes_today == 350
    assert status.budget_left(NOW, 1) == 800_000 - 350
    assert status.budget_left(NOW + 24 * HOUR, 1) == 800_000
    assert status.counted(NOW, 900_000).budget_left(NOW, 1) == 0
    assert status.budget_left(NOW, None) is None
    assert status.counted(NOW + 24 * HOUR, 7).bytes_today == 7


def test_the_file_keeps_everything_but_secrets(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    status = fail(
        Status().succeeded(NOW, [INBOX, SENT], unmatched=["Trips/*"]).noted(NOW, "a note"), "refused"
    )
    status.write(path)
    assert Status.read(path) == status
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert SECRET not in path.read_text()
    assert list(tmp_path.iterdir()) == [path]


DAMAGED = [
    b"",
    b'{"state": "ok"',
    b"[]",
    b"null",
    b"\xff\xfe",
    b'{"state": "ok"}',
    *(
        json.dumps({**asdict(Status()), **change}).encode()
        for change in (
            {"next_try": "soon"},
            {"refusals": None},
            {"state": "unheard of"},
            {"folders": [{"name": "INBOX"}]},
            {"folders": 3},
            {"notes": ["a note"]},
            {"unknown": 1},
        )
    ),
]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_file_counts_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "status.json").write_bytes(content)
    assert Status.read(tmp_path / "status.json") == Status()


def test_a_missing_file_is_a_new_account(tmp_path: Path) -> None:
    assert Status.read(tmp_path / "status.json").state == "new"


def test_a_file_is_replaced_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "metrics.prom"
    (tmp_path / ".metrics.prom.new").write_text("left by a kill")
    for text in ("one", "two"):
        write_file(path, text, 0o644)
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("two", 0o644)
    assert list(tmp_path.iterdir()) == [path]


def test_a_credential_is_known_again_but_not_told() -> None:
    kept = credential_digest(SECRET)
    assert SECRET not in kept
    assert kept != credential_digest(SECRET)
    assert is_digest_of(kept, SECRET)
    assert not is_digest_of(kept, "another")
    assert not is_digest_of("", SECRET)
    assert not is_digest_of("not hex", SECRET)
