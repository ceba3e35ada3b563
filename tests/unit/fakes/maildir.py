# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A Maildir as Dovecot keeps it, with clients that change it: each takes the lock that Dovecot takes."""

from __future__ import annotations

import itertools
import random
import threading
import time
from pathlib import Path

_serial = itertools.count(1)


class Folder:
    """A folder of a Maildir. messages: the files that it has by now, by their lasting names."""

    def __init__(self, path: Path, validity: int = 7) -> None:
        self.path = path
        self.validity = validity
        self.next_uid = 1
        self.lines: list[str] = []
        self.files: dict[str, Path] = {}
        for part in ("cur", "new", "tmp"):
            (path / part).mkdir(parents=True, exist_ok=True)
        self._write()

    def _write(self) -> None:
        head = f"3 V{self.validity} N{self.next_uid} G0123456789abcdef\n"
        beside = self.path / "dovecot-uidlist.tmp"
        beside.write_text(head + "".join(self.lines))
        beside.replace(self.path / "dovecot-uidlist")

    def lock(self) -> None:
        while True:
            try:
                (self.path / "dovecot-uidlist.lock").open("x").close()
            except FileExistsError:
                time.sleep(0.001)
            else:
                return

    def unlock(self) -> None:
        (self.path / "dovecot-uidlist.lock").unlink()

    def add(self, text: str | Path, flags: str = "") -> str:
        """Store a message, or a hard link to the file of one; return its lasting name."""
        base = f"1796000000.M{next(_serial)}P1.mail,S=9,W=9"
        self.lock()
        try:
            target = self.path / "cur" / f"{base}:2,{flags}"
            if isinstance(text, Path):
                target.hardlink_to(text)
            else:
                target.write_text(text)
            self.lines.append(f"{self.next_uid} W9 :{base}:2,{flags}\n")
            self.next_uid += 1
            self._write()
            self.files[base] = target
        finally:
            self.unlock()
        return base

    def flag(self, base: str, flags: str) -> None:
        target = self.path / "cur" / f"{base}:2,{flags}"
        self.files[base].rename(target)
        self.files[base] = target

    def move(self, base: str, to: Folder) -> None:
        """Move a message as Dovecot does: a copy in the other folder first, with a lasting name of its own."""
        to.add(self.files[base], self.files[base].name.partition(":2,")[2])
        self.files.pop(base).unlink()


class Clients(threading.Thread):
    """Clients that move messages and change flags until they are told to stop."""

    def __init__(self, folders: list[Folder], seed: int) -> None:
        super().__init__(daemon=True)
        self.folders = folders
        self.random = random.Random(seed)
        self.enough = threading.Event()
        self.steps = 0

    def run(self) -> None:
        while not self.enough.is_set():
            folder, other = self.random.sample(self.folders, 2)
            if folder.files:
                base = self.random.choice(list(folder.files))
                if self.random.random() < 0.5:
                    folder.move(base, other)
                else:
                    folder.flag(
                        base, "".join(sorted(self.random.sample("FRSTab", self.random.randint(0, 4))))
                    )
                self.steps += 1
            # A client waits for the answer to each command.
            time.sleep(0.001)
