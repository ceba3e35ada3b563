# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The record of what was taken from a provider."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from mbsync_fetch.imap.fingerprint import fingerprint
from mbsync_fetch.record.ledger import Ledger, MailboxRecord

A, B, C = (bytes([value]) * 16 for value in range(3))
HEADER = (
    b"Message-ID: <1@x.test>\r\nDate: Mon, 23 Nov 2026 10:00:00 +0900\r\nFrom: il\r\nSubject: a b\r\n\r\n"
)
DATE = "23-Nov-2026 10:00:00 +0900"


@pytest.fixture(name="ledger")
def fixture_ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        yield ledger


SAME = {
    "another order": b"\r\n".join([*reversed(HEADER.split(b"\r\n")[:4]), b"", b""]),
    "names in capitals": HEADER.replace(b"Subject", b"SUBJECT").replace(b"ID:", b"Id:"),
    "folded": HEADER.replace(b"a b", b"a\r\n\tb").replace(b"Message-ID: ", b"Message-ID:\r\n "),
    "space at the end": HEADER.replace(b"il\r\n", b"il \t\r\n"),
    "bare newlines": HEADER.replace(b"\r", b""),
    "a field of mbsync's": b"X-TUID: abcdefgh+/12\r\n" + HEADER,
    "a second subject": HEADER.replace(b"\r\n\r\n", b"\r\nSubject: c\r\n\r\n"),
}


@pytest.mark.parametrize("header", SAME.values(), ids=SAME)
def test_what_is_the_same_message(header: bytes) -> None:
    assert len(fingerprint(HEADER, DATE)) == 16
    assert fingerprint(header, "") == fingerprint(HEADER, DATE)


OTHER = {
    "another Message-ID": HEADER.replace(b"1@", b"2@"),
    "another date": HEADER.replace(b"23 Nov", b"22 Nov"),
    "another sender": HEADER.replace(b"il", b"guest"),
    "another subject": HEADER.replace(b"a b", b"ab"),
    "no Message-ID": HEADER.partition(b"\n")[2],
    "the subject's text in another field": HEADER.replace(
        b"From: il\r\nSubject: a b", b"From: il a b\r\nSubject:"
    ),
    "nothing": b"\r\n",
    "no field at all": b"\xff\r\n: \r\n\r\n",
}


@pytest.mark.parametrize("header", OTHER.values(), ids=OTHER)
def test_what_is_another_message(header: bytes) -> None:
    assert fingerprint(header, DATE) != fingerprint(HEADER, DATE)


@pytest.mark.parametrize("header", [b"Subject: a\r\n\r\n", b"Message-ID: \r\nSubject: a\r\n\r\n"])
def test_without_a_message_id_the_arrival_counts(header: bytes) -> None:
    assert fingerprint(header, DATE) == fingerprint(header, '"23-Nov-2026 01:00:00 +0000"')
    assert fingerprint(header, " 3-Nov-2026 01:00:00 +0000") == fingerprint(
        header, "03-Nov-2026 01:00:00 +0000"
    )
    assert fingerprint(header, DATE) != fingerprint(header, "23-Nov-2026 10:00:01 +0900")
    assert fingerprint(header, "soon") != fingerprint(header, "later")


def test_mailboxes_are_recorded(ledger: Ledger) -> None:
    inbox = ledger.assign("INBOX", "Google/INBOX")
    assert inbox == MailboxRecord("f0001", "INBOX", "Google/INBOX", 0, gone=False)
    assert ledger.assign("INBOX", "Google/Other") == inbox
    ledger.assign("&1Q7Tfg-", "Google/편지")
    ledger.update("f0002", raw="Mail", folder="Google/Mail", uidvalidity=7, gone=True)
    mail = MailboxRecord("f0002", "Mail", "Google/Mail", 7, gone=True)
    assert ledger.mailboxes() == [inbox, mail]
    ledger.update("f0001", raw="Mail")
    assert [record.raw for record in ledger.mailboxes()] == ["Mail", "Mail"]
    assert ledger.assign("Mail", "X").alias == "f0001"
    ledger.update("f0001", gone=True, raw="Old")
    assert ledger.assign("Mail", "X") == MailboxRecord("f0002", "Mail", "Google/Mail", 7, gone=False)
    assert [record.gone for record in ledger.mailboxes()] == [True, False]


def test_two_mailboxes_never_have_one_name(ledger: Ledger) -> None:
    ledger.assign("A", "a")
    ledger.assign("B", "b")
    with pytest.raises(sqlite3.IntegrityError):
        ledger.update("f0002", raw="A", folder="c")
    assert ledger.mailboxes()[1] == MailboxRecord("f0002", "B", "b")


