# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keeps the mail of the last days where its owners find it: in folders of Dovecot's namespace Backup, a day each.

They are hard links in directories of root's, which Dovecot, as the owner of the mail, can read alone: so it refuses
every change. Nothing is left for it to write either: each message is in `cur`, and has a UID in the list of its folder.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import uuid
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

from .config import Config
from .file_copy import remove
from .folder_copy import list_messages_at_rest
from .maildir import KEYWORDS, PARTS, UIDLIST, frozen_uid_list
from .manifest import INBOX, people_of
from .person_copy import MAILDIR, folders_of

Say = Callable[[str], None]

LOCKABLE = 0o1770
"""Dovecot locks a folder to read it, by a file that it adds and removes; what is root's stays (the sticky bit)."""
LOCKS = ".locks"
"""Where Dovecot locks a person's list of folders, before it refuses to change it (the role dovecot_imap)."""
SUBSCRIPTIONS = "subscriptions"
_SUBSCRIPTIONS = b"V\t2\n\n"
"""How a list of subscriptions begins that parts the names of folders by tabs, as Dovecot has written it since 2.3."""
_DAY = re.compile(r"\.(\d{4}-\d\d-\d\d)(\.|$)")


def keep_days(config: Config, today: date, now: int, say: Say) -> None:
    """Make folders of today out of the copy of the mail, and remove those of days that are over.

    The first copy of a day stays as it is. now: seconds since 1970. Raises OSError.
    """
    if not config.yesterday_days or not config.mail_directory.is_dir():
        remove(config.yesterday)
        return
    scratch = config.yesterday / ".scratch"
    remove(scratch)
    owner = config.mail_directory.stat()
    _make(config.yesterday, owner.st_gid)
    locks = config.yesterday / LOCKS
    locks.mkdir(exist_ok=True, mode=0o700)
    os.chown(locks, owner.st_uid, owner.st_gid)
    kept = {str(today - timedelta(days)) for days in range(config.yesterday_days)}
    for person in people_of(config.yesterday):
        _remove_days(config.yesterday / person, kept, scratch)
    for person in people_of(config.mail_copy):
        _keep_person(config.mail_copy / person, config.yesterday / person, str(today), now, scratch, say)
    remove(scratch)


def _keep_person(copy: Path, kept: Path, day: str, now: int, scratch: Path, say: Say) -> None:
    mark = kept / f".{day}.{INBOX}"
    if mark.is_dir() or not (copy / MAILDIR).is_dir():
        return
    owner = copy.stat()
    # What an interrupted run has put there is of another moment.
    _remove_days(kept, _days_of(kept) - {day}, scratch)
    for directory in (kept.parent, kept):
        _make(directory, owner.st_gid)
    made = scratch / day
    _keep_folder(copy / MAILDIR, made, now, owner)
    for folder in folders_of(copy / MAILDIR):
        if folder.name in (MAILDIR, f".{INBOX}"):
            continue
        target = scratch / folder.name
        try:
            _keep_folder(folder, target, now, owner)
            target.rename(kept / f".{day}{folder.name}")
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            say(f"{kept.name}: the name of the folder {folder.name[1:]} is too long for {day}")
            remove(target)
    _subscribe(kept, copy / MAILDIR, day, owner.st_gid)
    # Last: it says that all are there.
    made.rename(mark)


def _keep_folder(copy: Path, target: Path, now: int, owner: os.stat_result) -> None:
    """Make a folder that Dovecot reads and has nothing to write in."""
    _make(target, owner.st_gid, LOCKABLE)
    for part in (*PARTS, "tmp"):
        _make(target / part, owner.st_gid)
    messages = list_messages_at_rest(copy)
    for part, name in messages.values():
        os.link(f"{copy}/{part}/{name}", f"{target}/cur/{name if ':' in name else f'{name}:2,'}")
    known = (copy / UIDLIST).read_bytes() if (copy / UIDLIST).is_file() else b""
    # A folder of its own, as clients see it: they have nothing of it yet.
    _write(
        target / UIDLIST, frozen_uid_list(known, messages, now, uuid.uuid4().hex), owner.st_gid, owner.st_uid
    )
    if (copy / KEYWORDS).is_file():
        _write(target / KEYWORDS, (copy / KEYWORDS).read_bytes(), owner.st_gid)


def _subscribe(kept: Path, maildir: Path, day: str, group: int) -> None:
    """Let clients show what the person has subscribed to: many show nothing else."""
    try:
        live = (maildir / SUBSCRIPTIONS).read_bytes()
    except FileNotFoundError:
        live = b""
    names = live.removeprefix(_SUBSCRIPTIONS).splitlines() if live.startswith(_SUBSCRIPTIONS) else []
    today = [day.encode() + b"\t" + name for name in dict.fromkeys([INBOX.encode(), *names])]
    _write(kept / SUBSCRIPTIONS, _listed([*_subscribed(kept), *today]), group)


def _subscribed(kept: Path) -> Iterator[bytes]:
    """Yield the subscriptions of the days that are there."""
    if (kept / SUBSCRIPTIONS).is_file():
        days = _days_of(kept)
        for line in (kept / SUBSCRIPTIONS).read_bytes().removeprefix(_SUBSCRIPTIONS).splitlines():
            if line.partition(b"\t")[0].decode() in days:
                yield line


def _listed(names: list[bytes]) -> bytes:
    return _SUBSCRIPTIONS + b"".join(name + b"\n" for name in names)


def _days_of(kept: Path) -> set[str]:
    names = os.listdir(kept) if kept.is_dir() else []  # noqa: PTH208 - names alone
    return {found[1] for found in map(_DAY.match, names) if found}


def _remove_days(kept: Path, stay: set[str], scratch: Path) -> None:
    """Remove the folders of a person's other days, each at once for who looks at it."""
    if not (_days_of(kept) - stay):
        return
    gone = scratch / "gone"
    gone.mkdir(parents=True, exist_ok=True)
    for path in list(kept.iterdir()):
        found = _DAY.match(path.name)
        if found and found[1] not in stay:
            path.rename(gone / path.name)
    remove(gone)
    if not _days_of(kept):
        remove(kept)
        with contextlib.suppress(OSError):
            # The last one of a domain.
            kept.parent.rmdir()
        return
    group = kept.stat().st_gid
    _write(kept / SUBSCRIPTIONS, _listed(list(_subscribed(kept))), group)


def _make(directory: Path, group: int, mode: int = 0o750) -> None:
    """Make a directory that the owner of the mail can read, and cannot change."""
    directory.mkdir(parents=True, exist_ok=True)
    os.chown(directory, os.geteuid(), group)
    directory.chmod(mode)


def _write(path: Path, content: bytes, group: int, user: int = -1) -> None:
    beside = path.with_name(f".{path.name}.new")
    beside.write_bytes(content)
    os.chown(beside, user, group)
    beside.chmod(0o640)
    beside.replace(path)
