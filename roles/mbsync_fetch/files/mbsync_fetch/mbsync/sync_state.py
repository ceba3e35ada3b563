# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What mbsync remembers of a mailbox, read and written as mbsync 1.4 and 1.5 do.

The state file has a header ("FarUidValidity 7" and so on), an empty line, and a line for each message: the remote
UID, the local UID or 0, flags. Both versions read and write this form. While mbsync runs, PATH.new exists and every
step is appended to PATH.journal; its first line is 4 (1.4) or 5 (1.5). At the end PATH.new replaces PATH, then the
journal goes; so a journal counts only while PATH.new exists (isync: load_state, save_state).

With `Sync PullNew` both versions treat messages alike (tests/behaviour/mbsync_fetch/test_mbsync_state.py):
- Those up to MaxPulledUid are not even listed, whether they have a line or not.
- Above it, those with a line are left alone, also with 0 for the local UID, and the line stays when mbsync writes the
  file. Only those without a line are fetched. So lines claim messages, provided that MaxPulledUid is below all others.
- A message that the provider refuses to hand over, or that Dovecot refuses to take (so all, when it is full), gets no
  line, and MaxPulledUid passes it: it is never tried again. `want` brings that about. 1.4 ends with 0, 1.5 with 1.
  1.4 treats a message whose header is not ended by an empty line so, too.
- MaxPulledUid rises only at the end of a whole run. After a cut the journal has what was done; the next goes on.
- A journal whose last line is torn, or which another version wrote, stops mbsync for good. So a run that was cut off is
  never gone on with by mbsync itself: `read` takes what it had done, `write` makes that the state, and what had come to
  the local folder without being noted is matched there (mailbox_fetch/recovery.py).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

UNKNOWN = 4294967295
"""A UIDVALIDITY that mbsync replaces by what it finds (isync: UIDVAL_BAD)."""

_FIELDS = {
    "FarUidValidity": "remote_validity",
    "MasterUidValidity": "remote_validity",  # before 1.4
    "NearUidValidity": "local_validity",
    "SlaveUidValidity": "local_validity",
    "MaxPulledUid": "max_pulled",
}
_NOT_TAKEN = (">", "^")
"""How the flags begin of a message that was too big: the local folder has a placeholder, or nothing."""


class SyncStateError(Exception):
    """A state file is not one that mbsync writes; the message names it."""


@dataclass
class SyncState:
    """What mbsync remembers of one mailbox.

    max_pulled: mbsync looks at no message up to this UID.
    pairs: the remote UID -> the local one; 0 where there is no such local message, and is to be none. What was on
    its way when mbsync was stopped is in no pair.
    """

    remote_validity: int = UNKNOWN
    local_validity: int = UNKNOWN
    max_pulled: int = 0
    pairs: dict[int, int] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> SyncState | None:
        """Return what is remembered, with what a stopped mbsync had done; None where nothing is."""
        unfinished = interrupted(path)
        if not path.exists() and not unfinished:
            return None
        state = cls()
        try:
            if path.exists():
                state._load(path.read_text("ascii"))
            if unfinished:
                for line in _whole_lines(_journal(path))[1:]:
                    state._replay(line)
        except (ValueError, IndexError) as error:
            raise SyncStateError(f"{path} is not a state of mbsync's: {error}") from error
        return state

    def write(self, path: Path) -> None:
        """Have mbsync remember this; whenever it is cut off, either the former state counts or this one.

        Only while mbsync is not running.
        """
        if not interrupted(path):
            _journal(path).unlink(missing_ok=True)  # one that does not count must not begin to
        with _new(path).open("w", encoding="ascii") as file:
            file.writelines(self._lines())
            file.flush()
            os.fsync(file.fileno())
        _new(path).replace(path)
        _journal(path).unlink(missing_ok=True)
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def want(self, uids: Collection[int]) -> None:
        """Have mbsync fetch these, and with them whatever has no pair above the lowest."""
        for uid in uids:
            self.pairs.pop(uid, None)
        self.max_pulled = min([self.max_pulled, *(uid - 1 for uid in uids)])

    def _load(self, text: str) -> None:
        """Take over the file's content."""
        header, end, body = text.partition("\n\n")
        if not end:
            raise ValueError("its header has no end")
        for line in header.splitlines():
            name, value = line.split()
            if name in _FIELDS:
                setattr(self, _FIELDS[name], int(value))
        for line in body.splitlines():
            remote, local, *flags = line.split()
            if remote != "0" and not (flags and flags[0].startswith(_NOT_TAKEN)):
                self.pairs[int(remote)] = int(local)

    def _replay(self, line: str) -> None:
        """Take over a step from the journal.

        Those that are not named here concern flags, the provider's side, or a message that has yet to arrive.
        """
        kind, *rest = line.split()
        if kind == "|":
            self.remote_validity, self.local_validity = map(int, rest)
        elif kind == "N" and rest[0] == "0":
            self.max_pulled = int(rest[1])
        elif kind == ">" and rest[0] != "0":
            self.pairs[int(rest[0])] = int(rest[2])
        elif kind in ("-", "="):
            self.pairs.pop(int(rest[0]), None)

    def _lines(self) -> Iterator[str]:
        """Lay out the file; a local message above MaxPushedUid may be one of an interrupted run's."""
        yield f"FarUidValidity {self.remote_validity}\nNearUidValidity {self.local_validity}\n"
        yield f"MaxPulledUid {self.max_pulled}\nMaxPushedUid {max(self.pairs.values(), default=0)}\n\n"
        for remote, local in sorted(self.pairs.items()):
            yield f"{remote} {local} \n"


def interrupted(path: Path) -> bool:
    """Tell whether mbsync was stopped amid a run, which it completes in its next."""
    return _new(path).exists() and bool(_whole_lines(_journal(path)))


def _journal(path: Path) -> Path:
    return path.with_name(f"{path.name}.journal")


def _new(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")


def _whole_lines(path: Path) -> list[str]:
    """Return a file's lines without a torn last one; none if there is no file."""
    try:
        return path.read_text("ascii", errors="replace").split("\n")[:-1]
    except FileNotFoundError:
        return []
