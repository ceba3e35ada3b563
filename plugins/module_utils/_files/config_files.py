# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Install a set of text files as one transaction.

The set is compared with the host (`plan_changes`), judged by the daemon's own checker (staged_check), and put in
place (`put_in_place`). A fault at any point leaves every file as it was.
"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.ilnmors.mail.plugins.module_utils._files.disk import left_beside
from ansible_collections.ilnmors.mail.plugins.module_utils._files.file_set import (
    Attributes,
    ConfigFilesError,
    Directory,
    FileSet,
    TextFile,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._files.file_transaction import transaction
from ansible_collections.ilnmors.mail.plugins.module_utils._files.user_ids import (
    find_gid,
    find_uid,
    group_name,
    user_name,
)


@dataclass(frozen=True)
class Change:
    """One path that differs from what is wanted.

    `reasons`: of "created", "removed", "content", "symlink", "owner", "group", "mode".
    `diff`: entries as Ansible's callbacks print them, with no content of a secret file.
    """

    path: Path
    reasons: tuple[str, ...]
    diff: tuple[dict[str, str], ...] = ()


@dataclass(frozen=True)
class Plan:
    """The changes that make a host as wanted."""

    files: dict[Path, Change]
    directories: dict[Path, Change]
    removed: dict[Path, Change]

    @property
    def changed(self) -> bool:
        """Whether anything is to be done."""
        return bool(self.files or self.directories or self.removed)

    @property
    def file_changes(self) -> list[Change]:
        """Written files first, then removed ones."""
        return [*self.files.values(), *self.removed.values()]

    @property
    def paths(self) -> list[Path]:
        """All that is made, changed or removed."""
        return [*self.directories, *self.files, *self.removed]

    @property
    def diff(self) -> list[dict[str, str]]:
        """What Ansible shows in diff mode."""
        return [entry for change in (*self.directories.values(), *self.file_changes) for entry in change.diff]


def plan_changes(file_set: FileSet) -> Plan:
    """Compare the set with the host. Owners that do not exist yet count as different."""
    wanted = {file.path for file in file_set.installed}
    return Plan(
        files={file.path: change for file in file_set.installed if (change := _file_change(file))},
        directories={
            directory.path: change
            for directory in sorted(file_set.directories, key=lambda directory: directory.path)
            if (change := _directory_change(directory))
        },
        removed={
            path: Change(path, ("removed",), (_diff_entry(path, "(file)\n", ""),))
            for path in _find_absent(file_set.absent) + _find_left_over(file_set)
            if path not in wanted
        },
    )


def _find_absent(patterns: Iterable[str]) -> list[Path]:
    # Path.glob would also find dot files, which a shell's pattern leaves alone.
    found = {Path(name) for pattern in patterns for name in glob.glob(pattern)}  # noqa: PTH207
    return sorted(path for path in found if path.is_symlink() or not path.is_dir())


def _find_left_over(file_set: FileSet) -> list[Path]:
    """List what a run that was cut off has left of the old or new files, with their secrets."""
    return left_beside([*(glob.escape(str(file.path)) for file in file_set.installed), *file_set.absent])


def _file_change(file: TextFile) -> Change | None:
    try:
        found = file.path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return Change(file.path, ("created",), _content_diff(file, "") + _attributes_diff(file, None))
    if stat.S_ISLNK(found.st_mode) and not file.path.is_dir():
        return Change(file.path, ("symlink",), (_diff_entry(file.path, "(symbolic link)\n", "(file)\n"),))
    if not stat.S_ISREG(found.st_mode):
        raise ConfigFilesError(f"files: {file.path} exists and is not a regular file; move it out of the way")
    before = file.path.read_bytes()
    content_differs = before != file.content.encode()
    reasons = _differing_attributes(found, file.attributes)
    diff: tuple[dict[str, str], ...] = ()
    if content_differs:
        diff += _content_diff(file, before.decode(errors="replace"))
    if reasons:
        diff += _attributes_diff(file, found)
    reasons = ("content", *reasons) if content_differs else reasons
    return Change(file.path, reasons, diff) if reasons else None


def _directory_change(directory: Directory) -> Change | None:
    try:
        found = directory.path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return Change(directory.path, ("created",), _attributes_diff(directory, None))
    if not stat.S_ISDIR(found.st_mode):
        raise ConfigFilesError(
            f"directories: {directory.path} exists and is not a directory; move it out of the way"
        )
    reasons = _differing_attributes(found, directory.attributes)
    return Change(directory.path, reasons, _attributes_diff(directory, found)) if reasons else None


def _differing_attributes(found: os.stat_result, wanted: Attributes) -> tuple[str, ...]:
    differs = {
        "owner": find_uid(wanted.owner) != found.st_uid,
        "group": find_gid(wanted.group) != found.st_gid,
        "mode": stat.S_IMODE(found.st_mode) != wanted.mode,
    }
    return tuple(name for name, value in differs.items() if value)


def _diff_entry(path: Path, before: str, after: str, what: str = "") -> dict[str, str]:
    header = f"{path}{what}"
    return {"before_header": header, "after_header": header, "before": before, "after": after}


def _content_diff(file: TextFile, before: str) -> tuple[dict[str, str], ...]:
    if not file.secret:
        return (_diff_entry(file.path, before, file.content),)
    return (_diff_entry(file.path, "(secret content)\n" if before else "", "(new secret content)\n"),)


def _attributes_diff(
    wanted: TextFile | Directory, found: os.stat_result | None
) -> tuple[dict[str, str], ...]:
    before = ""
    if found:
        before = str(
            Attributes(user_name(found.st_uid), group_name(found.st_gid), stat.S_IMODE(found.st_mode))
        )
    return (_diff_entry(wanted.path, before, str(wanted.attributes), " (attributes)"),)


def check_preconditions(file_set: FileSet, plan: Plan) -> None:
    """Refuse, before anything changes, what could not be put in place."""
    wanted = [("files", file.path, file.attributes) for file in file_set.installed if file.path in plan.files]
    wanted += [
        ("directories", directory.path, directory.attributes)
        for directory in file_set.directories
        if directory.path in plan.directories
    ]
    for option, path, attributes in wanted:
        if find_uid(attributes.owner) is None:
            raise ConfigFilesError(
                f"{option}: {path} is for user {attributes.owner!r}, who does not exist yet"
            )
        if find_gid(attributes.group) is None:
            raise ConfigFilesError(
                f"{option}: {path} is for group {attributes.group!r}, which does not exist yet"
            )
        if path.parent not in plan.directories and not path.parent.is_dir():
            raise ConfigFilesError(
                f"{option}: {path.parent}, where {path.name} is to be, is not a directory; list it in directories"
            )


def put_in_place(file_set: FileSet, plan: Plan) -> None:
    """Make the host as planned, or leave it as it was and raise ConfigFilesError."""
    with transaction() as change:
        for directory in sorted(file_set.directories, key=lambda directory: directory.path):
            if directory.path in plan.directories:
                change.ensure_directory(directory)
        for file in file_set.installed:
            if file.path in plan.files:
                change.write(file.path, file.content.encode(), file.attributes)
        for path in plan.removed:
            change.remove(path)
