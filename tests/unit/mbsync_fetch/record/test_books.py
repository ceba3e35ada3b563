# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where each message of a provider's is, from what is recorded and what the house has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from ansible_collections.ilnmors.mail.tests.unit.mbsync_fetch.fakes.world import (
    ACCOUNT,
    ALL,
    GMAIL,
    SENT,
    Box,
    FakeRemote,
    World,
    boxes,
    fp,
)
from mbsync_fetch.account_fetch.fetch import FailedError
from mbsync_fetch.local.scripts import Filtered
from mbsync_fetch.mailbox_fetch import arrivals
from mbsync_fetch.mbsync.sync_state import SyncState
from mbsync_fetch.record.books import PLACES, Books, Held, Place, count, elsewhere, places_of
from mbsync_fetch.record.ledger import Ledger, Reason
from mbsync_fetch.remote.account import Listing

# --- from what is known


def held(
    reasons: Mapping[int, Reason], pairs: Mapping[int, int] | None = None, *, copies: bool = False
) -> Held:
    """Return what is recorded; the house's UIDs below 100 are there, those above have been deleted."""
    marks = {uid: fp(f"m{abs(uid)}") for uid in reasons}
    return Held(marks, reasons, pairs or {}, frozenset(range(1, 100)), copies)


CASES: dict[str, tuple[Held, dict[bytes, Place], Place | None]] = {
    "fetched": (held({1: "arrived"}, {1: 7}), {}, "here"),
    "there before": (held({1: "adopted"}, {1: 7}), {}, "here"),
    "moved here": (held({1: "moved"}, {1: 7}), {}, "here"),
    "fetched, then deleted": (held({1: "arrived"}, {1: 107}), {}, "deleted"),
    "fetched, and its folder removed": (held({1: "arrived"}, {1: 0}), {}, "deleted"),
    "deleted before it was recorded": (held({1: "gone"}, {1: 0}), {}, "deleted"),
    "moved, when its owner had deleted it": (held({1: "moved"}), {}, "deleted"),
    "filed by the scripts": (held({1: "filed"}, {1: 107}), {}, "filed"),
    "kept by the scripts after all": (held({1: "filed"}, {1: 7}), {}, "here"),
    "a draft": (held({1: "draft"}), {}, "draft"),
    "another's copy": (held({1: "copy"}, copies=True), {fp("m1"): "elsewhere"}, "elsewhere"),
    "another's copy, deleted there": (held({1: "copy"}, copies=True), {fp("m1"): "deleted"}, "deleted"),
    "another's copy, filed there": (held({1: "copy"}, copies=True), {fp("m1"): "filed"}, "filed"),
    "a copy of nothing": (held({1: "copy"}, copies=True), {}, None),
    "a copy from when labels were not fetched": (held({1: "copy"}), {fp("m1"): "elsewhere"}, "elsewhere"),
    "moved away from all mail": (
        held({1: "arrived"}, {1: 107}, copies=True),
        {fp("m1"): "elsewhere"},
        "elsewhere",
    ),
    "one of two copies, deleted": (held({1: "arrived"}, {1: 107}), {fp("m1"): "elsewhere"}, "deleted"),
    "refused": (held({}), {}, "to_come"),
}


@pytest.mark.parametrize("case", CASES)
def test_each_message_has_a_place(case: str) -> None:
    known, others, place = CASES[case]
    assert places_of([1], known, others, [], 1) == {1: place}


def test_what_is_not_recorded_is_refused_or_to_come_or_nowhere() -> None:
    assert places_of([3, 4, 5, 6], held({}), {}, [5], 5) == {3: None, 4: None, 5: "refused", 6: "to_come"}


def test_one_message_in_the_house_is_not_two_of_the_providers() -> None:
    known = held({1: "arrived", 2: "arrived"}, {1: 7, 2: 7})
    assert places_of([1, 2], known, {}, [], 3) == {1: "here", 2: None}


def test_the_best_that_other_mailboxes_know_counts() -> None:
    marks = {fp(f"m{number}") for number in range(1, 6)}
    others = [
        held({1: "arrived", 2: "arrived", 3: "filed", 4: "copy", 5: "draft"}, {1: 107, 2: 7}),
        held({1: "moved", 3: "arrived", -2: "gone"}, {1: 8, 3: 109}),
    ]
    assert elsewhere(others, marks) == {fp("m1"): "elsewhere", fp("m2"): "elsewhere", fp("m3"): "filed"}
    assert elsewhere(others, {fp("m3")}) == {fp("m3"): "filed"}


