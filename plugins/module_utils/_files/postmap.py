# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Compile lookup tables with Postfix's own programs, and read them back: postmap(1), postconf(1)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from ansible_collections.ilnmors.mail.plugins.module_utils._files.disk import sync
from ansible_collections.ilnmors.mail.plugins.module_utils._files.file_set import Attributes, TextFile
from ansible_collections.ilnmors.mail.plugins.module_utils._files.lookup_tables import (
    SUFFIXES,
    LookupTable,
    PostfixMapError,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._files.redact import hide_secrets
from ansible_collections.ilnmors.mail.plugins.module_utils._files.staged_check import find_program


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
    return {key.casefold(): value for key, __, value in pairs}


def _output(argv: Sequence[str]) -> str:
    done = _run(argv)
    if done.returncode:
        raise PostfixMapError(f"'{' '.join(argv)}' failed: {_complaint(done)}")
    return done.stdout


def _run(argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # pylint: disable=ansible-bad-function
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


def folded(entries: Mapping[str, str]) -> dict[str, str]:
    """Fold keys as postmap does without -f."""
    return {key.casefold(): value for key, value in entries.items()}


def compile_table(table: LookupTable, map_type: str, directory: Path) -> tuple[Path, Path]:
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
    if found != folded(table.entries):
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
