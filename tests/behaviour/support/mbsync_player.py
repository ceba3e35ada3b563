"""mbsync with a provider that is not there and a Maildir, to see what it makes of its state.

`python3 -c THIS STEPS` on a machine with the role plays a list of steps (JSON) in a directory of its own and prints
what each came to, as JSON. The provider has a mailbox whose UIDs and manners each run tells: see Mailbox. It is this
program once more, at the end of mbsync's tunnel.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.append("/usr/local/lib/mbsync-fetch")
from mbsync_fetch.mbsync.sync_state import SyncState  # installed by the role

CONFIGURATION = """\
IMAPAccount far
Tunnel "exec python3 -c \\"$PLAYER\\" serve"

IMAPStore far
Account far

MaildirStore near
Path {directory}/near/

Channel f0001
Far :far:f0001
Near :near:f0001
Sync PullNew
Create None
Remove None
Expunge None
CopyArrivalDate yes
SyncState {directory}/sync/
"""
VALIDITY, NEAR_VALIDITY = 7, 9
PATIENCE = 20
"""Seconds to wait for mbsync."""


@dataclass(frozen=True)
class Mailbox:
    """What the provider has, which of it it does not hand over, and before which it says nothing more."""

    uids: list[int]
    refused: list[int]
    silent: int

    def listed(self, numbers: str) -> list[int]:
        """Return the UIDs that a sequence set names (RFC 3501 section 9)."""
        last = max(self.uids, default=0)
        found = set()
        for part in numbers.split(","):
            ends = [last if end == "*" else int(end) for end in part.split(":")]
            found |= {uid for uid in self.uids if min(ends) <= uid <= max(ends)}
        return sorted(found)

    def fetch(self, numbers: str, items: str) -> tuple[str, str]:
        """Return untagged responses and the end."""
        response = ""
        for uid in self.listed(numbers):
            if "BODY.PEEK[]" not in items:
                response += f"* {self.uids.index(uid) + 1} FETCH (UID {uid} FLAGS (\\Seen))\r\n"
                continue
            if uid == self.silent:
                time.sleep(PATIENCE)
            if uid in self.refused:
                return response, "NO this one I keep"
            text = f"Message-ID: <{uid}@far.test>\r\nSubject: {uid}\r\n\r\nText.\r\n"
            date = 'INTERNALDATE "23-Nov-2026 10:00:00 +0900"'
            response += f"* {uid} FETCH (UID {uid} FLAGS () {date} BODY[] {{{len(text)}}}\r\n{text})\r\n"
        return response, "OK done"


def serve(mailbox: Mailbox) -> None:
    """Be the provider for one mbsync, on standard input and output."""
    print("* PREAUTH [CAPABILITY IMAP4rev1 UIDPLUS] far\r", flush=True)
    for line in sys.stdin:
        tag, command, *_rest = line.split()
        response, end = "", "OK done"
        if command == "SELECT":
            following = max(mailbox.uids, default=0) + 1
            response = (
                f"* {len(mailbox.uids)} EXISTS\r\n* 0 RECENT\r\n* OK [UIDVALIDITY {VALIDITY}]\r\n"
                f"* OK [UIDNEXT {following}]\r\n"
            )
        elif found := re.search(r"UID FETCH (\S+) \((.*)\)", line):
            response, end = mailbox.fetch(found[1], found[2])
        print(f"{response}{tag} {end}\r", flush=True)
        if command == "LOGOUT":
            return


class Player:
    """Plays steps in a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.state = directory / "sync" / "f0001"
        self.near = directory / "near" / "f0001"
        for path in (self.state.parent, self.near / "cur", self.near / "new", self.near / "tmp"):
            path.mkdir(parents=True)
        (self.near / ".uidvalidity").write_text(f"{NEAR_VALIDITY}\n0\n")
        (directory / "mbsyncrc").write_text(CONFIGURATION.format(directory=directory))

    def run(self, uids: list[int], refused: list[int] | None = None) -> int:
        """Run mbsync to its end; return its status."""
        with self.start(uids, refused or []) as mbsync:
            return mbsync.wait(PATIENCE)

    def kill(self, uids: list[int], silent: int) -> None:
        """Run mbsync and kill it when it has all messages before the silent one."""
        due = sum(uid < silent for uid in uids)
        with self.start(uids, [], silent) as mbsync:
            deadline = time.monotonic() + PATIENCE
            while len(self.pairs()) < due and time.monotonic() < deadline:
                time.sleep(0.02)
            os.killpg(mbsync.pid, signal.SIGKILL)

    def claim(self, pairs: dict[str, int], max_pulled: int) -> None:
        """Write a state."""
        known = {int(uid): near for uid, near in pairs.items()}
        SyncState(VALIDITY, NEAR_VALIDITY, max_pulled, known).write(self.state)

    def want(self, uids: list[int]) -> None:
        """Have messages fetched in the next run."""
        state = SyncState.read(self.state) or SyncState()
        state.want(uids)
        state.write(self.state)

    def tear(self) -> None:
        """Leave the journal as a full disk may."""
        with self.state.with_name("f0001.journal").open("a") as journal:
            journal.write("+ 9")

    def age(self) -> None:
        """Leave the journal of another version."""
        journal = self.state.with_name("f0001.journal")
        journal.write_text("3\n" + journal.read_text().partition("\n")[2])

    def settle(self) -> None:
        """Make what was done the state, as a fetch does."""
        (SyncState.read(self.state) or SyncState()).write(self.state)

    def remembered(self) -> dict[str, Any]:
        """Return the state as it is read."""
        return asdict(SyncState.read(self.state) or SyncState())

    def pairs(self) -> dict[int, int]:
        """Return the pairs that are remembered."""
        return (SyncState.read(self.state) or SyncState()).pairs

    def house(self) -> list[str]:
        """Return the subjects of all messages in the Maildir, one for each."""
        texts = [path.read_text() for path in self.near.glob("[cn]*/*")]
        return sorted(found[1] for text in texts if (found := re.search("^Subject: (.*)$", text, re.M)))

    def start(self, uids: list[int], refused: list[int], silent: int = 0) -> subprocess.Popen[bytes]:
        """Start mbsync in a process group of its own."""
        mailbox = json.dumps(asdict(Mailbox(uids, refused, silent)))
        return subprocess.Popen(
            ["mbsync", "--quiet", "--config", str(self.directory / "mbsyncrc"), "f0001"],
            env=os.environ | {"PLAYER": sys.orig_argv[2], "MAILBOX": mailbox, "HOME": str(self.directory)},
            start_new_session=True,
            stdin=subprocess.DEVNULL,
        )


def main() -> None:
    """Serve as the provider, or play."""
    if sys.argv[1] == "serve":
        with contextlib.suppress(BrokenPipeError):
            serve(Mailbox(**json.loads(os.environ["MAILBOX"])))
        return
    with tempfile.TemporaryDirectory() as directory:
        player = Player(Path(directory))
        results = []
        for name, *arguments in json.loads(sys.argv[1]):
            step: Callable[..., Any] = getattr(player, name)
            results.append(step(*arguments))
        print(json.dumps(results))


if __name__ == "__main__":
    main()
