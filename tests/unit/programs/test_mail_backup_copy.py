# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The copy of a Maildir is whole, whatever clients do meanwhile."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.ilnmors.mail.tests.unit.fakes.maildir import Clients, Folder
from mail_backup import file_copy
from mail_backup.file_copy import TICK, copy_file, copy_tree
from mail_backup.folder_copy import Change, copy_folder, list_messages, stamp_of
from mail_backup.locks import BusyError, Folders, folder_locks
from mail_backup.maildir import (
    DamagedError,
    base_of,
    flags_of,
    raised_next_uid,
    read_keywords,
    read_uid_list,
)
from mail_backup.manifest import people_of, read_json, write_person
from mail_backup.person_copy import copy_person, is_left_out
from mail_backup.queue_copy import copy_queue


def texts(home: Path) -> list[str]:
    """Return the texts of all messages of a person."""
    found = [*home.glob("Maildir/cur/*"), *home.glob("Maildir/new/*"), *home.glob("Maildir/.*/cur/*")]
    return sorted(path.read_text() for path in found)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "vmail" / "home.internal" / "il"


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return tmp_path / "copy" / "home.internal" / "il"


# --- Dovecot's files


@pytest.mark.parametrize(
    ("text", "validity", "next_uid", "uids"),
    [
        ("3 V7 N3 Gabc\n1 :a:2,S\n2 W9 S8 :b:2,\n", 7, 3, {"a": 1, "b": 2}),
        # Lines are added without a new header.
        ("3 V7 N1\n5 Gx :a\n", 7, 6, {"a": 5}),
        ("3 Gabc V9 N4\n", 9, 4, {}),
        ("3 V7 N3\n1 :a\nbroken\n\n2 :\n", 7, 3, {"a": 1}),
    ],
)
def test_a_list_of_uids_is_read(
    tmp_path: Path, text: str, validity: int, next_uid: int, uids: dict[str, int]
) -> None:
    (tmp_path / "list").write_text(text)
    found = read_uid_list(tmp_path / "list")
    assert found is not None
    assert (found.validity, found.next_uid, found.uids) == (validity, next_uid, uids)


def test_a_list_of_another_kind_is_refused(tmp_path: Path) -> None:
    assert read_uid_list(tmp_path / "none") is None
    (tmp_path / "list").write_text("1 7 3\n")
    with pytest.raises(DamagedError, match="list does not begin"):
        read_uid_list(tmp_path / "list")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"3 V7 N3 Gab\n1 :a\n", b"3 V7 N103 Gab\n1 :a\n"),
        (b"3 V7 N3\n1 :a\n9 :b\n", b"3 V7 N110\n1 :a\n9 :b\n"),
        (b"3 V7 N4294967290\n", b"3 V7 N4294967294\n"),
        (b"no list", b"no list"),
    ],
)
def test_uids_that_clients_may_have_seen_are_passed_over(before: bytes, after: bytes) -> None:
    assert raised_next_uid(before, 100) == after


def test_names_of_files() -> None:
    assert base_of("17.M1P2.host,S=3:2,FS") == "17.M1P2.host,S=3"
    assert (flags_of("17.M1:2,SFa"), flags_of("17.M1"), flags_of("17.M1:2,")) == ("FSa", "", "")


def test_keywords(tmp_path: Path) -> None:
    (tmp_path / "k").write_text("0 $Forwarded\n1 Work\n99 none\n")
    assert read_keywords(tmp_path / "k") == {"a": "$Forwarded", "b": "Work"}
    assert read_keywords(tmp_path / "none") == {}


# --- a copy


