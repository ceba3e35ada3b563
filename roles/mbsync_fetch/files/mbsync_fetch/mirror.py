# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Deletes in the house what was deleted at the provider, where the settings of the account say so."""

from __future__ import annotations

from .ledger import FolderRecord
from .names import decode
from .session import Session, say
from .sync_state import UNKNOWN, SyncState, interrupted

# A mailbox that lost more than this at once is not mirrored: that is rather a fault at the provider than a wish.
AT_ONCE, SHARE = 10, 0.5


class Mirror:
    """The mailboxes of an account whose deletions are followed."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def mailbox(self, record: FolderRecord) -> None:
        """Delete in the house what the owner has deleted at the provider, where it still is where it landed."""
        state = SyncState.read(self.session.state_path(record.alias))
        if (
            state is None
            or interrupted(self.session.state_path(record.alias))
            or self.session.provider.status(record.raw) is None
        ):
            return
        # Numbers of another UIDVALIDITY, on either side, are those of other messages.
        far, near = self.session.provider.examine(record.raw), self.session.house.status(record.house)
        known = self.session.ledger.folder(record.alias).uidvalidity
        if far.uidvalidity != known or near is None or state.near_validity not in (UNKNOWN, near.uidvalidity):
            return
        taken = self.session.ledger.taken(record.alias)
        gone = sorted(set(taken) - set(self.session.provider.uids()))
        gone = [uid for uid in gone if not self._elsewhere(record, taken[uid])]
        if len(gone) > max(AT_ONCE, SHARE * len(taken)):
            self.session.note(
                f"{decode(record.raw)}: {len(gone)} of {len(taken)} messages have gone at once, and are kept in "
                f"{record.house}; delete them there if that was meant"
            )
        else:
            here = [state.pairs[uid] for uid in gone if state.pairs.get(uid)]
            self.session.house.remove(record.house, here)
            if here:
                say(f"{decode(record.raw)}: {len(here)} messages were deleted at the provider, and here")
        self.session.ledger.forget(record.alias, gone)

    def _elsewhere(self, record: FolderRecord, fingerprint: bytes) -> bool:
        """Tell whether the account still has a message in another of its mailboxes."""
        records = {other.alias: other for other in self.session.ledger.folders()}
        return any(
            self.session.present(records[alias], {uid})
            for alias, uid in self.session.ledger.places({fingerprint}).get(fingerprint, ())
            if alias != record.alias
        )
