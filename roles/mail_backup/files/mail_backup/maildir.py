# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads what Dovecot keeps of a Maildir beside its messages: UIDs and the names of keywords.

Formats: https://doc.dovecot.org/2.3/admin_manual/mailbox_formats/maildir/ (`dovecot-uidlist` version 3).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
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
        if message := _message_of(line):
            uids[message[1]] = message[0]
    # Lines may have been added since the header was written.
    return UidList(int(found[1]), max([next_uid - 1, *uids.values()]) + 1, uids)


def _message_of(line: bytes) -> tuple[int, str] | None:
    """Return the UID of a message in a list, and its name without flags."""
    uid, __, name = line.partition(b" ")
    # Fields of their own, each a letter and its value, stand before the colon.
    name = name.partition(b":")[2] if name.startswith(b":") else name.partition(b" :")[2]
    return (int(uid), base_of(os.fsdecode(name))) if uid.isdigit() and name else None


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


def frozen_uid_list(content: bytes, bases: Iterable[str], validity: int, guid: str) -> bytes:
    """Return a list of UIDs of a folder of its own that holds these messages and never changes.

    content: the list of the folder that they come from, empty if there is none. They keep the UIDs that they have
    there; those without get the next ones, in the order of their names. guid: 32 hexadecimal digits.
    """
    left = set(bases)
    found = _HEADER.match(content.partition(b"\n")[0])
    next_uid = int(found[2]) if found else 1
    lines: dict[int, bytes] = {}
    for line in content.splitlines()[1:]:
        message = _message_of(line)
        if message and message[1] in left:
            left.remove(message[1])
            lines[message[0]] = line
    next_uid = max([next_uid, *(uid + 1 for uid in lines)])
    for base in sorted(left):
        lines[next_uid] = b"%d :%s" % (next_uid, os.fsencode(base))
        next_uid += 1
    header = b"3 V%d N%d G%s" % (validity, next_uid, guid.encode())
    return b"\n".join([header, *(lines[uid] for uid in sorted(lines)), b""])


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
