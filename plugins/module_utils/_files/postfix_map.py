# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keep Postfix lookup tables and their compiled form: postmap(1), DATABASE_README.

A table is compiled in a private directory beside its place, read back, and put in place together with its source.
After a crash between the two renames the next run finds that they disagree, and compiles again.
"""

from __future__ import annotations

import os
import stat
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils._files.disk import sync
from ansible_collections.ilnmors.mail.plugins.module_utils._files.file_set import (
    Attributes,
    ConfigFilesError,
    TextFile,
    read_path,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._files.file_transaction import transaction
from ansible_collections.ilnmors.mail.plugins.module_utils._files.redact import hide_secrets
from ansible_collections.ilnmors.mail.plugins.module_utils._files.staged_check import find_program
from ansible_collections.ilnmors.mail.plugins.module_utils._formats.addresses import has_control_characters

HEADER = "# Managed by Ansible: the next run overwrites what is changed here.\n"
STAGING = ".postfix_map-"
"""How the names of directories begin in which tables are compiled."""
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


@dataclass(frozen=True)
class Change:
    """What differs for one table.

    `reasons`: of "created", "content", "owner", "group", "mode", "compiled" (the compiled form is missing or
    disagrees with the entries) and "stale" (a compiled form of another type lies beside it).
    `diff`: entries as Ansible's callbacks print them, with no value of a secret table.
    """

    table: LookupTable
    reasons: tuple[str, ...]
    stale: tuple[Path, ...]
    diff: tuple[dict[str, str], ...]

    @property
    def compiles(self) -> bool:
        """Whether the table has to be written and compiled."""
        return self.reasons != ("stale",)


# --- what is asked for


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


# --- Postfix's own tools


def choose_type(wanted: str | None) -> str | None:
    """Give the wanted map type or this Postfix's default one; None where Postfix is not installed."""
    if find_program("postmap") is None:
        return None
    map_type = wanted or _output(["postconf", "-h", "default_database_type"]).strip()
    if map_type not in SUFFIXES:
        raise PostfixMapError(
            f"type: postmap makes no compiled file of type {map_type!r}; choose one of {', '.join(SUFFIXES)}"
        )
    known = [name for name in _output(["postconf", "-m"]).split() if name in SUFFIXES]
    if map_type not in known:
        raise PostfixMapError(
            f"type: this Postfix has no tables of type {map_type!r};"
            f" install the package postfix-{map_type}, or choose one of {', '.join(known)}"
        )
    return map_type


def require_postfix() -> None:
    """Refuse a host that cannot compile."""
    if find_program("postmap") is None:
        raise PostfixMapError("postmap was not found on this host; install Postfix first")


def read_compiled(map_type: str, source: Path) -> dict[str, str]:
    """Dump the compiled form of a source file: folded keys and values. PostfixMapError has postmap's words."""
    lines = _output(["postmap", "-s", f"{map_type}:{source}"]).split("\n")[:-1]
    pairs = (line.partition("\t") for line in lines)
    return {key.casefold(): value for key, _, value in pairs}


def _output(argv: Sequence[str]) -> str:
    done = _run(argv)
    if done.returncode:
        raise PostfixMapError(f"'{' '.join(argv)}' failed: {_complaint(done)}")
    return done.stdout


def _run(argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [find_program(argv[0]) or argv[0], *argv[1:]],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        check=False,
    )


def _complaint(done: subprocess.CompletedProcess[str]) -> str:
    # Surrogates stand for bytes that are not UTF-8; Ansible's result is UTF-8.
    return done.stderr.strip().encode(errors="replace").decode() or f"exit code {done.returncode}"


# --- what differs


def plan_change(table: LookupTable, map_type: str | None) -> Change | None:
    """Compare a table with the host; without Postfix (`map_type` None) with the source file alone."""
    before = _read_source(table.path)
    compiled = table.compiled(map_type) if map_type else None
    reasons: list[str] = []
    if before != table.text:
        reasons.append("created" if before is None else "content")
    reasons += _differing_attributes(table, compiled)
    diff = _source_diff(table, before) if reasons else ()
    if compiled is None or not _agrees(table, map_type, compiled):
        reasons.append("compiled")
    stale = tuple(path for path in _compiled_forms(table.path) if map_type and path != compiled)
    if stale:
        reasons.append("stale")
        diff += tuple(_diff_entry(path, "(compiled)\n", "") for path in stale)
    if "compiled" in reasons and compiled:
        diff += (_diff_entry(compiled, "", "(compiled anew)\n"),)
    return Change(table, tuple(reasons), stale, diff) if reasons else None


def find_unlisted(directory: Path | None, tables: Iterable[LookupTable]) -> list[Path]:
    """List what lies in the directory and belongs to no table; directories in it are left alone.

    Compiled forms of another type than is wanted belong to their table, whose change has them as stale.
    """
    if directory is None or not directory.is_dir():
        return []
    listed = {table.path for table in tables}
    listed |= {Path(f"{path}{suffix}") for path in listed for suffix in SUFFIXES.values()}
    found = (path for path in directory.iterdir() if path.is_symlink() or not path.is_dir())
    return sorted(path for path in found if path not in listed)


def find_left_over(tables: Iterable[LookupTable]) -> list[Path]:
    """List where runs that were cut off have compiled tables. Only for who is alone on this host."""
    directories = {table.path.parent for table in tables}
    return sorted(path for directory in directories for path in directory.glob(f"{STAGING}*"))


