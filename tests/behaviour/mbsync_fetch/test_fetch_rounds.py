# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whatever happens between a provider and the house, the provider stays as it was and nothing is lost or doubled.

FETCH_ROUNDS says how many rounds there are, FETCH_SEED which ones: a run that failed can be repeated.
"""

from __future__ import annotations

import contextlib
import imaplib
import json
import os
import random
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.fetch_model import (
    KINDS,
    NEWEST,
    OLDEST,
    Model,
    letter,
    some_flags,
)
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.behaviour.support.provider_mailboxes import (
    commands,
    faults,
    renumber,
)
from ansible_collections.ilnmors.mail.tests.behaviour.support.provider_snapshot import (
    Message,
    digest,
    quoted,
    shown,
    snapshot,
)
from testinfra.host import Host

ROUNDS = int(os.environ.get("FETCH_ROUNDS", "50"))
SEED = os.environ.get("FETCH_SEED", "") or secrets.token_hex(4)

NAME, ADDRESS, PASSWORD = "rounds", "rounds@moody.test", "moody-lab-password"
DIRECT = "imap.naver.test"
"""The same server, without the moods of imap.moody.test."""
UNIT = f"mbsync-fetch@{NAME}.service"
BY_THEMSELVES = f"mbsync-fetch@{NAME}.timer mbsync-fetch@{NAME}.path mbsync-fetch-watch@{NAME}.service"
STATE = f"/var/lib/mbsync-fetch/{NAME}"

# Names as servers write them, in modified UTF-7 (RFC 3501 section 5.1.3): 가족/사진 is a mailbox below another.
LANDS = {
    "INBOX": "Rounds/INBOX",
    "Sent": "Rounds/Sent",
    "Work": "Rounds/Work",
    'Work/R&-D "2026"': 'Rounds/Work/R&-D "2026"',
    "&rADIcQ-/&wKzJxA-": "Rounds/&rADIcQ-/&wKzJxA-",
}
NOT_FETCHED = "Junk"
KEPT = "Kept"
"""A folder that the owner made."""
ACTIONS = {
    "deliver": 10,
    "deliver_again": 2,
    "delete_at_provider": 3,
    "flag_at_provider": 2,
    "move_at_provider": 2,
    "renumber": 1,
    "delete_in_house": 3,
    "move_in_house": 3,
    "flag_in_house": 2,
}
FETCHES = {"fetch": 8, "deliver_meanwhile": 3, "kill": 5, "cut": 4, "fill_disk": 2}
"""What happens in a round and how it is fetched, with how often each comes."""
MANY = 8
"""Messages that are deleted at once, at most."""
LONGEST = 1.5
"""Seconds; a fetch is killed within them."""
FILL = (
    "fallocate --length $(($(df --output=avail --block-size=1 {home} | tail -n 1) - {left})) {filler} || "
    "fallocate --length $(df --output=avail --block-size=1 {home} | tail -n 1) {filler}"
)
ROOM = 64
"""MiB in the owner's home while this test runs."""


