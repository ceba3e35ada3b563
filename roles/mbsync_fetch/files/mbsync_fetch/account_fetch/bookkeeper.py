# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keeps the books of an account: looks at both sides, and at what is recorded of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from ..imap.names import decode
from ..local.mailbox import FolderStatus
from ..mailbox_fetch.fetch import MailboxFetch
from ..mbsync.sync_state import SyncState, interrupted
from ..record.books import Books, count
from ..record.context import say
from ..record.ledger import MailboxRecord
from ..record.whereabouts import Whereabouts, listed
from ..remote.account import MailboxStatus, RemoteError

VERSION = 1
"""Of how books are made; those of another are made anew."""


class Bookkeeper:
    """Makes the books of an account's mailboxes after a fetch, where something has changed since the last ones.

    before: the last books, by the names of the mailboxes.
    """

    def __init__(self, fetch: MailboxFetch, before: Mapping[str, Books | None]) -> None:
        self.fetch = fetch
        self.context = fetch.context
        self.before = before
        self._whereabouts = Whereabouts(fetch.context)

    def balance(self, seen: Mapping[str, MailboxStatus]) -> list[RemoteError]:
        """Make the books of mailboxes (by alias, each as it was at the provider when it was fetched), and report them.

        What has no place is fetched again, once. Returns why books of mailboxes could not be made.
        """
        failed: list[RemoteError] = []
        made: set[str] = set()
        changed = self._changed(seen)
        try:
            for alias in changed:
                try:
                    books = self._make(alias, seen[alias])
                    if books.unplaced:
                        books = self._again(alias, books)
                except RemoteError as error:
                    if error.kind != "error":
                        raise
                    say(str(error))
                    failed.append(error)
                else:
                    self._enter(alias, books)
                    made.add(alias)
        finally:
            # Also where the provider has had enough amid this.
            if changed:
                self._outdate(made | seen.keys() - set(changed))
        return failed

    def _outdate(self, standing: Collection[str]) -> None:
        """Have the books made anew next time of mailboxes that hold copies, and could not be looked at this time."""
        for record in self.context.ledger.mailboxes():
            if record.alias in standing or not self.context.holds_copies(record):
                continue
            for report in self.fetch.reports:
                books = report.books or self.before.get(report.name)
                if report.name == decode(record.raw) and books:
                    self.fetch.report(replace(report, books=replace(books, extent=())))
                    break

    def _changed(self, seen: Mapping[str, MailboxStatus]) -> list[str]:
        """Return the mailboxes whose books are to be made: with any other's, those that hold copies of others."""
        records = {record.alias: record for record in self.context.ledger.mailboxes()}
        changed = {alias for alias, remote in seen.items() if not self._stands(records[alias], remote)}
        return [
            alias
            for alias in seen
            if alias in changed or (changed and self.context.holds_copies(records[alias]))
        ]

    def _stands(self, record: MailboxRecord, remote: MailboxStatus) -> bool:
        before = self.before.get(decode(record.raw))
        if before is None or before.unplaced or remote.uidnext is None:
            return False
        return before.extent == self._extent(record, remote)

    def _extent(self, record: MailboxRecord, remote: MailboxStatus) -> tuple[int, ...]:
        """Return what differs if anything has changed on either side, or in what is known.

        A mailbox cannot have other messages with the same UIDVALIDITY, next UID and number of them (RFC 9051 section
        2.3.1.1).
        """
        local = self.context.local.status(record.folder) or FolderStatus(0, 0, 0)
        return (
            *(VERSION, record.next_uid, int(self.context.holds_copies(record))),
            *(remote.uidvalidity, remote.uidnext or 0, remote.messages),
            *(local.uidvalidity, local.uidnext, local.messages),
            *self._refused(record.alias),
        )

    def _refused(self, alias: str) -> list[int]:
        return [entry.uid for entry in self.fetch.refused.get(alias, ())]

    def _make(self, alias: str, remote: MailboxStatus) -> Books:
        """Make the books of a mailbox from what it has now."""
        record = self.context.ledger.mailbox(alias)
        __, uids = listed(self.context, record)
        found = self._whereabouts.places(record, uids, self._refused(alias))
        # What has come or gone since it was last asked for the number of its messages is seen by the next fetch.
        same = len(uids) == remote.messages and max(uids, default=0) < (remote.uidnext or 0)
        return count(found, self._extent(record, remote) if same else ())

    def _again(self, alias: str, books: Books) -> Books:
        """Fetch once more what has no place, as if it had never been looked at; return the books after that."""
        record = self.context.ledger.mailbox(alias)
        say(f"{decode(record.raw)}: {len(books.unplaced)} messages have no place, and are looked at again")
        self._forget(record, books.unplaced)
        remote = self.context.remote.status(record.raw)
        self.fetch.mailbox(self.context.ledger.mailbox(alias), remote)
        self._whereabouts = Whereabouts(self.context)
        return self._make(alias, remote)

    def _forget(self, record: MailboxRecord, unplaced: tuple[int, ...]) -> None:
        ledger, path = self.context.ledger, self.context.state_path(record.alias)
        state = SyncState.read(path)
        if state is not None and not interrupted(path) and state.pairs.keys() & set(unplaced):
            state.pairs = {uid: local for uid, local in state.pairs.items() if uid not in unplaced}
            state.write(path)
        with ledger.transaction():
            ledger.forget(record.alias, unplaced)
            ledger.update(record.alias, next_uid=min(record.next_uid, *unplaced))

    def _enter(self, alias: str, books: Books) -> None:
        record = self.context.ledger.mailbox(alias)
        local = self.context.local.status(record.folder)
        for report in self.fetch.reports:
            if report.name == decode(record.raw):
                self.fetch.report(replace(report, in_house=local.messages if local else 0, books=books))
                return
