# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Copies all that a person has in the mail store: messages by hard links, everything else as files."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from .file_copy import copy_file, copy_tree, remove
from .folder_copy import ROUNDS, Change, Stamp, copy_folder, stamp_of
from .locks import BusyError, Folders, folder_locks
from .maildir import PARTS

MAILDIR = "Maildir"
# What Dovecot makes anew, what is of a moment, and what it keeps of what it deletes.
_INDEXES = ("dovecot.index", "dovecot.list.index", "dovecot.map.index", "fts-flatcurve", "xapian-indexes")


def is_left_out(name: str) -> bool:
    """Whether a file or directory of a person's is not backed up."""
    return name.startswith((*_INDEXES, "..DOVECOT-TRASHED")) or name.endswith((".lock", ".svbin", ".tmp"))


@dataclass
class PersonCopy:
    """What is known of a person's copy: the stamps of the folders, by their directories' names."""

    stamps: dict[str, Stamp] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> PersonCopy:
        """Read what the last backup left; what is missing or damaged says that everything may have changed."""
        try:
            return cls(
                {str(name): list(map(int, stamp)) for name, stamp in json.loads(path.read_bytes()).items()}
            )
        except (OSError, ValueError, TypeError, AttributeError):
            return cls()

    def write(self, path: Path) -> None:
        """Replace the file."""
        beside = path.with_name(f"{path.name}.new")
        beside.write_text(json.dumps(self.stamps))
        beside.replace(path)


def folders_of(maildir: Path) -> list[Path]:
    """Return the folders of a Maildir (Maildir++): itself, and the directories that begin with a dot."""
    found = [maildir] if (maildir / "cur").is_dir() else []
    try:
        with os.scandir(maildir) as entries:
            found += [
                Path(entry.path)
                for entry in entries
                if entry.name.startswith(".")
                and not is_left_out(entry.name)
                and entry.is_dir(follow_symlinks=False)
            ]
    except FileNotFoundError:
        return []
    return sorted(found)


def copy_person(live: Path, copy: Path, stamps: Path) -> Change:
    """Bring the copy of a person up to date.

    live, copy: the person's directories. stamps: the file of what is known of the copy.
    """
    known = PersonCopy.read(stamps)
    maildir, copied = live / MAILDIR, copy / MAILDIR
    done = Change()
    copy.mkdir(parents=True, exist_ok=True)
    if _changed(maildir, copied, known):
        # Most of it before anything is locked, so that it is locked for a moment alone.
        done += _copy_folders(maildir, copied, known, folders_of(maildir))
        done += _copy_locked(maildir, copied, known)
    else:
        # They change without any folder.
        _copy_beside(maildir, copied)
    stamps.parent.mkdir(parents=True, exist_ok=True)
    known.write(stamps)
    copy_tree(live, copy, lambda path: is_left_out(path.name) or path in (maildir,))
    return done


def _changed(maildir: Path, copied: Path, known: PersonCopy) -> bool:
    """Whether anything has changed in any folder.

    Looked at one after the other: a message that moves meanwhile changes the folder that it leaves, too.
    """
    folders = folders_of(maildir)
    if {folder.name for folder in folders} != known.stamps.keys():
        return True
    now = {folder.name: stamp_of(folder) for folder in folders}
    there = all((copied if folder == maildir else copied / folder.name).is_dir() for folder in folders)
    return not there or any(not stamp or stamp != known.stamps[name] for name, stamp in now.items())


def _copy_locked(maildir: Path, copied: Path, known: PersonCopy) -> Change:
    """Bring the copy up to date while nothing moves. Raises BusyError."""
    done = Change()
    for __ in range(ROUNDS):
        with folder_locks(lambda: _living(maildir)) as folders:
            done += _copy_folders(maildir, copied, known, list(folders.values()))
            # One that was made or renamed meanwhile has messages that the copy of no other has.
            if _living(maildir) != folders:
                continue
            names = {name for name, __ in folders}
            _remove_others(copied, names, maildir.name)
            known.stamps = {name: known.stamps.get(name, []) for name in names}
            _copy_beside(maildir, copied)
            return done
    raise BusyError(f"folders below {maildir} are made and renamed again and again")


def _living(maildir: Path) -> Folders:
    found: Folders = {}
    for folder in folders_of(maildir):
        with contextlib.suppress(FileNotFoundError):
            found[folder.name, folder.stat().st_ino] = folder
    return found


def _copy_folders(maildir: Path, copied: Path, known: PersonCopy, folders: list[Path]) -> Change:
    done = Change()
    for folder in folders:
        target = copied if folder == maildir else copied / folder.name
        stamp = stamp_of(folder)
        if stamp and stamp == known.stamps.get(folder.name) and target.is_dir():
            continue
        done += copy_folder(folder, target)
        # Last, for a message is named there before it has its file's last name.
        copy_tree(folder, target, lambda path, folder=folder: _is_elsewhere(path, folder))  # type: ignore[misc]
        known.stamps[folder.name] = stamp
    return done


def _is_elsewhere(path: Path, folder: Path) -> bool:
    """Whether a file of a folder is copied otherwise, or not at all: messages, and folders beside it."""
    return path.parent == folder and (
        path.name in (*PARTS, "tmp")
        or is_left_out(path.name)
        or (path.name.startswith(".") and path.is_dir())
    )


def _copy_beside(maildir: Path, copied: Path) -> None:
    """Copy what the whole of a Maildir has, such as the subscriptions, while nothing enters a folder."""
    if not maildir.is_dir():
        return
    copied.mkdir(parents=True, exist_ok=True)
    for name in ("subscriptions",):
        if (maildir / name).exists():
            copy_file(maildir / name, copied / name)


def _remove_others(copied: Path, names: set[str], root: str) -> None:
    """Remove folders that are no longer there."""
    for folder in folders_of(copied):
        if folder == copied and root not in names:
            remove(copied)
        elif folder != copied and folder.name not in names:
            remove(folder)
