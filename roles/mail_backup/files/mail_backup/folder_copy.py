# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Copies one folder of a Maildir by hard links, exactly as it is at one moment, although clients go on.

The file of a message never changes: a change of flags renames it. So a link to it is a copy that costs nothing.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .file_copy import TICK, take_on
from .maildir import KEYWORDS, PARTS, UIDLIST, base_of

LISTINGS = 20
"""How often a folder is listed at most, until nothing was renamed in it meanwhile."""
ROUNDS = 50
"""How often links are made at most, until no file was renamed between its listing and its link."""

Stamp = list[int]
"""What tells whether a folder has changed: inodes, times and sizes. Empty if nobody can tell yet."""


@dataclass(frozen=True)
class Change:
    """What was done to the copy of a folder."""

    linked: int = 0
    renamed: int = 0
    removed: int = 0

    def __add__(self, other: Change) -> Change:
        """Add up what was done to several."""
        return Change(self.linked + other.linked, self.renamed + other.renamed, self.removed + other.removed)


def stamp_of(folder: Path) -> Stamp:
    """Return what tells whether a folder changes from now on."""
    found: Stamp = []
    newest = 0
    for name in (*PARTS, UIDLIST, KEYWORDS):
        try:
            state = (folder / name).stat()
        except FileNotFoundError:
            found += [0, 0, 0]
            continue
        newest = max(newest, state.st_mtime_ns)
        found += [state.st_ino, state.st_mtime_ns, state.st_size]
    return found if newest < time.time_ns() - TICK else []


def list_messages(folder: Path) -> dict[str, tuple[str, str]]:
    """Return where each message of a folder is: its part of the folder and the name of its file, by its lasting name.

    A listing of a directory can miss a file that is renamed meanwhile. It is made again until nothing was renamed, or
    joined from many.
    """
    joined: dict[str, tuple[str, str]] = {}
    for __ in range(LISTINGS):
        before = _times(folder)
        found = _list_once(folder)
        joined |= found
        if before == _times(folder) and max(before) < time.time_ns() - TICK:
            return found
    return joined


def list_messages_at_rest(folder: Path) -> dict[str, tuple[str, str]]:
    """Return the same of a folder in which nobody changes anything."""
    return _list_once(folder)


def _times(folder: Path) -> list[int]:
    times = []
    for part in PARTS:
        try:
            times.append((folder / part).stat().st_mtime_ns)
        except FileNotFoundError:
            times.append(0)
    return times


def _list_once(folder: Path) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for part in PARTS:
        try:
            names = os.listdir(folder / part)  # noqa: PTH208 - a hundred thousand names
        except FileNotFoundError:
            continue
        found |= {base_of(name): (part, name) for name in names if not name.startswith(".")}
    return found


def copy_folder(live: Path, copy: Path) -> Change:
    """Make the copy of a folder hold the messages that the folder holds, and no others."""
    for part in PARTS:
        (copy / part).mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            take_on(copy / part, (live / part).stat(), time=False)
    done = Change()
    for __ in range(ROUNDS):
        found = list_messages(live)
        change, gone = _link(live, copy, found, _list_once(copy))
        done += change
        # What is gone was deleted, or has another name by now.
        if not gone:
            break
    return done


def _link(
    live: Path, copy: Path, found: Mapping[str, tuple[str, str]], have: Mapping[str, tuple[str, str]]
) -> tuple[Change, bool]:
    linked = renamed = removed = 0
    gone = False
    for base, place in found.items():
        old = have.get(base)
        if old == place:
            continue
        name = f"{place[0]}/{place[1]}"
        if old:
            os.rename(f"{copy}/{old[0]}/{old[1]}", f"{copy}/{name}")  # noqa: PTH104 - a hundred thousand names
            renamed += 1
            continue
        try:
            os.link(f"{live}/{name}", f"{copy}/{name}", follow_symlinks=False)
            linked += 1
        except FileNotFoundError:
            gone = True
        except FileExistsError:
            continue
    for base in have.keys() - found.keys():
        (copy / have[base][0] / have[base][1]).unlink(missing_ok=True)
        removed += 1
    return Change(linked, renamed, removed), gone
