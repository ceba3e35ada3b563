# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is fetched, and what the house is recognised to have already: against a provider and a house in memory."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from ansible_collections.ilnmors.mail.tests.unit.mbsync_fetch.fakes.world import (
    ACCOUNT,
    ALL,
    GMAIL,
    SENT,
    Box,
    FakeLocal,
    FakeRemote,
    World,
    boxes,
)
from mbsync_fetch.account_fetch.fetch import FailedError
from mbsync_fetch.account_fetch.mirror import Mirror
from mbsync_fetch.imap import sequence_set
from mbsync_fetch.mailbox_fetch import arrivals
from mbsync_fetch.mbsync.sync_state import SyncState
from mbsync_fetch.record.ledger import Ledger
from mbsync_fetch.remote.listing import Listing
from mbsync_fetch.remote.survey import Survey
from mbsync_fetch.status.report import Refused


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path) -> World:
    return World(tmp_path, FakeRemote(boxes(INBOX="a b c", Work="d")))


@pytest.fixture(name="gmail")
def fixture_gmail(tmp_path: Path) -> World:
    mailboxes = boxes(**{"INBOX": "a b", "Receipts": "b c", SENT: "s", ALL: "a b c d s"})
    account = replace(ACCOUNT, labelled=True)
    return World(tmp_path, FakeRemote(mailboxes, GMAIL), account=account)


