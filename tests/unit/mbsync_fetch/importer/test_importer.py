# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What another program fetched before is taken over: Maildirs and mbsync's states, of all their forms."""

from __future__ import annotations

import gzip
import imaplib
import json
import os
import sys
from argparse import Namespace
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest
from ansible_collections.ilnmors.mail.tests.unit.mbsync_fetch.fakes.world import (
    ACCOUNT,
    GMAIL,
    FakeLocal,
    FakeRemote,
    World,
    boxes,
    fp,
)
from mbsync_fetch.account_fetch import service
from mbsync_fetch.importer import __main__ as take_over
from mbsync_fetch.importer import maildirs as old_files
from mbsync_fetch.importer.maildirs import ImporterError
from mbsync_fetch.local.session import LocalError
from mbsync_fetch.mbsync.sync_state import SyncStateError

ARRIVED = 1_700_000_000


@dataclass
class AppendingHouse(FakeLocal):
    """The owner's mailbox, which takes so many messages; dates: what was said of when they arrived."""

    room: int = 1000
    dates: list[str | None] = field(default_factory=list)

    def append(self, folder: str, message: bytes, flags: Iterable[str] = (), date: str | None = None) -> int:
        if self.room == 0:
            raise LocalError(f"{folder}: APPEND: [OVERQUOTA] full")
        self.room -= 1
        self.dates.append(date)
        return self.boxes[folder].add(message.decode().split()[1], *flags)

    def fingerprints(self, folder: str, uids: Collection[int] | None = None) -> dict[int, bytes]:
        return super().fingerprints(folder, uids) if folder in self.boxes else {}


@dataclass
class OldWorld(World):
    """An account that another program fetched before."""

    said: list[str] = field(default_factory=list)

    def take_over(self, mailbox: str = "", maildir: Path | None = None, state: Path | None = None) -> None:
        arguments = Namespace(mailbox=mailbox, maildir=maildir, state=state)
        self.said = []
        for line in take_over.take_over(self.account, "secret", self.directory, arguments):
            self.said.append(line)

    @property
    def shop(self) -> AppendingHouse:
        return cast("AppendingHouse", self.local)


def message(maildir: Path, text: str, letters: str = "S", directory: str = "cur") -> Path:
    """Put a message into a Maildir, which is made."""
    for name in ("cur", "new", "tmp"):
        (maildir / name).mkdir(parents=True, exist_ok=True)
    number = len(list(maildir.glob("*/*")))
    path = (
        maildir
        / directory
        / (f"{number}.M1.host,U={number}" + (f":2,{letters}" if directory == "cur" else ""))
    )
    path.write_text(f"Subject: {text}\nX: y\n\nbody\n")
    os.utime(path, (ARRIVED + number, ARRIVED + number))
    return path


def maildir(path: Path, texts: str) -> Path:
    """Make a Maildir; each word is a message."""
    for text in texts.split():
        message(path, text)
    return path


def snapshot(path: Path) -> dict[str, tuple[bytes, float]]:
    return {
        str(file): (file.read_bytes(), file.stat().st_mtime)
        for file in sorted(path.rglob("*"))
        if file.is_file()
    }


def make_world(
    directory: Path, monkeypatch: pytest.MonkeyPatch, remote: FakeRemote, **account: Any
) -> OldWorld:
    world = OldWorld(directory, remote, AppendingHouse(), replace(ACCOUNT, **account))

    class Context:
        def __init__(self, side: object) -> None:
            self.side = side

        def __enter__(self) -> object:
            return self.side

        def __exit__(self, *__: object) -> None:
            pass

    monkeypatch.setattr(old_files, "fingerprint", lambda header, _date: fp(header.split()[1].decode()))
    monkeypatch.setattr(take_over, "RemoteAccount", lambda _account, _secret: Context(world.remote))
    monkeypatch.setattr(take_over, "LocalMailbox", lambda _path: Context(world.local))
    return world


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OldWorld:
    (tmp_path / "account").mkdir()
    return make_world(tmp_path / "account", monkeypatch, FakeRemote(boxes(INBOX="a b c", Work="d e")))


@pytest.fixture(name="gmail")
def fixture_gmail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OldWorld:
    (tmp_path / "account").mkdir()
    mailboxes = boxes(**{"INBOX": "a b", "[Gmail]/Sent Mail": "s", "[Gmail]/All Mail": "a b c d s"})
    return make_world(tmp_path / "account", monkeypatch, FakeRemote(mailboxes, GMAIL), labelled=True)


# --- Maildirs


