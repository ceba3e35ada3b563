# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which mailboxes of an account are not fetched, and why."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..account.settings import Account
from ..imap.names import Mailbox, decode
from ..status.report import NotFetched, Rule
from .names import ROLES, UNSELECTABLE, VIEWS, MailboxNames, Role, below

TRANSIENT: dict[Role, Rule] = {"junk": "spam", "trash": "trash", "drafts": "drafts"}


def left_out(account: Account, mailboxes: Sequence[Mailbox], fetched: Collection[str]) -> list[NotFetched]:
    """Say of each mailbox that select() does not choose which rule leaves it out, in the order of their names.

    fetched: the raw names of those that it does choose.
    """
    names = MailboxNames(mailboxes)
    skipped = {mailbox: pattern for pattern in account.skip_mailboxes for mailbox in names.matching(pattern)}
    found = []
    for mailbox in mailboxes:
        if mailbox.raw in fetched:
            continue
        rule = _by_itself(mailbox, mailboxes)
        if rule is None and mailbox in skipped:
            found.append(NotFetched(decode(mailbox.raw), "skip_mailboxes", skipped[mailbox]))
        else:
            found.append(
                NotFetched(decode(mailbox.raw), rule or ("mailboxes" if account.mailboxes else "label"))
            )
    return sorted(found, key=lambda one: one.name)


def _by_itself(mailbox: Mailbox, mailboxes: Sequence[Mailbox]) -> Rule | None:
    """Return the rule that leaves a mailbox out, whatever the account's patterns are."""
    if mailbox.flags & UNSELECTABLE:
        return "unselectable"
    for flag, role in ROLES.items():
        parents = [other.raw for other in mailboxes if flag in other.flags]
        if role in TRANSIENT and (mailbox.raw in parents or below(mailbox, parents)):
            return TRANSIENT[role]
    return "view" if mailbox.flags & VIEWS else None
