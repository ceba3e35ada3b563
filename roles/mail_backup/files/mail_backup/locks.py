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

PATIENCE = 300.0
"""Seconds. Dovecot itself waits two minutes for a folder, and one for the index of a folder that it has locked."""

PAUSE = (0.05, 0.3)
"""Seconds between attempts. Dovecot asks for a lock every 0.1 s or so, and has to find it free."""

_jitter = random.SystemRandom().uniform


LOCK = f"{UIDLIST}.lock"

Folders = dict[tuple[str, int], Path]
"""Folders by the name and the inode of each: one that was renamed, or made anew, is another."""


class BusyError(Exception):
    """The folders could not be locked in time; the message says which one."""


@contextlib.contextmanager
def folder_locks(
    list_folders: Callable[[], Folders],
    patience: float = PATIENCE,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Folders]:
    """Lock all folders that there are, and yield them. Raises BusyError.

    None is held while another is waited for, so that nobody waits in a circle.
    """
    until = time.monotonic() + patience
    while True:
        folders = list_folders()
        wanted = [folder / LOCK for folder in folders.values()]
        try:
            taken = _take(wanted)
            if taken is None:
                yield folders
                return
        finally:
            # One that was renamed took its lock along.
            _give_back([*wanted, *(folder / LOCK for folder in list_folders().values())])
        if time.monotonic() > until:
            raise BusyError(f"{taken} has been held by another program for {patience:.0f} s")
        sleep(_jitter(*PAUSE))


def _take(wanted: list[Path]) -> Path | None:
    """Take locks until one is taken already; return that one."""
    # Looked at before any is taken: who holds one may be about to take another.
    for path in wanted:
        if path.exists() and not _remove_dead(path):
            return path
    for path in wanted:
        try:
            _create(path)
        except FileExistsError:
            return path
        except FileNotFoundError:
            # The folder has been deleted or renamed: what is listed next says so.
            continue
    return None


def _give_back(paths: Iterable[Path]) -> None:
    """Remove those of the locks that are this process's."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            if path.read_text("utf-8", "replace") == _name():
                path.unlink()


def _create(path: Path) -> None:
    owner = path.parent.stat()
    # Named before it is there: whose a lock is can be read at any time, by this program and by Dovecot.
    beside = path.with_name(f"{path.name}.{_name()}.tmp")
    try:
        beside.write_text(_name())
        os.chown(beside, owner.st_uid, owner.st_gid)
        path.hardlink_to(beside)
    finally:
        beside.unlink(missing_ok=True)


def _name() -> str:
    """Return what a lock says of its holder. Dovecot sees from it whether that one lives, and removes a dead one's."""
    return f"{os.getpid()}:{socket.gethostname()}"


def _remove_dead(path: Path) -> bool:
    """Remove the lock of a process of this host that is dead, as Dovecot does; say whether it was one."""
    try:
        inode = path.stat().st_ino
        pid, __, host = path.read_text("utf-8", "replace").strip().partition(":")
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
