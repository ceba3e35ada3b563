# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the house has of a mailbox already, and need not be pulled: by another number, name, label or fetch."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from ..imap.fingerprint import NOTHING
from ..imap.names import decode
from ..mbsync.sync_state import UNKNOWN, SyncState, interrupted
from ..record.context import Context, say
from ..record.ledger import LOWEST, MailboxRecord, Reason
from ..record.matching import match_fingerprints
from ..remote.account import MailboxStatus, Message, Presence, RemoteError
from ..remote.survey import SILENCE
from .arrivals import Arrivals
from .recovery import ALL, Unsettled


class Deduplication:
    """Recognises messages. Each method that takes new ones records those that are known, and returns the rest.

    postponed: of the mailbox that is fetched, new messages that may be ones that the house has, and why that cannot be
    told now. They are in no rest.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self.postponed: dict[int, str] = {}
        self._arrivals = Arrivals(context)

    def paired(self, record: MailboxRecord, new: dict[int, Message]) -> dict[int, Message]:
        """Record what an earlier fetch brought but was kept from recording; return the rest."""
        state = self.context.state(record.alias)
        paired = {uid: message for uid, message in new.items() if uid in state.pairs}
        arrived = self._arrivals.record(record, paired)
        rest = {uid: message for uid, message in new.items() if uid not in arrived}
        return self._take(record, rest, dict.fromkeys(paired.keys() - arrived, "gone"))

    def adopted(
        self, record: MailboxRecord, remote: MailboxStatus, new: dict[int, Message]
    ) -> dict[int, Message]:
        """Recognise what lies in the house's folder before the first fetch: nothing is fetched twice."""
        paired = set(self.context.state(record.alias).pairs.values())
        local = {
            uid: fingerprint
            for uid, fingerprint in self.context.local.fingerprints(record.folder).items()
            if uid not in paired
        }
        pairs = match_fingerprints(local, {uid: message.fingerprint for uid, message in new.items()})
        if not pairs:
            return new
        self.context.note(
            f"{decode(record.raw)}: {len(pairs)} of {remote.messages} messages are in {record.folder} already, "
            "and were not fetched again"
        )
        # What has a pair is recorded by the next fetch if this one is stopped here.
        self._pair(record, pairs)
        return self._take(record, new, dict.fromkeys(pairs, "adopted"))

    def returned(self, record: MailboxRecord, new: dict[int, Message]) -> dict[int, Message]:
        """Recognise what has left this mailbox, which is open, and come back, as out of the trash; return the rest."""
        places = self.context.ledger.locations({message.fingerprint for message in new.values()})
        before = {
            uid: fingerprint
            for fingerprint, found in places.items()
            for alias, uid in found
            if alias == record.alias
        }
        if not before:
            return new
        there = self.context.remote.present(before)
        left = {uid: before[uid] for uid in there.absent}
        returned = match_fingerprints(left, {uid: message.fingerprint for uid, message in new.items()})
        unsure = {before[uid] for uid in before.keys() - there.present - there.absent}
        self._postpone(record, {uid for uid in new.keys() - returned if new[uid].fingerprint in unsure})
        state, reasons = self.context.state(record.alias), self.context.ledger.reasons(record.alias)
        with self.context.ledger.transaction():
            self.context.ledger.forget(record.alias, returned.values())
            rest = self._take(record, new, {uid: reasons[old] for uid, old in returned.items()})
        rest = {uid: message for uid, message in rest.items() if uid not in self.postponed}
        self._pair(record, {uid: state.pairs.get(old, 0) for uid, old in returned.items()})
        return rest

    def elsewhere(self, record: MailboxRecord, new: dict[int, Message]) -> dict[int, Message]:
        """Recognise what the house has from another mailbox of the account; return what it has not.

        A message that all mail (RFC 6154) brought, or that has left another mailbox, was moved at the provider: it
        moves in the house as well.
        """
        if record.role != "all":
            moved = self._moved(record, new)
            pairs: dict[int, int] = {}
            for alias, uids in moved.items():
                pairs |= self._move(record, alias, uids)
            filed = self._arrivals.filter(record, new, pairs)
            reasons: dict[int, Reason] = {uid: "filed" if uid in filed else "moved" for uid in pairs}
            with self.context.ledger.transaction():
                for alias, uids in moved.items():
                    if self.context.ledger.mailbox(alias).role != "all":  # which still has them
                        self.context.ledger.forget(alias, uids.values())
                new = self._take(record, new, reasons)
            new = {uid: message for uid, message in new.items() if uid not in self.postponed}
            self._pair(record, pairs)
        if record.role == "all":
            # What becomes of a draft is another message, though it may look the same.
            drafts = {uid: NOTHING for uid, message in new.items() if r"\draft" in message.flags}
            self.context.ledger.record(record.alias, drafts, dict.fromkeys(drafts, "draft"))
            new = {uid: message for uid, message in new.items() if uid not in drafts}
        if self.context.holds_copies(record):
            new = self._take(record, new, dict.fromkeys(self._copies(record, new), "copy"))
        return new

    def renumber(self, record: MailboxRecord, remote: MailboxStatus) -> None:
        """Go on after the provider has numbered a mailbox anew (RFC 9051 section 2.3.1.1)."""
        now = self._numbered(record)
        before = self.context.ledger.recorded(record.alias, LOWEST)
        reasons = self.context.ledger.reasons(record.alias)
        same = match_fingerprints(before, now)
        # What is no longer here may be in another mailbox now: it is kept by a number that no message has.
        unused = itertools.count(min([0, *before]) - 1, -1)
        gone = before.keys() - same.values()
        left = {uid if uid < 0 else next(unused): uid for uid in sorted(gone)}
        path = self.context.state_path(record.alias)
        state = SyncState.read(path)
        # It has been done already if a fetch was stopped after this.
        if state is not None and state.remote_validity != remote.uidvalidity:
            if state.remote_validity not in (UNKNOWN, record.uidvalidity):
                state.pairs.clear()  # by numbers between those, that nothing tells of any more
            known = state.pairs | self.context.ledger.local_uids(record.alias)
            self.context.ledger.record_local_uids(
                record.alias, {old: known[old] for old in gone & known.keys()}
            )
            if unsettled := Unsettled.read(path):
                Unsettled.keep(path, Unsettled(unsettled.local, ALL))
            state.pairs = {uid: known[old] for uid, old in same.items() if old in known}
            state.remote_validity, state.max_pulled = remote.uidvalidity, 0
            state.write(path)
        there = self.context.ledger.local_uids(record.alias)
        with self.context.ledger.transaction():
            self.context.ledger.replace(
                record.alias,
                {uid: now[uid] for uid in same} | {uid: before[old] for uid, old in left.items()},
                {uid: reasons[old] for uid, old in (same | left).items()},
            )
            self.context.ledger.record_local_uids(
                record.alias, {uid: there[old] for uid, old in left.items() if old in there}
            )
            self.context.ledger.update(record.alias, uidvalidity=remote.uidvalidity, next_uid=1)
        self.context.note(
            f"{decode(record.raw)} was renumbered by the provider (UIDVALIDITY {record.uidvalidity}, now "
            f"{remote.uidvalidity}): {len(same)} of {len(now)} messages are known, and were not fetched again"
        )

    def check_near(self, record: MailboxRecord, uidvalidity: int) -> None:
        """Go on after the owner has removed the folder in the house: what was in it does not come back."""
        path = self.context.state_path(record.alias)
        state = SyncState.read(path)
        if state is None or state.local_validity in (UNKNOWN, uidvalidity):
            return
        state.pairs = dict.fromkeys(state.pairs, 0)
        state.local_validity = uidvalidity
        self.context.ledger.forget_local_uids(record.alias)
        Unsettled.keep(path, None)
        state.write(path)
        self.context.note(
            f"{record.folder} is not the folder that it was: what was fetched before is not fetched again"
        )

    # --- how

    def _postpone(self, record: MailboxRecord, uids: Iterable[int], where: str = "") -> None:
        """Leave messages for a later fetch."""
        why = f"it may be one that was in {where or decode(record.raw)}, which cannot be seen as a whole now"
        self.postponed |= dict.fromkeys(uids, why)

    def _numbered(self, record: MailboxRecord) -> dict[int, bytes]:
        """Return the fingerprints of all messages of a mailbox that has been numbered anew."""
        self.context.remote.examine(record.raw)
        listing = self.context.remote.uids()
        survey = self.context.remote.survey(listing.uids)
        if not listing.whole or survey.open or SILENCE in survey.refused.values():
            raise RemoteError(
                "error", "it was renumbered by the provider, which does not tell of all its messages now"
            )
        return {uid: message.fingerprint for uid, message in survey.messages.items()}

    def _take(
        self, record: MailboxRecord, new: Mapping[int, Message], reasons: Mapping[int, Reason]
    ) -> dict[int, Message]:
        """Record messages that need not be pulled, and why; return the rest."""
        self.context.ledger.record(record.alias, {uid: new[uid].fingerprint for uid in reasons}, reasons)
        return {uid: message for uid, message in new.items() if uid not in reasons}

    def _pair(self, record: MailboxRecord, pairs: Mapping[int, int]) -> None:
        """Have mbsync remember where in the house messages lie (UID at the provider, in the house or 0)."""
        path = self.context.state_path(record.alias)
        if interrupted(path) or not any(pairs.values()):
            return
        state = self.context.state(record.alias)
        if UNKNOWN in (state.remote_validity, state.local_validity):
            remote, local = self.context.remote.opened(record.raw), self.context.local.status(record.folder)
            if local:
                state.remote_validity, state.local_validity = remote.uidvalidity, local.uidvalidity
        state.pairs |= {uid: number for uid, number in pairs.items() if number}
        path.parent.mkdir(mode=0o700, exist_ok=True)
        state.write(path)

    def _copies(self, record: MailboxRecord, new: Mapping[int, Message]) -> list[int]:
        """Find which new messages are another label's copy."""
        places = self.context.ledger.locations({message.fingerprint for message in new.values()})
        return [
            uid
            for uid, message in new.items()
            if any(alias != record.alias for alias, _ in places.get(message.fingerprint, ()))
        ]

    def _moved(self, record: MailboxRecord, new: Mapping[int, Message]) -> dict[str, dict[int, int]]:
        """Find which new messages come from another mailbox: alias -> new UID -> UID there."""
        fingerprints = {message.fingerprint for message in new.values()}
        places = self.context.ledger.locations(fingerprints)
        if self._renumbered({alias for found in places.values() for alias, _ in found} - {record.alias}):
            places = self.context.ledger.locations(fingerprints)
        records = {other.alias: other for other in self.context.ledger.mailboxes()}
        uids: dict[str, set[int]] = defaultdict(set)
        for found_at in places.values():
            # What all mail alone had lies there; what another mailbox has, or had, lies in that one's folder.
            alone = all(records[alias].role == "all" for alias, _ in found_at)
            for alias, there in found_at:
                if alias != record.alias and (alone or records[alias].role != "all"):
                    uids[alias].add(there)
        sides = {alias: self._absent(records[alias], there) for alias, there in uids.items()}
        absent = {alias: set(presence.absent) for alias, presence in sides.items()}
        self.context.remote.opened(record.raw)
        found: dict[str, dict[int, int]] = defaultdict(dict)
        for uid in sorted(new):
            left = (
                (a, there) for a, there in places.get(new[uid].fingerprint, ()) if there in absent.get(a, ())
            )
            if place := next(left, None):
                alias, there = place
                absent[alias].remove(there)
                found[alias][uid] = there
            elif unseen := _unseen(places.get(new[uid].fingerprint, ()), uids, sides):
                self._postpone(record, [uid], decode(records[unseen].raw))
        return found

    def _renumbered(self, aliases: set[str]) -> bool:
        """Go on with those of these mailboxes that were numbered anew, whose UIDs would be taken for other messages."""
        done = False
        for other in self.context.ledger.mailboxes():
            if other.alias in aliases and not other.gone:
                try:
                    remote = self.context.remote.status(other.raw)
                    if other.uidvalidity not in (0, remote.uidvalidity):
                        self.renumber(other, remote)
                        done = True
                except RemoteError as error:
                    if error.kind != "error":
                        raise
        return done

    def _absent(self, other: MailboxRecord, uids: set[int]) -> Presence:
        """Tell which of these UIDs another mailbox no longer has, or brought as messages that are in all mail alone."""
        if other.role == "all":
            state = self.context.state(other.alias)
            lying = frozenset(uid for uid in uids if state.pairs.get(uid))
            return Presence(frozenset(uids) - lying, lying)
        return self.context.present(other, uids)

    def _move(self, record: MailboxRecord, alias: str, uids: Mapping[int, int]) -> dict[int, int]:
        """Move messages in the house as they were at the provider; return the pairs."""
        other = self.context.ledger.mailbox(alias)
        state = self.context.state(alias)
        left = self.context.ledger.local_uids(alias)
        local = {uid: state.pairs.get(there, 0) or left.get(there, 0) for uid, there in uids.items()}
        here = [number for number in local.values() if number]
        status = self.context.local.status(other.folder)
        if status is None or status.uidvalidity != state.local_validity:
            here = []
        moved = self.context.local.move(other.folder, here, record.folder) if here else {}
        if moved:
            say(f"{decode(record.raw)}: {len(moved)} messages have moved here from {decode(other.raw)}")
        return {uid: moved.get(number, 0) for uid, number in local.items()}


def _unseen(
    places: Iterable[tuple[str, int]], asked: Mapping[str, Collection[int]], sides: Mapping[str, Presence]
) -> str:
    """Return the mailbox of a place of which nobody knows whether its message is still there, "" if there is none."""
    for alias, there in places:
        known = sides.get(alias)
        if known and there in asked[alias] and there not in known.present | known.absent:
            return alias
    return ""
