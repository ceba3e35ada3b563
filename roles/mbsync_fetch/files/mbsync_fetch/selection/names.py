# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the mailboxes of an account are called, and what they are for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Literal

from ..imap.names import Mailbox, decode

Role = Literal["inbox", "sent", "all", "junk", "trash", "drafts", ""]

INBOX = "INBOX"
# Special uses (RFC 6154) and the names that they get in the folder, where its own folders are called so as well.
_PLAIN_NAMES = {
    "\\sent": "Sent",
    "\\drafts": "Drafts",
    "\\junk": "Junk",
    "\\trash": "Trash",
    "\\archive": "Archive",
    "\\all": "Archive",
}
ROLES: dict[str, Role] = {
    "\\sent": "sent",
    "\\drafts": "drafts",
    "\\junk": "junk",
    "\\trash": "trash",
    "\\all": "all",
}
UNSELECTABLE = {"\\noselect", "\\nonexistent"}
# What is there a second time, because it is marked so (RFC 6154, RFC 8457).
VIEWS = {"\\flagged", "\\important"}


def role_of(mailbox: Mailbox) -> Role:
    """Return the special use of a mailbox."""
    if mailbox.raw == INBOX:
        return "inbox"
    return next((role for flag, role in ROLES.items() if flag in mailbox.flags), "")


def plain_name(mailbox: Mailbox) -> str:
    """Return what a mailbox of a special use is called here, "" for any other."""
    return next((name for flag, name in _PLAIN_NAMES.items() if flag in mailbox.flags), "")


def folded(name: str) -> str:
    """Return a name for comparison: neither case nor how its letters are composed makes a difference."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


class MailboxNames:
    """What the mailboxes of an account are called.

    prefix: whether everything lies below INBOX, as Cyrus and Courier have it, so that this level says nothing.
    """

    def __init__(self, mailboxes: Iterable[Mailbox]) -> None:
        self.mailboxes = list(mailboxes)
        others = [mailbox for mailbox in self.mailboxes if mailbox.raw != INBOX]
        self.prefix = bool(others) and all(_below_inbox(mailbox) for mailbox in others)

    def levels(self, mailbox: Mailbox) -> list[str]:
        """Return the levels of a mailbox's name as text."""
        levels = [decode(level) for level in levels_of(mailbox)]
        if not _below_inbox(mailbox):
            return levels
        return levels[1:] if self.prefix else [INBOX, *levels[1:]]

    def written(self, mailbox: Mailbox) -> set[str]:
        """Return the ways in which people may write the name of a mailbox."""
        whole = [decode(level) for level in levels_of(mailbox)]
        return {
            folded(name)
            for name in (
                mailbox.raw,
                (mailbox.delimiter or "/").join(whole),
                "/".join(whole),
                "/".join(self.levels(mailbox)),
            )
        }

    def matching(self, pattern: str) -> list[Mailbox]:
        """Return the mailboxes of a name, which may have "*" for any text; else the special use of that name."""
        expression = re.compile(".*".join(map(re.escape, folded(pattern).split("*"))), re.S)
        return [
            mailbox
            for mailbox in self.mailboxes
            if any(expression.fullmatch(name) for name in self.written(mailbox))
        ] or [
            mailbox
            for mailbox in self.mailboxes
            if (plain := plain_name(mailbox)) and expression.fullmatch(folded(plain))
        ]


def levels_of(mailbox: Mailbox) -> list[str]:
    """Return the levels of a mailbox's name as its server writes them."""
    return mailbox.raw.split(mailbox.delimiter) if mailbox.delimiter else [mailbox.raw]


def _below_inbox(mailbox: Mailbox) -> bool:
    levels = levels_of(mailbox)
    return len(levels) > 1 and levels[0].upper() == INBOX


def below(mailbox: Mailbox, parents: Iterable[str]) -> bool:
    """Tell whether a mailbox lies below one of these raw names."""
    delimiter = mailbox.delimiter
    return delimiter is not None and any(mailbox.raw.startswith(parent + delimiter) for parent in parents)
