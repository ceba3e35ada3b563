# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restores a person's mail: into a folder beside what is there, or as the whole mailbox of a person who comes back."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from .asked import RefusedError, directory_of, find_person, find_snapshot, has_messages, read_about
from .config import Config
from .file_copy import remove
from .folder_copy import list_messages_at_rest
from .maildir import KEYWORDS, PARTS, UIDLIST, raised_next_uid
from .owners import Owners, give_to, make_users
from .person_copy import MAILDIR, folders_of
from .restic import Restic, Snapshot

Say = Callable[[str], None]
INBOX = "INBOX"
RESERVED_UIDS = 100_000
"""By how much the next UID of each folder is raised: clients may have seen so many messages after the backup."""


def restored_name(snapshot: Snapshot) -> str:
    """Return the name of the folder that a snapshot is restored into: without a dot, which would part folders."""
    return f"Restored {snapshot.time[:16].replace('T', ' ').replace(':', '')}"


def restore_person(
    config: Config, restic: Restic, host: str, wanted: str, address: str, folder: str, say: Say
) -> None:
    """Restore a person, or one folder of a person (with the folders in it)."""
    snapshot = find_snapshot(restic, host, wanted)
    about = read_about(config, restic, snapshot)
    person = find_person(about, address)
    scratch = config.beside / "restoring-person"
    remove(scratch)
    restic.restore(snapshot.id, scratch, [f"{about.mail_copy}/{person}"])
    home = scratch / about.mail_copy.lstrip("/") / person
    live = config.mail_directory / person
    try:
        if has_messages(live) or folder:
            if not (live / MAILDIR).is_dir():
                raise RefusedError(
                    f"{address} has no mailbox here; leave out the folder to restore all of it"
                )
            put_beside(home, live, snapshot, folder)
            say(f"restored into the folder {restored_name(snapshot)!r}")
            _tell_dovecot(person, restored_name(snapshot))
        else:
            make_users(about)
            Owners(about).give_back(home)
            put_home(home, live)
            say("restored the whole mailbox, with its UIDs")
    finally:
        remove(scratch)


def put_home(home: Path, live: Path) -> None:
    """Put a restored home in the place of one without mail. All mail of a person has one owner."""
    owner = home.stat()
    give_to(home, owner.st_uid, owner.st_gid)
    for folder in folders_of(home / MAILDIR):
        path = folder / UIDLIST
        if path.is_file():
            path.write_bytes(raised_next_uid(path.read_bytes(), RESERVED_UIDS))
        for part in ("cur", "new", "tmp"):
            if not (folder / part).is_dir():
                make_like(folder / part, folder)
    if not live.parent.is_dir():
        live.parent.mkdir(parents=True)
        state = home.stat()
        os.chown(live.parent, state.st_uid, state.st_gid)
        live.parent.chmod(0o700)
    remove(live)
    home.rename(live)


def make_like(path: Path, other: Path) -> None:
    """Make a directory for the owner of another one."""
    path.mkdir(mode=0o700)
    state = other.stat()
    os.chown(path, state.st_uid, state.st_gid)


def put_beside(home: Path, live: Path, snapshot: Snapshot, folder: str = "") -> None:
    """Put restored folders into one new folder of a living mailbox."""
    top = f".{restored_name(snapshot)}"
    maildir = live / MAILDIR
    if (maildir / top).exists():
        raise RefusedError(
            f"the folder {top[1:]!r} is there already; take out of it what is needed, and delete it before"
        )
    owner = maildir.stat()
    chosen = _chosen(home / MAILDIR, folder)
    for name, source in sorted(chosen.items(), reverse=True):
        _ready(source)
        give_to(source, owner.st_uid, owner.st_gid)
        target = maildir / f"{top}.{name}"
        # One that an interrupted restore has put there is complete.
        if not target.exists():
            source.rename(target)
    # Last: it says that all are there.
    empty = home / "top"
    for part in (*PARTS, "tmp"):
        (empty / part).mkdir(parents=True, mode=0o700)
    empty.chmod(0o700)
    give_to(empty, owner.st_uid, owner.st_gid)
    empty.rename(maildir / top)


def _chosen(maildir: Path, folder: str) -> dict[str, Path]:
    """Return the folders to restore, by the names of their directories without the first dot."""
    inbox = maildir.parent / INBOX
    inbox.mkdir(exist_ok=True)
    for name in (*PARTS, KEYWORDS):
        if (maildir / name).exists():
            (maildir / name).rename(inbox / name)
    found = {INBOX: inbox}
    found |= {path.name[1:]: path for path in folders_of(maildir) if path != maildir}
    if not folder:
        # Without those that have nothing to restore.
        return {name: path for name, path in found.items() if list_messages_at_rest(path)}
    wanted = INBOX if folder.upper() == INBOX else directory_of(folder)
    chosen = {name: path for name, path in found.items() if name == wanted or name.startswith(f"{wanted}.")}
    if not chosen:
        names = [name if name == INBOX else f".{name}" for name in found]
        raise RefusedError(
            f"the snapshot has no folder {folder!r} of this person, but {', '.join(sorted(names))}"
        )
    return chosen


def _ready(source: Path) -> None:
    """Leave of a folder what a new one may have: messages and the names of keywords. Dovecot gives new UIDs."""
    for path in list(source.iterdir()):
        if path.name not in (*PARTS, KEYWORDS, "maildirfolder"):
            remove(path)
    for part in (*PARTS, "tmp"):
        (source / part).mkdir(exist_ok=True, mode=0o700)
    source.chmod(0o700)


def _tell_dovecot(person: str, folder: str) -> None:
    """Subscribe to the folders, so that every client shows them. Without Dovecot, they are only there."""
    if not shutil.which("doveadm"):
        return
    domain, __, name = person.partition("/")
    user = f"{name}@{domain}"
    listed = subprocess.run(
        ["doveadm", "mailbox", "list", "-u", user, folder, f"{folder}/*"],
        capture_output=True,
        text=True,
        check=False,
    )
    names = [line for line in listed.stdout.splitlines() if line]
    if names:
        subprocess.run(
            ["doveadm", "mailbox", "subscribe", "-u", user, *names], capture_output=True, check=False
        )
    subprocess.run(["doveadm", "quota", "recalc", "-u", user], capture_output=True, check=False)
