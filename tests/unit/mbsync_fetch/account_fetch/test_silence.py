# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whatever a provider's answers lack, and whatever it refuses: nothing is lost, doubled, deleted or passed by.

Randomized, but the same each time, like the rounds that it builds on. SILENCE_SEEDS says how many there are.
"""

from __future__ import annotations

import contextlib
import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.unit.mbsync_fetch.account_fetch.test_rounds import (
    FETCHED,
    LABELS,
    NOT_FETCHED,
    Labels,
    Mailboxes,
    Rounds,
    Stop,
    fixture_stop,
)
from ansible_collections.ilnmors.mail.tests.unit.mbsync_fetch.fakes.imap_server import (
    CutError,
    FakeImap,
    Reply,
    Spoil,
    as_it_is,
)
from ansible_collections.ilnmors.mail.tests.unit.mbsync_fetch.fakes.world import (
    ACCOUNT,
    ALL,
    FakeRemote,
    World,
    boxes,
)
from mbsync_fetch.account_fetch import attempt
from mbsync_fetch.imap.sequence_set import in_set
from mbsync_fetch.mailbox_fetch.fetch import MailboxFetch
from mbsync_fetch.record.ledger import Ledger
from mbsync_fetch.remote import account as real
from mbsync_fetch.remote.connection import Connection

__all__ = ["fixture_stop"]

SEEDS = int(os.environ.get("SILENCE_SEEDS", "6"))
ROUNDS = 6
GARBAGE = (
    b"",
    b"* ",
    b"* 3 FETCH (UID",
    b"* 7 FETCH (FLAGS (\\Seen))",
    b"* OK still here",
    b"* SEARCH x",
    b"A99 OK no",
)
REFUSALS = (b"NO [SERVERBUG] no", b"NO", b"BAD not now", b"NO [UNAVAILABLE] no", b"NO Mailbox is busy")


@dataclass
class Unwell:
    """A provider that is not well: how it spoils its answers. rates: how often what happens, from 0 to 1."""

    world: World
    chance: random.Random
    rates: dict[str, float] = field(default_factory=dict)
    damaged: set[tuple[str, int]] = field(default_factory=set)
    mailbox: str = ""
    flags_lost: bool = False

    def fall_ill(self) -> None:
        """Choose what will happen in the next fetch."""
        self.rates = {
            name: self.chance.choice((0, 0, 0.02, 0.1, 0.3))
            for name in ("line", "item", "silence", "refuse", "end", "garbage", "twice")
        }
        self.rates["end"] /= 10
        self.damaged = {
            (name, uid)
            for name, box in sorted(self.world.remote.boxes.items())
            for uid in box.messages
            if self.chance.random() < 0.05
        }
        for kind in ("passed_over", "refused"):
            setattr(self.world.remote, kind, {uid for uid in range(60) if self.chance.random() < 0.1})

    def get_well(self) -> None:
        """Spoil nothing."""
        self.rates, self.damaged = {}, set()
        self.world.remote.passed_over = self.world.remote.refused = set()

    def happens(self, what: str) -> bool:
        return self.chance.random() < self.rates.get(what, 0)

    def __call__(self, name: str, arguments: str, replies: list[Reply]) -> list[Reply]:
        if name in ("LOGOUT", "LOGIN", "AUTHENTICATE") or not self.rates:
            return as_it_is(name, arguments, replies)
        if name == "EXAMINE":
            self.mailbox = arguments.split('"')[1]
        said, end = replies[:-1], replies[-1:]
        if name == "UID FETCH" and any(
            box == self.mailbox and in_set(uid, arguments.partition(" ")[0]) for box, uid in self.damaged
        ):
            end = [Reply(b"NO It is damaged")]
            said = said if self.happens("line") else []
        if self.happens("silence"):
            said = []
        elif self.happens("refuse"):
            end = [Reply(self.chance.choice(REFUSALS))]
        if self.happens("end"):
            if self.chance.random() < 0.5:
                raise CutError
            end = [Reply(b"* BYE going down")]
        return [*self.spoiled(name, said), *end]

    def spoiled(self, name: str, replies: list[Reply]) -> Iterator[Reply]:
        # The special uses of mailboxes are lost once, but not twice running: nobody could tell.
        self.flags_lost = name == "LIST" and not self.flags_lost
        for reply in replies:
            if self.happens("line"):
                continue
            if reply.items and (name != "LIST" or self.flags_lost):
                reply.items = [item for item in reply.items if not self.happens("item")]
            yield reply
            if self.happens("twice"):
                yield reply
            if self.happens("garbage"):
                yield Reply(self.chance.choice(GARBAGE))


class Silent(Rounds):
    """Rounds in which the provider is unwell before it is well again."""

    unwell: Unwell

    def run(self) -> None:
        self.unwell = Unwell(self.world, self.chance)
        assert isinstance(self.world, Attempts)
        self.world.spoil = self.unwell
        super().run()

    def stopped(self, *, quick: bool = False) -> bool:
        """Fetch while the provider is unwell, perhaps not to the end."""
        for __ in range(self.chance.randrange(3)):
            self.unwell.fall_ill()
            before = self.inside()
            self.stop.left = self.chance.randrange(200)
            try:
                self.world.fetch(quick=quick)
                self.history.append("fetch while unwell")
            except KeyboardInterrupt:
                self.history.append("fetch while unwell, stopped")
            finally:
                self.stop.left = None
                self.unwell.get_well()
            self.look(before)
        return self.chance.random() < 0.5

    def look(self, before: Counter[str]) -> None:
        """See that nothing was lost, and that nothing was passed by."""
        lost = {text for text in before - self.inside() if text not in self.over}
        assert not lost, "\n".join([*self.history, f"lost: {lost}"])
        with Ledger(self.world.directory / "ledger.sqlite") as ledger:
            for record in ledger.mailboxes():
                box = self.world.remote.boxes[record.raw]
                if record.uidvalidity == box.uidvalidity:
                    passed = {uid for uid in box.messages if uid < record.next_uid} - ledger.recorded(
                        record.alias
                    ).keys()
                    assert not passed, "\n".join([*self.history, f"passed by in {record.raw}: {passed}"])

    def inside(self) -> Counter[str]:
        return Counter(text for texts in self.world.inside().values() for text in texts)


@dataclass
class SilentMailboxes(Silent, Mailboxes):
    """Of an account with mailboxes."""


@dataclass
class SilentLabels(Silent, Labels):
    """Of an account with labels."""


class Attempts(World):
    """An account that is fetched from a server, by attempts."""

    spoil: Spoil = staticmethod(as_it_is)

    def fetch(self, *, quick: bool = False) -> Any:
        account = self.account
        self.kept = attempt.attempt(account, "right horse", self.directory, self.kept, quick=quick)
        said = [self.kept.reason, *(report.problem for report in self.kept.folders)]
        assert not [text for text in said if "a fault of the program" in text]


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Attempts:
    world = Attempts(tmp_path, FakeRemote({}))

    @contextlib.contextmanager
    def local(_path: str, _connected: object) -> Iterator[Any]:
        yield world.local

    class Pulled(MailboxFetch):
        def __post_init__(self) -> None:
            super().__post_init__()
            self.pulling.mbsync = world.mbsync  # type: ignore[method-assign, assignment]

    monkeypatch.setattr(attempt, "LocalMailbox", local)
    monkeypatch.setattr(attempt, "MailboxFetch", Pulled)
    monkeypatch.setattr(attempt, "RemoteAccount", real.RemoteAccount)
    monkeypatch.setattr(
        Connection,
        "_connect",
        lambda _self: FakeImap(world.remote.boxes, world.remote.special, spoil=world.spoil).connect(),
    )
    return world


@pytest.mark.parametrize("mirror", [False, True], ids=["keep", "mirror"])
@pytest.mark.parametrize("seed", range(SEEDS))
def test_each_message_comes_once(world: Attempts, stop: Stop, seed: int, mirror: bool) -> None:
    world.remote.boxes = boxes(**dict.fromkeys((*FETCHED, NOT_FETCHED), ""))
    world.remote.special = {NOT_FETCHED: "\\Junk"}
    world.account, world.pause = replace(ACCOUNT, mirror=mirror), stop
    rounds = SilentMailboxes(world, random.Random(seed), stop)
    for __ in range(ROUNDS):
        rounds.run()


@pytest.mark.parametrize("mirror", [False, True], ids=["keep", "mirror"])
@pytest.mark.parametrize("labels", [False, True], ids=["plain", "labels"])
@pytest.mark.parametrize("seed", range(SEEDS // 2))
def test_each_label_has_its_copy(world: Attempts, stop: Stop, seed: int, labels: bool, mirror: bool) -> None:
    world.remote.boxes = boxes(**dict.fromkeys((*LABELS, ALL), ""))
    world.remote.special = {ALL: "\\All"}
    world.account = replace(ACCOUNT, labelled=True, labels=labels, mirror=mirror)
    world.pause = stop
    rounds = SilentLabels(world, random.Random(seed), stop)
    for __ in range(ROUNDS):
        rounds.run()
