# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whatever happens to messages on both sides, and to their copies, each comes once: randomized, but the same each time.

tests/behaviour/mbsync_fetch/test_fetch_rounds.py does it with real servers, kills and cut connections: slower.
"""

from __future__ import annotations

import contextlib
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from ansible_collections.ilnmors.mail.tests.unit.mbsync_fetch.fakes.world import (
    ACCOUNT,
    ALL,
    Box,
    FakeLocal,
    FakeRemote,
    World,
    boxes,
)
from mbsync_fetch.mailbox_fetch.pulling import FEW
from mbsync_fetch.mbsync.sync_state import SyncState
from mbsync_fetch.record.books import Books
from mbsync_fetch.record.ledger import Ledger

FETCHED = ("INBOX", "Work", "Archive", "Family")
NOT_FETCHED = "Junk"
LABELS = ("INBOX", "Work", "Family")
PASSED_OVER = {3, 7}
"""UIDs of messages that mbsync takes from no mailbox."""
ROUNDS = 12
STEPS = 40
"""Within this many a fetch that is to be stopped is, unless it ends before."""


@dataclass
class Stop:
    """Stops a fetch at a random moment: before or after it writes anything."""

    left: int | None = None

    def __call__(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                raise KeyboardInterrupt

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self()
            result = function(*arguments, **options)
            self()
            return result

        return call


@pytest.fixture(name="stop")
def fixture_stop(monkeypatch: pytest.MonkeyPatch) -> Stop:
    stop = Stop()
    for kind, names in {SyncState: ("write",), FakeLocal: ("move", "remove", "append")}.items():
        for name in names:
            monkeypatch.setattr(kind, name, stop.around(getattr(kind, name)))
    original_transaction, original_open = Ledger.transaction, Ledger._open

    @contextlib.contextmanager
    def transaction(self: Ledger) -> Iterator[None]:
        with original_transaction(self):
            yield
            stop()
        stop()

    def unsynced(self: Ledger) -> Any:
        database = original_open(self)
        database.execute("PRAGMA synchronous = OFF")
        return database

    monkeypatch.setattr(Ledger, "transaction", transaction)
    monkeypatch.setattr(Ledger, "_open", unsynced)
    monkeypatch.setattr(os, "fsync", lambda _file: None)
    return stop


@dataclass
class Rounds:
    """What happened, and what the house must have for that.

    due: how many of each text. busy: texts that something was done to in this round: nothing could tell a copy from one
    that was moved. fresh: those that came in it. over: those that may have left for good: the next of them would be
    taken for those. deleted_here: those of which one was deleted in the house.
    """

    world: World
    chance: random.Random
    stop: Stop
    due: Counter[str] = field(default_factory=Counter)
    busy: set[str] = field(default_factory=set)
    fresh: set[str] = field(default_factory=set)
    over: set[str] = field(default_factory=set)
    deleted_here: set[str] = field(default_factory=set)
    history: list[str] = field(default_factory=list)
    actions: ClassVar = {"deliver": 6, "renumber": 1, "delete": 1, "delete_in_house": 2, "fetch_inbox": 1}

    def run(self) -> None:
        self.busy.clear()
        self.fresh.clear()
        for action in self.chance.choices(
            list(self.actions), list(self.actions.values()), k=self.chance.randint(1, 4)
        ):
            getattr(self, action)()
        while self.chance.random() < 0.4 and self.stopped():
            self.history.append("fetch stopped")
            if self.chance.random() < 0.5:
                self.chance.choice((self.deliver, self.renumber))()
        self.world.fetch()
        self.history.append("fetch")
        self.count()
        inside = Counter(text for texts in self.world.inside().values() for text in texts)
        if self.world.account.mirror:
            # A copy elsewhere, or numbers given anew, may have kept what was deleted.
            for text in self.over:
                self.due[text] = min(self.due[text], inside[text])
        assert inside == +self.due, "\n".join(self.history)
        self.check_books(inside)

    def check_books(self, inside: Counter[str]) -> None:
        """Every message at the provider has a place, and what is said to be in the house is there."""
        fetched = {report.name: report.books for report in self.world.kept.folders if not report.gone}
        left_out = {mailbox.name for mailbox in self.world.kept.not_fetched}
        assert fetched.keys() == self.world.remote.boxes.keys() - left_out
        for name, books in fetched.items():
            assert books, name
            there = self.world.remote.boxes[name].messages.values()
            assert books.balanced, self.described(name, books)
            assert books.messages == len(there)
            assert (books.places["refused"], books.places["to_come"]) == (0, 0)
            here = sum((Counter(there) & inside).values())
            assert books.places["here"] + books.places["elsewhere"] <= here, self.described(name, books)
            deleted = sum(text in self.deleted_here for text in there)
            assert books.places["deleted"] <= deleted, self.described(name, books)

    def described(self, name: str, books: Books) -> str:
        return "\n".join([*self.history, f"{name}: {books}"])

    def stopped(self, *, quick: bool = False) -> bool:
        """Fetch, perhaps not to the end."""
        self.stop.left = self.chance.randrange(STEPS)
        try:
            self.world.fetch(quick=quick)
        except KeyboardInterrupt:
            return True
        finally:
            self.stop.left = None
        return False

    # --- actions

    def count(self) -> None:
        raise NotImplementedError

    def deliver(self) -> None:
        text = f"m{len(self.history)}"
        self.busy.add(text)
        self.fresh.add(text)
        self.come(text)

    def come(self, text: str) -> None:
        raise NotImplementedError

    def renumber(self) -> None:
        name = self.chance.choice([name for name in self.world.remote.boxes if name != NOT_FETCHED])
        former = self.world.remote.boxes[name]
        here = list(former.messages.values())
        if self.busy - self.fresh & set(here):
            return
        self.chance.shuffle(here)
        box = self.world.remote.boxes[name] = Box(uidvalidity=former.uidvalidity + 100)
        for text in here:
            box.add(text)
        self.history.append(f"{name} is numbered anew")

    def delete_in_house(self) -> None:
        held = [(name, uid) for name, box in sorted(self.world.local.boxes.items()) for uid in box.messages]
        held = [(name, uid) for name, uid in held if self.due[self.world.local.boxes[name].messages[uid]]]
        if held:
            folder, uid = self.chance.choice(held)
            text = self.world.local.boxes[folder].messages.pop(uid)
            self.due[text] -= 1
            self.deleted_here.add(text)
            self.history.append(f"{text} is deleted from {folder} in the house")

    def fetch_inbox(self) -> None:
        self.history.append(f"INBOX is fetched{', stopped' * self.stopped(quick=True)}")

    def remove(self, name: str, text: str) -> None:
        """Remove one message of this text at the provider."""
        messages = self.world.remote.boxes[name].messages
        del messages[next(uid for uid, there in messages.items() if there == text)]


@dataclass
class Copy:
    """A message at the provider. counted: it has been in a mailbox that is fetched while one fetch ran."""

    text: str
    mailbox: str
    counted: bool = False


@dataclass
class Mailboxes(Rounds):
    """An account whose messages are in one mailbox each, and copied and moved between them."""

    copies: list[Copy] = field(default_factory=list)
    actions: ClassVar = Rounds.actions | {"copy": 4, "move": 4}

    def count(self) -> None:
        for copy in self.copies:
            if not copy.counted and copy.mailbox != NOT_FETCHED:
                copy.counted = True
                self.due[copy.text] += 1

    def come(self, text: str) -> None:
        self.add(text, self.chance.choice((*FETCHED, NOT_FETCHED)))

    def add(self, text: str, mailbox: str) -> None:
        self.copies.append(Copy(text, mailbox))
        self.world.remote.boxes[mailbox].add(text)
        self.history.append(f"{text} comes to {mailbox}")

    def some(self) -> Copy | None:
        """Choose a message that nothing has been done to in this round."""
        free = [copy for copy in self.copies if copy.text not in self.busy]
        chosen = self.chance.choice(free) if free else None
        if chosen:
            self.busy.add(chosen.text)
        return chosen

    def copy(self) -> None:
        one = self.some()
        if one and one.text not in self.over:
            self.add(one.text, self.chance.choice(FETCHED))

    def move(self) -> None:
        one = self.some()
        # One that has been in no fetched mailbox is new wherever it comes from, unless its like has left another.
        if one and (one.counted or one.text not in self.over):
            targets = FETCHED if self.world.account.mirror else (*FETCHED, NOT_FETCHED)
            target = self.chance.choice([name for name in targets if name != one.mailbox])
            if target == NOT_FETCHED:
                self.over.add(one.text)
            self.remove(one.mailbox, one.text)
            self.history.append(f"{one.text} moves from {one.mailbox} to {target}")
            self.world.remote.boxes[target].add(one.text)
            one.mailbox = target

    def delete(self) -> None:
        if one := self.some():
            self.over.add(one.text)
            self.remove(one.mailbox, one.text)
            self.copies.remove(one)
            self.history.append(f"{one.text} is deleted from {one.mailbox}")


@dataclass
class Labels(Rounds):
    """An account that shows a message in each of its labels and in all mail.

    labelled: where each text is. left: how many labels it has lost since, whose folders still have it. archived: texts
    that were fetched from all mail.
    """

    labelled: dict[str, set[str]] = field(default_factory=dict)
    left: Counter[str] = field(default_factory=Counter)
    archived: set[str] = field(default_factory=set)
    actions: ClassVar = Rounds.actions | {"label": 4, "unlabel": 3, "relabel": 2}

    def count(self) -> None:
        for text in self.fresh:
            fetched = len(self.labelled[text]) if self.world.account.labels else 1
            self.due[text] = max(1, fetched)
            if not self.labelled[text]:
                self.archived.add(text)

    def come(self, text: str) -> None:
        self.labelled[text] = set(self.chance.sample(self.labels, self.chance.randrange(3)))
        for name in (*sorted(self.labelled[text]), ALL):
            self.world.remote.boxes[name].add(text)
        self.history.append(f"{text} comes to {sorted(self.labelled[text])}")

    @property
    def labels(self) -> tuple[str, ...]:
        return LABELS if self.world.account.labels else ("INBOX", "Work")

    def some(self) -> str | None:
        free = [text for text in self.labelled if text not in self.busy]
        chosen = self.chance.choice(free) if free else None
        if chosen:
            self.busy.add(chosen)
        return chosen

    def label(self) -> None:
        if text := self.some():
            self.get(text)

    def unlabel(self) -> None:
        if (text := self.some()) and self.labelled[text]:
            self.lose(text)

    def relabel(self) -> None:
        if (text := self.some()) and self.labelled[text]:
            self.lose(text)
            self.get(text)

    def get(self, text: str) -> None:
        if free := [name for name in self.labels if name not in self.labelled[text]]:
            name = self.chance.choice(free)
            self.labelled[text].add(name)
            self.world.remote.boxes[name].add(text)
            self.history.append(f"{text} gets the label {name}")
            if text in self.archived:
                self.archived.remove(text)
            elif self.left[text]:
                self.left[text] -= 1
            elif self.world.account.labels:
                self.due[text] += 1

    def lose(self, text: str) -> None:
        name = self.chance.choice(sorted(self.labelled[text]))
        self.labelled[text].remove(name)
        self.left[text] += 1
        self.remove(name, text)
        self.history.append(f"{text} loses the label {name}")

    def delete(self) -> None:
        if text := self.some():
            self.over.add(text)
            for name in (*self.labelled.pop(text), ALL):
                self.remove(name, text)
            self.history.append(f"{text} is deleted")


@pytest.mark.parametrize("mirror", [False, True], ids=["keep", "mirror"])
@pytest.mark.parametrize("seed", range(12))
def test_each_message_comes_once(tmp_path: Path, stop: Stop, seed: int, mirror: bool) -> None:
    remote = FakeRemote(
        boxes(**dict.fromkeys((*FETCHED, NOT_FETCHED), "")), {NOT_FETCHED: "\\junk"}, passed_over=PASSED_OVER
    )
    account = replace(ACCOUNT, mirror=mirror)
    world = World(tmp_path, remote, account=account, pause=stop, few=FEW * (seed % 2))
    rounds = Mailboxes(world, random.Random(seed), stop)
    for __ in range(ROUNDS):
        rounds.run()


@pytest.mark.parametrize("mirror", [False, True], ids=["keep", "mirror"])
@pytest.mark.parametrize("labels", [False, True], ids=["plain", "labels"])
@pytest.mark.parametrize("seed", range(6))
def test_each_label_has_its_copy(tmp_path: Path, stop: Stop, seed: int, labels: bool, mirror: bool) -> None:
    remote = FakeRemote(boxes(**dict.fromkeys((*LABELS, ALL), "")), {ALL: "\\all"}, passed_over=PASSED_OVER)
    account = replace(ACCOUNT, labelled=True, labels=labels, mirror=mirror)
    world = World(tmp_path, remote, account=account, pause=stop, few=FEW * (seed % 2))
    rounds = Labels(world, random.Random(seed), stop)
    for __ in range(ROUNDS):
        rounds.run()