def test_a_copy_has_what_makes_a_mailbox_and_no_indexes(home: Path, copied: Path, tmp_path: Path) -> None:
    inbox, sent = Folder(home / "Maildir"), Folder(home / "Maildir" / ".Sent")
    inbox.add("one", "S")
    sent.add("two", "a")
    (inbox.path / "new" / "1796.M9.mail").write_text("three")
    (sent.path / "dovecot-keywords").write_text("0 Work\n")
    (inbox.path / "subscriptions").write_text("V\t2\n\nSent\n")
    (inbox.path / "dovecot.index.log").write_text("x")
    (sent.path / "fts-flatcurve").mkdir()
    (sent.path / "tmp" / "unfinished").write_text("x")
    (home / "sieve").mkdir()
    (home / "sieve" / "mine.sieve").write_text("keep;")
    (home / ".dovecot.sieve").symlink_to("sieve/mine.sieve")
    copy_person(home, copied, tmp_path / "stamps.json")
    assert sorted(str(path.relative_to(copied)) for path in copied.rglob("*") if not path.is_dir()) == sorted(
        [
            ".dovecot.sieve",
            f"Maildir/.Sent/cur/{next(iter(sent.files.values())).name}",
            "Maildir/.Sent/dovecot-keywords",
            "Maildir/.Sent/dovecot-uidlist",
            f"Maildir/cur/{next(iter(inbox.files.values())).name}",
            "Maildir/dovecot-uidlist",
            "Maildir/new/1796.M9.mail",
            "Maildir/subscriptions",
            "sieve/mine.sieve",
        ]
    )
    assert texts(copied) == ["one", "three", "two"]
    # Messages cost no room.
    assert next(iter((copied / "Maildir" / "cur").iterdir())).stat().st_nlink == 2
    assert not list(home.rglob("*.lock"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
def test_a_copy_has_the_owners_of_what_it_is_a_copy_of(home: Path, copied: Path, tmp_path: Path) -> None:
    Folder(home / "Maildir").add("one")
    Folder(home / "Maildir" / ".Sent").add("two")
    for path in (home, *home.rglob("*")):
        os.chown(path, 5000, 5001)
    copy_person(home, copied, tmp_path / "stamps.json")
    assert {(path.stat().st_uid, path.stat().st_gid) for path in (copied, *copied.rglob("*"))} == {
        (5000, 5001)
    }


def test_a_copy_follows_the_mailbox(home: Path, copied: Path, tmp_path: Path) -> None:
    inbox, sent = Folder(home / "Maildir"), Folder(home / "Maildir" / ".Sent")
    names = [inbox.add(f"message {number}") for number in range(5)]
    stamps = tmp_path / "stamps.json"
    assert copy_person(home, copied, stamps).linked == 5
    inbox.flag(names[0], "S")
    inbox.move(names[1], sent)
    inbox.files.pop(names[2]).unlink()
    change = copy_person(home, copied, stamps)
    assert (change.renamed, change.removed, change.linked) == (1, 2, 1)
    assert texts(copied) == texts(home)
    sent.path.rename(home / "Maildir" / ".Archive")
    copy_person(home, copied, stamps)
    assert not (copied / "Maildir" / ".Sent").exists()
    assert texts(copied) == texts(home)


def test_subscriptions_are_copied_where_no_folder_has_changed(
    home: Path, copied: Path, tmp_path: Path
) -> None:
    Folder(home / "Maildir").add("one", "S")
    for names in ("Sent\n", "Sent\nDrafts\n"):
        (home / "Maildir" / "subscriptions").write_text(names)
        # Until nothing else can have the time of the last change.
        time.sleep(2 * TICK / 1e9)
        copy_person(home, copied, tmp_path / "stamps")
        assert (copied / "Maildir" / "subscriptions").read_text() == names


def test_a_copy_of_what_has_not_changed_takes_no_lock(
    home: Path, copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = Folder(home / "Maildir")
    inbox.add("one")
    for path in (inbox.path / "cur", inbox.path / "new", inbox.path / "dovecot-uidlist"):
        os.utime(path, (1, 1))
    copy_person(home, copied, tmp_path / "stamps.json")
    monkeypatch.setattr("mail_backup.person_copy.folder_locks", lambda __: pytest.fail("locked"))
    assert copy_person(home, copied, tmp_path / "stamps.json").linked == 0


@pytest.mark.parametrize("seed", range(3))
def test_no_message_is_missed_while_clients_move_and_flag_them(
    home: Path, copied: Path, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mail_backup.locks.PAUSE", (0.001, 0.02))
    folders = [Folder(home / "Maildir"), *(Folder(home / "Maildir" / f".F{number}") for number in range(5))]
    wanted = [f"message {number}" for number in range(120)]
    for number, text in enumerate(wanted):
        folders[number % len(folders)].add(text)
    clients = Clients(folders, seed)
    clients.start()
    try:
        began = clients.steps
        for __ in range(6):
            copy_person(home, copied, tmp_path / "stamps.json")
            # One that is being moved may be in both folders.
            assert set(texts(copied)) == set(wanted)
            assert len(texts(copied)) <= len(wanted) + 1
            # Each has its UID, and was there when the list was copied.
            for folder in (copied / "Maildir", *(copied / "Maildir").glob(".F*")):
                found = read_uid_list(folder / "dovecot-uidlist")
                assert found is not None
                assert {base_of(path.name) for path in (folder / "cur").iterdir()} <= found.uids.keys()
        assert clients.steps > began
    finally:
        clients.enough.set()
        clients.join()


def test_a_listing_that_a_rename_disturbs_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(tmp_path)
    base = folder.add("one")
    real, calls = os.listdir, []

    def listing(path: Path) -> list[str]:
        found = real(path)
        calls.append(path)
        if len(calls) == 2:  # of cur, while the file has just another name
            folder.flag(base, "S")
            return []
        return found

    monkeypatch.setattr("os.listdir", listing)
    assert list_messages(tmp_path) == {base: ("cur", f"{base}:2,S")}


def test_a_folder_that_just_changed_may_change_again_unseen(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.add("one")
    assert stamp_of(tmp_path) == []
    for path in (tmp_path / "cur", tmp_path / "new", tmp_path / "dovecot-uidlist"):
        os.utime(path, (1, 1))
    assert stamp_of(tmp_path) != []


def test_a_folder_that_vanishes_meanwhile_is_none(tmp_path: Path) -> None:
    copy_folder(tmp_path / "gone", tmp_path / "copy")
    assert list_messages(tmp_path / "gone") == {}


# --- locks


def listing(*folders: Path) -> Callable[[], Folders]:
    """Return what lists these folders, as far as they are there."""
    return lambda: {(path.name, path.stat().st_ino): path for path in folders if path.exists()}


def test_a_lock_of_another_program_is_waited_for(tmp_path: Path) -> None:
    one, other = Folder(tmp_path / "a"), Folder(tmp_path / "b")
    both = listing(one.path, other.path)
    other.lock()
    with pytest.raises(BusyError, match=r"b/dovecot-uidlist\.lock"), folder_locks(both, 0.05):
        pass
    # None is kept while one is waited for.
    assert not (one.path / "dovecot-uidlist.lock").exists()
    assert (other.path / "dovecot-uidlist.lock").exists()
    threading.Timer(0.1, other.unlock).start()
    with folder_locks(both, 5) as folders:
        assert folders == both()
        assert (one.path / "dovecot-uidlist.lock").read_text() == f"{os.getpid()}:{socket.gethostname()}"
    assert not list(tmp_path.rglob("*.lock*"))


def test_a_lock_of_a_dead_process_is_none(tmp_path: Path) -> None:
    """A backup that was killed leaves some in folders that nobody opens."""
    folder = Folder(tmp_path / "a")
    process = subprocess.Popen(["true"])
    process.wait()
    lock = folder.path / "dovecot-uidlist.lock"
    lock.write_text(f"{process.pid}:{socket.gethostname()}")
    with folder_locks(listing(folder.path), 0.05):
        pass
    for living in (f"{os.getppid()}:{socket.gethostname()}", f"{process.pid}:elsewhere", ""):
        lock.write_text(living)
        with pytest.raises(BusyError), folder_locks(listing(folder.path), 0.05):
            pass


def test_the_lock_of_a_folder_that_is_gone_is_not_taken_from_who_made_it_anew(tmp_path: Path) -> None:
    old = Folder(tmp_path / "folder")
    with folder_locks(listing(old.path), 1):
        shutil.rmtree(old.path)
        anew = Folder(tmp_path / "folder")
        anew.lock()
    assert (anew.path / "dovecot-uidlist.lock").exists()


def test_a_folder_that_is_renamed_meanwhile_is_copied_under_its_new_name(
    home: Path, copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(home / "Maildir/.Old")
    folder.add("one")
    real, calls = copy_folder, []

    def copying(live: Path, copy: Path) -> Change:
        calls.append(live.name)
        # The second copy is made under locks, which the folder takes along.
        if calls.count(".Old") == 2 and folder.path.exists():
            folder.path.rename(home / "Maildir/.New")
        return real(live, copy)

    monkeypatch.setattr("mail_backup.person_copy.copy_folder", copying)
    copy_person(home, copied, tmp_path / "stamps.json")
    assert texts(copied) == ["one"]
    assert [path.name for path in (copied / "Maildir").glob(".*")] == [".New"]
    assert not list(home.rglob("*.lock*"))


# --- everything else


def test_a_tree_is_copied_with_modes_times_and_links(tmp_path: Path) -> None:
    live, copy = tmp_path / "live", tmp_path / "copy"
    (live / "a").mkdir(parents=True, mode=0o700)
    (live / "a" / "key").write_text("secret")
    (live / "a" / "key").chmod(0o600)
    os.utime(live / "a" / "key", (1, 2))
    (live / "link").symlink_to("a/key")
    assert copy_tree(live, copy) == 2
    assert (copy / "a" / "key").stat().st_mode & 0o777 == 0o600
    assert (copy / "a" / "key").stat().st_mtime == 2
    assert (copy / "link").readlink() == Path("a/key")
    assert copy_tree(live, copy) == 0
    (live / "a" / "key").unlink()
    (live / "a" / "new").write_text("x")
    copy_tree(live, copy)
    assert [path.name for path in (copy / "a").iterdir()] == ["new"]


def test_a_database_is_copied_with_what_is_not_in_its_file_yet(tmp_path: Path) -> None:
    live = tmp_path / "live"
    live.mkdir()
    database = sqlite3.connect(live / "contacts.db")
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("CREATE TABLE contacts (name)")
    database.execute("INSERT INTO contacts VALUES ('Ann')")
    database.commit()
    copy_tree(live, tmp_path / "copy")
    database.execute("INSERT INTO contacts VALUES ('Bob')")
    database.commit()
    copy_tree(live, tmp_path / "copy")
    assert [path.name for path in (tmp_path / "copy").iterdir()] == ["contacts.db"]
    found = sqlite3.connect(tmp_path / "copy" / "contacts.db").execute("SELECT name FROM contacts").fetchall()
    assert found == [("Ann",), ("Bob",)]
    database.close()


def as_where_nothing_may_be_written(monkeypatch: pytest.MonkeyPatch, opened: list[bool]) -> None:
    """Let a database be opened as by the unit: not while nobody else has it open. opened: by attempt."""
    answers = iter(opened)
    real = file_copy._backup_database

    def attempt(live: Path, copy: Path) -> None:
        if not next(answers):
            raise sqlite3.OperationalError("unable to open database file")
        real(live, copy)

    monkeypatch.setattr(file_copy, "_backup_database", attempt)


def test_a_database_that_is_closed_and_opened_again_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live, copy = tmp_path / "contacts.db", tmp_path / "copy.db"
    database = sqlite3.connect(live)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("CREATE TABLE contacts (name)")
    # It was closed as it was to be copied, and is open when that is looked at.
    as_where_nothing_may_be_written(monkeypatch, [False, False, True])
    assert copy_file(live, copy)
    database.close()
    assert sqlite3.connect(copy).execute("SELECT * FROM contacts").fetchall() == []


def test_a_database_that_changes_while_it_is_copied_as_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live, copy = tmp_path / "contacts.db", tmp_path / "copy.db"

    def write(name: str) -> None:
        with contextlib.closing(sqlite3.connect(live)) as database:
            database.execute("CREATE TABLE IF NOT EXISTS contacts (name)")
            database.execute("INSERT INTO contacts VALUES (?)", (name,))
            database.commit()

    write("Ann")
    time.sleep(2 * TICK / 1e9)
    real, changes = shutil.copyfile, iter(["Bob"])

    def copyfile(source: Path, target: Path) -> None:
        real(source, target)
        for name in changes:
            write(name)

    monkeypatch.setattr(shutil, "copyfile", copyfile)
    as_where_nothing_may_be_written(monkeypatch, [False] * 10)
    assert copy_file(live, copy)
    assert sqlite3.connect(copy).execute("SELECT name FROM contacts").fetchall() == [("Ann",), ("Bob",)]


def test_a_database_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_copy, "DATABASE_PAUSE", 0)
    as_where_nothing_may_be_written(monkeypatch, [False] * file_copy.DATABASE_ATTEMPTS)
    live = tmp_path / "contacts.db"
    with contextlib.closing(sqlite3.connect(live)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE contacts (name)")
        with pytest.raises(sqlite3.OperationalError):
            copy_file(live, tmp_path / "copy.db")


def test_sockets_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert copy_file(tmp_path / "fifo", tmp_path / "copy") is False


def test_waiting_mail_is_copied_when_it_is_complete(tmp_path: Path) -> None:
    live, copy = tmp_path / "spool", tmp_path / "copy"
    for name, mode in (("deferred/A/AB12", 0o700), ("incoming/CD34", 0o600), ("hold/EF56", 0o700)):
        (live / name).parent.mkdir(parents=True, exist_ok=True)
        (live / name).write_text(name)
        (live / name).chmod(mode)
    assert copy_queue(live, copy) == 2
    (live / "active").mkdir()
    (live / "deferred/A/AB12").rename(live / "active/AB12")
    (live / "hold/EF56").unlink()
    assert copy_queue(live, copy) == 1
    assert [str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file()] == ["active/AB12"]


@pytest.mark.parametrize(
    ("name", "left_out"),
    [
        ("dovecot.index.cache", True),
        ("dovecot.list.index.log", True),
        ("fts-flatcurve", True),
        ("dovecot-uidlist.lock", True),
        ("..DOVECOT-TRASHED", True),
        ("mine.svbin", True),
        ("dovecot-uidlist", False),
        ("dovecot-uidvalidity.65a", False),
        (".Sent", False),
        ("subscriptions", False),
    ],
)
def test_what_is_left_out(name: str, left_out: bool) -> None:
    assert is_left_out(name) is left_out


# --- what is recorded


def test_a_record_has_the_digest_of_each_message_and_is_made_once(home: Path, tmp_path: Path) -> None:
    inbox = Folder(home / "Maildir")
    base = inbox.add("one", "S")
    manifest = tmp_path / "manifest" / "home.internal" / "il"
    assert write_person(home, manifest) == 1
    known = read_json(manifest / "INBOX.json")
    assert known["validity"] == 7
    digest = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
    assert known["messages"][base][:4] == [1, "S", digest, 3]
    inbox.flag(base, "FS")
    # Its text is not read again: a file never changes.
    inbox.files[base].write_text("ONE")
    write_person(home, manifest)
    assert read_json(manifest / "INBOX.json")["messages"][base][:3] == [1, "FS", digest]


def test_people_are_found_by_their_directories(tmp_path: Path) -> None:
    for name in ("home.internal/il", "home.internal/guest", ".mail-backup/current", "home.internal/.hidden"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "home.internal" / "file").write_text("x")
    assert people_of(tmp_path) == ["home.internal/guest", "home.internal/il"]
