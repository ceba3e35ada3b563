# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which mailboxes of an account are fetched, and where they land in the house."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ..account.settings import Account
from ..imap.names import Mailbox, decode, encode

Role = Literal["inbox", "sent", "all", "junk", "trash", "drafts", ""]

INBOX = "INBOX"
# Special uses (RFC 6154) and the names that they get in the house, where its own folders are called so as well.
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
_TRANSIENT = {"\\junk", "\\trash", "\\drafts"}
# A folder is one directory in a Maildir++ tree, "." and its name in modified UTF-7, of NAME_MAX = 255 bytes.
_LONGEST_NAME = 254
_DEEPEST = 16
# Dovecot refuses "." in a name, because it separates levels on disk, and control characters. "%" and "*" are
# wildcards in LIST, so that few clients manage names with them (RFC 3501 section 5.1).
_UNSUITABLE = re.compile(r"[./%*]")
_HARMLESS = "_"


@dataclass(frozen=True)
class Folder:
    """A mailbox that is fetched.

    raw: its name as the provider writes it.
    house: the folder in the owner's mailbox that it lands in, in Unicode, its levels separated by "/".
    role: its special use at the provider.
    """

    raw: str
    house: str
    role: Role


@dataclass(frozen=True)
class Plan:
    """What is fetched, INBOX first and all mail last, and the patterns that nothing is fetched for."""

    folders: list[Folder]
    unmatched: list[str]


def plan(account: Account, mailboxes: Sequence[Mailbox], assigned: Mapping[str, str]) -> Plan:
    """Choose the mailboxes that are fetched, and the folders that they land in.

    assigned: where mailboxes landed in earlier runs. They keep their folders.
    """
    listed = {mailbox.raw: mailbox for mailbox in mailboxes}
    names = Names(listed.values())
    chosen, unmatched = _choose(account, names)
    places = _Places(account.folder, names, assigned)
    folders = [
        Folder(mailbox.raw, places.take(mailbox, account.inbox), _role(mailbox))
        for mailbox in sorted(chosen, key=_precedence)
    ]
    return Plan(sorted(folders, key=_order), unmatched)


def _role(mailbox: Mailbox) -> Role:
    if mailbox.raw == INBOX:
        return "inbox"
    return next((role for flag, role in ROLES.items() if flag in mailbox.flags), "")


def _precedence(mailbox: Mailbox) -> tuple[bool, bool, bool, str]:
    """Say who gets a name first: INBOX, special uses, all others. It does not depend on the order of the list."""
    return (mailbox.raw != INBOX, not _plain_name(mailbox), _role(mailbox) == "all", mailbox.raw)


def _order(folder: Folder) -> tuple[bool, bool, str]:
    return (folder.role != "inbox", folder.role == "all", _folded(folder.house))


def _plain_name(mailbox: Mailbox) -> str:
    return next((name for flag, name in _PLAIN_NAMES.items() if flag in mailbox.flags), "")


def _folded(name: str) -> str:
    """Return a name for comparison: neither case nor how its letters are composed makes a difference."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


class Names:
    """What the mailboxes of an account are called.

    prefix: whether everything lies below INBOX, as Cyrus and Courier have it, so that this level says nothing.
    """

    def __init__(self, mailboxes: Iterable[Mailbox]) -> None:
        self.mailboxes = list(mailboxes)
        others = [mailbox for mailbox in self.mailboxes if mailbox.raw != INBOX]
        self.prefix = bool(others) and all(_below_inbox(mailbox) for mailbox in others)

    def levels(self, mailbox: Mailbox) -> list[str]:
        """Return the levels of a mailbox's name as text."""
        levels = [decode(level) for level in _levels(mailbox)]
        if not _below_inbox(mailbox):
            return levels
        return levels[1:] if self.prefix else [INBOX, *levels[1:]]

    def written(self, mailbox: Mailbox) -> set[str]:
        """Return the ways in which people may write the name of a mailbox."""
        whole = [decode(level) for level in _levels(mailbox)]
        return {
            _folded(name)
            for name in (
                mailbox.raw,
                (mailbox.delimiter or "/").join(whole),
                "/".join(whole),
                "/".join(self.levels(mailbox)),
            )
        }

    def matching(self, pattern: str) -> list[Mailbox]:
        """Return the mailboxes of a name, which may have "*" for any text; else the special use of that name."""
        expression = re.compile(".*".join(map(re.escape, _folded(pattern).split("*"))), re.S)
        return [
            mailbox
            for mailbox in self.mailboxes
            if any(expression.fullmatch(name) for name in self.written(mailbox))
        ] or [
            mailbox
            for mailbox in self.mailboxes
            if (plain := _plain_name(mailbox)) and expression.fullmatch(_folded(plain))
        ]


def _levels(mailbox: Mailbox) -> list[str]:
    return mailbox.raw.split(mailbox.delimiter) if mailbox.delimiter else [mailbox.raw]


def _below_inbox(mailbox: Mailbox) -> bool:
    levels = _levels(mailbox)
    return len(levels) > 1 and levels[0].upper() == INBOX


def below(mailbox: Mailbox, parents: Iterable[str]) -> bool:
    """Tell whether a mailbox lies below one of these raw names."""
    delimiter = mailbox.delimiter
    return delimiter is not None and any(mailbox.raw.startswith(parent + delimiter) for parent in parents)


