# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is on the disk for good, who else writes there, and what a disk that takes nothing is called."""

from __future__ import annotations

import errno
import fcntl
import glob
import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

LOCK = Path("/run/ilnmors-mail.lock")
PATIENCE = 60
"""Seconds to wait for another run on this host."""
# What a person does about an error.
REMEDIES = {
    errno.ENOSPC: "make room on this host's disk, and run this again",
    errno.EDQUOT: "make room on this host's disk, and run this again",
    errno.EROFS: "mount its file system so that it can be written to, and run this again",
}


class BusyError(Exception):
    """Another run does not end."""


def describe(error: OSError, where: object = "a file of this host") -> str:
    """Say in one sentence what could not be read or written, and what to do. where: if the error does not say."""
    where = error.filename2 or error.filename or where
    remedy = REMEDIES.get(error.errno or 0, "mend that, and run this again")
    return f"{where}: {error.strerror or error}; {remedy}"


def sync(path: Path) -> None:
    """Wait until a file, or the names in a directory, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def alone() -> Iterator[None]:
    """Keep other runs from this host's files within the block, also one whose connection was lost.

    The kernel ends the lock of one that dies. BusyError where another goes on for too long.
    """
    deadline = time.monotonic() + PATIENCE
    descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise BusyError(
                        f"another run is at work on this host and holds {LOCK}; run this again when it has ended"
                    ) from None
                time.sleep(0.1)
        yield
    finally:
        os.close(descriptor)


# --- files beside their places


def beside(path: Path) -> Path:
    """Give a name in the same directory that no daemon's pattern matches."""
    return path.with_name(f".{path.name}.{token_hex(4)}")


def left_beside(patterns: Iterable[str]) -> list[Path]:
    """List what runs that were cut off have left beside files of these patterns. Only for who is `alone`."""
    found: set[Path] = set()
    for pattern in patterns:
        directory, __, name = pattern.rpartition("/")
        # glob's * does not match a leading dot, and so neither the file itself.
        candidates = glob.glob(f"{directory}/.{name}.????????")  # noqa: PTH207
        found |= {Path(path) for path in candidates if re.search(r"\.[0-9a-f]{8}\Z", path)}
    return sorted(path for path in found if path.is_symlink() or not path.is_dir())