def test_messages_are_recorded(ledger: Ledger) -> None:
    ledger.record("f0001", {1: A, 2: B}, {1: "arrived", 2: "arrived"})
    ledger.record("f0001", {2: C, 3: A}, {2: "moved", 3: "copy"})
    ledger.record("f0002", {1: A}, {1: "arrived"})
    assert ledger.recorded("f0001") == {1: A, 2: C, 3: A}
    assert ledger.locations([A, B, C]) == {A: [("f0001", 1), ("f0001", 3), ("f0002", 1)], C: [("f0001", 2)]}
    ledger.forget("f0001", [1, 9])
    assert ledger.recorded("f0001") == {2: C, 3: A}
    assert ledger.reasons("f0001") == {2: "moved", 3: "copy"}
    ledger.replace("f0001", {8: B, -1: C}, {8: "draft", -1: "moved"})
    ledger.record_local_uids("f0001", {-1: 7, -2: 9})
    assert ledger.local_uids("f0001") == {-1: 7}
    ledger.forget_local_uids("f0001")
    assert ledger.local_uids("f0001") == {}
    assert ledger.recorded("f0001") == {8: B}
    ledger.explain("f0001", {8: "filed", 9: "filed"})
    assert ledger.reasons("f0001") == {-1: "moved", 8: "filed"}
    assert ledger.recorded("f0002") == {1: A}
    assert ledger.locations([]) == {}


def test_a_transaction_is_undone_at_an_error(ledger: Ledger) -> None:
    ledger.record("f0001", {1: A}, {1: "arrived"})

    def fail() -> None:
        with ledger.transaction():
            ledger.replace("f0001", {8: B}, {8: "arrived"})
            raise ValueError

    with pytest.raises(ValueError):
        fail()
    assert ledger.recorded("f0001") == {1: A}


def test_the_record_lasts(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.assign("INBOX", "INBOX")
        ledger.record("f0001", {1: A}, {1: "arrived"})
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        assert not ledger.damaged
        assert len(ledger.mailboxes()) == 1
        assert ledger.recorded("f0001") == {1: A}
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.sqlite"]


BEFORE = """
CREATE TABLE folder (
    alias TEXT PRIMARY KEY, raw TEXT NOT NULL, house TEXT NOT NULL, uidvalidity INTEGER NOT NULL DEFAULT 0,
    gone INTEGER NOT NULL DEFAULT 0, role TEXT NOT NULL DEFAULT '', next_uid INTEGER NOT NULL DEFAULT 1
) WITHOUT ROWID;
CREATE UNIQUE INDEX folder_raw ON folder (raw) WHERE gone = 0;
CREATE TABLE message (
    alias TEXT NOT NULL, uid INTEGER NOT NULL, fingerprint BLOB NOT NULL, PRIMARY KEY (alias, uid)
) WITHOUT ROWID;
CREATE INDEX message_fingerprint ON message (fingerprint);
INSERT INTO folder VALUES ('f0001', 'INBOX', 'Google/INBOX', 7, 0, 'inbox', 3);
INSERT INTO message VALUES ('f0001', 1, X'00000000000000000000000000000000');
"""


def test_a_record_without_reasons_gets_them(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "ledger.sqlite")
    database.executescript(BEFORE)
    database.close()
    for __ in range(2):
        with Ledger(tmp_path / "ledger.sqlite") as ledger:
            assert not ledger.damaged
            assert ledger.mailboxes() == [
                MailboxRecord("f0001", "INBOX", "Google/INBOX", 7, False, "inbox", 3)
            ]
            assert ledger.recorded("f0001")[1] == A
            assert ledger.reasons("f0001")[1] == ""
            ledger.record("f0001", {2: B}, {2: "arrived"})
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        assert ledger.reasons("f0001") == {1: "", 2: "arrived"}


@pytest.mark.parametrize("garbage", [b"not a database at all", b"SQLite format 3\x00" + b"x" * 5000])
def test_a_damaged_record_is_set_aside(tmp_path: Path, garbage: bytes) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(garbage)
    (tmp_path / "sync").mkdir()
    (tmp_path / "sync" / "f0007.lock").touch()
    with Ledger(path) as ledger:
        assert ledger.damaged == (
            f"{path} was damaged (file is not a database); it is kept as ledger.sqlite.damaged, and begins anew"
        )
        assert ledger.assign("INBOX", "INBOX").alias == "f0008"
    assert (tmp_path / "ledger.sqlite.damaged").read_bytes() == garbage
    with Ledger(path) as ledger:
        assert not ledger.damaged


def test_the_mailboxes_are_saved_from_a_damaged_record(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger(path) as ledger:
        ledger.assign("INBOX", "INBOX")
        ledger.assign("Old", "Google/Old")
        ledger.update("f0002", uidvalidity=3, gone=True)
        folders = ledger.mailboxes()
        many = {uid: uid.to_bytes(16, "big") for uid in range(10_000)}
        ledger.record("f0001", many, dict.fromkeys(many, "arrived"))
    content = path.read_bytes()
    half = len(content) // 2
    path.write_bytes(content[:half] + bytes(half))
    with Ledger(path) as ledger:
        assert ledger.damaged
        assert ledger.mailboxes() == folders
        assert ledger.recorded("f0001") == {}


def test_a_record_in_a_missing_directory_is_not_damaged(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        Ledger(tmp_path / "none" / "ledger.sqlite")
