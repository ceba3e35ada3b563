#!/usr/bin/python3 -I
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Remove indexes of texts that Dovecot must not use: check-index DIRECTORY VERSION.

Run before Dovecot starts. Dovecot makes an index that is missing again at the next search or delivery.

- All of them, where they were made by another version: what they call a word is not what is searched for. The version
  is kept in DIRECTORY/.index-version.
- One that lacks files, as a power cut or a full disk leaves it: Dovecot 2.4.1 may crash on it. It writes indexes
  without waiting for the disk.

Mail lies in DIRECTORY/DOMAIN/NAME/Maildir. Everything is done as the owner of DIRECTORY.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

INDEX = "fts-flatcurve"
DATABASES = ("index.*", "current.*")
NEEDED = ("iamglass", "postlist.glass")
"""What each of Xapian's databases has, and what is never empty in one that was written."""


def indexes(directory: Path) -> Iterator[Path]:
    """Find the indexes of all folders, without looking at messages."""
    for maildir in directory.glob("*/*/Maildir"):
        yield from maildir.glob(INDEX)
        yield from maildir.glob(f".*/{INDEX}")


def torn(index: Path) -> bool:
    """Say whether one of an index's databases lacks files."""
    databases = (database for pattern in DATABASES for database in index.glob(pattern))
    return any(not has(database / name) for database in databases for name in NEEDED)


def has(file: Path) -> bool:
    """Say whether a file is there, and not empty."""
    try:
        return file.stat().st_size > 0
    except FileNotFoundError:
        return False


def check(directory: Path, version: str) -> list[Path]:
    """Remove what must not be used, and return it."""
    known = directory / ".index-version"
    outdated = not has(known) or known.read_text().strip() != version
    removed = [index for index in indexes(directory) if outdated or torn(index)]
    for index in removed:
        shutil.rmtree(index)
    if outdated:
        # Last, so that an interrupted removal goes on at the next start.
        fresh = known.with_suffix(".new")
        fresh.write_text(f"{version}\n")
        fresh.replace(known)
    return removed


def become_owner(directory: Path) -> None:
    """Give up root's rights for those of a directory's owner."""
    owner = directory.stat()
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)


def main() -> None:
    """Do as the module says; the journal has what was removed."""
    directory = Path(sys.argv[1])
    try:
        become_owner(directory)
        removed = check(directory, sys.argv[2])
    except OSError as error:
        sys.exit(f"the indexes were not all looked at: {error.filename or directory}: {error.strerror}")
    for index in removed:
        print(f"{index}: removed, to be made anew")


if __name__ == "__main__":
    main()