class Box:
    """An IMAP account, and what a test does there."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        self.connect = connect
        self.client = connect()

    def anew(self) -> None:
        with contextlib.suppress(OSError, imaplib.IMAP4.error):
            self.client.logout()
        self.client = self.connect()

    def append(self, mailbox: str, message: bytes, flags: frozenset[str], date: int) -> int:
        """Store a message, its INTERNALDATE in epoch seconds; return its UID (RFC 4315 section 3)."""
        said = self.client.append(quoted(mailbox), f"({' '.join(sorted(flags))})", date, message)
        assert said[0] == "OK", said
        found = re.search(rb"APPENDUID \d+ (\d+)", said[1][0])
        assert found, said
        return int(found[1])

    def uid(self, mailbox: str, *command: str) -> None:
        self.client.select(quoted(mailbox))
        status, said = self.client.uid(*command)
        assert status == "OK", said

    def delete(self, mailbox: str, uids: list[int]) -> None:
        several = ",".join(map(str, uids))
        self.uid(mailbox, "STORE", several, "+FLAGS.SILENT", r"(\Deleted)")
        status, said = self.client.uid("EXPUNGE", several)
        assert status == "OK", said

    def flag(self, mailbox: str, uid: int, flags: frozenset[str]) -> None:
        self.uid(mailbox, "STORE", str(uid), "FLAGS.SILENT", f"({' '.join(sorted(flags))})")

    def move(self, mailbox: str, uid: int, target: str) -> int:
        """Move a message; return its new UID (RFC 6851 section 4.3)."""
        self.client.response("COPYUID")
        self.uid(mailbox, "MOVE", str(uid), quoted(target))
        return int(self.client.response("COPYUID")[1][0].split()[2])

    def create(self, mailbox: str) -> None:
        # It may exist.
        self.client.create(quoted(mailbox))

    def empty(self) -> None:
        for name, mailbox in snapshot(self.client).items():
            if mailbox.messages:
                self.delete(name, list(mailbox.messages))


@dataclass(repr=False)
class Rounds:
    """Randomized rounds: a few things happen at the provider and in the house, then a fetch, then a comparison."""

    model: Model
    provider: Box
    house: Box
    mail: Host
    provider_host: Host
    home: str
    chance: random.Random = field(default_factory=random.Random)
    history: list[list[str]] = field(default_factory=list)
    """What has been done, by round."""
    count: int = 0
    letters: dict[str, bytes] = field(default_factory=dict)
    """What was delivered, by its digest, without what is in no mailbox that is fetched any more."""
    doubled: set[str] = field(default_factory=set)
    """What was delivered again in this round. Were the first one deleted now, it would have been moved."""
    single: dict[str, bool] = field(default_factory=dict)
    """Whether what was delivered came once alone, by its digest."""

    def run(self) -> list[str]:
        """Let one round pass; return what is wrong after it."""
        self.history.append([])
        self.doubled.clear()
        for action in self.some(ACTIONS, self.chance.randint(1, 3)):
            getattr(self, action)()
        (how,) = self.some(FETCHES, 1)
        getattr(self, how)()
        # Where Dovecot cannot write which UIDs the files of a Maildir have, they get others.
        found = snapshot(self.house.client)
        lines = self.model.fetched(found, may_renumber=how == "fill_disk")
        lines += self.model.provider_problems(snapshot(self.provider.client))
        return lines + self.model.books_problems(
            json.loads(self.mail.check_output(f"cat {STATE}/status.json"))
        )

    def some(self, weights: dict[str, int], count: int) -> list[str]:
        return self.chance.choices(list(weights), list(weights.values()), k=count)

    def note(self, what: str) -> None:
        self.history[-1].append(what)

    def named(self, message: Message) -> str:
        return self.model.names[message.digest]

    def report(self, wrong: list[str]) -> str:
        """Return what is wrong after a round, what was done in it, and what before to the messages concerned."""
        concerned = set(re.findall(r"letter \d+ ", " ".join(wrong)))
        before = [
            f"(round {number}) {line}"
            for number, lines in enumerate(self.history[:-1], 1)
            for line in lines
            if any(name in f"{line} " for name in concerned)
        ]
        head = f"in round {len(self.history)} (FETCH_SEED={SEED}):"
        return "\n".join([*before, head, *self.history[-1], "then:", *wrong])

    def chosen(self, held: Mapping[str, Mapping[int, Message]], most: int) -> tuple[str, list[int]] | None:
        """Return some messages of a mailbox; None if there are none anywhere."""
        name = self.chance.choice([name for name, there in sorted(held.items()) if there] or [""])
        if not name:
            return None
        uids = sorted(held[name])
        return name, sorted(self.chance.sample(uids, min(len(uids), self.chance.randint(1, most))))

    # --- at the provider

    @property
    def there(self) -> dict[str, dict[int, Message]]:
        return {name: mailbox.messages for name, mailbox in self.model.provider.items()}

    def put(self, mailbox: str, content: bytes, name: str) -> None:
        flags, date = some_flags(self.chance), self.chance.randint(OLDEST, NEWEST)
        message = Message(flags, date, digest(content))
        self.model.names[message.digest] = name
        self.single[message.digest] = message.digest not in self.single
        uid = self.provider.append(mailbox, content, flags, date)
        self.model.deliver(mailbox, uid, message)
        self.note(f"deliver {self.model.described(message)} to {mailbox!r} as UID {uid}")

    def deliver(self) -> None:
        for __ in range(self.chance.choice((1, 1, 1, 2, 5))):
            self.count += 1
            (kind,) = self.some(KINDS, 1)
            content = letter(self.chance, self.count, kind)
            self.letters[digest(content)] = content
            mailbox = self.chance.choice(["INBOX", "INBOX", *LANDS, NOT_FETCHED])
            self.put(mailbox, content, f"letter {self.count} ({kind})")

    def deliver_again(self) -> None:
        if self.letters:
            chosen = self.chance.choice(list(self.letters))
            self.doubled.add(chosen)
            self.put(self.chance.choice(list(LANDS)), self.letters[chosen], self.model.names[chosen])

    def delete_at_provider(self) -> None:
        if chosen := self.chosen(self.there, MANY):
            mailbox, held = chosen[0], self.there[chosen[0]]
            uids = [uid for uid in chosen[1] if held[uid].digest not in self.doubled]
            if uids:
                self.provider.delete(mailbox, uids)
            for uid in uids:
                self.note(f"delete {self.named(held[uid])} from {mailbox!r} at the provider")
                self.letters.pop(held[uid].digest, None)
                self.model.delete(mailbox, uid)

    def flag_at_provider(self) -> None:
        if chosen := self.chosen(self.there, 1):
            (mailbox, (uid,)), flags = chosen, some_flags(self.chance)
            self.provider.flag(mailbox, uid, flags)
            self.model.flag(mailbox, uid, flags)
            self.note(
                f"flag {self.named(self.there[mailbox][uid])} of {mailbox!r} at the provider {shown(flags)}"
            )

    def move_at_provider(self) -> None:
        if chosen := self.chosen(self.there, 1):
            mailbox, (uid,) = chosen
            one = self.there[mailbox][uid].digest
            if self.single[one] and one not in self.doubled:
                self.doubled.add(one)
                target = self.chance.choice([name for name in (*LANDS, NOT_FETCHED) if name != mailbox])
                if target == NOT_FETCHED:
                    # From here it has left: a further one would be taken for it.
                    self.letters.pop(one, None)
                new = self.provider.move(mailbox, uid, target)
                self.model.move(mailbox, uid, target, new)
                name = self.model.names[one]
                self.note(f"move {name} from {mailbox!r} to {target!r} at the provider, UID {new} there")

    def renumber(self) -> None:
        mailbox = self.chance.choice(["INBOX", "Sent", "Work"])
        # Nothing tells which of two copies is the one that has been fetched.
        if any(message.digest in self.doubled for message in self.there[mailbox].values()):
            return
        renumber(self.provider_host, ADDRESS, mailbox)
        self.provider.anew()
        self.model.renumber(mailbox, snapshot(self.provider.client)[mailbox])
        self.note(f"renumber {mailbox!r} at the provider")

    # --- in the house

    def delete_in_house(self) -> None:
        if chosen := self.chosen(self.model.house, MANY):
            folder, uids = chosen
            self.house.delete(folder, uids)
            for uid in uids:
                self.note(f"delete {self.named(self.model.house[folder][uid])} from {folder!r} in the house")
                self.model.house_delete(folder, uid)

    def move_in_house(self) -> None:
        if chosen := self.chosen(self.model.house, 1):
            folder, (uid,) = chosen
            target = self.chance.choice([name for name in (KEPT, *self.model.house) if name != folder])
            new = self.house.move(folder, uid, target)
            self.model.house_move(folder, uid, target, new)
            name = self.named(self.model.house[target][new])
            self.note(f"move {name} from {folder!r} to {target!r} in the house, UID {new} there")

    def flag_in_house(self) -> None:
        if chosen := self.chosen(self.model.house, 1):
            (folder, (uid,)), flags = chosen, some_flags(self.chance)
            self.house.flag(folder, uid, flags)
            self.model.house_flag(folder, uid, flags)
            self.note(
                f"flag {self.named(self.model.house[folder][uid])} of {folder!r} in the house {shown(flags)}"
            )

    # --- fetches

    def fetch(self) -> None:
        """Fetch to the end, whatever an earlier failure has put off."""
        self.mail.check_output(f"rm -f {STATE}/status.json; systemctl start {UNIT}")

    def deliver_meanwhile(self) -> None:
        self.note("while a fetch is running:")
        self.mail.check_output(f"rm -f {STATE}/status.json; systemctl start --no-block {UNIT}")
        for __ in range(self.chance.randint(1, 8)):
            self.deliver()
        # A start while it runs would join it.
        self.fetch()
        self.fetch()

    def kill(self) -> None:
        after = self.chance.uniform(0, LONGEST)
        self.note(f"kill the fetch after {after:.2f} s")
        # The stop waits for the end: a start before it would join the fetch that was killed.
        self.mail.check_output(
            f"systemctl start --no-block {UNIT}; sleep {after:.3f}; systemctl kill --signal=KILL {UNIT}; "
            f"systemctl stop {UNIT}"
        )
        self.fetch()

    def cut(self) -> None:
        after = self.chance.randint(0, 20_000) * self.chance.choice((1, 1, 10))
        self.note(f"cut the connection to the provider after {after} bytes")
        with faults(self.provider_host, ADDRESS, cut=after):
            self.mail.run(f"systemctl start {UNIT}")
        self.fetch()

    def fill_disk(self) -> None:
        left = self.chance.randint(0, 32) * 4096
        self.note(f"leave {left} bytes of the disk in the house")
        filler = f"{self.home}/filler"
        owner = "@".join(reversed(Path(self.home).parts[-2:]))
        try:
            self.mail.check_output(FILL.format(home=self.home, filler=filler, left=left))
            self.mail.run(f"systemctl start {UNIT}")
        finally:
            # What the index lacks then, Dovecot 2.4.1 may crash on, and messages may be missing from the list of a
            # folder whose files are there (roles/dovecot_imap/README.md).
            self.mail.run(
                f"rm -f {filler}; find {self.home} -name fts-flatcurve -prune -exec rm -r {{}} +; "
                f"doveadm force-resync -u {owner} '*'"
            )
        self.house.anew()
        self.fetch()


@pytest.fixture
def home(house: House, mail: Host) -> Iterator[str]:
    """Return the owner's home, empty, small and in memory, and let nothing but this test fetch meanwhile."""
    if NAME not in house.people:
        pytest.skip(f"needs the lab's account {NAME!r}")
    path = mail.check_output(f"doveadm user -f home {house.login(NAME)}")
    owner = mail.check_output(f"stat --format uid=%u,gid=%g {Path(path).parent}")
    clean = f"""
systemctl stop {BY_THEMSELVES} {UNIT} 2>/dev/null
doveadm kick {house.login(NAME)} 2>/dev/null
while mountpoint --quiet {path}; do umount --lazy {path}; done
rm -rf {path} {STATE}
"""
    mail.check_output(
        f"{clean} mkdir --parents {path} && mount -t tmpfs -o size={ROOM}m,mode=0700,{owner} tmpfs {path}"
    )
    yield path
    mail.check_output(f"{clean} systemctl start mbsync-fetch.target")


@pytest.fixture
def rounds(house: House, mail: Host, provider: Host, provider_ca: str, home: str) -> Iterator[Rounds]:
    """Return rounds that begin with nothing anywhere."""

    def log_in() -> Any:
        client = clients.imap(DIRECT, provider_ca)
        client.login(ADDRESS, PASSWORD)
        return client

    at_provider, at_house = Box(log_in), Box(lambda: house.imap(NAME))
    at_provider.empty()
    at_house.client.create(KEPT)
    yield Rounds(Model(snapshot(at_provider.client), LANDS), at_provider, at_house, mail, provider, home)
    at_provider.empty()


def test_the_provider_stays_as_it_was_and_nothing_is_lost_or_doubled(rounds: Rounds) -> None:
    print(f"{ROUNDS} rounds; FETCH_SEED={SEED} repeats them")
    rounds.chance.seed(SEED)
    began = time.time()
    for __ in range(ROUNDS):
        wrong = rounds.run()
        assert not wrong, rounds.report(wrong)
    assert [command for command in commands(rounds.provider_host, ADDRESS, began) if command.changes] == []
