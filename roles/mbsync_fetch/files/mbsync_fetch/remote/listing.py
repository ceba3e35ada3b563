# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which messages a mailbox has, as far as its server says it beyond doubt."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..imap.replies import pairs, uid_of
from ..imap.sequence_set import expand, uid_set
from .answers import RemoteError
from .connection import Answer, Connection, checked
from .messages import fetched
from .survey import batches

SPARE = 100_000
"""How many more UIDs a listing may name than the mailbox has messages; more would be a fault that fills the memory."""


@dataclass(frozen=True)
class Listing:
    """UIDs of the open mailbox, in order.

    whole: whether these are known to be all, as the number of messages says. lacking: how many there are beyond, as far
    as that is known.
    """

    uids: tuple[int, ...]
    whole: bool
    lacking: int = 0


@dataclass(frozen=True)
class Presence:
    """Which of some messages a mailbox has, and which it is known not to have; of others nobody knows."""

    present: frozenset[int]
    absent: frozenset[int]


class Search:
    """Searches the mailbox that is open on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def uids(self, first: int = 1) -> Listing:
        """List the UIDs from this one on."""
        ways: list[Callable[[int], set[int]]] = [self._searched, self._numbered]
        if "ESEARCH" in self._connection.capabilities:
            ways.insert(0, self._searched_shortly)
        else:
            ways.insert(0, self._searched)
        found: set[int] = set()
        error: RemoteError | None = None
        listed = False
        for way in ways:
            try:
                # "n:*" names the last message also where its UID is below n (RFC 9051 section 9, seq-range).
                uids = {uid for uid in way(first) if uid >= first}
                if self._are_all(first, uids):
                    return Listing(tuple(sorted(uids)), whole=True)
            except RemoteError as refusal:
                if refusal.kind != "error":
                    raise
                error = refusal
                continue
            listed = True
            found |= uids
        if error is not None and not listed:
            raise error
        lacking = (self._connection.exists or 0) - len(found) if first == 1 else 0
        return Listing(tuple(sorted(found)), whole=False, lacking=max(lacking, 0))

    def settled(self) -> frozenset[int] | None:
        """Return the UIDs of all messages, as two whole listings in a row have them; None if that cannot be had now."""
        before: Listing | None = None
        for __ in range(4):
            listing = self.uids()
            if listing.whole and before is not None and before.uids == listing.uids:
                return frozenset(listing.uids)
            before = listing if listing.whole else None
        return None

    def present(self, uids: Iterable[int]) -> Presence:
        """Tell which of these messages there are. Numbers below 1 are those of messages that are gone."""
        asked = frozenset(uids)
        rest = {uid for uid in asked if uid > 0}
        found: set[int] = set()
        for batch in batches(rest):
            found |= self._named(checked(self._connection.command(f"UID SEARCH UID {uid_set(batch)}")))
        unsaid = rest - found
        there = self.settled() if unsaid else frozenset()
        if there is None:
            return Presence(frozenset(rest & found), asked - rest)
        return Presence(frozenset(rest & (found | there)), asked - rest | (unsaid - there))

    def _searched(self, first: int) -> set[int]:
        return self._named(checked(self._connection.command(f"UID SEARCH UID {first}:*")))

    def _searched_shortly(self, first: int) -> set[int]:
        return self._named(checked(self._connection.command(f"UID SEARCH RETURN (ALL) UID {first}:*")))

    def _numbered(self, first: int) -> set[int]:
        return set(fetched(checked(self._connection.command(f"UID FETCH {first}:* (UID)"))))

    def _named(self, answer: Answer) -> set[int]:
        """Return the UIDs that a search found (RFC 9051 section 7.3.4, and RFC 3501 section 7.2.5)."""
        uids = [uid_of(value) for response in answer.of("SEARCH") for value in response.values()]
        for response in answer.of("ESEARCH"):
            values = response.values()
            for name, value in itertools.pairwise(values):
                if name == "ALL" and isinstance(value, str):
                    uids += self._expanded(value)
        return {uid for uid in uids if uid}

    def _expanded(self, text: str) -> list[int | None]:
        try:
            return [uid_of(str(uid)) for uid in expand(text, (self._connection.exists or 0) + SPARE)]
        except ValueError:
            return []

    def _are_all(self, first: int, uids: set[int]) -> bool:
        """Tell whether these are all messages from a UID on: the one before them must have a UID below it."""
        exists = self._connection.exists
        if exists is None or len(uids) > exists:
            return False
        before = exists - len(uids)
        if not before:
            return True
        if first == 1:
            return False
        answer = checked(self._connection.command(f"FETCH {before} (UID)"))
        if self._connection.exists != exists:
            return False
        below = [
            uid_of(pairs(value).get("UID"))
            for response in answer.of("FETCH")
            if response.number == before
            for value in response.values()
        ]
        return any(uid is not None and uid < first for uid in below)
