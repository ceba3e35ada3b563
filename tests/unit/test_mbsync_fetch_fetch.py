# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is fetched, and what the house is recognised to have already: against a provider and a house in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from mbsync_fetch import arrivals, fetch, run, sequence_set
from mbsync_fetch.account import Account
from mbsync_fetch.doors import Door, Refusal
from mbsync_fetch.house import FolderStatus
from mbsync_fetch.ledger import Ledger
from mbsync_fetch.mbsync import Outcome
from mbsync_fetch.mirror import Mirror
from mbsync_fetch.names import Mailbox
from mbsync_fetch.provider import Content, MailboxStatus, Message, ProviderError
from mbsync_fetch.session import Session
from mbsync_fetch.status import Refused
from mbsync_fetch.sync_state import SyncState

ACCOUNT = Account(
    name="gmail",
    host="imap.gmail.test",
    port=993,
    ca_file="/ca.pem",
    username="il@gmail.test",
    mechanism="password",
    owner="il@home.internal",
    folder="Google",
    inbox=False,
    labelled=False,
    labels=False,
    mailboxes=(),
    skip_mailboxes=(),
    mirror=False,
    daily_megabytes=None,
    metrics=False,
    timeout=60,
    door="/door",
)


def fp(text: str) -> bytes:
    return text.encode().ljust(16, b".")


@dataclass
class Box:
    """A mailbox of either side: its messages' texts by UID."""

    uidvalidity: int = 1
    uidnext: int = 1
    messages: dict[int, str] = field(default_factory=dict)
    flags: dict[int, frozenset[str]] = field(default_factory=dict)

    def add(self, text: str, *flags: str) -> int:
        self.messages[self.uidnext] = text
        self.flags[self.uidnext] = frozenset(flags)
        self.uidnext += 1
        return self.uidnext - 1


@dataclass
class FakeProvider:
    """The provider's side; refuses the UIDs in `refused`, and cuts the connection at those in `cut`."""

    boxes: dict[str, Box]
    special: dict[str, str] = field(default_factory=dict)
    refused: set[int] = field(default_factory=set)
    cut: set[int] = field(default_factory=set)
    passed_over: set[int] = field(default_factory=set)
    stream: Any = None
    open: str = ""

    def mailboxes(self) -> list[Mailbox]:
        return [Mailbox(raw, "/", frozenset({self.special.get(raw, "\\x")})) for raw in self.boxes]

    def status(self, raw: str) -> MailboxStatus | None:
        box = self.boxes.get(raw)
        return MailboxStatus(len(box.messages), box.uidnext, box.uidvalidity) if box else None

    def examine(self, raw: str) -> MailboxStatus:
        self.open = raw
        status = self.status(raw)
        assert status is not None
        return status

    def uids(self, first: int = 1) -> list[int]:
        return sorted(uid for uid in self.boxes[self.open].messages if uid >= first)

    def present(self, uids: Iterable[int]) -> set[int]:
        return set(uids) & set(self.boxes[self.open].messages)

    def content(self, uid: int) -> Content:
        box = self.boxes[self.open]
        return Content(box.messages[uid].encode(), tuple(box.flags[uid]), "")

    def survey(self, uids: Collection[int]) -> list[Message]:
        box = self.boxes[self.open]
        return [Message(uid, box.flags[uid], 100, 0.0, fp(box.messages[uid])) for uid in uids]


