# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What mailboxes are for (RFC 6154), where their server does not say it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..imap.names import Mailbox, decode

SPECIAL = {"\\sent", "\\drafts", "\\junk", "\\trash", "\\archive", "\\all", "\\flagged", "\\important"}
USUAL: Mapping[str, Sequence[str]] = {
    "sent": ("Sent", "Sent Items", "Sent Messages", "Sent Mail"),
    "drafts": ("Drafts", "Draft"),
    "junk": ("Junk", "Spam", "Junk E-mail", "Junk Email", "Junk Mail", "Bulk Mail"),
    "trash": ("Trash", "Deleted Items", "Deleted Messages"),
}
"""Names that mail programs give, for servers that say of no mailbox what it is for, and that nothing is known of."""


def with_special_uses(mailboxes: Sequence[Mailbox], uses: Mapping[str, Sequence[str]]) -> list[Mailbox]:
    """Mark mailboxes by their names. What the server says of a use itself is not doubted.

    uses: the names of mailboxes by their use (without its backslash), of which the first that is there counts; none for
    a provider that nothing is known of.
    """
    said = {flag for mailbox in mailboxes for flag in mailbox.flags & SPECIAL}
    if not uses and said:
        return list(mailboxes)
    marked = {mailbox.raw: mailbox for mailbox in mailboxes}
    named = {_name(mailbox): mailbox.raw for mailbox in mailboxes if not mailbox.flags & SPECIAL}
    for use, names in (uses or USUAL).items():
        raw = next((named[name.casefold()] for name in names if name.casefold() in named), None)
        if raw is not None and f"\\{use}" not in said:
            marked[raw] = replace(marked[raw], flags=marked[raw].flags | {f"\\{use}"})
    return list(marked.values())


def _name(mailbox: Mailbox) -> str:
    """Return a name as people see it, for comparison; some servers have everything below INBOX."""
    levels = mailbox.raw.split(mailbox.delimiter) if mailbox.delimiter else [mailbox.raw]
    if len(levels) == 2 and levels[0].upper() == "INBOX":
        return decode(levels[1]).casefold()
    return decode(mailbox.raw).casefold()
