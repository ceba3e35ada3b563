# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Changes of files that happen together, or not at all.

A fault undoes all of them. A power cut between two of them leaves some done, and what was beside the files: the next
run finds both by comparing the host with what is wanted (disk.left_beside). When a transaction has ended, all of it is
on the disk.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ansible_collections.ilnmors.mail.plugins.module_utils._files import disk
from ansible_collections.ilnmors.mail.plugins.module_utils._files.file_set import (
    Attributes,
    ConfigFilesError,
    Directory,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._files.user_ids import find_gid, find_uid


@contextmanager
def transaction() -> Iterator[Transaction]:
    """Collect new files, rename all of them at the end of the block, and undo everything on a fault."""
    with ExitStack() as leftovers, ExitStack() as undo:
        change = Transaction(leftovers, undo)
        yield change
        change.rename_all()
        undo.pop_all()


@contextmanager
def _blaming(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigFilesError(
            f"{path} could not be changed: {error.strerror}; every file was left as it was"
        ) from error


class Transaction:
    """File changes that happen together. A ConfigFilesError names the path that could not be changed."""

    def __init__(self, leftovers: ExitStack, undo: ExitStack) -> None:
        self._leftovers = leftovers  # what is cleared away in any case
        self._undo = undo  # what a fault reverses, newest first
        self._new: list[tuple[Path, Path]] = []
        self._gone: list[Path] = []

    def ensure_directory(self, directory: Directory) -> None:
        """Make the directory, or correct its attributes."""
        path = directory.path
        with _blaming(path):
            if path.is_dir():
                found = path.stat()
                self._undo.callback(path.chmod, stat.S_IMODE(found.st_mode))
                self._undo.callback(os.chown, path, found.st_uid, found.st_gid)
            else:
                path.mkdir(mode=0o700)
                self._undo.callback(path.rmdir)
            # A change of owner clears the set-group-ID bit: the mode comes last.
            os.chown(path, *_ids(directory.attributes))
            path.chmod(directory.attributes.mode)

    def write(self, path: Path, content: bytes, attributes: Attributes) -> None:
        """Write the file beside its place; it appears there when everything is written."""
        new = self.beside(path)
        with _blaming(path):
            write_new(new, content, mode=attributes.mode, ids=_ids(attributes))
        self._new.append((new, path))

    def beside(self, path: Path) -> Path:
        """Give a name in the same directory that no daemon's pattern matches, cleared away at the end."""
        name = disk.beside(path)
        self._leftovers.callback(name.unlink, missing_ok=True)
        return name

    def rename_later(self, new: Path, path: Path) -> None:
        """Put a finished file at `path` together with the others."""
        self._new.append((new, path))

    def remove(self, path: Path) -> None:
        """Remove the file together with the others."""
        self._gone.append(path)

    def rename_all(self) -> None:
        """Let everything happen, one rename after the other."""
        for new, path in self._new:
            with _blaming(path):
                self._keep(path)
                new.replace(path)
        for path in self._gone:
            with _blaming(path):
                self._keep(path)
                path.unlink()
        for directory in {path.parent for path in (*(path for __, path in self._new), *self._gone)}:
            with _blaming(directory):
                disk.sync(directory)

    def _keep(self, path: Path) -> None:
        if not os.path.lexists(path):
            self._undo.callback(path.unlink, missing_ok=True)
            return
        # A second name keeps the old file whole, and its place is never empty.
        old = self.beside(path)
        os.link(path, old, follow_symlinks=False)
        self._undo.callback(old.replace, path)


def _ids(attributes: Attributes) -> tuple[int, int]:
    uid, gid = find_uid(attributes.owner), find_gid(attributes.group)
    if uid is None or gid is None:
        raise LookupError(f"no such owner or group: {attributes.owner}, {attributes.group}")
    return uid, gid


def write_new(path: Path, content: bytes, *, mode: int, ids: tuple[int, int] | None = None) -> None:
    """Write a file that must not exist yet; nobody else can open it before its owner and mode are set."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        if ids:
            os.fchown(descriptor, *ids)
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)
