# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Copies files that may change meanwhile: each as it was at one moment, with its owner, mode and time."""

from __future__ import annotations

import contextlib
import filecmp
import os
import shutil
import sqlite3
import stat
import time
from collections.abc import Callable
from pathlib import Path

_SQLITE = b"SQLite format 3\0"
_SQLITE_PARTS = ("-wal", "-shm", "-journal")
DATABASE_ATTEMPTS, DATABASE_PAUSE = 200, 0.05
"""How often it is tried to copy a database that is opened and closed all the time, and the seconds in between."""
TICK = 50_000_000
"""Nanoseconds. Two changes of a file within one tick of the kernel's clock have the same time."""
PASSES = 5
"""How often a tree is gone through at most, until nothing in it has changed meanwhile."""


def copy_tree(live: Path, copy: Path, left_out: Callable[[Path], bool] = lambda __: False) -> int:
    """Make a copy of a directory, and return how many files were written.

    left_out: says which files and directories are passed by; in the copy, they stay as they are.
    """
    written = 0
    for __ in range(PASSES):
        now = _copy_once(live, copy, left_out)
        written += now
        if not now:
            break
    return written


def _copy_once(live: Path, copy: Path, left_out: Callable[[Path], bool]) -> int:
    try:
        with os.scandir(live) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        return 0
    copy.mkdir(parents=True, exist_ok=True)
    take_on(copy, live.stat(follow_symlinks=False), time=False)
    written, names = 0, set()
    for entry in found:
        path = Path(entry.path)
        if left_out(path) or _is_part_of_a_database(path):
            continue
        names.add(entry.name)
        with contextlib.suppress(FileNotFoundError):
            if entry.is_dir(follow_symlinks=False):
                written += _copy_once(path, copy / entry.name, left_out)
            else:
                written += copy_file(path, copy / entry.name)
    for old in copy.iterdir():
        # What is passed by here is somebody else's there.
        if old.name not in names and not left_out(live / old.name):
            remove(old)
            written += 1
    return written


def copy_file(live: Path, copy: Path) -> bool:
    """Copy one file, symbolic links as such; return whether the copy had to be written. Sockets are passed by."""
    state = live.lstat()
    if stat.S_ISLNK(state.st_mode):
        return _copy_link(live, copy)
    if not stat.S_ISREG(state.st_mode):
        return False
    database = _is_database(live)
    if not (_differs(state, copy) or (database and _has_more(live))):
        return False
    beside = copy.with_name(f".{copy.name[:200]}.new")
    beside.unlink(missing_ok=True)
    if database:
        _copy_database(live, beside)
        if copy.is_file() and filecmp.cmp(beside, copy, shallow=False):
            beside.unlink()
            return False
    else:
        shutil.copyfile(live, beside)
    take_on(beside, state)
    if copy.is_dir() and not copy.is_symlink():
        remove(copy)
    beside.replace(copy)
    return True


def _differs(state: os.stat_result, copy: Path) -> bool:
    try:
        have = copy.lstat()
    except FileNotFoundError:
        return True
    return (state.st_mtime_ns, state.st_mode, state.st_uid, state.st_gid) != (
        have.st_mtime_ns,
        have.st_mode,
        have.st_uid,
        have.st_gid,
    ) or (state.st_size != have.st_size and not _is_database(copy))


def _copy_link(live: Path, copy: Path) -> bool:
    target = os.readlink(live)  # noqa: PTH115 - as it is written
    if copy.is_symlink() and os.readlink(copy) == target:  # noqa: PTH115
        return False
    remove(copy)
    copy.symlink_to(target)
    state = live.lstat()
    os.chown(copy, state.st_uid, state.st_gid, follow_symlinks=False)
    return True


def take_on(path: Path, state: os.stat_result, *, time: bool = True) -> None:
    """Give a copy the owner and mode of what it is a copy of, and its time."""
    have = path.stat()
    if (have.st_uid, have.st_gid) != (state.st_uid, state.st_gid):
        os.chown(path, state.st_uid, state.st_gid)
    if have.st_mode != state.st_mode:
        path.chmod(stat.S_IMODE(state.st_mode))
    if time:
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def _is_database(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False


def _is_part_of_a_database(path: Path) -> bool:
    for end in _SQLITE_PARTS:
        if path.name.endswith(end):
            return _is_database(path.with_name(path.name.removesuffix(end)))
    return False


def _has_more(live: Path) -> bool:
    """Whether a database has changes that are not in its own file yet."""
    try:
        return live.with_name(f"{live.name}-wal").stat().st_size > 0
    except FileNotFoundError:
        return False


def _copy_database(live: Path, copy: Path) -> None:
    """Copy an SQLite database with what has not been written back to it, while others write.

    To be read, it needs the files beside it, which whoever opens it first makes and whoever closes it last removes;
    nothing may be written there by a backup. Without them, nobody has it open, and it is copied as any file, unless it
    changes meanwhile.
    """
    for attempt in range(1, DATABASE_ATTEMPTS + 1):
        try:
            _backup_database(live, copy)
        except sqlite3.OperationalError:
            if _copy_at_rest(live, copy):
                return
            if attempt == DATABASE_ATTEMPTS:
                raise
            time.sleep(DATABASE_PAUSE)
        else:
            return


def _copy_at_rest(live: Path, copy: Path) -> bool:
    """Copy a database that nobody has open; return whether that stayed so."""
    before = _state(live)
    # A change within the same tick of the clock would not be seen.
    if any(before[2:]) or before[0] > time.time_ns() - TICK:
        return False
    shutil.copyfile(live, copy)
    return _state(live) == before


def _state(live: Path) -> tuple[int, ...]:
    state = live.stat()
    parts = (live.with_name(live.name + end).exists() for end in _SQLITE_PARTS)
    return state.st_mtime_ns, state.st_size, *parts


def _backup_database(live: Path, copy: Path) -> None:
    with (
        contextlib.closing(sqlite3.connect(f"file:{live}?mode=ro", uri=True, timeout=60)) as source,
        contextlib.closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)


def remove(path: Path) -> None:
    """Remove a file or a directory with all that is in it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
