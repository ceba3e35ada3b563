# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a provider and the house must hold after fetches, worked out from what a test did to both."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from typing import Any

from ansible_collections.ilnmors.mail.tests.behaviour.support.provider_side import quoted as written
from ansible_collections.ilnmors.mail.tests.behaviour.support.provider_snapshot import (
    Mailbox,
    Message,
    Snapshot,
    differences,
    quoted,
    shown,
)

TAKEN_OVER = frozenset({"\\Seen", "\\Flagged", "\\Answered", "\\Draft"})


@dataclass
class Model:
    """The account at the provider and the house of its owner; each change of either by a test is told to it.

    lands: where the mail of each mailbox that is fetched arrives in the house.
    taken: the UIDs of each mailbox that a fetch has brought already.
    known: the digests of all that fetches have brought.
    landed: of what came once, the folder and UID in the house, by its digest, while it still is where it arrived.
    moved: messages that move in the house with the next fetch, each with the folder that it moves to.
    names: what a digest is called in a report.
    """

    provider: Snapshot
    lands: Mapping[str, str]
    house: dict[str, dict[int, Message]] = field(default_factory=dict)
    taken: dict[str, set[int]] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    landed: dict[str, tuple[str, int]] = field(default_factory=dict)
    moved: list[tuple[str, Message]] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)

    # --- at the provider

    def deliver(self, mailbox: str, uid: int, message: Message) -> None:
        self.provider[mailbox].messages[uid] = message
        self.provider[mailbox].uidnext = uid + 1

    def delete(self, mailbox: str, uid: int) -> None:
        del self.provider[mailbox].messages[uid]

    def flag(self, mailbox: str, uid: int, flags: frozenset[str]) -> None:
        held = self.provider[mailbox].messages
        held[uid] = replace(held[uid], flags=flags)

    def move(self, mailbox: str, uid: int, target: str, new: int) -> None:
        """Move a message of which the provider has had no second one.

        So it does in the house, if it still is where it landed; a mailbox that is not fetched may be on its way.
        """
        message = self.provider[mailbox].messages[uid]
        self.delete(mailbox, uid)
        self.deliver(target, new, message)
        if target in self.lands and message.digest in self.known:
            self.taken.setdefault(target, set()).add(new)
            if message.digest in self.landed:
                folder, there = self.landed.pop(message.digest)
                self.moved.append((self.lands[target], self.house[folder].pop(there)))

    def renumber(self, mailbox: str, now: Mailbox) -> None:
        """Take over the UIDs of a mailbox whose UIDVALIDITY has changed, and nothing else of it."""
        held = self.provider[mailbox].messages
        taken = Counter(held[uid] for uid in self.taken.get(mailbox, set()) & held.keys())
        assert Counter(held.values()) == Counter(now.messages.values())
        self.taken[mailbox] = set()
        for uid, message in sorted(now.messages.items()):
            if taken[message]:
                taken[message] -= 1
                self.taken[mailbox].add(uid)
        self.provider[mailbox] = now

    # --- in the house

    def house_delete(self, folder: str, uid: int) -> None:
        self.leaves(folder, uid)
        del self.house[folder][uid]

    def house_move(self, folder: str, uid: int, target: str, new: int) -> None:
        self.leaves(folder, uid)
        self.house.setdefault(target, {})[new] = self.house[folder].pop(uid)

    def leaves(self, folder: str, uid: int) -> None:
        """Note that a message no longer is where it arrived."""
        self.landed = {one: where for one, where in self.landed.items() if where != (folder, uid)}

    def house_flag(self, folder: str, uid: int, flags: frozenset[str]) -> None:
        held = self.house[folder]
        held[uid] = replace(held[uid], flags=flags)

    # --- what must be

    def awaited(self) -> dict[str, Counter[Message]]:
        """Return what the next fetch that runs to its end brings, by the folder of the house."""
        found: dict[str, Counter[Message]] = {}
        for mailbox, folder in self.lands.items():
            held = self.provider[mailbox].messages
            new = found.setdefault(folder, Counter())
            for uid in held.keys() - self.taken.get(mailbox, set()):
                new[replace(held[uid], flags=held[uid].flags & TAKEN_OVER)] += 1
        for folder, message in self.moved:
            found[folder][message] += 1
        return found

    def provider_problems(self, found: Snapshot) -> list[str]:
        """Return what differs at the provider from what the test itself did there."""
        return [self.named(line) for line in differences(self.provider, found)]

    def books_problems(self, status: Mapping[str, Any]) -> list[str]:
        """Return what is wrong with the books that a whole fetch has kept (status.json)."""
        lines = []
        books = {written(folder["name"]).decode(): folder["books"] for folder in status["folders"]}
        for mailbox, folder in self.lands.items():
            held, kept = self.provider[mailbox].messages, books[quoted(mailbox)]
            if kept is None:
                lines.append(f"{mailbox!r}: has no books; {status['state']}: {status['reason']}")
                continue
            places = kept["places"]
            certain = sum(
                self.landed.get(one.digest, ("", 0))[0] == folder and self.single(one)
                for one in held.values()
            )
            if (
                kept["unplaced"]
                or not kept["messages"] == len(held) == places["here"] + places["deleted"]
                or not certain <= places["here"] <= len(self.house.get(folder, {}))
            ):
                lines.append(
                    f"{mailbox!r}: of {len(held)} messages {certain} must be here; the books: {kept}"
                )
        return lines

    def single(self, message: Message) -> bool:
        """Tell whether the provider has a message once alone in the mailboxes that are fetched."""
        held = (one for mailbox in self.lands for one in self.provider[mailbox].messages.values())
        return sum(one.digest == message.digest for one in held) == 1

    def fetched(self, found: Snapshot, *, may_renumber: bool = False) -> list[str]:
        """Compare the house after a whole fetch, and take what it brought for granted from now on.

        may_renumber: whether the messages of a folder may have other UIDs than before.
        """
        awaited, lines = self.awaited(), []
        there = {folder: mailbox.messages for folder, mailbox in found.items() if mailbox.uidvalidity}
        for folder in sorted(self.house.keys() | there.keys() | awaited.keys()):
            had, has = self.house.get(folder, {}), there.get(folder, {})
            new = awaited.get(folder, Counter())
            if may_renumber and not had.items() <= has.items():
                lines += self.mismatch(folder, new + Counter(had.values()), Counter(has.values()))
                self.landed = {one: where for one, where in self.landed.items() if where[0] != folder}
                continue
            lines += self.changed(folder, had, has)
            brought = {uid: has[uid] for uid in has.keys() - had.keys()}
            lines += self.mismatch(folder, new, Counter(brought.values()))
            self.landed |= {message.digest: (folder, uid) for uid, message in brought.items()}
        self.house, self.moved = there, []
        for mailbox in self.lands:
            held = self.provider[mailbox].messages
            self.taken.setdefault(mailbox, set()).update(held)
            self.known |= {message.digest for message in held.values()}
        return lines

    def changed(self, folder: str, had: Mapping[int, Message], has: Mapping[int, Message]) -> list[str]:
        """Return what became of messages that had been in a folder of the house before."""
        return [
            f"{folder!r}: UID {uid}, {self.described(had[uid])}, "
            + (f"is now {self.described(has[uid])}" if uid in has else "is missing")
            for uid in sorted(had)
            if has.get(uid) != had[uid]
        ]

    def mismatch(self, folder: str, awaited: Counter[Message], brought: Counter[Message]) -> list[str]:
        """Return what a fetch did not bring, and what it brought beyond."""
        lines = [f"{folder!r}: lacks {self.described(one)}" for one in (awaited - brought).elements()]
        return lines + [
            f"{folder!r}: has beyond {self.described(one)}" for one in (brought - awaited).elements()
        ]

    def described(self, message: Message) -> str:
        name = self.names.get(message.digest, message.digest)
        return f"{name} {shown(message.flags)} of {formatdate(message.date)}"

    def named(self, line: str) -> str:
        """Return a line with names for digests."""
        return re.sub(r"[0-9a-f]{64}", lambda found: self.names.get(found[0], found[0]), line)


