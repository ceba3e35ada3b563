# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Proves a backup: restores the newest snapshot, a person at a time, and compares it with what was recorded.

Both the files of a mailbox, and what Dovecot makes of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .config import Config
from .file_copy import remove
from .maildir import DamagedError
from .manifest import (
    ABOUT,
    FILES,
    INBOX,
    MANIFEST,
    About,
    file_digests,
    folder_manifest,
    person_files,
    read_json,
    recorded_folders,
)
from .opened import open_maildir
from .person_copy import MAILDIR, folders_of
from .restic import TAG, RepositoryError, Restic, Snapshot

Say = Callable[[str], None]
SHOWN = 5
"""How many differences are named."""


class DifferenceError(Exception):
    """What came back is not what was backed up; the message says what differs first."""

    remedy = (
        "make another backup with 'systemctl start mail-backup', then 'systemctl start mail-backup-drill'; if it "
        "differs again, do not trust this repository"
    )


def drill(config: Config, restic: Restic, say: Say) -> dict[str, Any]:
    """Prove the newest snapshot of the host; return figures. Raises RepositoryError and DifferenceError."""
    snapshots = restic.snapshots(config.host)
    if not snapshots:
        raise RepositoryError("missing", "the repository has no snapshot of this host")
    forget(config, restic)
    restic.call("prune")
    restic.call("check", f"--read-data-subset={config.check_percent}%")
    scratch = config.drill
    remove(scratch)
    scratch.mkdir(parents=True)
    for passed in (config.state, scratch):
        # By who owns a mailbox.
        passed.chmod(0o711)
    try:
        return _prove(config, restic, snapshots[-1], scratch, say)
    finally:
        remove(scratch)


def forget(config: Config, restic: Restic) -> None:
    """Let go of snapshots that are no longer to be kept, before what they alone hold is removed."""
    kept = [word for name, count in config.keep.items() if count for word in (f"--keep-{name}", str(count))]
    if kept:
        # Grouped by host alone: a mail directory that has moved is of the same house.
        restic.call("forget", "--tag", TAG, "--host", config.host, "--group-by", "host", *kept)


def _prove(config: Config, restic: Restic, snapshot: Snapshot, scratch: Path, say: Say) -> dict[str, Any]:
    restic.restore(snapshot.id, scratch, [str(config.copy)])
    house = scratch / str(config.copy).lstrip("/")
    about = About.read(house / ABOUT)
    found = list(_file_differences(read_json(house / FILES), file_digests(house)))
    messages = shown = 0
    for person, count in about.people.items():
        restic.restore(snapshot.id, scratch, [f"{about.mail_copy}/{person}"])
        home = scratch / about.mail_copy.lstrip("/") / person
        if home.is_dir():
            home.rename(config.opened)
        maildir, manifest = config.opened / MAILDIR, house / MANIFEST / person
        found += person_differences(person, maildir, manifest)
        others = _file_differences(read_json(manifest / FILES), person_files(config.opened))
        found += [f"{person}: {what}" for what in others]
        # Last, for it gives messages other names.
        opened = open_maildir(config, maildir, manifest)
        found += [f"{person}: {what}" for what in opened.differences]
        shown += opened.messages
        remove(config.opened)
        messages += count
        say(f"{person}: {count} messages")
    if found:
        more = f", and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise DifferenceError(f"snapshot {snapshot.id}: {'; '.join(found[:SHOWN])}{more}")
    return {"snapshot": snapshot.id, "messages": messages, "opened": shown, "people": len(about.people)}


def _file_differences(recorded: dict[str, Any], there: dict[str, str]) -> Iterator[str]:
    for path, digest in recorded.items():
        if path not in there:
            yield f"{path} is missing"
        elif there[path] != digest:
            yield f"{path} is not what was backed up"


def person_differences(person: str, maildir: Path, manifest: Path) -> list[str]:
    """Compare a restored Maildir with what was recorded of it."""
    folders = {INBOX if folder == maildir else folder.name: folder for folder in folders_of(maildir)}
    recorded = recorded_folders(manifest)
    found = [f"{person}: the folder {name} was not recorded" for name in folders.keys() - recorded.keys()]
    for name, known in recorded.items():
        if name not in folders:
            found.append(f"{person}: the folder {name} is missing")
            continue
        try:
            there = folder_manifest(folders[name])
        except DamagedError as error:
            found.append(f"{person}: {name}: {error}")
            continue
        found += [f"{person}: {name}: {what}" for what in folder_differences(known, there)]
    return found


def folder_differences(recorded: dict[str, Any], there: dict[str, Any]) -> Iterator[str]:
    """Compare what a folder holds with what was recorded of it."""
    if not recorded:
        yield "nothing was recorded"
        return
    for key, what in (("validity", "UIDVALIDITY"), ("next_uid", "next UID")):
        if recorded[key] != there[key]:
            yield f"the {what} is {there[key]}, and was {recorded[key]}"
    missing = [base for base in recorded["messages"] if base not in there["messages"]]
    added = [base for base in there["messages"] if base not in recorded["messages"]]
    for base in missing:
        yield f"the message {base} (UID {recorded['messages'][base][0]}) is missing"
    for base in added:
        yield f"the message {base} was not recorded"
    for base in recorded["messages"].keys() & there["messages"].keys():
        for was, now, what in zip(
            recorded["messages"][base],
            there["messages"][base],
            ("UID", "flags", "text", "size", "date"),
            strict=True,
        ):
            if was != now:
                yield f"the message {base} has another {what}"
