# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What has been written on this host and not yet applied: a note for each action that will apply it.

A note is an empty file, named after the action (`reload-dovecot.service`). It is made before the first file is changed
and removed when the action has succeeded. A run that ends in between leaves it to the next one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from ansible_collections.ilnmors.mail.plugins.module_utils._files.disk import sync

DIRECTORY = Path("/var/lib/ilnmors-mail/pending")

# When each note was made, in nanoseconds since 1970, by its name.
Notes = Mapping[str, int]


class PendingError(Exception):
    """A note that cannot be made or removed; the message says why, and what to do."""


def read_names(names: Iterable[str]) -> list[str]:
    """Check names of actions; PendingError names the first that no file could have."""
    names = list(names)
    for name in names:
        if not re.fullmatch(r"[a-z][\w@.:-]*", name, re.ASCII):
            raise PendingError(
                f"pending: {name!r} names no action; write one such as 'reload-dovecot.service', "
                "of letters, digits and -_@.:"
            )
    return names


def choose(actions: Mapping[str, Sequence[str]], changed: Iterable[Path]) -> list[str]:
    """Return the actions that apply changed paths. actions: to each the patterns of its paths, or none for all."""
    paths = [str(path) for path in changed]
    return [
        name
        for name, patterns in actions.items()
        if any(fnmatchcase(path, pattern) for path in paths for pattern in patterns or ["*"])
    ]


def note(names: Sequence[str]) -> None:
    """Note actions, so that no power cut loses them. One that is there already is made anew."""
    if not names:
        return
    try:
        _make_directory(DIRECTORY)
        for name in names:
            path = DIRECTORY / name
            path.touch(mode=0o644)
            sync(path)
        sync(DIRECTORY)
    except OSError as error:
        raise PendingError(
            f"{DIRECTORY}: what has to be applied cannot be noted: {error.strerror}; nothing was changed"
        ) from error


def noted() -> dict[str, int]:
    """Return the notes on this host."""
    try:
        return {path.name: path.stat().st_mtime_ns for path in DIRECTORY.iterdir()}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise PendingError(f"{DIRECTORY} cannot be read: {error.strerror}") from error


def forget(names: Iterable[str], seen: Notes) -> None:
    """Remove notes of actions that have succeeded. Keep those that were made anew since they were seen."""
    for name in names:
        path = DIRECTORY / name
        try:
            if name in seen and path.stat().st_mtime_ns == seen[name]:
                path.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise PendingError(f"{path} cannot be removed: {error.strerror}") from error


def _make_directory(path: Path) -> None:
    """Make a directory that all may read, whatever the umask is."""
    if path.is_dir():
        return
    _make_directory(path.parent)
    path.mkdir()
    path.chmod(0o755)
    sync(path.parent)