def test_books_are_balanced_if_each_message_has_a_place() -> None:
    books = count({1: "here", 2: "here", 3: "deleted"}, (1, 2))
    assert books == Books(3, dict.fromkeys(PLACES, 0) | {"here": 2, "deleted": 1}, (), (1, 2))
    assert books.balanced
    assert Books.load(json.loads(json.dumps(asdict(books)))) == books
    assert count({1: "here", 9: None, 8: None}).unplaced == (8, 9)
    assert not count({1: "here", 9: None}).balanced
    assert not replace(books, messages=4).balanced


# --- from what a fetch sees


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path) -> World:
    return World(tmp_path, FakeRemote(boxes(INBOX="a b c", Work="d")))


@pytest.fixture(name="gmail")
def fixture_gmail(tmp_path: Path) -> World:
    mailboxes = boxes(**{"INBOX": "a b", "Receipts": "b c", SENT: "s", ALL: "a b c d s"})
    mailboxes[ALL].add("draft", "\\draft")
    return World(tmp_path, FakeRemote(mailboxes, GMAIL), account=replace(ACCOUNT, labelled=True))


def test_what_is_deleted_here_is_accounted_for(world: World) -> None:
    world.fetch()
    assert (world.books(), world.books("Work")) == ({"here": 3}, {"here": 1})
    world.local.remove("Google/INBOX", [2])
    world.local.ensure("Kept")
    world.local.move("Google/INBOX", [3], "Kept")
    world.fetch()
    assert world.books() == {"here": 1, "deleted": 2}
    del world.local.boxes["Google/INBOX"]
    world.fetch()
    assert world.books() == {"deleted": 3}


def test_what_the_provider_deleted_is_no_part_of_its_books(world: World) -> None:
    world.fetch()
    world.remote.boxes["INBOX"].messages.pop(2)
    world.fetch()
    assert world.books() == {"here": 2}


def test_all_mail_is_accounted_for(gmail: World) -> None:
    gmail.fetch()
    assert gmail.books(ALL) == {"elsewhere": 3, "here": 2, "draft": 1}
    gmail.local.remove("Google/INBOX", [1])
    gmail.fetch()
    assert gmail.books("INBOX") == {"here": 1, "deleted": 1}
    assert gmail.books(ALL) == {"elsewhere": 2, "here": 2, "draft": 1, "deleted": 1}


def test_archived_mail_is_where_it_landed(gmail: World) -> None:
    gmail.fetch()
    gmail.remote.boxes["INBOX"].messages.clear()
    gmail.remote.boxes["INBOX"].add("d")
    gmail.fetch()
    assert gmail.inside()["Google/INBOX"] == ["a", "b", "d"]
    assert gmail.books("INBOX") == {"here": 1}
    assert gmail.books(ALL) == {"elsewhere": 4, "here": 1, "draft": 1}


def test_what_scripts_file_is_accounted_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "SIEVE_AGE", 10.0**12)
    world.account = replace(ACCOUNT, inbox=True)

    def sieve(folder: str, uids: list[int]) -> Filtered:
        gone = {uid for uid in uids if world.local.boxes[folder].messages[uid] != "b"}
        world.local.remove(folder, gone)
        return Filtered(frozenset(gone), ())

    monkeypatch.setattr(world.local, "sieve", sieve)
    world.fetch()
    assert world.books() == {"here": 1, "filed": 2}


def test_what_is_refused_is_accounted_for(world: World) -> None:
    world.remote.refused = {2}
    world.fetch()
    assert world.books() == {"here": 2, "refused": 1}
    world.remote.refused.clear()
    world.fetch()
    assert world.books() == {"here": 3}


def test_what_has_to_wait_is_to_come(world: World) -> None:
    world.budget = 150
    world.fetch()
    assert world.books() == {"here": 1, "to_come": 2}