def test_a_maildir_is_not_fetched_again(world: OldWorld, tmp_path: Path) -> None:
    old = maildir(tmp_path / "old", "a gone")
    message(old, "b", "DFPRS")
    message(old, "new", directory="new")
    message(old, "empty").write_bytes(b"")
    before = snapshot(tmp_path / "old")
    world.take_over("INBOX", old)
    assert world.said == [
        "INBOX: 4 of 4 old messages were stored in Google/INBOX",
        "INBOX: 1 of 3 messages are still to be fetched",
    ]
    world.fetch()
    assert world.pulled == ["c", "d", "e"]
    assert world.inside() == {"Google/INBOX": ["a", "b", "c", "gone", "new"], "Google/Work": ["d", "e"]}
    inbox = world.local.boxes["Google/INBOX"]
    assert [inbox.flags[uid] for uid in range(1, 5)] == [
        {"\\Seen"},
        {"\\Seen"},
        {"\\Draft", "\\Flagged", "$Forwarded", "\\Answered", "\\Seen"},
        set(),
    ]
    assert world.shop.dates[0] == imaplib.Time2Internaldate(ARRIVED).strip('"')
    assert snapshot(tmp_path / "old") == before


def test_it_is_adopted_once(world: OldWorld, tmp_path: Path) -> None:
    old = maildir(tmp_path / "old", "a a b gone")
    for __ in range(2):
        world.take_over("INBOX", old)
        assert world.inside() == {"Google/INBOX": ["a", "a", "b", "gone"]}
    assert world.said == [
        "INBOX: 0 of 4 old messages were stored in Google/INBOX",
        "INBOX: 1 of 3 messages are still to be fetched",
    ]
    world.fetch()
    world.take_over("INBOX", old)
    assert world.inside()["Google/INBOX"] == ["a", "a", "b", "c", "gone"]
    world.remote.boxes["INBOX"].add("f")
    world.fetch()
    assert world.pulled == ["f"]


def test_equal_messages_are_counted(world: OldWorld, tmp_path: Path) -> None:
    world.remote.boxes |= boxes(INBOX="a a a")
    old = maildir(tmp_path / "old", "a")
    for __ in range(2):
        world.take_over("INBOX", old)
        assert world.said[-1] == "INBOX: 2 of 3 messages are still to be fetched"
    world.fetch()
    assert world.inside()["Google/INBOX"] == ["a", "a", "a"]


@pytest.mark.parametrize("room", range(5))
def test_it_goes_on_where_it_was_cut_off(world: OldWorld, tmp_path: Path, room: int) -> None:
    old = maildir(tmp_path / "old", "a b gone x")
    world.shop.room = room
    if room < 4:
        with pytest.raises(LocalError):
            world.take_over("INBOX", old)
    world.shop.room = 100
    world.take_over("INBOX", old)
    world.fetch()
    assert world.inside()["Google/INBOX"] == ["a", "b", "c", "gone", "x"]
    assert world.pulled == ["c", "d", "e"]


def test_what_was_fetched_before_it_was_adopted_is_not_doubled(world: OldWorld, tmp_path: Path) -> None:
    world.budget = 250
    world.fetch()
    assert world.inside() == {"Google/INBOX": ["a", "b"]}
    world.budget = None
    world.take_over("INBOX", maildir(tmp_path / "old", "b c gone"))
    world.fetch()
    assert world.inside() == {"Google/INBOX": ["a", "b", "c", "gone"], "Google/Work": ["d", "e"]}
    assert world.pulled == ["d", "e"]


def test_what_was_deleted_in_the_house_since_is_not_adopted_again(world: OldWorld, tmp_path: Path) -> None:
    old = maildir(tmp_path / "old", "a b")
    world.take_over("INBOX", old)
    del world.local.boxes["Google/INBOX"].messages[1]
    world.take_over("INBOX", old)
    world.fetch()
    assert world.inside()["Google/INBOX"] == ["b", "c"]


def test_the_state_may_come_before_the_maildir(world: OldWorld, tmp_path: Path) -> None:
    (tmp_path / "state").write_text(MODERN.format(validity=1))
    world.account = replace(world.account, mirror=True)
    world.take_over("INBOX", state=tmp_path / "state")
    world.take_over("INBOX", maildir(tmp_path / "old", "a"))
    assert world.inside() == {"Google/INBOX": ["a"]}
    del world.remote.boxes["INBOX"].messages[1]
    world.fetch()
    assert world.inside()["Google/INBOX"] == ["c"]


def test_what_is_marked_as_deleted_does_not_come_back(world: OldWorld, tmp_path: Path) -> None:
    old = maildir(tmp_path / "old", "a")
    message(old, "b", "ST")
    world.take_over("INBOX", old)
    world.fetch()
    assert world.inside()["Google/INBOX"] == ["a", "c"]