def removal_diff(path: Path) -> dict[str, str]:
    """Say that a file is removed, as Ansible's callbacks print it, without its content."""
    return _diff_entry(path, "(file)\n", "")


def _read_source(path: Path) -> str | None:
    if not os.path.lexists(path):
        return None
    if path.is_symlink() or not path.is_file():
        raise PostfixMapError(f"maps: {path} exists and is not a regular file; move it out of the way")
    return path.read_bytes().decode(errors="replace")


def _compiled_forms(path: Path) -> list[Path]:
    forms = (Path(f"{path}{suffix}") for suffix in sorted(set(SUFFIXES.values())))
    return [form for form in forms if os.path.lexists(form)]


def _differing_attributes(table: LookupTable, compiled: Path | None) -> list[str]:
    found = [path.stat() for path in (table.path, compiled) if path and path.exists()]
    differs = {
        "owner": any(status.st_uid != 0 for status in found),
        "group": any(status.st_gid != 0 for status in found),
        "mode": any(stat.S_IMODE(status.st_mode) != table.mode for status in found),
    }
    return [name for name, value in differs.items() if value]


def _agrees(table: LookupTable, map_type: str | None, compiled: Path) -> bool:
    if map_type is None or not compiled.is_file():
        return False
    try:
        found = read_compiled(map_type, table.path)
    except PostfixMapError:
        return False  # damaged, or of another type with the same suffix: compiled anew
    return found == _folded(table.entries)


def _folded(entries: Mapping[str, str]) -> dict[str, str]:
    """Fold keys as postmap does without -f."""
    return {key.casefold(): value for key, value in entries.items()}


def _diff_entry(path: Path, before: str, after: str) -> dict[str, str]:
    return {"before_header": str(path), "after_header": str(path), "before": before, "after": after}


def _source_diff(table: LookupTable, before: str | None) -> tuple[dict[str, str], ...]:
    if not table.secret:
        return (_diff_entry(table.path, before or "", table.text),)
    old = _read_entries(before or "")
    before_lines = "".join(f"{key} (secret value)\n" for key in old)
    after_lines = "".join(
        f"{key} ({'secret value' if old.get(key) == value else 'new secret value'})\n"
        for key, value in table.entries.items()
    )
    return (_diff_entry(table.path, before_lines, after_lines),)


def _read_entries(text: str) -> dict[str, str]:
    """Read the entries of a source file, leaving out whatever could be part of a value."""
    pairs = (line.split(None, 1) for line in text.split("\n") if not line[:1].isspace() and line[:1] != "#")
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


# --- putting it in place


def put_in_place(changes: Iterable[Change], unlisted: Iterable[Path], map_type: str) -> None:
    """Compile and replace all tables and remove what is not listed together, or leave every file as it was."""
    with ExitStack() as staging, transaction() as replace:
        for change in changes:
            table = change.table
            if change.compiles:
                try:
                    directory = tempfile.TemporaryDirectory(prefix=STAGING, dir=table.path.parent)
                    source, compiled = _compile(table, map_type, Path(staging.enter_context(directory)))
                except OSError as error:
                    raise PostfixMapError(
                        f"maps: {table.path} could not be written into {table.path.parent}: {error.strerror}"
                    ) from error
                replace.rename_later(compiled, table.compiled(map_type))
                replace.rename_later(source, table.path)
            for path in change.stale:
                replace.remove(path)
        for path in unlisted:
            replace.remove(path)


def check_compiled(changes: Iterable[Change], map_type: str, parent: Path) -> None:
    """Compile the tables that would be written, in a private directory below `parent`, and read them back."""
    for change in changes:
        if change.compiles:
            with tempfile.TemporaryDirectory(prefix="postfix_map-", dir=parent) as directory:
                _compile(change.table, map_type, Path(directory))


def _compile(table: LookupTable, map_type: str, directory: Path) -> tuple[Path, Path]:
    """Make source and compiled file in a private directory, and read the compiled one back."""
    source = directory / table.path.name
    compiled = directory / table.compiled(map_type).name
    source.write_bytes(table.text.encode())
    done = _run(["postmap", f"{map_type}:{source}"])
    if done.returncode:
        raise PostfixMapError(
            f"maps: {table.path} could not be compiled: {_shown_complaint(table, done, directory)}"
        )
    try:
        found = read_compiled(map_type, source)
    except PostfixMapError as error:
        reason = str(error).replace(str(directory), str(table.path.parent))
        raise PostfixMapError(
            f"maps: {table.path} could not be read back, choose another type: {reason}"
        ) from error
    if found != _folded(table.entries):
        raise PostfixMapError(
            f"maps: postmap reads other entries from {table.path} than are listed:"
            f" {_shown_complaint(table, done, directory)}; look for a quotation mark without its pair in a key"
        )
    for path in (source, compiled):
        os.chown(path, 0, 0)
        path.chmod(table.mode)
        sync(path)
    return source, compiled


def _shown_complaint(table: LookupTable, done: subprocess.CompletedProcess[str], directory: Path) -> str:
    text = _complaint(done).replace(str(directory), str(table.path.parent))
    if not table.secret:
        return text
    keys, values = "\n".join(table.entries), "\n".join(table.entries.values())
    attributes = Attributes("root", "root", table.mode)
    return hide_secrets(
        text,
        [
            TextFile(table.path, values, attributes, secret=True, stage_only=False),
            TextFile(table.path, keys, attributes, secret=False, stage_only=False),
        ],
    )
