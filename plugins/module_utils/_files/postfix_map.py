# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keep Postfix lookup tables and their compiled form: postmap(1), DATABASE_README.

A table is compiled in a private directory beside its place, read back, and put in place together with its source.
After a crash between the two renames the next run finds that they disagree, and compiles again.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.ilnmors.mail.plugins.module_utils._files.file_transaction import transaction
from ansible_collections.ilnmors.mail.plugins.module_utils._files.lookup_tables import (
    SUFFIXES,
    LookupTable,
    PostfixMapError,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._files.postmap import (
    compile_table,
    folded,
    read_compiled,
)

STAGING = ".postfix_map-"
"""How the names of directories begin in which tables are compiled."""


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
    return found == folded(table.entries)


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


def put_in_place(changes: Iterable[Change], unlisted: Iterable[Path], map_type: str) -> None:
    """Compile and replace all tables and remove what is not listed together, or leave every file as it was."""
    with ExitStack() as staging, transaction() as replace:
        for change in changes:
            table = change.table
            if change.compiles:
                try:
                    directory = tempfile.TemporaryDirectory(prefix=STAGING, dir=table.path.parent)
                    source, compiled = compile_table(table, map_type, Path(staging.enter_context(directory)))
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
                compile_table(change.table, map_type, Path(directory))