def test_what_is_deleted_at_the_provider_later_is_mirrored(world: OldWorld, tmp_path: Path) -> None:
    """The copy that was adopted is known as the provider's message."""
    world.account = replace(world.account, mirror=True)
    world.take_over("INBOX", maildir(tmp_path / "old", "a b gone"))
    del world.remote.boxes["INBOX"].messages[1]
    world.fetch()
    assert world.inside()["Google/INBOX"] == ["b", "c", "gone"]


@pytest.mark.parametrize(
    ("inbox", "work", "photos"),
    [
        pytest.param(".", ".Work", ".&rADIcQ-.&wKzJxA-", id="Maildir++"),
        pytest.param(".", ".Work", ".가족.사진", id="Maildir++ in UTF-8"),
        pytest.param("INBOX", "Work", "가족/사진", id="nested"),
        pytest.param("inbox", "work", "&rADIcQ-/.&wKzJxA-", id="mbsync's Legacy"),
    ],
)
def test_a_tree_is_adopted(world: OldWorld, tmp_path: Path, inbox: str, work: str, photos: str) -> None:
    world.remote.boxes |= boxes(**{"&rADIcQ-/&wKzJxA-": "k l"})
    old = tmp_path / "old"
    for directory, texts in {inbox: "a", work: "d", photos: "k", "Other": "o"}.items():
        maildir(old / directory, texts)
    world.take_over(maildir=old)
    assert world.said[-1] == "Other: its Maildir was left alone, because no mailbox of this name is fetched"
    world.fetch()
    assert world.pulled == ["b", "c", "e", "l"]
    assert world.inside() == {
        "Google/INBOX": ["a", "b", "c"],
        "Google/Work": ["d", "e"],
        "Google/가족/사진": ["k", "l"],
    }


def test_what_was_moved_since_is_moved(world: OldWorld, tmp_path: Path) -> None:
    maildir(tmp_path / "old" / "INBOX", "a d gone")
    maildir(tmp_path / "old" / "Work", "e")
    world.take_over(maildir=tmp_path / "old")
    assert "Work: 1 messages have moved here from Google/INBOX" in world.said
    world.fetch()
    assert world.pulled == ["b", "c"]
    assert world.inside() == {"Google/INBOX": ["a", "b", "c", "gone"], "Google/Work": ["d", "e"]}


def test_all_mail_has_what_is_in_no_other_folder(gmail: OldWorld, tmp_path: Path) -> None:
    old = tmp_path / "old"
    # c was archived at the provider since; d was fetched as a part of all mail.
    maildir(old / "INBOX", "a c")
    maildir(old / "[Gmail]" / "All Mail", "a c d s gone")
    maildir(old / "[Gmail]" / "Sent Mail", "s")
    gmail.take_over(maildir=old)
    inside = {"Google/INBOX": ["a"], "Google/Sent": ["s"], "Google/Archive": ["c", "d", "gone"]}
    assert gmail.inside() == inside
    gmail.take_over(maildir=old)
    gmail.fetch()
    assert gmail.pulled == ["b"]
    assert gmail.inside() == inside | {"Google/INBOX": ["a", "b"]}


def test_gmail_has_one_copy_of_each_message_and_no_drafts(gmail: OldWorld, tmp_path: Path) -> None:
    old = tmp_path / "old"
    gmail.remote.boxes["INBOX"].add("s")
    gmail.remote.boxes["[Gmail]/All Mail"].add("draft", "\\draft")
    maildir(old / "INBOX", "a s")
    maildir(old / "[Gmail]" / "Sent Mail", "s t")
    message(maildir(old / "[Gmail]" / "All Mail", "a s t"), "draft", "D")
    inside = {"Google/INBOX": ["a", "s"], "Google/Sent": ["t"]}
    for __ in range(2):
        gmail.take_over(maildir=old)
        assert gmail.inside() == inside
    gmail.fetch()
    assert gmail.inside() == {
        "Google/INBOX": ["a", "b", "s"],
        "Google/Sent": ["t"],
        "Google/Archive": ["c", "d"],
    }


def test_what_was_archived_since_is_not_doubled(gmail: OldWorld, tmp_path: Path) -> None:
    gmail.take_over("INBOX", maildir(tmp_path / "old", "a c"))
    assert "[Gmail]/All Mail: 4 of 5 messages are still to be fetched" in gmail.said
    gmail.fetch()
    assert gmail.pulled == ["b", "s", "d"]
    assert gmail.inside() == {"Google/INBOX": ["a", "b"], "Google/Sent": ["s"], "Google/Archive": ["c", "d"]}


