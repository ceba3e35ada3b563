# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The folders of the owner's mailbox that mailboxes land in: names that Dovecot and mail programs take."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from ..imap.names import Mailbox, decode, encode
from .names import INBOX, MailboxNames, folded, levels_of, plain_name

# A folder is one directory in a Maildir++ tree, "." and its name in modified UTF-7, of NAME_MAX = 255 bytes.
_LONGEST_NAME = 254
_DEEPEST = 16
# Dovecot refuses "." in a name, because it separates levels on disk, and control characters. "%" and "*" are
# wildcards in LIST, so that few clients manage names with them (RFC 3501 section 5.1).
_UNSUITABLE = re.compile(r"[./%*]")
_HARMLESS = "_"


class Folders:
    """Which folders are taken, and by which mailboxes."""

    def __init__(self, top: str, names: MailboxNames, assigned: Mapping[str, str]) -> None:
        self._top = top
        self._names = names
        self._assigned = assigned
        self._taken = {folded(folder) for folder in assigned.values()}
        listed = {mailbox.raw for mailbox in names.mailboxes}
        self._in_use = {folded(folder) for raw, folder in assigned.items() if raw in listed}
        # Where what lies below a mailbox lands.
        self._below = {
            mailbox.raw: f"{top}/{plain_name(mailbox)}" for mailbox in names.mailboxes if plain_name(mailbox)
        }
        self._below |= {raw: folder for raw, folder in assigned.items() if raw != INBOX}

    def folder_for(self, mailbox: Mailbox, to_inbox: bool) -> str:
        """Return the folder of a mailbox, that of no other."""
        if mailbox.raw in self._assigned:
            return self._assigned[mailbox.raw]
        if mailbox.raw == INBOX and to_inbox:
            return INBOX
        folder = self._plain(mailbox) or self._free(self._own_name(mailbox))
        self._taken.add(folded(folder))
        self._in_use.add(folded(folder))
        if mailbox.raw != INBOX:
            self._below[mailbox.raw] = folder
        return folder

    def _plain(self, mailbox: Mailbox) -> str:
        """Return the folder for a special use, unless a mailbox that is there has it.

        One that is gone has often only got another name, because its owner changed the provider's language.
        """
        folder = f"{self._top}/{plain_name(mailbox)}"
        return folder if plain_name(mailbox) and folded(folder) not in self._in_use else ""

    def _own_name(self, mailbox: Mailbox) -> str:
        levels = levels_of(mailbox)
        for depth in range(len(levels) - 1, 0, -1):
            if parent := self._below.get((mailbox.delimiter or "").join(levels[:depth])):
                return "/".join([parent, *(_harmless(decode(level)) for level in levels[depth:])])
        return "/".join([self._top, *map(_harmless, self._names.levels(mailbox))])

    def _free(self, folder: str) -> str:
        number, free = 1, _shortened(folder)
        while folded(free) in self._taken:
            number += 1
            free = _shortened(folder, f" ({number})")
        return free


def _harmless(level: str) -> str:
    """Return a level of a name with nothing in it that Dovecot or a mail program stumbles over."""
    kept = "".join(
        _HARMLESS if unicodedata.category(character) in ("Cc", "Zl", "Zp") else character
        for character in unicodedata.normalize("NFC", level)
    )
    return re.sub(r"^~", _HARMLESS, _UNSUITABLE.sub(_HARMLESS, kept).strip()) or _HARMLESS


def _shortened(folder: str, suffix: str = "") -> str:
    """Return a path and its suffix in the room that a name has: the longest levels become shorter."""
    *levels, last = folder.split("/", _DEEPEST - 1)
    levels.append(last.replace("/", _HARMLESS))
    while len(encode("/".join(levels) + suffix)) > _LONGEST_NAME:
        longest = max(range(len(levels)), key=lambda index: len(encode(levels[index])))
        levels[longest] = levels[longest][:-1].rstrip()
    return "/".join(levels) + suffix