def test_what_a_listing_lacks_is_not_passed_over(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one message that is listed of three is the newest, and refused: all three come with the next fetch."""
    world.fetch()
    for text in "efg":
        world.remote.boxes["INBOX"].add(text)
    with monkeypatch.context() as silent:
        silent.setattr(world.remote, "uids", lambda _first=1: Listing((6,), whole=False))
        silent.setattr(world.remote, "refused", {6})
        with pytest.raises(FailedError):
            world.fetch()
    assert world.pulled == []
    with Ledger(world.directory / "ledger.sqlite") as ledger:
        assert next(record.next_uid for record in ledger.mailboxes() if record.raw == "INBOX") == 4
    world.fetch()
    assert sorted(world.pulled) == ["e", "f", "g"]


def test_what_a_stopped_first_fetch_stored_follows_a_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing but the folder has it when the fetch is stopped: no state says whose numbers count."""
    world = World(tmp_path, FakeRemote(boxes(INBOX="a", Work="d")), few=5)
    store = world.local.append

    def store_and_stop(*arguments: Any) -> None:
        store(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as stopped:
        stopped.setattr(world.local, "append", store_and_stop)
        with pytest.raises(KeyboardInterrupt):
            world.fetch()
    world.fetch()
    assert world.inside() == {"Google/INBOX": ["a"], "Google/Work": ["d"]}
    del world.remote.boxes["INBOX"].messages[1]
    world.remote.boxes["Work"].add("a")
    world.fetch()
    assert world.inside() == {"Google/Work": ["a", "d"]}


def test_everything_comes_once(world: World) -> None:
    world.fetch()
    assert world.inside() == {"Google/INBOX": ["a", "b", "c"], "Google/Work": ["d"]}
    world.fetch()
    assert world.pulled == []
    world.remote.boxes["INBOX"].add("e")
    world.fetch(quick=True)
    assert world.pulled == ["e"]


def test_what_the_house_deleted_does_not_come_back(world: World) -> None:
    world.fetch()
    world.local.boxes["Google/INBOX"].messages.clear()
    world.remote.boxes["INBOX"].add("e")
    world.fetch()
    assert world.inside()["Google/INBOX"] == ["e"]


def test_what_the_provider_deleted_stays_in_the_house(world: World) -> None:
    world.fetch()
    world.remote.boxes["INBOX"].messages.clear()
    world.fetch()
    assert world.inside()["Google/INBOX"] == ["a", "b", "c"]


def test_a_renumbered_mailbox_is_recognised(world: World) -> None:
    world.fetch()
    del world.local.boxes["Google/INBOX"].messages[2]
    world.remote.boxes["INBOX"] = Box(uidvalidity=77)
    for text in ["c", "e", "a", "b"]:
        world.remote.boxes["INBOX"].add(text)
    world.fetch()
    assert world.pulled == ["e"]
    assert world.inside()["Google/INBOX"] == ["a", "c", "e"]
    assert world.last is not None
    assert world.last.context.notes == [
        "INBOX was renumbered by the provider (UIDVALIDITY 1, now 77): 3 of 4 messages are known, and were not fetched "
        "again"
    ]


@pytest.mark.parametrize(("source", "target"), [("INBOX", "Work"), ("Work", "Archive")])
def test_what_was_moved_out_of_a_renumbered_mailbox_moves_in_the_house(
    world: World, source: str, target: str
) -> None:
    """Whichever of them is fetched first."""
    world.remote.boxes["Archive"] = Box()
    for text in ("moved", "kept"):
        world.remote.boxes[source].add(text)
    world.fetch()
    kept = [text for text in world.remote.boxes[source].messages.values() if text != "moved"]
    world.remote.boxes[source] = Box(uidvalidity=77)
    for text in reversed(kept):
        world.remote.boxes[source].add(text)
    world.remote.boxes[target].add("moved")
    world.fetch()
    world.fetch()
    assert world.pulled == []
    assert sorted(world.inside()[f"Google/{source}"]) == sorted(kept)
    assert "moved" in world.inside()[f"Google/{target}"]


def test_a_renumbering_that_was_stopped_is_gone_on_with(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.fetch()
    world.remote.boxes["INBOX"] = Box(uidvalidity=77)
    for text in ["b", "c", "a"]:
        world.remote.boxes["INBOX"].add(text)
    with monkeypatch.context() as stopped:
        stopped.setattr(Ledger, "replace", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            world.fetch()
    world.fetch()
    state = SyncState.read(world.directory / "sync" / "f0001")
    assert state is not None
    assert state.pairs == {1: 2, 2: 3, 3: 1}


def renumber(world: World, name: str, texts: str) -> None:
    former = world.remote.boxes[name]
    world.remote.boxes[name] = Box(uidvalidity=former.uidvalidity + 100)
    for text in texts.split():
        world.remote.boxes[name].add(text)


def stop_fetch(world: World, monkeypatch: pytest.MonkeyPatch, kind: type, name: str, *, done: bool) -> None:
    """Stop a fetch where it calls a method first. done: once that has done its work."""
    original = getattr(kind, name)

    def stopping(*arguments: Any) -> None:
        if done:
            original(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as stopped:
        stopped.setattr(kind, name, stopping)
        with pytest.raises(KeyboardInterrupt):
            world.fetch()


def test_a_stopped_renumbering_that_another_follows_pairs_no_other_messages(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.account = replace(ACCOUNT, mirror=True)
    world.fetch()
    renumber(world, "INBOX", "c b a")
    stop_fetch(world, monkeypatch, Ledger, "replace", done=False)
    renumber(world, "INBOX", "b c a")
    world.fetch()
    del world.remote.boxes["INBOX"].messages[2]
    world.fetch()
    assert {"a", "b"} <= set(world.inside()["Google/INBOX"])
    assert world.pulled == []


@pytest.mark.parametrize("steps", range(4))
def test_what_came_before_a_renumbering_and_was_not_recorded_comes_once(world: World, steps: int) -> None:
    """steps: how far mbsync gets with two messages: 1 and 3 are those at which it has yet to note that one came."""
    world.fetch()
    for text in ("e", "f"):
        world.remote.boxes["INBOX"].add(text)
    world.pause = Mock(side_effect=[*[None] * steps, KeyboardInterrupt])
    with pytest.raises(KeyboardInterrupt):
        world.fetch()
    world.pause = Mock()
    renumber(world, "INBOX", "f e c a b")
    world.fetch()
    assert world.inside()["Google/INBOX"] == ["a", "b", "c", "e", "f"]


def test_equal_messages_all_come(world: World) -> None:
    for __ in range(2):
        world.remote.boxes["INBOX"].add("same")
    world.fetch()
    world.remote.boxes["INBOX"].add("same")
    world.fetch()
    assert world.inside()["Google/INBOX"].count("same") == 3


def test_a_folder_removed_in_the_house_is_made_again_for_new_mail_alone(world: World) -> None:
    world.fetch()
    del world.local.boxes["Google/INBOX"]
    world.remote.boxes["INBOX"].add("e")
    world.fetch()
    assert world.inside()["Google/INBOX"] == ["e"]


def test_a_refused_message_holds_up_no_other(world: World) -> None:
    world.remote.refused = {2}
    report = world.fetch().fetch.reports[0]
    assert world.inside()["Google/INBOX"] == ["a", "c"]
    assert (report.missing, report.refused) == (1, (Refused(2, "NO cannot"),))
    world.remote.refused.clear()
    report = world.fetch().fetch.reports[0]
    assert world.pulled == ["b"]
    assert (report.missing, report.refused) == (0, ())


def test_a_message_that_ends_the_connection_is_asked_for_last(world: World) -> None:
    world.remote.cut = {2}
    with pytest.raises(FailedError, match="INBOX: cut"):
        world.fetch()
    # The other mailboxes do not wait for it.
    assert world.inside() == {"Google/INBOX": ["a"], "Google/Work": ["d"]}
    world.fetch()
    assert world.inside() == {"Google/INBOX": ["a", "c"], "Google/Work": ["d"]}
    world.remote.cut.clear()
    world.fetch()
    assert world.inside()["Google/INBOX"] == ["a", "b", "c"]


def test_what_mbsync_passes_over_comes_all_the_same(world: World) -> None:
    world.remote.passed_over = {2}
    report = world.fetch().fetch.reports[0]
    assert world.inside()["Google/INBOX"] == ["a", "b", "c"]
    assert (report.missing, report.refused) == (0, ())
    world.remote.passed_over.clear()
    world.fetch()
    assert world.pulled == []


def test_what_was_stored_as_a_fetch_was_stopped_comes_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.remote.passed_over = {2}
    stop_fetch(world, monkeypatch, FakeLocal, "append", done=True)
    world.fetch()
    assert world.inside()["Google/INBOX"] == ["a", "b", "c"]
    world.fetch()
    assert world.inside()["Google/INBOX"] == ["a", "b", "c"]


def test_a_message_that_the_house_refuses_holds_up_no_other_and_is_offered_seldom(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1e9
    monkeypatch.setattr(time, "time", lambda: now)
    world.local.refused = {"b"}
    report = world.fetch().fetch.reports[0]
    assert world.inside()["Google/INBOX"] == ["a", "c"]
    assert report.missing == 1
    assert report.refused == (Refused(2, "Google/INBOX: APPEND: not that", by="house", tries=1, tried=now),)
    offered = []
    for __ in range(24):
        now += 3600
        before = world.local.offered
        report = world.fetch().fetch.reports[0]
        offered.append(world.local.offered - before)
    # After the first hour, then after two more, then after some five, and then once a day.
    assert [hour for hour, count in enumerate(offered, 1) if count] == [1, 2, 4, 9]
    assert report.refused[0].tries == 5
    world.local.refused.clear()
    now += 86400
    report = world.fetch().fetch.reports[0]
    assert world.inside()["Google/INBOX"] == ["a", "b", "c"]
    assert (report.missing, report.refused) == (0, ())


def test_where_the_house_takes_nothing_it_is_the_house_that_fails(world: World) -> None:
    for text in "defgh":
        world.remote.boxes["INBOX"].add(text)
    world.local.refused = set("abcdefgh")
    with pytest.raises(FailedError, match="not that") as caught:
        world.fetch()
    assert caught.value.kind == "house unavailable"
    assert world.inside() == {}


def test_keywords_cross(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    keywords = {"a": ("$Label1", "Work"), "b": ("$Forwarded",), "c": ("no(atom", "x" * 51)}
    survey = FakeRemote.survey

    def with_keywords(self: FakeRemote, uids: Any) -> Survey:
        found = survey(self, uids)
        texts = self.boxes[self.open].messages
        messages = {
            uid: replace(message, keywords=frozenset(keywords.get(texts[uid], ())))
            for uid, message in found.messages.items()
        }
        return replace(found, messages=messages)

    monkeypatch.setattr(FakeRemote, "survey", with_keywords)
    world.fetch()
    assert world.local.boxes["Google/INBOX"].flags == {
        1: {"$Label1", "Work"},
        2: {"$Forwarded"},
        3: frozenset(),
    }


def test_more_than_a_command_can_name_come_in_several_runs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequence_set, "LINE", 20)
    for uid in (2, 4, 6, 8):
        world.remote.boxes["INBOX"].add(f"m{uid}")
        world.remote.boxes["INBOX"].messages.pop(uid, None)
    world.fetch()
    assert sorted(world.inside()["Google/INBOX"]) == sorted(world.remote.boxes["INBOX"].messages.values())


def test_the_daily_limit_is_kept(world: World) -> None:
    world.budget = 250
    world.fetch()
    assert world.last is not None
    assert world.last.pulling.over_budget
    assert world.inside() == {"Google/INBOX": ["a", "b"]}


def test_a_full_house_is_asked_for_nothing(world: World) -> None:
    world.local.left = 250
    del world.remote.boxes["Work"]
    assert world.fetch().shortage() == ("house full", "the owner's quota has no room for the rest")
    assert world.inside() == {"Google/INBOX": ["a", "b"]}
    world.local.left = 50
    assert world.fetch().shortage() is not None
    assert world.pulled == []
    world.local.left = None
    assert world.fetch().shortage() is None
    assert world.inside() == {"Google/INBOX": ["a", "b", "c"]}


def test_gmail_has_one_copy_of_each_message(gmail: World) -> None:
    gmail.fetch()
    assert gmail.inside() == {"Google/INBOX": ["a", "b"], "Google/Sent": ["s"], "Google/Archive": ["c", "d"]}
    gmail.fetch()
    assert gmail.pulled == []


def test_mail_to_oneself_is_one_copy_at_gmail(gmail: World) -> None:
    gmail.remote.boxes[SENT].add("a")
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
    gmail.remote.boxes["INBOX"].messages.clear()
    gmail.fetch()
    assert gmail.inside()["Google/INBOX"] == ["a", "b"]
    gmail.remote.boxes["INBOX"].add("d")
    gmail.fetch(quick=True)
    assert gmail.pulled == []
    assert gmail.inside()["Google/INBOX"] == ["a", "b", "d"]
    assert gmail.inside()["Google/Archive"] == ["c"]


def test_a_draft_that_was_sent_comes(gmail: World) -> None:
    gmail.remote.boxes[ALL].add("draft", "\\draft")
    gmail.fetch()
    for name in (SENT, ALL):
        gmail.remote.boxes[name].add("draft")
    gmail.fetch()
    assert gmail.inside()["Google/Sent"] == ["draft", "s"]


def test_archived_mail_that_gets_two_labels_is_under_both(gmail: World) -> None:
    gmail.account = replace(gmail.account, labels=True)
    for name in ("Work", "Family"):
        gmail.remote.boxes[name] = Box()
    gmail.remote.boxes[ALL].add("archived")
    gmail.fetch()
    for name in ("Work", "Family"):
        gmail.remote.boxes[name].add("archived")
    gmail.fetch()
    assert gmail.inside()["Google/Work"] == gmail.inside()["Google/Family"] == ["archived"]


@pytest.mark.parametrize("done", [False, True])
def test_a_second_label_is_a_copy_more_also_after_a_stop(
    gmail: World, monkeypatch: pytest.MonkeyPatch, done: bool
) -> None:
    gmail.account = replace(gmail.account, labels=True)
    gmail.fetch()
    gmail.remote.boxes["INBOX"].add("d")
    stop_fetch(gmail, monkeypatch, SyncState, "write", done=done)
    gmail.remote.boxes["Receipts"].add("d")
    gmail.fetch()
    assert "d" in gmail.inside()["Google/INBOX"]
    assert gmail.inside()["Google/Receipts"] == ["b", "c", "d"]
    assert "Google/Archive" not in gmail.inside()


def test_a_label_given_later_is_a_copy_more(gmail: World) -> None:
    gmail.account = replace(gmail.account, labels=True)
    gmail.fetch()
    gmail.remote.boxes["Receipts"].add("a")
    gmail.fetch()
    assert gmail.inside()["Google/Receipts"] == ["a", "b", "c"]
    gmail.remote.boxes["Receipts"].add("d")
    gmail.fetch()
    assert gmail.inside()["Google/Receipts"] == ["a", "b", "c", "d"]
    assert "Google/Archive" not in gmail.inside()


def test_what_comes_back_to_the_inbox_passes_the_scripts(
    gmail: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "SIEVE_AGE", 10.0**12)
    gmail.account = replace(gmail.account, inbox=True)
    gmail.fetch()
    gmail.local.filtered.clear()
    gmail.remote.boxes["INBOX"].add("d")
    gmail.fetch()
    assert gmail.inside()["INBOX"] == ["a", "b", "d"]
    assert gmail.local.filtered == [3]


def test_mail_deleted_in_the_house_does_not_come_back_from_all_mail(gmail: World) -> None:
    gmail.remote.boxes[ALL].messages.clear()
    gmail.fetch()
    gmail.local.boxes["Google/INBOX"].messages.clear()
    for text in ("a", "b", "s"):
        gmail.remote.boxes[ALL].add(text)
    gmail.fetch()
    assert gmail.pulled == []


def test_drafts_do_not_come_with_all_mail(gmail: World) -> None:
    gmail.remote.boxes[ALL].add("draft", "\\draft")
    gmail.fetch()
    assert "draft" not in gmail.inside()["Google/Archive"]


def test_a_message_moved_at_the_provider_moves_in_the_house(world: World) -> None:
    world.fetch()
    del world.remote.boxes["INBOX"].messages[2]
    world.remote.boxes["Work"].add("b")
    world.fetch()
    assert world.pulled == []
    assert world.inside() == {"Google/INBOX": ["a", "c"], "Google/Work": ["b", "d"]}


@pytest.mark.parametrize("deleted", [False, True])
def test_a_copy_of_a_message_that_was_moved_comes(world: World, deleted: bool) -> None:
    world.remote.boxes["Archive"] = Box()
    world.fetch()
    if deleted:
        world.local.remove("Google/INBOX", [2])
    del world.remote.boxes["INBOX"].messages[2]
    world.remote.boxes["Work"].add("b")
    world.fetch()
    world.remote.boxes["Archive"].add("b")
    world.fetch()
    assert world.pulled == ["b"]
    assert world.inside()["Google/Archive"] == ["b"]


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("target", ["INBOX", "Work"])
def test_a_copy_of_a_message_that_was_moved_comes_also_after_a_stop(
    world: World, monkeypatch: pytest.MonkeyPatch, target: str, done: bool
) -> None:
    """Moved to another mailbox, or out of its own and back."""
    world.fetch()
    del world.remote.boxes["INBOX"].messages[2]
    world.remote.boxes[target].add("b")
    stop_fetch(world, monkeypatch, SyncState, "write", done=done)
    world.fetch()
    assert world.pulled == []
    world.remote.boxes["INBOX"].add("b")
    world.fetch()
    assert world.pulled == ["b"]


def test_a_message_that_is_moved_again_moves_again_in_the_house(world: World) -> None:
    """Also out of a mailbox that nothing was ever pulled from."""
    world.remote.boxes["Archive"] = Box()
    world.fetch()
    del world.remote.boxes["INBOX"].messages[2]
    world.remote.boxes["Archive"].add("b")
    world.fetch()
    world.remote.boxes["Archive"].messages.clear()
    world.remote.boxes["Work"].add("b")
    world.fetch()
    assert world.pulled == []
    assert world.inside() == {"Google/INBOX": ["a", "c"], "Google/Work": ["b", "d"]}


def test_a_message_that_comes_back_to_its_mailbox_is_the_same(world: World) -> None:
    world.account = replace(ACCOUNT, mirror=True)
    world.fetch()
    del world.remote.boxes["INBOX"].messages[2]  # deleted, and taken out of the trash again
    world.remote.boxes["INBOX"].add("b")
    world.fetch()
    assert world.pulled == []
    assert world.inside() == {"Google/INBOX": ["a", "b", "c"], "Google/Work": ["d"]}


def test_a_message_that_comes_back_stays_deleted_in_the_house(world: World) -> None:
    world.fetch()
    world.local.remove("Google/INBOX", [2])
    del world.remote.boxes["INBOX"].messages[2]
    world.remote.boxes["INBOX"].add("b")
    world.fetch()
    assert world.inside()["Google/INBOX"] == ["a", "c"]


def test_a_message_copied_at_the_provider_is_two(world: World) -> None:
    world.fetch()
    world.remote.boxes["Work"].add("b")
    world.fetch()
    assert world.inside() == {"Google/INBOX": ["a", "b", "c"], "Google/Work": ["b", "d"]}


def test_a_renamed_mailbox_is_renamed_in_the_house(world: World) -> None:
    world.fetch()
    world.remote.boxes["Projects"] = world.remote.boxes.pop("Work")
    world.fetch()
    assert world.pulled == []
    assert world.inside() == {"Google/INBOX": ["a", "b", "c"], "Google/Projects": ["d"]}
    world.remote.boxes["Projects"].add("e")
    world.fetch()
    assert world.inside()["Google/Projects"] == ["d", "e"]


def test_a_mailbox_that_is_gone_stays_in_the_house(world: World) -> None:
    world.fetch()
    del world.remote.boxes["Work"]
    assert [report.gone for report in world.fetch().fetch.reports] == [False, True]
    assert world.inside()["Google/Work"] == ["d"]


def test_another_folder_in_the_settings_renames_what_there_is(world: World) -> None:
    world.fetch()
    world.account = replace(ACCOUNT, folder="Mail")
    world.remote.boxes["INBOX"].add("e")
    world.fetch()
    assert world.inside() == {"Mail/INBOX": ["a", "b", "c", "e"], "Mail/Work": ["d"]}


def test_an_inbox_of_its_own_becomes_the_owners(world: World) -> None:
    world.fetch()
    world.account = replace(ACCOUNT, inbox=True)
    world.remote.boxes["INBOX"].add("e")
    world.fetch()
    assert world.inside() == {"Google/INBOX": ["a", "b", "c"], "INBOX": ["e"], "Google/Work": ["d"]}


def test_what_lies_in_the_house_before_is_not_fetched_again(world: World) -> None:
    world.local.ensure("Google/INBOX")
    world.local.boxes["Google/INBOX"].add("b")
    world.fetch()
    assert world.pulled == ["a", "c", "d"]
    assert world.inside()["Google/INBOX"] == ["a", "b", "c"]


def test_mirroring_deletes_only_what_was_deleted_there(world: World) -> None:
    world.account = replace(ACCOUNT, mirror=True)
    world.fetch()
    world.local.ensure("Kept")
    world.local.move("Google/INBOX", [3], "Kept")
    world.local.boxes["Google/INBOX"].add("of the owner")
    for uid in (1, 3):
        del world.remote.boxes["INBOX"].messages[uid]
    world.fetch()
    assert world.inside() == {"Google/INBOX": ["b", "of the owner"], "Google/Work": ["d"], "Kept": ["c"]}


def test_mirroring_follows_a_move_instead_of_deleting(world: World) -> None:
    world.account = replace(ACCOUNT, mirror=True)
    world.fetch()
    del world.remote.boxes["INBOX"].messages[1]
    world.remote.boxes["Work"].add("a")
    world.fetch()
    assert world.inside() == {"Google/INBOX": ["b", "c"], "Google/Work": ["a", "d"]}


def test_mirroring_follows_a_move_where_inbox_alone_has_news(world: World) -> None:
    world.account = replace(ACCOUNT, mirror=True)
    world.fetch()
    world.local.ensure("Kept")
    world.local.move("Google/INBOX", [2], "Kept")
    for uid in (1, 2):
        world.remote.boxes["Work"].add(world.remote.boxes["INBOX"].messages.pop(uid))
    world.fetch(quick=True)
    world.fetch()
    assert world.pulled == []
    assert world.inside() == {"Google/INBOX": ["c"], "Google/Work": ["a", "d"], "Kept": ["b"]}


def test_what_another_mailbox_has_still_makes_no_fetch_of_inbox_a_whole_one(gmail: World) -> None:
    gmail.account = replace(gmail.account, mirror=True)
    gmail.fetch()
    gmail.remote.boxes["INBOX"].messages.pop(1)  # archived
    assert len(gmail.fetch(quick=True).fetch.reports) == 1
    gmail.remote.boxes["INBOX"].messages.clear()
    gmail.remote.boxes[ALL].messages.clear()
    gmail.remote.boxes["Receipts"].messages.clear()
    gmail.fetch(quick=True)
    assert gmail.inside() == {"Google/Sent": ["s"]}


def test_mirroring_follows_a_move_during_a_fetch(world: World) -> None:
    world.account = replace(ACCOUNT, mirror=True)
    world.remote.boxes["Archive"] = Box()
    world.fetch()
    work, archive = world.remote.boxes["Work"], world.remote.boxes["Archive"]
    # The last one that is looked at.
    world.remote.boxes["Work"].add("e")
    world.pause = lambda: 1 in work.messages and archive.add(work.messages.pop(1))
    world.fetch()
    world.fetch()
    assert world.pulled == []
    assert world.inside() == {
        "Google/Archive": ["d"],
        "Google/INBOX": ["a", "b", "c"],
        "Google/Work": ["e"],
    }


def test_mirroring_leaves_a_folder_alone_that_its_owner_made_anew(world: World) -> None:
    world.account = replace(ACCOUNT, mirror=True)
    world.fetch()
    world.local.boxes["Google/INBOX"] = Box(uidvalidity=999)
    world.local.boxes["Google/INBOX"].add("of the owner")
    del world.remote.boxes["INBOX"].messages[1]
    world.fetch()
    assert world.inside() == {"Google/INBOX": ["of the owner"], "Google/Work": ["d"]}


def test_mirroring_waits_where_a_mailbox_was_renumbered_meanwhile(world: World) -> None:
    world.account = replace(ACCOUNT, mirror=True)
    world.fetch()
    with Ledger(world.directory / "ledger.sqlite") as ledger:
        assert world.last is not None
        world.last.context.ledger = ledger
        box = world.remote.boxes["INBOX"]
        box.uidvalidity, box.messages = 7, {uid + 2: text for uid, text in box.messages.items()}
        mirror = Mirror(world.last.context)
        for record in ledger.mailboxes():
            mirror.look(record)
        for record in ledger.mailboxes():
            mirror.follow(record)
    assert world.inside()["Google/INBOX"] == ["a", "b", "c"]


def test_mirroring_does_not_empty_a_folder(world: World) -> None:
    world.account = replace(ACCOUNT, mirror=True)
    for number in range(20):
        world.remote.boxes["INBOX"].add(f"m{number}")
    world.fetch()
    world.remote.boxes["INBOX"].messages.clear()
    world.fetch()
    assert len(world.inside()["Google/INBOX"]) == 23
    assert world.last is not None
    assert "23 of 23 messages have gone at once" in world.last.context.notes[0]


def test_deleted_marks_do_not_cross(world: World) -> None:
    world.remote.boxes["INBOX"].add("e", "\\deleted", "\\seen")
    world.fetch()
    assert world.local.boxes["Google/INBOX"].flags[4] == {"\\seen"}


def test_inbox_mail_passes_the_scripts_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "SIEVE_AGE", 10.0**12)
    world.account = replace(ACCOUNT, inbox=True)
    world.fetch()
    world.fetch()
    assert world.inside() == {"INBOX": ["a", "b", "c"], "Google/Work": ["d"]}
    assert world.local.filtered == [1, 2, 3]
