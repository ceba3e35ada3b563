# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How long a message takes from its arrival at a provider until clients in the house are told of it."""

from __future__ import annotations

import contextlib
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ansible_collections.ilnmors.mail.tests.bench import machines
from ansible_collections.ilnmors.mail.tests.bench.postfix_machines import Server

MESSAGE = "From: friend@elsewhere.test\r\nSubject: {number}\r\nMessage-ID: <{number}@arrival.test>\r\n\r\nHello.\r\n"
BUSY = 300
"""Seconds that the busy loop lasts at most, whatever becomes of this program."""
LOOP = """\
import os, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    pass
"""
"""Arguments: the core, and how many seconds."""


class Listener(threading.Thread):
    """Waits with IDLE (RFC 2177) in a mailbox, and remembers when it held how many messages."""

    def __init__(self, server: Server, user: str, password: str, mailbox: str) -> None:
        super().__init__(daemon=True)
        self.client = server.login(user, password)
        status, answer = self.client.select(mailbox, readonly=True)
        if status != "OK":
            sys.exit(f"{server.container}: {user} has no {mailbox}: {answer}")
        self.messages = int(answer[0] or 0)
        self.seen: dict[int, float] = {}
        self.changed = threading.Condition()
        self.client.send(b"B1 IDLE\r\n")
        self.client.readline()
        self.start()

    def run(self) -> None:
        """Read what the server says until the connection ends."""
        while line := self.client.readline():
            now = time.time()
            if exists := re.match(rb"\* (\d+) EXISTS", line):
                with self.changed:
                    self.seen.setdefault(int(exists[1]), now)
                    self.changed.notify()

    def wait(self, messages: int) -> float:
        """Return when there were so many messages."""
        with self.changed:
            if not self.changed.wait_for(
                lambda: max(self.seen, default=0) >= messages, timeout=machines.DEADLINE
            ):
                sys.exit(f"message {messages} was not announced within {machines.DEADLINE} s")
            return min(when for number, when in self.seen.items() if number >= messages)


@dataclass(frozen=True)
class Arrival:
    """One message: seconds from the start of APPEND until the provider told of it, and until the house did."""

    announced: float
    arrived: float


@contextlib.contextmanager
def busy_core() -> Iterator[None]:
    """Keep one core busy meanwhile, and no longer than BUSY seconds."""
    core = min(os.sched_getaffinity(0))
    with subprocess.Popen([sys.executable, "-c", LOOP, str(core), str(BUSY)]) as loop:
        try:
            yield
        finally:
            loop.kill()


@dataclass(frozen=True)
class Account:
    """A mailbox at a provider and the folder that it is fetched to: logins, their password, names."""

    there: str
    here: str
    password: str
    mailbox: str
    folder: str


def arrivals(house: Server, provider: Server, account: Account, number: int) -> list[Arrival]:
    """Let messages arrive, one after the other."""
    far = Listener(provider, account.there, account.password, account.mailbox)
    near = Listener(house, account.here, account.password, account.folder)
    writer = provider.login(account.there, account.password)
    found = []
    for turn in range(number):
        time.sleep(random.uniform(0.2, 1.2))
        start = time.time()
        writer.append(account.mailbox, "", "", MESSAGE.format(number=start).encode())
        announced = far.wait(far.messages + turn + 1) - start
        found.append(Arrival(announced, near.wait(near.messages + turn + 1) - start))
    return found


def arrival_table(what: str, found: Sequence[Arrival], aim: str) -> Iterator[str]:
    """Lay out how long messages took."""
    for name, seconds, its_aim in (
        (what, [one.arrived for one in found], aim),
        ("    beyond the provider's own", [one.arrived - one.announced for one in found], ""),
        ("    the provider's own", [one.announced for one in found], ""),
    ):
        p50, p99 = (f"{machines.percentile(sorted(seconds), share):.2f}" for share in (0.5, 0.99))
        yield machines.line(
            name, p50, f"p99 {p99}, at most {max(seconds):.2f}, of {len(seconds)}", "", its_aim
        )