@dataclass
class FakeHouse:
    """The owner's mailbox."""

    boxes: dict[str, Box] = field(default_factory=dict)
    left: int | None = None
    filtered: list[int] = field(default_factory=list)

    def status(self, folder: str) -> FolderStatus | None:
        box = self.boxes.get(folder)
        return FolderStatus(box.uidvalidity, box.uidnext, len(box.messages)) if box else None

    def ensure(self, folder: str) -> FolderStatus:
        self.boxes.setdefault(folder, Box(uidvalidity=len(self.boxes) + 100))
        status = self.status(folder)
        assert status is not None
        return status

    def rename(self, old: str, new: str) -> None:
        self.boxes[new] = self.boxes.pop(old)

    def quota_left(self) -> int | None:
        return self.left

    def fingerprints(self, folder: str) -> dict[int, bytes]:
        return {uid: fp(text) for uid, text in self.boxes[folder].messages.items()}

    def append(self, folder: str, message: bytes, flags: Iterable[str], _date: str) -> int:
        return self.boxes[folder].add(message.decode(), *flags)

    def remove_flags(self, folder: str, uids: Collection[int], flags: Iterable[str]) -> None:
        for uid in uids:
            self.boxes[folder].flags[uid] -= {flag.lower() for flag in flags}

    def move(self, folder: str, uids: Collection[int], target: str) -> dict[int, int]:
        here = self.boxes[folder].messages
        return {uid: self.boxes[target].add(here.pop(uid)) for uid in uids if uid in here}

    def remove(self, folder: str, uids: Collection[int]) -> None:
        for uid in uids:
            self.boxes[folder].messages.pop(uid, None)

    def sieve(self, folder: str, uids: Collection[int]) -> list[str]:
        assert folder in self.boxes
        self.filtered += uids
        return []


@dataclass
class World:
    """An account, both sides, and what was pulled in the last fetch."""

    directory: Path
    provider: FakeProvider
    house: FakeHouse = field(default_factory=FakeHouse)
    account: Account = ACCOUNT
    refused: dict[str, tuple[Refused, ...]] = field(default_factory=dict)
    budget: int | None = None
    pulled: list[str] = field(default_factory=list)
    last: fetch.Fetch | None = None

    def mbsync(self, record: Any, wanted: frozenset[int], _total: int) -> Outcome:
        """Do as mbsync does between its doors."""
        path = self.directory / "sync" / record.alias
        far, near = self.provider.boxes[record.raw], self.house.boxes[record.house]
        state = SyncState.read(path) or SyncState()
        doors: Any = [Door(None, b"", {}, "", None, 1.0) for _ in range(2)]  # type: ignore[arg-type]
        for uid in sorted(wanted):
            assert uid > state.max_pulled
            assert uid not in state.pairs
            if uid in self.provider.cut:
                doors[0]._owed[b"1"] = ("UID FETCH", uid)
                doors[0].error = OSError("cut")
                break
            if uid in self.provider.passed_over:
                continue
            if uid in self.provider.refused:
                doors[0].refusals.append(Refusal("UID FETCH", uid, "NO cannot"))
                continue
            state.pairs[uid] = near.add(far.messages[uid], *far.flags[uid])
            self.pulled.append(far.messages[uid])
        else:
            state.max_pulled = max([state.max_pulled, *wanted])
        state.far_validity, state.near_validity = far.uidvalidity, near.uidvalidity
        state.write(path)
        return Outcome(doors[0].error is None, "", *doors)

    def fetch(self, *, quick: bool = False) -> run.Run:
        self.pulled.clear()
        with Ledger(self.directory / "ledger.sqlite") as ledger:
            provider: Any = self.provider
            house: Any = self.house
            session = Session(self.account, provider, house, ledger, self.directory)
            one: Any = fetch.Fetch(session, self.budget, self.refused)
            one._mbsync = self.mbsync
            self.last = one
            now = run.Run(one)
            if not (quick and now.inbox()):
                now.all()
        return now

    def inside(self) -> dict[str, list[str]]:
        return {name: sorted(box.messages.values()) for name, box in self.house.boxes.items() if box.messages}


def boxes(**content: str) -> dict[str, Box]:
    """Make mailboxes of the provider; each word is a message."""
    made = {}
    for number, (name, texts) in enumerate(content.items(), 1):
        made[name] = Box(uidvalidity=number)
        for text in texts.split():
            made[name].add(text)
    return made


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path) -> World:
    return World(tmp_path, FakeProvider(boxes(INBOX="a b c", Work="d")))


GMAIL = {"[Gmail]/All Mail": "\\all", "[Gmail]/Sent Mail": "\\sent"}


@pytest.fixture(name="gmail")
def fixture_gmail(tmp_path: Path) -> World:
    mailboxes = boxes(
        **{"INBOX": "a b", "Receipts": "b c", "[Gmail]/Sent Mail": "s", "[Gmail]/All Mail": "a b c d s"}
    )
    account = replace(ACCOUNT, labelled=True)
    return World(tmp_path, FakeProvider(mailboxes, GMAIL), account=account)


