# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads what Dovecot keeps of a Maildir beside its messages: UIDs and the names of keywords.

Formats: https://doc.dovecot.org/2.3/admin_manual/mailbox_formats/maildir/ (`dovecot-uidlist` version 3).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

UIDLIST = "dovecot-uidlist"
KEYWORDS = "dovecot-keywords"
PARTS = ("new", "cur")
"""In the order in which they are listed: a message moves from the first to the second."""

_HEADER = re.compile(rb"3 (?:[A-Z][^ ]* )*V(\d+) N(\d+)(?: |$)")


class DamagedError(Exception):
    """A file of Dovecot's that is not as Dovecot writes it; the message says which."""


@dataclass(frozen=True)
class UidList:
    """The UIDs of a mailbox. uids: by the names of the messages without flags."""

    validity: int
    next_uid: int
    uids: Mapping[str, int]


def base_of(name: str) -> str:
    """Return the name of a message's file without its flags: it stays, while flags change."""
    return name.partition(":")[0]


def flags_of(name: str) -> str:
    """Return the flags in the name of a message's file: capital letters of Maildir, small ones of keywords."""
    return "".join(sorted(name.partition(":2,")[2].partition(",")[0]))


def read_uid_list(path: Path) -> UidList | None:
    """Read the UIDs of a mailbox; None if Dovecot has given none yet. Raises DamagedError."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    header, __, rest = content.partition(b"\n")
    found = _HEADER.match(header)
    if not found:
        raise DamagedError(f"{path} does not begin as Dovecot writes it")
    uids: dict[str, int] = {}
    next_uid = int(found[2])
    for line in rest.splitlines():
        uid, __, name = line.partition(b" ")
        # Fields of their own, each a letter and its value, stand before the colon.
        name = name.partition(b":")[2] if name.startswith(b":") else name.partition(b" :")[2]
        if uid.isdigit() and name:
            uids[base_of(os.fsdecode(name))] = int(uid)
    # Lines may have been added since the header was written.
    return UidList(int(found[1]), max([next_uid - 1, *uids.values()]) + 1, uids)


def raised_next_uid(content: bytes, by: int) -> bytes:
    """Return a list of UIDs whose next one is higher by so many.

    What clients saw after a backup had UIDs that this list does not know. They must not be given again.
    """
    header, newline, rest = content.partition(b"\n")
    if not _HEADER.match(header):
        return content
    last = max([0, *(int(line.partition(b" ")[0]) for line in rest.splitlines() if line[:1].isdigit())])

    def raised(found: re.Match[bytes]) -> bytes:
        return b" N%d" % min(max(int(found[1]), last + 1) + by, 2**32 - 2)

    return re.sub(rb" N(\d+)", raised, header, count=1) + newline + rest


def read_keywords(path: Path) -> dict[str, str]:
    """Return the keyword of each small letter."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return {}
    found = (line.partition(b" ") for line in lines)
    return {
        chr(ord("a") + int(number)): name.decode(errors="replace")
        for number, __, name in found
        if number.isdigit() and int(number) < 26
    }
