# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which mailboxes of an account are fetched, and where they land in the owner's mailbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..account.settings import Account
from ..imap.names import Mailbox
from .folders import Folders
from .names import (
    INBOX,
    UNSELECTABLE,
    VIEWS,
    MailboxNames,
    Role,
    below,
    folded,
    levels_of,
    plain_name,
    role_of,
)

_TRANSIENT = {"\\junk", "\\trash", "\\drafts"}


@dataclass(frozen=True)
class Selected:
    """A mailbox that is fetched.

    raw: its name as the provider writes it.
    folder: where it lands in the owner's mailbox, in Unicode, its levels separated by "/".
    role: its special use at the provider.
    """

    raw: str
    folder: str
    role: Role


@dataclass(frozen=True)
class Selection:
    """What is fetched, INBOX first and all mail last, and the patterns that nothing is fetched for."""

    mailboxes: list[Selected]
    unmatched: list[str]


def select(account: Account, mailboxes: Sequence[Mailbox], assigned: Mapping[str, str]) -> Selection:
    """Choose the mailboxes that are fetched, and the folders that they land in.

    assigned: where mailboxes landed in earlier runs. They keep their folders.
    """
    listed = {mailbox.raw: mailbox for mailbox in mailboxes}
    names = MailboxNames(listed.values())
    chosen, unmatched = _choose(account, names)
    free = Folders(account.folder, names, assigned)
    selected = [
        Selected(mailbox.raw, free.folder_for(mailbox, account.inbox), role_of(mailbox))
        for mailbox in sorted(chosen, key=_precedence)
    ]
    return Selection(sorted(selected, key=_order), unmatched)


def _precedence(mailbox: Mailbox) -> tuple[bool, bool, bool, str]:
    """Say who gets a name first: INBOX, special uses, all others. It does not depend on the order of the list."""
    return (mailbox.raw != INBOX, not plain_name(mailbox), role_of(mailbox) == "all", mailbox.raw)


def _order(selected: Selected) -> tuple[bool, bool, str]:
    return (selected.role != "inbox", selected.role == "all", folded(selected.folder))


def _choose(account: Account, names: MailboxNames) -> tuple[list[Mailbox], list[str]]:
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
    patterns: Sequence[str], names: MailboxNames, possible: Sequence[Mailbox], wanted: Sequence[Mailbox]
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
    wanted: Sequence[Mailbox], names: MailboxNames, labels: bool
) -> tuple[list[Mailbox], list[str]]:
    """Take INBOX, what was sent and all mail, of which every label is a part; and the owner's labels if asked for.

    The provider's own labels are those beside the special uses, below "[Gmail]" or "[Google Mail]".
    """
    special = [mailbox for mailbox in names.mailboxes if plain_name(mailbox) and mailbox.delimiter]
    provider = {(mailbox.delimiter or "").join(levels_of(mailbox)[:-1]) for mailbox in special} - {""}
    chosen = [
        mailbox
        for mailbox in wanted
        if role_of(mailbox) in ("inbox", "sent", "all")
        or (labels and not plain_name(mailbox) and not below(mailbox, provider))
    ]
    # Its owner may have hidden it from IMAP: then mail without a label is not to be seen.
    hidden = not any(role_of(mailbox) == "all" for mailbox in names.mailboxes)
    return chosen, ["\\All"] if hidden else []
