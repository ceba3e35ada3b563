# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Deletes locally what was deleted at the provider, where the settings of the account say so."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Collection, Mapping

from ..imap.names import decode
from ..mbsync.sync_state import UNKNOWN, SyncState, interrupted
from ..record.context import Context, say
from ..record.ledger import MailboxRecord

# A mailbox that lost more than this at once is not mirrored: that is rather a fault at the provider than a wish.
AT_ONCE, SHARE = 10, 0.5


class Mirror:
    """The mailboxes of an account whose deletions are followed.

    gone: what mailboxes had lost (by alias, with their UIDVALIDITY) before what is new was fetched. What leaves one
    later may have moved to another that was looked at before.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self.gone: dict[str, tuple[int, set[int]]] = {}

    def look(self, record: MailboxRecord) -> None:
        """Look at what a mailbox has lost."""
        if gone := self._gone(record):
            self.gone[record.alias] = gone

    def follow(self, record: MailboxRecord, waiting: Collection[bytes] = ()) -> None:
        """Delete locally what the owner has deleted at the provider, where it still is where it landed.

        waiting: fingerprints of messages that have yet to come: one that has left may be one of those.
        """
        if record.alias in self.gone:
            self._follow(record, *self.gone[record.alias], waiting)

    def _gone(self, record: MailboxRecord) -> tuple[int, set[int]] | None:
        """Return the UIDVALIDITY of a mailbox, and which messages neither it nor another one has any more."""
        taken = self.context.ledger.recorded(record.alias)
        if not taken:
            return None
        remote = self.context.remote.examine(record.raw)
        here = frozenset(self.context.remote.uids().uids)
        there = here if taken.keys() <= here else self.context.remote.settled()
        # Numbers of another UIDVALIDITY are those of other messages.
        if there is None or remote.uidvalidity != record.uidvalidity:
            return None
        gone = self._nowhere(record, {uid: taken[uid] for uid in taken.keys() - there})
        return (remote.uidvalidity, gone) if gone else None

    def _follow(
        self, record: MailboxRecord, uidvalidity: int, gone_before: set[int], waiting: Collection[bytes]
    ) -> None:
        path = self.context.state_path(record.alias)
        state, local = SyncState.read(path), self.context.local.status(record.folder)
        if (
            state is None
            or interrupted(path)
            or record.uidvalidity != uidvalidity
            or local is None
            or state.local_validity not in (UNKNOWN, local.uidvalidity)
        ):
            return
        taken = self.context.ledger.recorded(record.alias)
        left = {uid: taken[uid] for uid in gone_before & taken.keys() if taken[uid] not in waiting}
        gone = self._nowhere(record, left)
        if len(gone) > max(AT_ONCE, SHARE * len(taken)):
            self.context.note(
                f"{decode(record.raw)}: {len(gone)} of {len(taken)} messages have gone at once, and are kept in "
                f"{record.folder}; delete them there if that was meant"
            )
        else:
            here = [state.pairs[uid] for uid in sorted(gone) if state.pairs.get(uid)]
            self.context.local.remove(record.folder, here)
            if here:
                say(f"{decode(record.raw)}: {len(here)} messages were deleted at the provider, and here")
        self.context.ledger.forget(record.alias, gone)

    def _nowhere(self, record: MailboxRecord, gone: Mapping[int, bytes]) -> set[int]:
        """Tell which of these messages (UID and fingerprint) no other mailbox of the account has, beyond doubt."""
        places = self.context.ledger.locations(set(gone.values()))
        uids: dict[str, set[int]] = defaultdict(set)
        for alias, uid in itertools.chain.from_iterable(places.values()):
            if alias != record.alias:
                uids[alias].add(uid)
        records = {other.alias: other for other in self.context.ledger.mailboxes()}
        absent = {alias: self.context.present(records[alias], there).absent for alias, there in uids.items()}
        return {
            uid
            for uid, fingerprint in gone.items()
            if all(there in absent[alias] for alias, there in places[fingerprint] if alias != record.alias)
        }
