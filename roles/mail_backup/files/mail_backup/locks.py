# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Holds Dovecot's own locks of all folders of a person for a moment, so that no message enters one meanwhile.

Dovecot takes the lock of a folder's list of UIDs (a dotlock) before it gives a message its UID. A message is moved by
copying it first: while all folders are locked, none is on its way from one to another.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from .maildir import UIDLIST

PATIENCE = 60.0
"""Seconds. Dovecot itself waits two minutes."""

PAUSE = (0.05, 0.3)
"""Seconds between attempts. Dovecot asks for a lock every 0.1 s or so, and has to find it free."""

_jitter = random.SystemRandom().uniform


class BusyError(Exception):
    """The folders could not be locked in time; the message says which one."""


class FolderLocks:
    """The locks that are held. more() adds those of other folders."""

    def __init__(self, patience: float = PATIENCE, sleep: Callable[[float], None] = time.sleep) -> None:
        self._held: set[Path] = set()
        self._patience = patience
        self._sleep = sleep

    def more(self, folders: Iterable[Path]) -> None:
        """Lock folders that are not locked yet: all of them or none, so that nobody waits in a circle."""
        wanted = [
            path for path in (folder / f"{UIDLIST}.lock" for folder in folders) if path not in self._held
        ]
        until = time.monotonic() + self._patience
        while (taken := self._try(wanted)) is not None:
            if time.monotonic() > until:
                raise BusyError(f"{taken} has been held by another program for {self._patience:.0f} s")
            self._sleep(_jitter(*PAUSE))

    def _try(self, wanted: list[Path]) -> Path | None:
        """Take all; return the first that is taken already, and take none then."""
        # Looked at before any is taken: who holds one may be about to take another.
        for path in wanted:
            if path.exists() and not _remove_dead(path):
                return path
        got: set[Path] = set()
        for path in wanted:
            try:
                _create(path)
            except FileExistsError:
                _remove(got)
                return path
            except FileNotFoundError:
                # The folder has been deleted or renamed: what is listed next says so.
                continue
            except OSError:
                _remove({*got, path})
                raise
            got.add(path)
        self._held |= got
        return None

    def release(self) -> None:
        """Give all of them back."""
        _remove(self._held)
        self._held = set()


def _create(path: Path) -> None:
    owner = path.parent.stat()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        # Dovecot sees from this whether the holder still lives; what is left of a dead one, it removes.
        os.write(descriptor, f"{os.getpid()}:{socket.gethostname()}".encode())
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    finally:
        os.close(descriptor)


def _remove_dead(path: Path) -> bool:
    """Remove the lock of a process of this host that is dead, as Dovecot does; say whether it was one."""
    try:
        inode = path.stat().st_ino
        pid, _, host = path.read_text("utf-8", "replace").strip().partition(":")
        if host != socket.gethostname() or not pid.isdigit() or _lives(int(pid)):
            return False
        # Somebody else may have removed it, and taken it anew.
        if path.stat().st_ino == inode:
            path.unlink()
    except FileNotFoundError:
        return True
    return True


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def folder_locks(patience: float = PATIENCE) -> Iterator[FolderLocks]:
    """Give locks back in any case."""
    locks = FolderLocks(patience)
    try:
        yield locks
    finally:
        locks.release()
