# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is decided about new messages, and that nothing is changed by deciding."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.unit.mbsync_fetch.fakes.world import (
    ACCOUNT,
    ALL,
    GMAIL,
    SENT,
    FakeRemote,
    World,
    boxes,
)
from mbsync_fetch.mailbox_fetch.plan import Plan, make_plan
from mbsync_fetch.record.context import Context
from mbsync_fetch.record.ledger import Ledger
from mbsync_fetch.remote.listing import Presence


def everything(world: World, ledger: Ledger) -> object:
    """Return all that a plan could change."""
    files = {path: path.read_bytes() for path in (world.directory / "sync").glob("*")}
    return copy.deepcopy((list(ledger._db.iterdump()), files, world.remote.boxes, world.local.boxes))


def planned(world: World, raw: str) -> Plan:
    """Make the plan of a mailbox, and see that this changes nothing."""
    remote: Any = world.remote
    local: Any = world.local
    with Ledger(world.directory / "ledger.sqlite") as ledger:
        context = Context(world.account, remote, local, ledger, world.directory)
        record = next((one for one in ledger.mailboxes() if one.raw == raw), None)
        record = record or ledger.assign(raw, f"Google/{raw}")
        remote.examine(raw)
        uids = set(remote.uids(record.next_uid).uids) - ledger.recorded(record.alias).keys()
        new = remote.survey(sorted(uids)).messages
        before = everything(world, ledger)
        plan = make_plan(context, record, new, first=record.uidvalidity == 0)
        assert everything(world, ledger) == before
        assert world.remote.open == raw
    decided = [plan.present, plan.returned, plan.drafts, plan.copies, plan.postponed, plan.pull]
    counted = sorted(uid for some in [*decided, *plan.moved.values()] for uid in some)
    assert counted == sorted(new), "each message is decided about once"
    return plan


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path) -> World:
    world = World(tmp_path, FakeRemote(boxes(INBOX="a b c", Work="d")))
    world.fetch()
    return world


def arrives(world: World) -> None:
    world.remote.boxes["INBOX"].add("e")


def returns(world: World) -> None:
    del world.remote.boxes["INBOX"].messages[2]
    world.remote.boxes["INBOX"].add("b")


def comes_twice(world: World) -> None:
    returns(world)
    world.remote.boxes["INBOX"].add("b")


def moves(world: World) -> None:
    del world.remote.boxes["Work"].messages[1]
    world.remote.boxes["INBOX"].add("d")


def is_copied(world: World) -> None:
    world.remote.boxes["INBOX"].add("d")


@pytest.mark.parametrize(
    ("happens", "returned", "moved", "pulled"),
    [
        (arrives, {}, {}, {4}),
        (returns, {4: 2}, {}, set()),
        (comes_twice, {4: 2}, {}, {5}),
        (moves, {}, {"f0002": {4: 1}}, set()),
        (is_copied, {}, {}, {4}),
    ],
)
def test_a_new_message_is_pulled_unless_it_was_here(
    world: World,
    happens: Callable[[World], None],
    returned: dict[int, int],
    moved: dict[str, dict[int, int]],
    pulled: set[int],
) -> None:
    happens(world)
    plan = planned(world, "INBOX")
    assert (plan.returned, plan.moved, set(plan.pull)) == (returned, moved, pulled)
    assert not plan.postponed


@pytest.mark.parametrize("happens", [returns, moves])
def test_what_cannot_be_told_is_postponed(
    world: World, monkeypatch: pytest.MonkeyPatch, happens: Callable[[World], None]
) -> None:
    happens(world)
    monkeypatch.setattr(world.remote, "present", lambda _uids: Presence(frozenset(), frozenset()))
    plan = planned(world, "INBOX")
    assert list(plan.postponed) == [4]
    assert "cannot be seen as a whole now" in plan.postponed[4]


def test_what_lies_in_the_folder_before_the_first_fetch_is_not_pulled(world: World) -> None:
    world.remote.boxes["Family"] = copy.deepcopy(world.remote.boxes["INBOX"])
    world.local.ensure("Google/Family")
    there = world.local.boxes["Google/Family"].add("b")
    plan = planned(world, "Family")
    assert plan.present == {2: there}
    assert set(plan.pull) == {1, 3}


def test_all_mail_leaves_out_drafts_and_what_other_mailboxes_have(tmp_path: Path) -> None:
    remote = FakeRemote(boxes(**{"INBOX": "a", SENT: "s", ALL: "a s"}), GMAIL)
    world = World(tmp_path, remote, account=replace(ACCOUNT, labelled=True))
    world.fetch()
    remote.boxes["INBOX"].add("b")
    world.fetch(quick=True)
    for text, flags in (("b", ()), ("x", ("\\draft",)), ("y", ())):
        remote.boxes[ALL].add(text, *flags)
    plan = planned(world, ALL)
    assert (set(plan.drafts), set(plan.copies), set(plan.pull)) == ({4}, {3}, {5})
