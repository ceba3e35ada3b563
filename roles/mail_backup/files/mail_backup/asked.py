# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Finds what a person who restores has named: a snapshot, a mailbox, a folder."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

from .config import Config
from .manifest import ABOUT, VERSION, About
from .restic import Restic, Snapshot

ESCAPE = "\x7f"
"""What stands before the number of a character that a folder's directory cannot have (the role dovecot_imap)."""


class RefusedError(Exception):
    """What was asked for cannot be done; the message says why, and what to write instead."""


def find_snapshot(restic: Restic, host: str, wanted: str) -> Snapshot:
    """Return a snapshot of a host.

    wanted: latest, an ID, or a date such as 2026-11-29: the last one until the end of that day, for none is made while
    nothing changes.
    """
    found = restic.snapshots(host)
    if not found:
        hosts = ", ".join(sorted({one.host for one in restic.snapshots()})) or "no host at all"
        raise RefusedError(
            f"the repository has no snapshot of {host}, but of {hosts}; write one as mail_backup_host"
        )
    if wanted == "latest":
        return found[-1]
    if re.fullmatch(r"\d{4}-\d\d-\d\d", wanted):
        chosen = [one for one in found if one.time[:10] <= wanted]
    else:
        chosen = [
            one
            for one in found
            if len(wanted) >= 4 and (one.id.startswith(wanted) or wanted.startswith(one.id))
        ]
    if not chosen:
        raise RefusedError(
            f"{host} has no snapshot {wanted!r}; write latest, or one of {', '.join(one.id for one in found[-10:])}"
        )
    return chosen[-1]


def read_about(config: Config, restic: Restic, snapshot: Snapshot) -> About:
    """Return what a snapshot says of itself."""
    values = json.loads(restic.call("dump", snapshot.id, str(config.copy / ABOUT)))
    if values.get("version") != VERSION:
        raise RefusedError(f"snapshot {snapshot.id} was made by another version of the program")
    return About(**values)


def find_person(about: About, address: str) -> str:
    """Return a person of a snapshot as DOMAIN/NAME. address: NAME@DOMAIN, or NAME alone."""
    name, __, domain = address.lower().partition("@")
    person = f"{domain or about.domain}/{name}"
    if person not in about.people:
        known = ", ".join(f"{one.partition('/')[2]}@{one.partition('/')[0]}" for one in about.people)
        raise RefusedError(f"{address!r} is not in the snapshot; write one of {known}")
    return person


def directory_of(folder: str) -> str:
    """Return the name of a folder's directory in a Maildir (Maildir++), without the dot at its start.

    folder: as a client shows it, with "/" between its parts.
    """
    return ".".join(_encoded(part) for part in folder.split("/"))


def _encoded(part: str) -> str:
    """Write a part of a name as IMAP does (RFC 3501, section 5.1.3), and escape what Maildir++ cannot have."""
    written = re.sub(r"[^\x20-\x7e]+", lambda found: _base64(found[0]), part.replace("&", "&-"))
    written = written.replace(".", f"{ESCAPE}2e")
    return f"{ESCAPE}7e{written[1:]}" if written.startswith("~") else written


def _base64(text: str) -> str:
    return "&" + base64.b64encode(text.encode("utf-16-be")).decode().rstrip("=").replace("/", ",") + "-"


def has_messages(home: Path) -> bool:
    """Whether there is a message in any folder of a person."""
    return any(
        path.is_file()
        for part in ("cur", "new")
        for pattern in (f"Maildir/{part}/*", f"Maildir/.*/{part}/*")
        for path in home.glob(pattern)
    )
