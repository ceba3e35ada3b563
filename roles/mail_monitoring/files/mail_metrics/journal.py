# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads what Postfix has said since the last time, each line once."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .programs import TIMEOUT, UnansweredError

MOST = 100_000
"""Lines that are read at a time; what is left is for the next."""
# The units that Postfix runs in on Debian 13 and 12. A unit is what the journal knows itself, and no program can claim.
_UNITS = ("_SYSTEMD_UNIT=postfix.service", "+", "_SYSTEMD_UNIT=postfix@-.service")
_COMMAND = (
    "journalctl",
    "--quiet",
    "--no-pager",
    "--output=json",
    "--output-fields=MESSAGE,SYSLOG_IDENTIFIER",
)


@dataclass(frozen=True)
class Line:
    """One line. cursor: its place in the journal; identifier: what the program calls itself."""

    cursor: str
    identifier: str
    text: str


Read = Callable[["str | None"], Iterator[Line]]
"""Returns the lines from a cursor on, with its own where that is still there; all for "", the last one alone for None.
"""


def new_lines(cursor: str, read: Read, most: int = MOST) -> Iterator[Line]:
    """Yield the lines after a cursor, the oldest first, and no more than so many.

    The line of the cursor may have gone with its file. Then journalctl begins at the next, which --after-cursor would
    pass over, so that the cursors are compared here.
    """
    lines = read(cursor)
    new = (line for line in lines if line.cursor != cursor)
    yield from itertools.islice(new, most)


def end_of_journal(read: Read) -> str:
    """Return the cursor of the last line, "" where there is none."""
    return "".join(line.cursor for line in read(None))


def read_journal(cursor: str | None) -> Iterator[Line]:
    """Read this host's journal (journalctl(1))."""
    since = ["--lines=1"] if cursor is None else [f"--cursor={cursor}"] if cursor else []
    command = [*_COMMAND, *since, *_UNITS]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as process:
        said, complaint = process.stdout or (), process.stderr
        try:
            for text in said:
                yield _read(text)
            if process.wait(TIMEOUT):
                raise UnansweredError(
                    f"journalctl: {' '.join(complaint.read().split()) if complaint else ''}"
                )
        finally:
            # Whoever has read enough goes away.
            process.kill()


def _read(text: str) -> Line:
    try:
        entry = json.loads(text)
        message = entry.get("MESSAGE")
        # What is no text is written as a list of bytes.
        said = message if isinstance(message, str) else ""
        return Line(str(entry["__CURSOR"]), str(entry.get("SYSLOG_IDENTIFIER", "")), said)
    except (AttributeError, KeyError, ValueError) as error:
        raise UnansweredError(f"journalctl says what cannot be read: {error!r}") from error
