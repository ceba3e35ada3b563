# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check that each message of a provider account has a place, and explain those that have none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PLACES = {
    "here": "here",
    "elsewhere": "in other mailboxes",
    "draft": "drafts left out",
    "filed": "filed by the owner's scripts",
    "deleted": "deleted or moved here",
    "refused": "refused",
    "to_come": "to come",
}
"""How each place that a message may have is explained (roles/mbsync_fetch/files/mbsync_fetch/record/books.py)."""
RULES = {
    "unselectable": "holds no messages",
    "unaskable": "no command can name it",
    "spam": "spam",
    "trash": "deleted mail",
    "drafts": "drafts",
    "view": "shows what lies in others",
    "skip_mailboxes": "skip_mailboxes",
    "mailboxes": "not in mailboxes",
    "label": "its mail comes with All Mail",
    "refused": "the provider does not open it",
}
"""How each rule that leaves a mailbox out is explained (report.py, Rule)."""
WRONG = ("unaskable", "refused")
"""Rules that nobody has made."""
SHOWN = 5


@dataclass(frozen=True)
class Folder:
    """A folder on both sides. missing: messages at the provider that have yet to be fetched.

    books: where each message is, None where that has never been looked at. problem: why the mailbox could not be
    fetched the last time, empty if it could.
    """

    name: str
    house: str
    provider: int
    in_house: int
    missing: int
    gone: bool
    refused: list[dict[str, Any]]
    books: dict[str, Any] | None = None
    problem: str | None = None

    @property
    def balanced(self) -> bool:
        """Whether each message that the provider had has a place."""
        return self.books is not None and (
            not self.books["unplaced"] and sum(self.books["places"].values()) == self.books["messages"]
        )


def books_problems(
    folders: Sequence[Folder], not_fetched: Sequence[Mapping[str, str]], unit: str
) -> Iterator[str]:
    """Say which messages are not where they should be, and what to do. unit: what fetches the account."""
    for folder in folders:
        if not folder.gone:
            yield from _folder_problems(folder, unit)
    for mailbox in not_fetched:
        if mailbox["rule"] in WRONG:
            said = f" ({mailbox['detail']})" if mailbox["detail"] else ""
            yield (
                f"{mailbox['name']} is not fetched: {RULES[mailbox['rule']]}{said}; look at it at the provider, or "
                "leave it out by skip_mailboxes of the account in mail_providers"
            )


def _folder_problems(folder: Folder, unit: str) -> Iterator[str]:
    books = folder.books
    if folder.problem:
        why = f"{folder.name} could not be fetched: {folder.problem}"
        yield f"{folder.house}: {why}; look at 'journalctl --unit {unit}'"
    if books is None:
        yield f"{folder.house}: nobody has looked where its messages are; run 'systemctl start {unit}'"
    elif books["unplaced"]:
        yield (
            f"{folder.house}: of {messages(books['messages'])} at the provider {len(books['unplaced'])} have no place: "
            f"those with the UIDs {some(list(map(str, books['unplaced'])))}; they are asked for again each time, "
            f"look at 'journalctl --unit {unit}'"
        )
    elif not folder.balanced:
        yield (
            f"{folder.house}: of {messages(books['messages'])} at the provider {sum(books['places'].values())} have a "
            f"place; run 'systemctl start {unit}'"
        )
    for message in folder.refused[:SHOWN]:
        house = message["by"] == "house"
        who = "the house does not take" if house else "the provider does not hand over"
        yield (
            f"{folder.house}: {who} the message with UID {message['uid']} ({message['reason']}); "
            f"look at it there, in {folder.name}"
        )
    if len(folder.refused) > SHOWN:
        yield f"{folder.house}: nor {len(folder.refused) - SHOWN} more; look at 'journalctl --unit {unit}'"


def books_summary(folders: Sequence[Folder], not_fetched: Sequence[Mapping[str, str]]) -> str:
    """Say where the messages are, and which mailboxes are not fetched."""
    sums: Counter[str] = Counter()
    for folder in folders:
        if folder.books and not folder.gone:
            sums.update(folder.books["places"])
    where = ", ".join(f"{sums[place]} {said}" for place, said in PLACES.items() if sums[place])
    left_out = [
        f"{mailbox['name']} ({_rule(mailbox)})"
        for mailbox in not_fetched
        if mailbox["rule"] != "unselectable"
    ]
    return "; ".join(
        [
            f"{messages(sums.total())} at the provider" + (f": {where}" if where else ""),
            *([f"not fetched: {some(left_out)}"] if left_out else []),
        ]
    )


def _rule(mailbox: Mapping[str, str]) -> str:
    rule = RULES[mailbox["rule"]]
    return f"{rule}: {mailbox['detail']}" if mailbox["rule"] == "skip_mailboxes" else rule


def messages(count: int) -> str:
    """Count messages in words."""
    return f"{count} message{'' if count == 1 else 's'}"


def some(names: Sequence[str]) -> str:
    """List names, a few of many."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