def _choose(account: Account, names: Names) -> tuple[list[Mailbox], list[str]]:
    """Return the mailboxes that are fetched, and what of the wanted is not there."""
    never = UNSELECTABLE | (VIEWS if account.labelled else set())
    possible = [mailbox for mailbox in names.mailboxes if not mailbox.flags & never]
    transient = {mailbox.raw for mailbox in names.mailboxes if mailbox.flags & _TRANSIENT}
    skipped = {mailbox for pattern in account.skip_mailboxes for mailbox in names.matching(pattern)} | {
        mailbox
        for mailbox in possible
        if mailbox.flags & VIEWS or mailbox.raw in transient or below(mailbox, transient)
    }
    wanted = [mailbox for mailbox in possible if mailbox not in skipped]
    if account.mailboxes:
        return _choose_by_patterns(account.mailboxes, names, possible, wanted)
    if account.labelled:
        return _choose_among_labels(wanted, names, account.labels)
    return wanted, []


def _choose_by_patterns(
    patterns: Sequence[str], names: Names, possible: Sequence[Mailbox], wanted: Sequence[Mailbox]
) -> tuple[list[Mailbox], list[str]]:
    """Take what is named; patterns with "*" take only what is not skipped."""
    chosen: dict[str, list[Mailbox]] = {}
    for pattern in patterns:
        among = wanted if "*" in pattern else possible
        chosen[pattern] = [mailbox for mailbox in names.matching(pattern) if mailbox in among]
    return (
        list({mailbox.raw: mailbox for found in chosen.values() for mailbox in found}.values()),
        [pattern for pattern, found in chosen.items() if not found],
    )


def _choose_among_labels(
    wanted: Sequence[Mailbox], names: Names, labels: bool
) -> tuple[list[Mailbox], list[str]]:
    """Take INBOX, what was sent and all mail, of which every label is a part; and the owner's labels if asked for.

    The provider's own labels are those beside the special uses, below "[Gmail]" or "[Google Mail]".
    """
    special = [mailbox for mailbox in names.mailboxes if _plain_name(mailbox) and mailbox.delimiter]
    provider = {(mailbox.delimiter or "").join(_levels(mailbox)[:-1]) for mailbox in special} - {""}
    chosen = [
        mailbox
        for mailbox in wanted
        if _role(mailbox) in ("inbox", "sent", "all")
        or (labels and not _plain_name(mailbox) and not below(mailbox, provider))
    ]
    # Its owner may have hidden it from IMAP: then mail without a label is not to be seen.
    hidden = not any(_role(mailbox) == "all" for mailbox in names.mailboxes)
    return chosen, ["\\All"] if hidden else []


class _Places:
    """The folders that are taken in the house, and by whom."""

    def __init__(self, folder: str, names: Names, assigned: Mapping[str, str]) -> None:
        self._folder = folder
        self._names = names
        self._assigned = assigned
        self._taken = {_folded(house) for house in assigned.values()}
        listed = {mailbox.raw for mailbox in names.mailboxes}
        self._in_use = {_folded(house) for raw, house in assigned.items() if raw in listed}
        # Where what lies below a mailbox lands.
        self._below = {
            mailbox.raw: f"{folder}/{_plain_name(mailbox)}"
            for mailbox in names.mailboxes
            if _plain_name(mailbox)
        }
        self._below |= {raw: house for raw, house in assigned.items() if raw != INBOX}

    def take(self, mailbox: Mailbox, to_inbox: bool) -> str:
        """Return the folder of a mailbox, that of no other."""
        if mailbox.raw in self._assigned:
            return self._assigned[mailbox.raw]
        if mailbox.raw == INBOX and to_inbox:
            return INBOX
        house = self._plain(mailbox) or self._free(self._own(mailbox))
        self._taken.add(_folded(house))
        self._in_use.add(_folded(house))
        if mailbox.raw != INBOX:
            self._below[mailbox.raw] = house
        return house

    def _plain(self, mailbox: Mailbox) -> str:
        """Return the folder for a special use, unless a mailbox that is there has it.

        One that is gone has often only got another name, because its owner changed the provider's language.
        """
        house = f"{self._folder}/{_plain_name(mailbox)}"
        return house if _plain_name(mailbox) and _folded(house) not in self._in_use else ""

    def _own(self, mailbox: Mailbox) -> str:
        levels = _levels(mailbox)
        for depth in range(len(levels) - 1, 0, -1):
            if parent := self._below.get((mailbox.delimiter or "").join(levels[:depth])):
                return "/".join([parent, *(_harmless(decode(level)) for level in levels[depth:])])
        return "/".join([self._folder, *map(_harmless, self._names.levels(mailbox))])

    def _free(self, house: str) -> str:
        number, free = 1, _shortened(house)
        while _folded(free) in self._taken:
            number += 1
            free = _shortened(house, f" ({number})")
        return free


def _harmless(level: str) -> str:
    """Return a level of a name with nothing in it that Dovecot or a mail program stumbles over."""
    kept = "".join(
        _HARMLESS if unicodedata.category(character) in ("Cc", "Zl", "Zp") else character
        for character in unicodedata.normalize("NFC", level)
    )
    return re.sub(r"^~", _HARMLESS, _UNSUITABLE.sub(_HARMLESS, kept).strip()) or _HARMLESS


def _shortened(house: str, suffix: str = "") -> str:
    """Return a path and its suffix in the room that a name has: the longest levels become shorter."""
    *levels, last = house.split("/", _DEEPEST - 1)
    levels.append(last.replace("/", _HARMLESS))
    while len(encode("/".join(levels) + suffix)) > _LONGEST_NAME:
        longest = max(range(len(levels)), key=lambda index: len(encode(levels[index])))
        levels[longest] = levels[longest][:-1].rstrip()
    return "/".join(levels) + suffix
