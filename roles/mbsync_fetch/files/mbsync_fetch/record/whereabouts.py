# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the messages of an account are, from what is recorded of them and what the local folders have."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ..imap.fingerprint import NOTHING
from ..imap.names import decode
from ..local.mailbox import FolderStatus
from ..mbsync.sync_state import UNKNOWN, interrupted
from ..remote.account import MailboxStatus, RemoteError
from .books import NOT_HERE, Held, Place, elsewhere, places_of
from .context import Context
from .ledger import LOWEST, MailboxRecord, Reason
from .matching import match_fingerprints


class Whereabouts:
    """Looks at each local folder once, when it is first asked for."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._held: dict[str, Held] = {}

    def places(
        self, record: MailboxRecord, uids: Collection[int], refused: Collection[int]
    ) -> dict[int, Place | None]:
        """Say where each of these messages of a mailbox is, as places_of() does (books.py)."""
        held = self.held(record)
        fingerprints = {
            held.fingerprints[uid] for uid in uids if uid in held.fingerprints and not held.here(uid)
        }
        found = self.context.ledger.locations(fingerprints)
        aliases = {alias for places in found.values() for alias, __ in places} - {record.alias}
        records = {other.alias: other for other in self.context.ledger.mailboxes()}
        others = elsewhere([self.held(records[alias]) for alias in sorted(aliases)], fingerprints)
        return places_of(uids, held, others, refused, record.next_uid)

    def location(self, record: MailboxRecord, uid: int) -> tuple[str, int] | None:
        """Return the local folder and UID of a message that is here or elsewhere."""
        held = self.held(record)
        if held.here(uid):
            return record.folder, held.pairs[uid]
        records = {other.alias: other for other in self.context.ledger.mailboxes()}
        fingerprint = held.fingerprints[uid]
        for alias, there in self.context.ledger.locations({fingerprint}).get(fingerprint, ()):
            other = self.held(records[alias])
            if alias != record.alias and other.here(there):
                return records[alias].folder, other.pairs[there]
        return None

    def held(self, record: MailboxRecord) -> Held:
        """Return what is recorded of a mailbox, and what its folder has of that."""
        if not record.alias:
            return Held({}, {}, {}, frozenset(), self.context.holds_copies(record))  # it was never fetched
        if record.alias not in self._held:
            self._held[record.alias] = self._look(record)
        return self._held[record.alias]

    def _look(self, record: MailboxRecord) -> Held:
        ledger, mailbox = self.context.ledger, self.context.local
        fingerprints, reasons = ledger.recorded(record.alias, LOWEST), ledger.reasons(record.alias)
        self._explain(record, fingerprints, reasons)
        state, local = self.context.state(record.alias), mailbox.status(record.folder)
        present: set[int] = set()
        pairs = dict.fromkeys(state.pairs, 0)
        if local is not None and state.local_validity in (UNKNOWN, local.uidvalidity):
            present = set(mailbox.uids(record.folder)) if local.messages else set()
            pairs = state.pairs | ledger.local_uids(record.alias)
            lost = {
                uid: fingerprints[uid]
                for uid, reason in reasons.items()
                if uid > 0 and uid not in pairs and reason not in NOT_HERE
            }
            if lost:
                # Pairs of messages that are not in the record are those of numbers that these had before.
                known = {pairs.get(uid, 0) for uid in reasons}
                pairs |= self._find(record, lost, local, present - known)
        return Held(fingerprints, reasons, pairs, present, self.context.holds_copies(record))

    def _explain(
        self, record: MailboxRecord, fingerprints: Mapping[int, bytes], reasons: dict[int, Reason]
    ) -> None:
        """Work out why messages are in the record that were recorded before reasons were."""
        unknown = {uid: fingerprints[uid] for uid, reason in reasons.items() if not reason}
        if not unknown:
            return
        pairs = self.context.state(record.alias).pairs | self.context.ledger.local_uids(record.alias)
        places = (
            self.context.ledger.locations(set(unknown.values())) if self.context.holds_copies(record) else {}
        )
        found: dict[int, Reason] = {}
        for uid, fingerprint in unknown.items():
            if fingerprint == NOTHING:
                found[uid] = "draft"
            elif uid not in pairs and any(alias != record.alias for alias, __ in places.get(fingerprint, ())):
                found[uid] = "copy"
            else:
                found[uid] = "arrived" if pairs.get(uid, 1) else "gone"
        self.context.ledger.explain(record.alias, found)
        reasons |= found

    def _find(
        self, record: MailboxRecord, lost: Mapping[int, bytes], local: FolderStatus, among: Collection[int]
    ) -> dict[int, int]:
        """Find in the folder what a stopped fetch brought there without a note of where, and note it."""
        fingerprints = self.context.local.fingerprints(record.folder, among)
        found = dict.fromkeys(lost, 0) | match_fingerprints(fingerprints, lost)
        path = self.context.state_path(record.alias)
        if not interrupted(path):
            state = self.context.state(record.alias)
            state.remote_validity, state.local_validity = record.uidvalidity, local.uidvalidity
            state.pairs |= found
            path.parent.mkdir(mode=0o700, exist_ok=True)
            state.write(path)
        return found


def listed(context: Context, record: MailboxRecord) -> tuple[MailboxStatus, Sequence[int]]:
    """Open a mailbox; return what it has, and the UIDs of that: all of them, or RemoteError."""
    name = decode(record.raw)
    for __ in range(2):
        opened = context.remote.examine(record.raw)
        listing = context.remote.uids()
        if record.uidvalidity not in (0, opened.uidvalidity):
            raise RemoteError("error", f"{name} was renumbered just now")
        if listing.whole:
            return opened, listing.uids
    raise RemoteError("error", f"{name}: {listing.lacking} of {opened.messages} messages are not listed")