# --- letters

KINDS = {
    "plain": 10,
    "8-bit": 4,
    "without Message-ID": 3,
    "with another's Message-ID": 2,
    "Korean": 4,
    "of headers alone": 1,
    "with an empty body": 1,
    "with long lines": 1,
    "with dots": 1,
    "large": 1,
}
"""Kinds of messages and how often each comes."""
FLAGS = ("\\Seen", "\\Flagged", "\\Answered", "\\Draft")
OLDEST, NEWEST = 852_076_800, 1_763_900_000
"""Seconds since 1970: dates of messages lie between 1997 and the present."""


def some_flags(chance: random.Random) -> frozenset[str]:
    return frozenset(flag for flag in FLAGS if chance.random() < 0.3)


def letter(chance: random.Random, number: int, kind: str) -> bytes:
    """Return a message of a kind; no two of different numbers are alike."""
    message_id = "<the-same@elsewhere.test>" if "another's" in kind else f"<round-{number}@elsewhere.test>"
    subject = {
        "Korean": b"=?utf-8?B?7JWI64WV7ZWY7IS47JqU?=",
        "8-bit": f"Grüße, 안녕 {number}".encode(),
    }.get(kind, b"A message of the rounds")
    header = [
        b"From: friend@elsewhere.test",
        b"To: rounds@naver.test",
        b"Subject: " + subject,
        f"Date: {formatdate(chance.randint(OLDEST, NEWEST))}".encode(),
        f"X-Round: {number}".encode(),
    ]
    if kind != "without Message-ID":
        header.insert(chance.randrange(len(header)), f"Message-ID: {message_id}".encode())
    body = {
        "8-bit": "Schöne Grüße\r\n안녕하세요\r\n".encode() + bytes(range(0x80, 0x100)) + b"\r\n",
        "with long lines": b"a long line " * chance.randint(100, 2000) + b"\r\n",
        "with dots": b".\r\n..\r\n.a\r\n\r\n.\r\n",
        "large": (b"0123456789" * 7 + b"\r\n") * chance.randint(1_000, 14_000),
        "with an empty body": b"",
    }.get(kind, b"Hello.\r\n" * chance.randint(1, 200))
    if kind == "of headers alone":
        return b"\r\n".join(header) + b"\r\n"
    return b"\r\n".join(header) + b"\r\n\r\n" + body
