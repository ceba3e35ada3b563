# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A set of text files and directories as it is asked for."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class ConfigFilesError(Exception):
    """A set of files that was not put in place; the message says which file or command, and what to do."""


@dataclass(frozen=True)
class Attributes:
    """Owner and group, each a name or a number in decimal, and permission bits."""

    owner: str
    group: str
    mode: int

    def __str__(self) -> str:
        return f"owner: {self.owner}\ngroup: {self.group}\nmode: {self.mode:04o}\n"


@dataclass(frozen=True)
class TextFile:
    """One wanted file.

    `stage_only` files exist in the staging tree alone, for the checker. `option`: the variable that a user would have
    to correct, if there is a single one.
    """

    path: Path
    content: str = field(repr=False)
    attributes: Attributes
    secret: bool
    stage_only: bool
    option: str | None = None


@dataclass(frozen=True)
class Directory:
    """One wanted directory."""

    path: Path
    attributes: Attributes


@dataclass(frozen=True)
class FileSet:
    """Everything one call is asked for."""

    files: tuple[TextFile, ...]
    directories: tuple[Directory, ...]
    absent: tuple[str, ...]
    checkers: tuple[tuple[str, ...], ...]
    strict: bool

    @property
    def installed(self) -> list[TextFile]:
        """The files that have a place on the host."""
        return [file for file in self.files if not file.stage_only]


def read_file_set(params: Mapping[str, Any]) -> FileSet:
    """Check the module's parameters; ConfigFilesError names the first that is wrong."""
    file_set = FileSet(
        files=tuple(_read_file(entry) for entry in params["files"]),
        directories=tuple(
            Directory(read_path("directories", entry["path"]), _read_attributes("directories", entry))
            for entry in params["directories"]
        ),
        absent=tuple(_read_pattern(pattern) for pattern in params["absent"]),
        checkers=tuple(tuple(map(str, argv)) for argv in params["validate"]),
        strict=params["validate_strict"],
    )
    _refuse_duplicates("files", (file.path for file in file_set.files))
    _refuse_duplicates("directories", (directory.path for directory in file_set.directories))
    if not all(file_set.checkers):
        raise ConfigFilesError("validate: a command is empty; write it as a list such as [nginx, -t]")
    return file_set


def hide_contents(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters as they may be shown: without contents."""
    return {**params, "files": [{**entry, "content": "(not shown)"} for entry in params["files"]]}


def read_path(option: str, text: str) -> Path:
    """Return the path if this is its only spelling, so that two entries can be compared."""
    path = Path(text)
    if not path.is_absolute():
        raise ConfigFilesError(f"{option}: path {text!r} is not absolute; write it from / on")
    if str(path) != text or text.startswith("//") or ".." in path.parts or not text.isprintable():
        raise ConfigFilesError(
            f"{option}: path {text!r} is not in its plain form; leave out '..', '.', doubled and trailing slashes"
        )
    return path


def _read_file(entry: Mapping[str, Any]) -> TextFile:
    path = read_path("files", entry["path"])
    attributes = _read_attributes("files", entry)
    if entry["secret"] and attributes.mode & 0o007:
        raise ConfigFilesError(
            f"files: {path} is secret, but its mode {attributes.mode:04o} lets others use it;"
            " write '0600', or '0640' with the group that needs it"
        )
    content = entry["content"]
    if content and not content.endswith("\n"):
        content += "\n"
    return TextFile(path, content, attributes, entry["secret"], entry["stage_only"], entry.get("option"))


def _read_attributes(option: str, entry: Mapping[str, Any]) -> Attributes:
    mode = entry["mode"]
    # An unquoted 0644 reaches a module as the decimal number 420: only a string says what was written.
    if not isinstance(mode, str) or not re.fullmatch(r"[0-7]{4}", mode):
        raise ConfigFilesError(
            f"{option}: {entry['path']} has mode {mode!r}; write four octal digits in quotes, such as '0644'"
        )
    return Attributes(entry["owner"], entry["group"], int(mode, 8))


def _read_pattern(pattern: str) -> str:
    fixed = pattern.split("/")[:-1]
    if not pattern.startswith("/") or ".." in fixed:
        raise ConfigFilesError(
            f"absent: pattern {pattern!r} is not absolute; write it from / on, without '..'"
        )
    if any(glob.has_magic(part) for part in fixed[:3]) or len([part for part in fixed[:3] if part]) < 2:
        raise ConfigFilesError(
            f"absent: pattern {pattern!r} reaches too far; begin it with two fixed directories,"
            " such as /etc/postfix/*.cf"
        )
    return pattern


def _refuse_duplicates(option: str, paths: Iterable[Path]) -> None:
    seen: set[Path] = set()
    for path in paths:
        if path in seen:
            raise ConfigFilesError(f"{option}: path '{path}' is listed twice; leave one of the two out")
        seen.add(path)
