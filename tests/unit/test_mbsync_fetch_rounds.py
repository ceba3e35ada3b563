# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whatever happens to messages on both sides, and to their copies, each comes once: randomized, but the same each time.

tests/behaviour/test_fetch_rounds.py does it with real servers, kills and cut connections, and so more slowly.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ansible_collections.ilnmors.mail.tests.unit.fetch_world import Box, FakeProvider, World, boxes

FETCHED = ("INBOX", "Work", "Archive", "Family")
NOT_FETCHED = "Junk"
ACTIONS = {"deliver": 6, "copy": 4, "move": 4, "delete": 1, "renumber": 1, "delete_in_house": 2}
ROUNDS = 25


@dataclass
class Copy:
    """A message at the provider. counted: it has been in a mailbox that is fetched while one fetch ran."""

    text: str
    mailbox: str
    uid: int
    counted: bool = False


@dataclass
class Rounds:
    """What happened, and what the house must have for that.

    due: how many of each text. busy: texts that were copied or have left a mailbox in this round; nothing could tell a
    copy from one that was moved. over: texts that may have left for good: the next of them would be taken for those.
    """

    world: World
    chance: random.Random
    copies: list[Copy] = field(default_factory=list)
    due: Counter[str] = field(default_factory=Counter)
    busy: set[str] = field(default_factory=set)
    over: set[str] = field(default_factory=set)
    history: list[str] = field(default_factory=list)

    def run(self) -> None:
        self.busy.clear()
        for action in self.chance.choices(list(ACTIONS), list(ACTIONS.values()), k=self.chance.randint(1, 4)):
            getattr(self, action)()
        self.world.fetch()
        self.history.append("fetch")
        for copy in self.copies:
            if not copy.counted and copy.mailbox != NOT_FETCHED:
                copy.counted = True
                self.due[copy.text] += 1

    def add(self, text: str, mailbox: str) -> None:
        self.copies.append(Copy(text, mailbox, self.world.provider.boxes[mailbox].add(text)))
        self.history.append(f"{text} comes to {mailbox}")

    def some(self) -> Copy | None:
        """Choose a message that nothing has been done to in this round."""
        free = [copy for copy in self.copies if copy.text not in self.busy]
        chosen = self.chance.choice(free) if free else None
        if chosen:
            self.busy.add(chosen.text)
        return chosen

    def leave(self, copy: Copy) -> None:
        del self.world.provider.boxes[copy.mailbox].messages[copy.uid]

    # --- actions

    def deliver(self) -> None:
        text = f"m{len(self.history)}"
        self.busy.add(text)
        self.add(text, self.chance.choice((*FETCHED, NOT_FETCHED)))

    def copy(self) -> None:
        one = self.some()
        if one and one.text not in self.over:
            self.add(one.text, self.chance.choice(FETCHED))

    def move(self) -> None:
        one = self.some()
        # One that has been in no fetched mailbox is new wherever it comes from, unless its like has left another.
        if one and (one.counted or one.text not in self.over):
            target = self.chance.choice([name for name in (*FETCHED, NOT_FETCHED) if name != one.mailbox])
            if target == NOT_FETCHED:
                self.over.add(one.text)
            self.leave(one)
            self.history.append(f"{one.text} moves from {one.mailbox} to {target}")
            one.mailbox, one.uid = target, self.world.provider.boxes[target].add(one.text)

    def delete(self) -> None:
        if one := self.some():
            self.over.add(one.text)
            self.leave(one)
            self.copies.remove(one)
            self.history.append(f"{one.text} is deleted from {one.mailbox}")

    def renumber(self) -> None:
        name = self.chance.choice(FETCHED)
        here = [copy for copy in self.copies if copy.mailbox == name]
        if not any(copy.text in self.busy for copy in here):
            self.chance.shuffle(here)
            box = Box(uidvalidity=self.world.provider.boxes[name].uidvalidity + 100)
            self.world.provider.boxes[name] = box
            for copy in here:
                copy.uid = box.add(copy.text)
            self.history.append(f"{name} is numbered anew")

    def delete_in_house(self) -> None:
        held = [(name, uid) for name, box in sorted(self.world.house.boxes.items()) for uid in box.messages]
        if held:
            folder, uid = self.chance.choice(held)
            text = self.world.house.boxes[folder].messages.pop(uid)
            self.due[text] -= 1
            self.history.append(f"{text} is deleted from {folder} in the house")


@pytest.mark.parametrize("seed", range(60))
def test_each_message_comes_once(tmp_path: Path, seed: int) -> None:
    provider = FakeProvider(boxes(**dict.fromkeys((*FETCHED, NOT_FETCHED), "")), {NOT_FETCHED: "\\junk"})
    rounds = Rounds(World(tmp_path, provider), random.Random(seed))
    for _ in range(ROUNDS):
        rounds.run()
        inside = Counter(text for texts in rounds.world.inside().values() for text in texts)
        assert inside == +rounds.due, "\n".join(rounds.history)
