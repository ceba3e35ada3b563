# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What another program has of an account's mail: Maildirs, and the states of any mbsync."""

from __future__ import annotations

import contextlib
import gzip
import imaplib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from ..imap.fingerprint import fingerprint
from ..imap.names import decode
from ..mbsync.sync_state import UNKNOWN, SyncState
from ..selection.names import INBOX

GZIP = b"\x1f\x8b"
# What the letters in a file's name mean (https://cr.yp.to/proto/maildir.html); Dovecot's own begin with "a".
FLAGS = {"D": r"\Draft", "F": r"\Flagged", "P": "$Forwarded", "R": r"\Answered", "S": r"\Seen"}
DELETED = "T"
KEYWORDS = "dovecot-keywords"


class ImporterError(Exception):
    """Something cannot be adopted; the message says what to do."""


@dataclass(frozen=True)
class Stored:
    """A message in a Maildir. arrived: in seconds since 1970. deleted: it is marked so."""

    path: Path
    flags: tuple[str, ...]
    deleted: bool
    arrived: float
    fingerprint: bytes

    @property
    def date(self) -> str:
        """Return when it arrived, as IMAP writes it."""
        return _internaldate(self.arrived)

    def read(self) -> bytes:
        """Return the message."""
        with _opened(self.path) as file:
            return file.read()


def stored(maildir: Path) -> list[Stored]:
    """Read what lies in a Maildir, in the order of arrival."""
    keywords = _keywords(maildir)
    found = []
    for directory in ("new", "cur"):
        for entry in os.scandir(maildir / directory):
            letters = entry.name.rpartition(":2,")[2] if ":2," in entry.name else ""
            if entry.name.startswith("."):
                continue
            flags = tuple(flag for letter in letters if (flag := keywords.get(letter)))
            with contextlib.suppress(FileNotFoundError):  # its program has given it another name meanwhile
                if not entry.stat().st_size:
                    continue  # no server takes it
                arrived = entry.stat().st_mtime
                path = Path(entry.path)
                fingerprint = _fingerprint(path, arrived)
                found.append(Stored(path, flags, DELETED in letters, arrived, fingerprint))
    return sorted(found, key=lambda message: (message.arrived, message.path.name))


def tree(root: Path) -> dict[str, Path]:
    """Find the Maildirs of a tree by the names of their mailboxes, levels separated by "/".

    Maildir++ has them beside each other (".Work.Clients"), others below each other ("Work/Clients", "Work/.Clients").
    """
    found: dict[str, Path] = {}
    for directory, below, __ in os.walk(root):
        if "cur" in below:
            levels = [
                decode(level)
                for part in Path(directory).relative_to(root).parts
                for level in (part[1:].split(".") if part.startswith(".") else [part])
            ]
            name = "/".join(levels) or INBOX
            if found.setdefault(name, Path(directory)) != Path(directory):
                raise ImporterError(
                    f"{found[name]} and {directory} are both {name}; adopt them one by one, with --mailbox"
                )
        below[:] = [name for name in below if name not in ("cur", "new", "tmp")]
    return found


def read_state(path: Path) -> SyncState:
    """Read a state of mbsync's, of any version, with what a run that was cut off had done."""
    if not path.exists():
        raise ImporterError(f"{path}: there is no such file")
    lines = path.read_text("ascii", errors="replace").splitlines()
    ancient = bool(lines) and lines[0][:1].isdigit()
    state = _ancient_state(path, lines) if ancient else SyncState.read(path) or SyncState()
    # Before 1.3 this number stood for a message that was too big.
    state.pairs = {remote: local for remote, local in state.pairs.items() if UNKNOWN not in (remote, local)}
    return state


def _ancient_state(path: Path, lines: Sequence[str]) -> SyncState:
    """Read the form that mbsync wrote before 1.1: "FAR-VALIDITY:MAX NEAR-VALIDITY:MAX:MAX", then the messages."""
    try:
        remote, local = (part.split(":") for part in lines[0].split())
        state = SyncState(
            remote_validity=int(remote[0]), local_validity=int(local[0]), max_pulled=int(remote[1])
        )
        for line in lines[1:]:
            far_uid, near_uid, *flags = line.split()
            if not flags or flags[0][0] not in "^>":
                state.pairs[int(far_uid)] = int(near_uid)
    except (ValueError, IndexError) as error:
        raise ImporterError(f"{path} is not a state of mbsync's: {error}") from error
    return state


def _keywords(maildir: Path) -> dict[str, str]:
    """Return what each letter means: Dovecot keeps the names of further flags in lines such as "0 $Junk"."""
    meanings = dict(FLAGS)
    with contextlib.suppress(FileNotFoundError):
        for line in (maildir / KEYWORDS).read_text("utf-8", errors="replace").splitlines():
            number, __, name = line.partition(" ")
            if number.isdigit() and int(number) < 26 and name.isascii():
                meanings[chr(ord("a") + int(number))] = name
    return meanings


def _fingerprint(path: Path, arrived: float) -> bytes:
    header = b""
    with _opened(path) as file:
        for line in file:
            if not line.rstrip(b"\r\n"):
                break
            header += line
    if b"\0" in header:
        raise ImporterError(f"{path} is no message; if it is compressed, decompress it first")
    return fingerprint(header, _internaldate(arrived))


def _opened(path: Path) -> BinaryIO:
    """Open a message, which Dovecot may have compressed."""
    file = path.open("rb")
    if file.peek(len(GZIP)).startswith(GZIP):
        file.close()
        return cast("BinaryIO", gzip.open(path))
    return file


def _internaldate(moment: float) -> str:
    return imaplib.Time2Internaldate(moment).strip('"')