def test_everything_comes_once(world: World) -> None:
    world.fetch()
    assert world.inside() == {"Google/INBOX": ["a", "b", "c"], "Google/Work": ["d"]}
    world.fetch()
    assert world.pulled == []
    world.provider.boxes["INBOX"].add("e")
    world.fetch(quick=True)
    assert world.pulled == ["e"]


def test_what_the_house_deleted_does_not_come_back(world: World) -> None:
    world.fetch()
    world.house.boxes["Google/INBOX"].messages.clear()
    world.provider.boxes["INBOX"].add("e")
    world.fetch()
    assert world.inside()["Google/INBOX"] == ["e"]


def test_what_the_provider_deleted_stays_in_the_house(world: World) -> None:
    world.fetch()
    world.provider.boxes["INBOX"].messages.clear()
    world.fetch()
    assert world.inside()["Google/INBOX"] == ["a", "b", "c"]


def test_a_renumbered_mailbox_is_recognised(world: World) -> None:
    world.fetch()
    del world.house.boxes["Google/INBOX"].messages[2]
    world.provider.boxes["INBOX"] = Box(uidvalidity=77)
    for text in ["c", "e", "a", "b"]:
        world.provider.boxes["INBOX"].add(text)
    world.fetch()
    assert world.pulled == ["e"]
    assert world.inside()["Google/INBOX"] == ["a", "c", "e"]
    assert world.last is not None
    assert world.last.session.notes == [
        "INBOX was renumbered by the provider (UIDVALIDITY 1, now 77): 3 of 4 messages are known, and were not fetched "
        "again"
    ]


@pytest.mark.parametrize(("source", "target"), [("INBOX", "Work"), ("Work", "Archive")])
def test_what_was_moved_out_of_a_renumbered_mailbox_moves_in_the_house(
    world: World, source: str, target: str
) -> None:
    """Whichever of them is fetched first."""
    world.provider.boxes["Archive"] = Box()
    for text in ("moved", "kept"):
        world.provider.boxes[source].add(text)
    world.fetch()
    kept = [text for text in world.provider.boxes[source].messages.values() if text != "moved"]
    world.provider.boxes[source] = Box(uidvalidity=77)
    for text in reversed(kept):
        world.provider.boxes[source].add(text)
    world.provider.boxes[target].add("moved")
    world.fetch()
    world.fetch()
    assert world.pulled == []
    assert sorted(world.inside()[f"Google/{source}"]) == sorted(kept)
    assert "moved" in world.inside()[f"Google/{target}"]


