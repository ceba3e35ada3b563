# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Postfix lookup tables as they are asked for (postmap(1), DATABASE_README)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils._files.file_set import ConfigFilesError, read_path
from ansible_collections.ilnmors.mail.plugins.module_utils._formats.addresses import has_control_characters

HEADER = "# Managed by Ansible: the next run overwrites what is changed here.\n"


# The types that postmap compiles into one file, and what it appends to the table's name.
SUFFIXES = {"btree": ".db", "cdb": ".cdb", "hash": ".db", "lmdb": ".lmdb"}


class PostfixMapError(Exception):
    """A lookup table that was refused or not compiled; the message says which, why, and what to do."""


@dataclass(frozen=True)
class LookupTable:
    """One table: the path of its source file, and all its entries."""

    path: Path
    entries: Mapping[str, str] = field(repr=False)
    secret: bool

    @property
    def mode(self) -> int:
        """Permission bits of the source and of the compiled file."""
        return 0o600 if self.secret else 0o644

    @property
    def text(self) -> str:
        """The source file."""
        return HEADER + "".join(f"{key}\t{value}\n" for key, value in self.entries.items())

    def compiled(self, map_type: str) -> Path:
        """Where postmap puts the compiled form."""
        return Path(f"{self.path}{SUFFIXES[map_type]}")


def read_tables(maps: Iterable[Mapping[str, Any]]) -> list[LookupTable]:
    """Check the module's tables; PostfixMapError names the map and key of the first fault."""
    tables = [_read_table(entry) for entry in maps]
    seen: set[Path] = set()
    for table in tables:
        if table.path in seen:
            raise PostfixMapError(f"maps: path '{table.path}' is listed twice; put its entries into one map")
        seen.add(table.path)
    return tables


def read_directory(text: str | None, tables: Iterable[LookupTable]) -> Path | None:
    """Check the directory that holds these tables and no other files; PostfixMapError says why it cannot be that."""
    if text is None:
        return None
    try:
        directory = read_path("directory", text)
    except ConfigFilesError as error:
        raise PostfixMapError(str(error)) from error
    for table in tables:
        if table.path.parent != directory:
            raise PostfixMapError(
                f"maps: {table.path} does not lie in {directory}; move it there, or leave the option directory out"
            )
    if os.path.lexists(directory / "main.cf"):
        raise PostfixMapError(
            f"directory: {directory} holds Postfix's own configuration; give the tables a directory of their own,"
            f" such as {directory}/maps"
        )
    return directory


def hide_entries(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters as they may be shown: without entries."""
    return {**params, "maps": [{**entry, "entries": "(not shown)"} for entry in params["maps"]]}


def _read_table(entry: Mapping[str, Any]) -> LookupTable:
    try:
        path = read_path("maps", entry["path"])
    except ConfigFilesError as error:
        raise PostfixMapError(str(error)) from error
    folded: dict[str, str] = {}
    for key, value in entry["entries"].items():
        _check_key(path, key)
        _check_value(path, key, value)
        if other := folded.get(key.casefold()):
            raise PostfixMapError(
                f"maps: {path} has the keys {other!r} and {key!r}, which are one to Postfix; leave one of the two out"
            )
        folded[key.casefold()] = key
    return LookupTable(path, entry["entries"], entry["secret"])


def _check_key(path: Path, key: str) -> None:
    if not key:
        raise PostfixMapError(f"maps: {path} has an empty key; write what Postfix is to look up")
    if key.startswith("#"):
        raise PostfixMapError(
            f"maps: {path} has the key {key!r}, which would be a comment; begin it otherwise"
        )
    if any(character.isspace() for character in key) or has_control_characters(key):
        raise PostfixMapError(
            f"maps: {path} has the key {key!r}; leave out white space, line breaks and control characters"
        )


def _check_value(path: Path, key: str, value: object) -> None:
    if not isinstance(value, str):
        raise PostfixMapError(f"maps: {path}: the value of {key!r} is not a string; put it in quotes")
    if not value.strip(" "):
        raise PostfixMapError(f"maps: {path}: the value of {key!r} is empty; write one, or leave the key out")
    if value != value.strip(" "):
        raise PostfixMapError(
            f"maps: {path}: the value of {key!r} begins or ends with a space, which Postfix would drop; leave it out"
        )
    if has_control_characters(value):
        raise PostfixMapError(
            f"maps: {path}: the value of {key!r} has a line break or a control character; leave it out"
        )
