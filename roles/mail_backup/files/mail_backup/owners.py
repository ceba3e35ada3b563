# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Puts restored files in place with the owners that they had, whatever numbers those have on this host."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from .manifest import About


def make_users(about: About) -> None:
    """Make the system users and groups that owned what was backed up and that this host does not have.

    They get their old numbers where those are free. The roles take them over.
    """
    lines = []
    for number, name in sorted(about.users.items()):
        if not _known(pwd.getpwnam, name):
            free = not _known(pwd.getpwuid, int(number)) and not _known(grp.getgrgid, int(number))
            lines.append(f'u {name} {number if free else "-"} "" /nonexistent')
    for number, name in sorted(about.groups.items()):
        if not _known(grp.getgrnam, name) and name not in about.users.values():
            lines.append(f"g {name} {number if not _known(grp.getgrgid, int(number)) else '-'}")
    if lines:
        subprocess.run(["systemd-sysusers", "-"], input="\n".join(lines) + "\n", text=True, check=True)


def _known(look: Callable[..., object], what: object) -> bool:
    try:
        look(what)
    except KeyError:
        return False
    return True


class Owners:
    """The numbers on this host of owners in a snapshot."""

    def __init__(self, about: About) -> None:
        self._users = {int(n): pwd.getpwnam(name).pw_uid for n, name in about.users.items()}
        self._groups = {int(n): grp.getgrnam(name).gr_gid for n, name in about.groups.items()}

    def give_back(self, directory: Path) -> None:
        """Give what was restored below a directory, and the directory itself, to its owners on this host."""
        for path in _all_below([directory]):
            state = os.lstat(path)
            owner = self._users.get(state.st_uid, state.st_uid), self._groups.get(state.st_gid, state.st_gid)
            if owner != (state.st_uid, state.st_gid):
                os.chown(path, *owner, follow_symlinks=False)


def give_to(directory: Path, uid: int, gid: int) -> None:
    """Give a directory and all that is in it to one owner."""
    for path in _all_below([directory]):
        os.chown(path, uid, gid, follow_symlinks=False)


def _all_below(directories: Iterable[Path]) -> Iterator[str]:
    for directory in directories:
        yield str(directory)
        for above, folders, files in os.walk(directory):
            yield from (f"{above}/{name}" for name in (*folders, *files))