def test_a_renumbering_that_was_stopped_is_gone_on_with(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.fetch()
    world.provider.boxes["INBOX"] = Box(uidvalidity=77)
    for text in ["b", "c", "a"]:
        world.provider.boxes["INBOX"].add(text)
    with monkeypatch.context() as stopped:
        stopped.setattr(Ledger, "replace", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            world.fetch()
    world.fetch()
    state = SyncState.read(world.directory / "sync" / "f0001")
    assert state is not None
    assert state.pairs == {1: 2, 2: 3, 3: 1}


def test_equal_messages_all_come(world: World) -> None:
    for _ in range(2):
        world.provider.boxes["INBOX"].add("same")
    world.fetch()
    world.provider.boxes["INBOX"].add("same")
    world.fetch()
    assert world.inside()["Google/INBOX"].count("same") == 3


def test_a_folder_removed_in_the_house_is_made_again_for_new_mail_alone(world: World) -> None:
    world.fetch()
    del world.house.boxes["Google/INBOX"]
    world.provider.boxes["INBOX"].add("e")
    world.fetch()
    assert world.inside()["Google/INBOX"] == ["e"]


def test_a_refused_message_holds_up_no_other(world: World) -> None:
    world.provider.refused = {2}
    report = world.fetch().fetch.reports[0]
    assert world.inside()["Google/INBOX"] == ["a", "c"]
    assert (report.missing, report.refused) == (1, (Refused(2, "NO cannot"),))
    world.provider.refused.clear()
    report = world.fetch().fetch.reports[0]
    assert world.pulled == ["b"]
    assert (report.missing, report.refused) == (0, ())


def test_a_message_that_ends_the_connection_is_asked_for_last(world: World) -> None:
    world.provider.cut = {2}
    with pytest.raises(ProviderError, match="INBOX: cut"):
        world.fetch()
    assert world.inside() == {"Google/INBOX": ["a"]}
    world.fetch()
    assert world.inside() == {"Google/INBOX": ["a", "c"], "Google/Work": ["d"]}
    world.provider.cut.clear()
    world.fetch()
    assert world.inside()["Google/INBOX"] == ["a", "b", "c"]


def test_what_mbsync_passes_over_comes_all_the_same(world: World) -> None:
    world.provider.passed_over = {2}
    report = world.fetch().fetch.reports[0]
    assert world.inside()["Google/INBOX"] == ["a", "b", "c"]
    assert (report.missing, report.refused) == (0, ())
    world.provider.passed_over.clear()
    world.fetch()
    assert world.pulled == []


def test_more_than_a_command_can_name_come_in_several_runs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequence_set, "LINE", 20)
    for uid in (2, 4, 6, 8):
        world.provider.boxes["INBOX"].add(f"m{uid}")
        world.provider.boxes["INBOX"].messages.pop(uid, None)
    world.fetch()
    assert sorted(world.inside()["Google/INBOX"]) == sorted(world.provider.boxes["INBOX"].messages.values())


def test_the_daily_limit_is_kept(world: World) -> None:
    world.budget = 250
    world.fetch()
    assert world.last is not None
    assert world.last.over_budget
    assert world.inside() == {"Google/INBOX": ["a", "b"]}


def test_a_full_house_is_asked_for_nothing(world: World) -> None:
    world.house.left = 250
    del world.provider.boxes["Work"]
    assert world.fetch().shortage() == ("house full", "the owner's quota has no room for the rest")
    assert world.inside() == {"Google/INBOX": ["a", "b"]}
    world.house.left = 50
    assert world.fetch().shortage() is not None
    assert world.pulled == []
    world.house.left = None
    assert world.fetch().shortage() is None
    assert world.inside() == {"Google/INBOX": ["a", "b", "c"]}


def test_gmail_has_one_copy_of_each_message(gmail: World) -> None:
    gmail.fetch()
    assert gmail.inside() == {"Google/INBOX": ["a", "b"], "Google/Sent": ["s"], "Google/Archive": ["c", "d"]}
    gmail.fetch()
    assert gmail.pulled == []


def test_mail_to_oneself_is_one_copy_at_gmail(gmail: World) -> None:
    gmail.provider.boxes["[Gmail]/Sent Mail"].add("a")
    gmail.fetch()
    assert gmail.inside()["Google/INBOX"] == ["a", "b"]
    assert gmail.inside()["Google/Sent"] == ["s"]


def test_labels_are_folders_if_asked_for(gmail: World) -> None:
    gmail.account = replace(gmail.account, labels=True)
    gmail.fetch()
    assert gmail.inside() == {
        "Google/INBOX": ["a", "b"],
        "Google/Receipts": ["b", "c"],
        "Google/Sent": ["s"],
        "Google/Archive": ["d"],
    }


def test_archived_mail_stays_where_it_landed_and_comes_back_to_the_inbox(gmail: World) -> None:
    gmail.fetch()
    gmail.provider.boxes["INBOX"].messages.clear()
    gmail.fetch()
    assert gmail.inside()["Google/INBOX"] == ["a", "b"]
    gmail.provider.boxes["INBOX"].add("d")
    gmail.fetch(quick=True)
    assert gmail.pulled == []
    assert gmail.inside()["Google/INBOX"] == ["a", "b", "d"]
    assert gmail.inside()["Google/Archive"] == ["c"]


def test_a_draft_that_was_sent_comes(gmail: World) -> None:
    gmail.provider.boxes["[Gmail]/All Mail"].add("draft", "\\draft")
    gmail.fetch()
    for name in ("[Gmail]/Sent Mail", "[Gmail]/All Mail"):
        gmail.provider.boxes[name].add("draft")
    gmail.fetch()
    assert gmail.inside()["Google/Sent"] == ["draft", "s"]


def test_a_label_given_later_is_a_copy_more(gmail: World) -> None:
    gmail.account = replace(gmail.account, labels=True)
    gmail.fetch()
    gmail.provider.boxes["Receipts"].add("a")
    gmail.fetch()
    assert gmail.inside()["Google/Receipts"] == ["a", "b", "c"]
    gmail.provider.boxes["Receipts"].add("d")
    gmail.fetch()
    assert gmail.inside()["Google/Receipts"] == ["a", "b", "c", "d"]
    assert "Google/Archive" not in gmail.inside()


def test_what_comes_back_to_the_inbox_passes_the_scripts(
    gmail: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "SIEVE_AGE", 10.0**12)
    gmail.account = replace(gmail.account, inbox=True)
    gmail.fetch()
    gmail.house.filtered.clear()
    gmail.provider.boxes["INBOX"].add("d")
    gmail.fetch()
    assert gmail.inside()["INBOX"] == ["a", "b", "d"]
    assert gmail.house.filtered == [3]


def test_mail_deleted_in_the_house_does_not_come_back_from_all_mail(gmail: World) -> None:
    gmail.provider.boxes["[Gmail]/All Mail"].messages.clear()
    gmail.fetch()
    gmail.house.boxes["Google/INBOX"].messages.clear()
    for text in ("a", "b", "s"):
        gmail.provider.boxes["[Gmail]/All Mail"].add(text)
    gmail.fetch()
    assert gmail.pulled == []


def test_drafts_do_not_come_with_all_mail(gmail: World) -> None:
    gmail.provider.boxes["[Gmail]/All Mail"].add("draft", "\\draft")
    gmail.fetch()
    assert "draft" not in gmail.inside()["Google/Archive"]


def test_a_message_moved_at_the_provider_moves_in_the_house(world: World) -> None:
    world.fetch()
    del world.provider.boxes["INBOX"].messages[2]
    world.provider.boxes["Work"].add("b")
    world.fetch()
    assert world.pulled == []
    assert world.inside() == {"Google/INBOX": ["a", "c"], "Google/Work": ["b", "d"]}


def test_a_message_that_comes_back_to_its_mailbox_is_the_same(world: World) -> None:
    world.account = replace(ACCOUNT, mirror=True)
    world.fetch()
    del world.provider.boxes["INBOX"].messages[2]  # deleted, and taken out of the trash again
    world.provider.boxes["INBOX"].add("b")
    world.fetch()
    assert world.pulled == []
    assert world.inside() == {"Google/INBOX": ["a", "b", "c"], "Google/Work": ["d"]}


def test_a_message_that_comes_back_stays_deleted_in_the_house(world: World) -> None:
    world.fetch()
    world.house.remove("Google/INBOX", [2])
    del world.provider.boxes["INBOX"].messages[2]
    world.provider.boxes["INBOX"].add("b")
    world.fetch()
    assert world.inside()["Google/INBOX"] == ["a", "c"]


def test_a_message_copied_at_the_provider_is_two(world: World) -> None:
    world.fetch()
    world.provider.boxes["Work"].add("b")
    world.fetch()
    assert world.inside() == {"Google/INBOX": ["a", "b", "c"], "Google/Work": ["b", "d"]}


def test_a_renamed_mailbox_is_renamed_in_the_house(world: World) -> None:
    world.fetch()
    world.provider.boxes["Projects"] = world.provider.boxes.pop("Work")
    world.fetch()
    assert world.pulled == []
    assert world.inside() == {"Google/INBOX": ["a", "b", "c"], "Google/Projects": ["d"]}
    world.provider.boxes["Projects"].add("e")
    world.fetch()
    assert world.inside()["Google/Projects"] == ["d", "e"]


def test_a_mailbox_that_is_gone_stays_in_the_house(world: World) -> None:
    world.fetch()
    del world.provider.boxes["Work"]
    assert [report.gone for report in world.fetch().fetch.reports] == [False, True]
    assert world.inside()["Google/Work"] == ["d"]


def test_another_folder_in_the_settings_renames_what_there_is(world: World) -> None:
    world.fetch()
    world.account = replace(ACCOUNT, folder="Mail")
    world.provider.boxes["INBOX"].add("e")
    world.fetch()
    assert world.inside() == {"Mail/INBOX": ["a", "b", "c", "e"], "Mail/Work": ["d"]}


def test_an_inbox_of_its_own_becomes_the_owners(world: World) -> None:
    world.fetch()
    world.account = replace(ACCOUNT, inbox=True)
    world.provider.boxes["INBOX"].add("e")
    world.fetch()
    assert world.inside() == {"Google/INBOX": ["a", "b", "c"], "INBOX": ["e"], "Google/Work": ["d"]}


def test_what_lies_in_the_house_before_is_not_fetched_again(world: World) -> None:
    world.house.ensure("Google/INBOX")
    world.house.boxes["Google/INBOX"].add("b")
    world.fetch()
    assert world.pulled == ["a", "c", "d"]
    assert world.inside()["Google/INBOX"] == ["a", "b", "c"]


def test_mirroring_deletes_only_what_was_deleted_there(world: World) -> None:
    world.account = replace(ACCOUNT, mirror=True)
    world.fetch()
    world.house.ensure("Kept")
    world.house.move("Google/INBOX", [3], "Kept")
    world.house.boxes["Google/INBOX"].add("of the owner")
    for uid in (1, 3):
        del world.provider.boxes["INBOX"].messages[uid]
    world.fetch()
    assert world.inside() == {"Google/INBOX": ["b", "of the owner"], "Google/Work": ["d"], "Kept": ["c"]}


def test_mirroring_follows_a_move_instead_of_deleting(world: World) -> None:
    world.account = replace(ACCOUNT, mirror=True)
    world.fetch()
    del world.provider.boxes["INBOX"].messages[1]
    world.provider.boxes["Work"].add("a")
    world.fetch()
    assert world.inside() == {"Google/INBOX": ["b", "c"], "Google/Work": ["a", "d"]}


def test_mirroring_leaves_a_folder_alone_that_its_owner_made_anew(world: World) -> None:
    world.account = replace(ACCOUNT, mirror=True)
    world.fetch()
    world.house.boxes["Google/INBOX"] = Box(uidvalidity=999)
    world.house.boxes["Google/INBOX"].add("of the owner")
    del world.provider.boxes["INBOX"].messages[1]
    world.fetch()
    assert world.inside() == {"Google/INBOX": ["of the owner"], "Google/Work": ["d"]}


def test_mirroring_waits_where_a_mailbox_was_renumbered_meanwhile(world: World) -> None:
    world.account = replace(ACCOUNT, mirror=True)
    world.fetch()
    with Ledger(world.directory / "ledger.sqlite") as ledger:
        assert world.last is not None
        world.last.session.ledger = ledger
        box = world.provider.boxes["INBOX"]
        box.uidvalidity, box.messages = 7, {uid + 2: text for uid, text in box.messages.items()}
        Mirror(world.last.session).mailbox(ledger.folders()[0])
    assert world.inside()["Google/INBOX"] == ["a", "b", "c"]


def test_mirroring_does_not_empty_a_folder(world: World) -> None:
    world.account = replace(ACCOUNT, mirror=True)
    for number in range(20):
        world.provider.boxes["INBOX"].add(f"m{number}")
    world.fetch()
    world.provider.boxes["INBOX"].messages.clear()
    world.fetch()
    assert len(world.inside()["Google/INBOX"]) == 23
    assert world.last is not None
    assert "23 of 23 messages have gone at once" in world.last.session.notes[0]


def test_deleted_marks_do_not_cross(world: World) -> None:
    world.provider.boxes["INBOX"].add("e", "\\deleted", "\\seen")
    world.fetch()
    assert world.house.boxes["Google/INBOX"].flags[4] == {"\\seen"}


def test_inbox_mail_passes_the_scripts_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "SIEVE_AGE", 10.0**12)
    world.account = replace(ACCOUNT, inbox=True)
    world.fetch()
    world.fetch()
    assert world.inside() == {"INBOX": ["a", "b", "c"], "Google/Work": ["d"]}
    assert world.house.filtered == [1, 2, 3]