def test_what_comes_meanwhile_is_to_come(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = FakeRemote.opened

    def meanwhile(remote: FakeRemote, raw: str) -> object:
        if raw == "Work":
            monkeypatch.undo()
            world.remote.boxes["INBOX"].add("e")
            world.remote.boxes["INBOX"].messages.pop(1)
        return opened(remote, raw)

    monkeypatch.setattr(FakeRemote, "opened", meanwhile)
    world.fetch()
    assert world.books() == {"here": 2, "to_come": 1}
    assert world.pulled == ["a", "b", "c", "d"]
    world.fetch()
    assert world.books() == {"here": 3}


def test_what_was_passed_over_is_fetched_again_at_once(world: World) -> None:
    world.fetch()
    world.remote.boxes["INBOX"].add("e")
    with Ledger(world.directory / "ledger.sqlite") as ledger:
        ledger.forget("f0001", [2])
        ledger.update("f0001", next_uid=5)
    state = SyncState.read(world.directory / "sync" / "f0001")
    assert state
    state.pairs.pop(2)
    state.write(world.directory / "sync" / "f0001")
    world.local.boxes["Google/INBOX"].messages.pop(2)
    world.fetch()
    assert sorted(world.pulled) == ["b", "e"]
    assert world.books() == {"here": 4}


def test_what_nothing_is_said_of_is_to_come(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.fetch()
    survey = FakeRemote.survey
    monkeypatch.setattr(FakeRemote, "survey", lambda self, uids: survey(self, set(uids) - {4}))
    world.remote.boxes["INBOX"].add("e")
    world.fetch()
    assert world.books() == {"here": 3, "to_come": 1}
    assert world.kept.folders[0].missing == 1
    monkeypatch.undo()
    world.fetch()
    assert world.books() == {"here": 4}


def test_a_pair_that_two_have_is_fetched_again(world: World) -> None:
    world.fetch()
    path = world.directory / "sync" / "f0001"
    state = SyncState.read(path)
    assert state
    state.pairs[2] = state.pairs[1]
    state.write(path)
    world.remote.boxes["INBOX"].add("e")
    world.fetch()
    assert sorted(world.pulled) == ["b", "e"]
    assert world.books() == {"here": 4}


def test_a_list_that_is_not_whole_is_no_account(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.fetch()
    world.remote.boxes["INBOX"].add("e")
    uids = FakeRemote.uids
    monkeypatch.setattr(
        FakeRemote,
        "uids",
        lambda self, first=1: Listing((4,), whole=False, lacking=3) if first == 1 else uids(self, first),
    )
    with pytest.raises(FailedError, match="INBOX: 3 of 4 messages are not listed"):
        world.fetch()
    assert world.inside() == {"Google/INBOX": ["a", "b", "c", "e"], "Google/Work": ["d"]}


def test_a_record_without_reasons_is_worked_out(gmail: World) -> None:
    gmail.account = replace(gmail.account, labels=True)
    gmail.fetch()
    gmail.local.remove("Google/INBOX", [1])
    with Ledger(gmail.directory / "ledger.sqlite") as ledger:
        for record in ledger.mailboxes():
            ledger.explain(record.alias, dict.fromkeys(ledger.recorded(record.alias), ""))
    gmail.fetch()
    assert gmail.books("INBOX") == {"here": 1, "deleted": 1}
    assert gmail.books(ALL) == {"elsewhere": 3, "here": 1, "draft": 1, "deleted": 1}
    assert gmail.pulled == []
    with Ledger(gmail.directory / "ledger.sqlite") as ledger:
        aliases = {record.raw: record.alias for record in ledger.mailboxes()}
        assert set(ledger.reasons(aliases[ALL]).values()) == {"copy", "arrived", "draft"}


def test_lost_state_is_found_again_in_the_folder(world: World) -> None:
    world.fetch()
    (world.directory / "sync" / "f0001").unlink()
    world.local.remove("Google/INBOX", [2])
    world.fetch()
    assert world.books() == {"here": 2, "deleted": 1}
    assert world.pulled == []


def test_a_damaged_record_that_begins_anew_balances(gmail: World) -> None:
    gmail.fetch()
    gmail.local.remove("Google/INBOX", [1])
    (gmail.directory / "ledger.sqlite").write_bytes(b"no database")
    gmail.fetch()
    books = [report.books for report in gmail.kept.folders]
    assert all(one and one.balanced for one in books)


def test_what_is_unchanged_is_not_looked_at_again(gmail: World, monkeypatch: pytest.MonkeyPatch) -> None:
    gmail.fetch()
    before = [report.books for report in gmail.kept.folders]
    gmail.local.listed = 0
    with monkeypatch.context() as quiet:
        quiet.setattr(FakeRemote, "examine", None)
        gmail.fetch()
    assert gmail.local.listed == 0
    assert [report.books for report in gmail.kept.folders] == before
    # A change anywhere concerns all mail, and nothing else but where it was.
    gmail.local.remove("Google/Sent", [1])
    gmail.fetch()
    assert gmail.books(SENT) == {"deleted": 1}
    assert gmail.books(ALL) == {"elsewhere": 2, "here": 2, "draft": 1, "deleted": 1}


def test_a_fetch_of_inbox_alone_leaves_the_books_as_they_are(world: World) -> None:
    world.fetch()
    world.remote.boxes["INBOX"].add("e")
    world.fetch(quick=True)
    assert (world.kept.folders[0].provider, world.books()) == (4, {"here": 3})
    world.fetch()
    assert world.books() == {"here": 4}


def test_a_mailbox_that_is_gone_has_no_books(world: World) -> None:
    world.remote.boxes["Old"] = Box()
    world.fetch()
    del world.remote.boxes["Old"]
    world.fetch()
    (report,) = [report for report in world.kept.folders if report.gone]
    assert report.books is None