def test_compressed_messages_are_read(world: OldWorld, tmp_path: Path) -> None:
    path = message(tmp_path / "old", "a")
    path.write_bytes(gzip.compress(path.read_bytes()))
    world.take_over("INBOX", tmp_path / "old")
    assert world.inside() == {"Google/INBOX": ["a"]}
    path.write_bytes(b"(\xb5/\xfd\0\0a")
    with pytest.raises(ImporterError, match="is no message; if it is compressed, decompress it first"):
        world.take_over("INBOX", tmp_path / "old")


def test_keywords_are_kept(world: OldWorld, tmp_path: Path) -> None:
    message(tmp_path / "old", "a", "Sac")
    (tmp_path / "old" / "dovecot-keywords").write_text("0 $Junk\n1 other\n26 none\n")
    world.take_over("INBOX", tmp_path / "old")
    assert world.local.boxes["Google/INBOX"].flags[1] == {"\\Seen", "$Junk"}


# --- states

MODERN = "FarUidValidity {validity}\nNearUidValidity 5\nMaxPulledUid 3\nMaxPushedUid 9\n\n1 1 S\n2 0 \n0 7 \n"
FORMS = {
    "1.4 and 1.5": MODERN,
    "1.1 to 1.3": MODERN.replace("Far", "Master").replace("Near", "Slave"),
    "before 1.1": "{validity}:3 5:0:9\n1 1 S\n2 0 \n3 -1 \n-1 7 \n".replace("-1", "4294967295"),
    "a big one left out": MODERN + "3 0 ^\n",
    "a placeholder of a big one": MODERN + "3 8 >S\n",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_what_a_state_has_as_fetched_is_not_fetched(world: OldWorld, tmp_path: Path, form: str) -> None:
    state = tmp_path / "state"
    state.write_text(form.format(validity=1))
    world.take_over("inbox", state=state)
    assert world.said == ["INBOX: 1 of 3 messages are still to be fetched"]
    world.fetch()
    assert world.pulled == ["c", "d", "e"]


def test_what_an_interrupted_run_had_fetched_counts(world: OldWorld, tmp_path: Path) -> None:
    state = tmp_path / "state"
    for suffix, content in {
        "": MODERN.format(validity=1),
        ".new": "",
        ".journal": "5\n+ 3 0\n# 3 0 abcdefghijkl\n> 3 0 10\n",
    }.items():
        (tmp_path / f"state{suffix}").write_text(content)
    world.take_over("INBOX", state=state)
    assert world.said == ["INBOX: 0 of 3 messages are still to be fetched"]


@pytest.mark.parametrize("form", list(FORMS.values())[:3], ids=list(FORMS)[:3])
def test_a_state_from_before_a_renumbering_says_nothing(world: OldWorld, tmp_path: Path, form: str) -> None:
    state = tmp_path / "state"
    state.write_text(form.format(validity=77))
    world.take_over("INBOX", state=state)
    assert world.said[0] == (
        f"INBOX: the provider has numbered it anew since {state} was written (UIDVALIDITY 77, now 1): what was deleted "
        "since it was fetched comes back"
    )
    world.fetch()
    assert world.pulled == ["a", "b", "c", "d", "e"]


def test_what_was_deleted_in_a_maildir_does_not_come_back(world: OldWorld, tmp_path: Path) -> None:
    """Beside the Maildir lies its state; what is in it and not in the Maildir was deleted there."""
    old = maildir(tmp_path / "old", "a")
    (old / ".mbsyncstate").write_text(MODERN.format(validity=1))
    world.take_over(maildir=tmp_path / "old")
    world.fetch()
    assert world.inside()["Google/INBOX"] == ["a", "c"]


# --- what cannot be


@pytest.mark.parametrize(
    ("mailbox", "directory", "state", "problem"),
    [
        ("INBOX", "", "", "give a --maildir, a --state, or both"),
        ("", "", "", "give a --maildir, a --state, or both"),
        ("", "", "state", "a --state is of one mailbox: give --mailbox as well"),
        ("", "old", "state", "a --state is of one mailbox: give --mailbox as well"),
        ("Wrok", "old", "", "'Wrok' is none of the mailboxes that are fetched: INBOX, Work"),
        ("*", "old", "", "'*' is none of the mailboxes that are fetched: INBOX, Work"),
        ("INBOX", "empty", "", "{tmp}/empty is no Maildir: it has no directory cur"),
        ("INBOX", "", "missing", "{tmp}/missing: there is no such file"),
        ("INBOX", "", "broken", "{tmp}/broken is not a state of mbsync's: its header has no end"),
        (
            "INBOX",
            "",
            "older",
            "{tmp}/older is not a state of mbsync's: not enough values to unpack (expected 2, got 1)",
        ),
        ("", "empty", "", "{tmp}/empty: no Maildir in it has the name of a mailbox that is fetched"),
        (
            "",
            "twice",
            "",
            "{tmp}/twice/.Work and {tmp}/twice/Work are both Work; adopt them one by one, with --mailbox",
        ),
    ],
)
def test_what_cannot_be_adopted_is_named(
    world: OldWorld, tmp_path: Path, mailbox: str, directory: str, state: str, problem: str
) -> None:
    maildir(tmp_path / "old", "a")
    maildir(tmp_path / "twice" / "Work", "a")
    maildir(tmp_path / "twice" / ".Work", "a")
    (tmp_path / "empty").mkdir()
    (tmp_path / "state").write_text(MODERN.format(validity=1))
    (tmp_path / "broken").write_text("FarUidValidity 1\n")
    (tmp_path / "older").write_text("1\n")
    paths = [tmp_path / name if name else None for name in (directory, state)]
    with pytest.raises((ImporterError, SyncStateError)) as error:
        world.take_over(mailbox, *paths)
    assert str(error.value) == problem.format(tmp=tmp_path)
    assert world.local.boxes == {} or not world.inside()


def test_a_mailbox_that_was_renumbered_is_fetched_first(world: OldWorld, tmp_path: Path) -> None:
    world.fetch()
    world.remote.boxes["INBOX"].uidvalidity = 77
    with pytest.raises(
        ImporterError, match="INBOX: its last fetch was cut off, or it has been numbered anew since"
    ):
        world.take_over("INBOX", maildir(tmp_path / "old", "a"))
    world.fetch()
    world.take_over("INBOX", tmp_path / "old")
    assert world.inside()["Google/INBOX"] == ["a", "b", "c"]


def test_nothing_is_fetched_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gmail.json").write_text(json.dumps(asdict(ACCOUNT)))
    (tmp_path / "gmail.hold").touch()
    (tmp_path / "password").write_text("secret")
    (tmp_path / "news").touch()
    for name in ("STATE", "RUNTIME", "CREDENTIALS"):
        monkeypatch.setenv(f"{name}_DIRECTORY", str(tmp_path))
    monkeypatch.setattr(service, "ACCOUNTS", tmp_path)
    monkeypatch.setattr(service, "attempt", lambda *_arguments, **_options: pytest.fail("it is fetched"))
    assert service.main("gmail") == 0
    assert capsys.readouterr().out == f"nothing is fetched while {tmp_path}/gmail.hold exists\n"
    assert not (tmp_path / "news").exists()


# --- what is not there


@pytest.mark.parametrize(
    ("account", "unit", "user", "said"),
    [
        (None, "LoadCredential=password:{secret}", True, "there is no account 'gmail'; there are: none"),
        ("{", "LoadCredential=password:{secret}", True, "does not describe an account (JSONDecodeError"),
        (
            "{}",
            "LoadCredential=password:{secret}",
            True,
            "does not describe an account (KeyError('mailboxes'))",
        ),
        ("[]", "LoadCredential=password:{secret}", True, "does not describe an account (TypeError"),
        ("whole", None, True, "no mbsync-fetch@gmail.service says where the secret of 'gmail' lies"),
        ("whole", "[Service]", True, "no mbsync-fetch@gmail.service says where the secret of 'gmail' lies"),
        ("whole", "LoadCredential=password:/nowhere/at/all", True, "/nowhere/at/all"),
        ("whole", "LoadCredential=password:{secret}", False, "there is no user mbsync-fetch-gmail"),
    ],
)
def test_what_adopting_lacks_is_said(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    account: str | None,
    unit: str | None,
    user: bool,
    said: str,
) -> None:
    accounts, secret = tmp_path / "accounts", tmp_path / "secret"
    accounts.mkdir()
    secret.write_text("right horse")
    if account is not None:
        whole = json.dumps(asdict(ACCOUNT))
        (accounts / "gmail.json").write_text(whole if account == "whole" else account)
    text = (unit or "").format(secret=secret)
    program = tmp_path / "systemctl"
    program.write_text(f"#!/bin/sh\necho '{text}'\nexit {int(unit is None)}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(take_over, "ACCOUNTS", accounts)
    if user:
        monkeypatch.setattr(take_over, "become", lambda _name: pytest.fail("it goes on"))
    monkeypatch.setattr(sys, "argv", ["adopt", "gmail", "--maildir", str(tmp_path)])
    assert take_over.main() == 1
    assert said in capsys.readouterr().err
