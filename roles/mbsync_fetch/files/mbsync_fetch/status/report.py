# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is kept of each mailbox of an account after a fetch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..record.books import Books

Rule = Literal[
    "unselectable",
    "unaskable",
    "spam",
    "trash",
    "drafts",
    "view",
    "skip_mailboxes",
    "mailboxes",
    "label",
    "refused",
]
"""Why a mailbox is not fetched.

unselectable: it holds no messages. unaskable: no command can name it. spam, trash, drafts: what it is for, or a mailbox
that it lies below (RFC 6154). view: what it shows lies in other mailboxes. skip_mailboxes, mailboxes: the account's
patterns leave it out. label: of Gmail's, whose messages come with all mail. refused: the provider does not open it.
"""


@dataclass(frozen=True)
class Refused:
    """A message that one side refuses: the provider does not hand it over, or the local server does not take it.

    tries, tried: how often it was offered to the local server, and when last, in seconds since 1970.
    """

    uid: int
    reason: str
    by: Literal["provider", "house"] = "provider"
    tries: int = 0
    tried: float = 0.0


@dataclass(frozen=True)
class NotFetched:
    """A mailbox that is not fetched. rule: why. detail: the pattern that leaves it out, or what the provider says."""

    name: str
    rule: Rule
    detail: str = ""


@dataclass(frozen=True)
class Report:
    """A folder on both sides.

    name, house: its name at the provider and its folder in the owner's mailbox, both readable.
    provider, in_house: the messages on each side. missing: those at the provider that have yet to be fetched; not
    what was deleted or moved here. gone: whether the provider no longer has it.
    books: where each message is, from when something had last changed as a whole fetch looked.
    problem: why it could not be fetched the last time, empty if it could.
    """

    name: str
    house: str
    provider: int
    in_house: int
    missing: int = 0
    refused: tuple[Refused, ...] = ()
    gone: bool = False
    books: Books | None = None
    problem: str = ""

    @classmethod
    def load(cls, values: Mapping[str, Any]) -> Report:
        """Return the report that asdict() turned into these values."""
        refused = tuple(Refused(**entry) for entry in values["refused"])
        # A status of before 1.0 has none.
        books = Books.load(values["books"]) if values.get("books") else None
        return cls(**{**values, "refused": refused, "books": books})
