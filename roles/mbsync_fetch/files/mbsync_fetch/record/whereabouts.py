# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the messages of an account are, from what is recorded of them and what the house has."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ..imap.fingerprint import NOTHING
from ..imap.names import decode
from ..local.client import FolderStatus
from ..mbsync.sync_state import UNKNOWN, interrupted
from ..remote.client import MailboxStatus, ProviderError
from .books import NOT_HERE, Held, Place, elsewhere, places_of
from .context import Session
from .ledger import LOWEST, FolderRecord, Reason
from .matching import recognise


class Whereabouts:
    """Looks at each folder of the house once, when it is first asked for."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._held: dict[str, Held] = {}

    def places(
        self, record: FolderRecord, uids: Collection[int], refused: Collection[int]
    ) -> dict[int, Place | None]:
        """Say where each of these messages of a mailbox is, as books.places_of() does."""
        held = self.held(record)
        marks = {held.marks[uid] for uid in uids if uid in held.marks and not held.here(uid)}
        found = self.session.ledger.places(marks)
        aliases = {alias for places in found.values() for alias, _ in places} - {record.alias}
        records = {other.alias: other for other in self.session.ledger.folders()}
        others = elsewhere([self.held(records[alias]) for alias in sorted(aliases)], marks)
        return places_of(uids, held, others, refused, record.next_uid)

    def location(self, record: FolderRecord, uid: int) -> tuple[str, int] | None:
        """Return the folder and the UID in the house of a message that is here or elsewhere."""
        held = self.held(record)
        if held.here(uid):
            return record.house, held.pairs[uid]
        records = {other.alias: other for other in self.session.ledger.folders()}
        mark = held.marks[uid]
        for alias, there in self.session.ledger.places({mark}).get(mark, ()):
            other = self.held(records[alias])
            if alias != record.alias and other.here(there):
                return records[alias].house, other.pairs[there]
        return None

    def held(self, record: FolderRecord) -> Held:
        """Return what is recorded of a mailbox, and what its folder has of that."""
        if not record.alias:
            return Held({}, {}, {}, frozenset(), self.session.holds_copies(record))  # it was never fetched
        if record.alias not in self._held:
            self._held[record.alias] = self._look(record)
        return self._held[record.alias]

    def _look(self, record: FolderRecord) -> Held:
        ledger, house = self.session.ledger, self.session.house
        marks, reasons = ledger.taken(record.alias, LOWEST), ledger.reasons(record.alias)
        self._explain(record, marks, reasons)
        state, near = self.session.state(record.alias), house.status(record.house)
        present: set[int] = set()
        pairs = dict.fromkeys(state.pairs, 0)
        if near is not None and state.near_validity in (UNKNOWN, near.uidvalidity):
            present = set(house.uids(record.house)) if near.messages else set()
            pairs = state.pairs | ledger.left(record.alias)
            lost = {
                uid: marks[uid]
                for uid, reason in reasons.items()
                if uid > 0 and uid not in pairs and reason not in NOT_HERE
            }
            if lost:
                # Pairs of messages that are not in the record are those of numbers that these had before.
                known = {pairs.get(uid, 0) for uid in reasons}
                pairs |= self._find(record, lost, near, present - known)
        return Held(marks, reasons, pairs, present, self.session.holds_copies(record))

    def _explain(self, record: FolderRecord, marks: Mapping[int, bytes], reasons: dict[int, Reason]) -> None:
        """Work out why messages are in the record that were recorded before reasons were."""
        unknown = {uid: marks[uid] for uid, reason in reasons.items() if not reason}
        if not unknown:
            return
        pairs = self.session.state(record.alias).pairs | self.session.ledger.left(record.alias)
        places = (
            self.session.ledger.places(set(unknown.values())) if self.session.holds_copies(record) else {}
        )
        found: dict[int, Reason] = {}
        for uid, mark in unknown.items():
            if mark == NOTHING:
                found[uid] = "draft"
            elif uid not in pairs and any(alias != record.alias for alias, _ in places.get(mark, ())):
                found[uid] = "copy"
            else:
                found[uid] = "arrived" if pairs.get(uid, 1) else "gone"
        self.session.ledger.explain(record.alias, found)
        reasons |= found

    def _find(
        self, record: FolderRecord, lost: Mapping[int, bytes], near: FolderStatus, among: Collection[int]
    ) -> dict[int, int]:
        """Find in the folder what a stopped fetch brought there without a note of where, and note it."""
        marks = self.session.house.fingerprints(record.house, among)
        found = dict.fromkeys(lost, 0) | recognise(marks, lost)
        path = self.session.state_path(record.alias)
        if not interrupted(path):
            state = self.session.state(record.alias)
            state.far_validity, state.near_validity = record.uidvalidity, near.uidvalidity
            state.pairs |= found
            path.parent.mkdir(mode=0o700, exist_ok=True)
            state.write(path)
        return found


def listed(session: Session, record: FolderRecord) -> tuple[MailboxStatus, Sequence[int]]:
    """Open a mailbox; return what it has, and the UIDs of that: all of them, or ProviderError."""
    name = decode(record.raw)
    for _ in range(2):
        opened = session.provider.examine(record.raw)
        listing = session.provider.uids()
        if record.uidvalidity not in (0, opened.uidvalidity):
            raise ProviderError("error", f"{name} was renumbered just now")
        if listing.whole:
            return opened, listing.uids
    raise ProviderError("error", f"{name}: {listing.lacking} of {opened.messages} messages are not listed")
