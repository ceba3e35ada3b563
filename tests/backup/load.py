"""Clients that use a mailbox while it is backed up, by a seed."""

from __future__ import annotations

import imaplib
import random
import threading
import time

from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House

PATIENCE = 60.0
"""Seconds for which a mail program waits for the answer to a command."""
FOLDERS = ["Load/A", "Load/B", "Load/C", "Load/D"]


def fill(house: House, user: str, count: int) -> dict[str, float]:
    """Make the folders and put messages into them; return when each was deleted, by its name: never, so far."""
    names: dict[str, float] = {}
    with house.imap(user) as client:
        for folder in FOLDERS:
            client.create(folder)
        for number in range(count):
            new = clients.message("load@elsewhere.test", house.login(user), f"Message {number}\n")
            names[str(new["Message-ID"])] = 0.0
            client.append(FOLDERS[number % len(FOLDERS)], "", "", new.as_bytes())
    return names


class Load(threading.Thread):
    """A client that moves, flags, stores and deletes messages until it is told to stop.

    deleted: when a message's deletion began, by its Message-ID. fault: what ended it before it was told to.
    """

    def __init__(self, house: House, user: str, seed: int) -> None:
        super().__init__(daemon=True)
        self.house, self.user = house, user
        self.random = random.Random(seed)
        self.enough = threading.Event()
        self.deleted: dict[str, float] = {}
        self.steps = 0
        self.fault: Exception | None = None

    def run(self) -> None:
        try:
            self._use()
        except (imaplib.IMAP4.error, OSError) as error:
            self.fault = error

    def _use(self) -> None:
        with self.house.imap(self.user) as client:
            client.sock.settimeout(PATIENCE)
            while not self.enough.is_set():
                folder, other = self.random.sample(FOLDERS, 2)
                client.select(folder)
                uids = client.uid("SEARCH", "ALL")[1][0].decode().split()
                chosen = self.random.sample(uids, min(len(uids), 5))
                if not chosen:
                    continue
                what = self.random.random()
                if what < 0.5:
                    client.uid("MOVE", ",".join(chosen), other)
                elif what < 0.9:
                    flags = self.random.sample([r"\Seen", r"\Flagged", r"\Answered", "$Work"], 2)
                    client.uid("STORE", ",".join(chosen), "FLAGS", f"({' '.join(flags)})")
                else:
                    self._delete_one(client, chosen[0])
                self.steps += 1

    def _delete_one(self, client: object, uid: str) -> None:
        found = client.uid("FETCH", uid, "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")[1]  # type: ignore[attr-defined]
        for part in found:
            if isinstance(part, tuple):
                self.deleted[part[1].decode().partition(":")[2].strip()] = time.time()
        client.uid("STORE", uid, "+FLAGS", r"(\Deleted)")  # type: ignore[attr-defined]
        client.uid("EXPUNGE", uid)  # type: ignore[attr-defined]


def message_ids(house: House, user: str) -> list[str]:
    """Return the Message-ID of every message in the folders."""
    found: list[str] = []
    with house.imap(user) as client:
        for folder in FOLDERS:
            client.select(folder, readonly=True)
            answer = client.uid("FETCH", "1:*", "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")[1]
            found += [
                part[1].decode().partition(":")[2].strip() for part in answer if isinstance(part, tuple)
            ]
    return found
