# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Takes old mail over into the local mailbox, and records what need not be fetched."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..account.settings import Account
from ..account.user import as_root
from ..imap.names import decode
from ..local.mailbox import LocalMailbox
from ..mbsync.sync_state import UNKNOWN, SyncState, interrupted
from ..record.ledger import Ledger, MailboxRecord, Reason
from ..record.matching import match_fingerprints
from ..remote.account import MailboxStatus, Message, RemoteAccount
from ..selection.selection import Selected
from .maildirs import ImporterError, Stored, read_state, stored
from .sources import Source


@dataclass
class Importer:
    """Takes mailboxes over into the local mailbox, and records what need not be fetched.

    directory: the account's own, as for a fetch. selected: all mailboxes that are fetched.
    """

    account: Account
    remote: RemoteAccount
    local: LocalMailbox
    ledger: Ledger
    directory: Path
    selected: Sequence[Selected]
    _lines: list[str] = field(default_factory=list)
    # What lies locally and is no longer in the mailbox that it came from, by fingerprint: folder and UID.
    _strays: dict[bytes, list[tuple[str, int]]] = field(default_factory=lambda: defaultdict(list))
    # What is still to be fetched.
    _unknown: list[tuple[MailboxRecord, dict[int, bytes]]] = field(default_factory=list)

    def mailbox(self, selected: Selected, source: Source) -> None:
        """Take one mailbox over."""
        record = replace(self.ledger.assign(selected.raw, selected.folder), role=selected.role)
        self.ledger.update(record.alias, role=selected.role)
        remote = self.remote.examine(record.raw)
        state = self._state(record, remote)
        with as_root():
            old = stored(source.maildir) if source.maildir else []
        old = [message for message in old if not self._left_out(record, message.flags)]
        known = self.ledger.recorded(record.alias)
        new = {
            uid: message.fingerprint
            for uid, message in self._seen(record, known).items()
            if not self._left_out(record, message.flags)
        }
        here = self.local.fingerprints(record.folder)
        brought = self._append(record, old, here, self._unwanted(record, state, known, new, old))
        paired = set(state.pairs.values())
        lacking = new | {uid: fingerprint for uid, fingerprint in known.items() if not state.pairs.get(uid)}
        pairs = match_fingerprints(
            {uid: fingerprint for uid, fingerprint in here.items() if uid not in paired}, lacking
        )
        for uid in brought - paired - set(pairs.values()):
            self._strays[here[uid]].append((record.folder, uid))
        unknown = {uid: fingerprint for uid, fingerprint in new.items() if uid not in pairs}
        done = self._done(record, source, remote, unknown, old)
        self._settle(record, state, lacking, pairs, dict.fromkeys(pairs, "adopted"))
        self._settle(record, state, lacking, dict.fromkeys(done, 0), done)
        pairs |= dict.fromkeys(done, 0)
        unknown = {uid: fingerprint for uid, fingerprint in unknown.items() if uid not in pairs}
        self._unknown.append((record, unknown))
        self._lines.append(
            f"{decode(record.raw)}: {len(unknown)} of {remote.messages} messages are still to be fetched"
        )

    def follow(self) -> None:
        """Move what was moved at the provider since it was fetched, and would come once more."""
        for record, unknown in self._unknown:
            for folder, uids in self._arrivals(unknown).items():
                moved = self.local.move(folder, list(uids.values()), record.folder)
                pairs = {uid: moved[there] for uid, there in uids.items() if there in moved}
                state = self._state(record, self.remote.examine(record.raw))
                self._settle(record, state, unknown, pairs, dict.fromkeys(pairs, "moved"))
                self._lines.append(
                    f"{decode(record.raw)}: {len(pairs)} messages have moved here from {folder}"
                )

    def said(self) -> list[str]:
        """Return what was done since this was last asked."""
        lines, self._lines = self._lines, []
        return lines

    def _seen(self, record: MailboxRecord, known: Collection[int]) -> Mapping[int, Message]:
        """Look at the messages of the mailbox, which is open, but for those that are known; none may be missing."""
        listing = self.remote.uids()
        survey = self.remote.survey(uid for uid in listing.uids if uid not in known)
        if not listing.whole or survey.unanswered:
            lacking = listing.lacking + len(survey.unanswered)
            raise ImporterError(
                f"{decode(record.raw)}: the provider says nothing of {lacking or 'some'} messages; run this again"
            )
        return survey.messages

    def _arrivals(self, unknown: Mapping[int, bytes]) -> dict[str, dict[int, int]]:
        """Find where messages lie that are to be fetched: folder -> UID at the provider -> UID there."""
        found: dict[str, dict[int, int]] = defaultdict(dict)
        for uid, fingerprint in unknown.items():
            if places := self._strays.get(fingerprint):
                folder, there = places.pop(0)
                found[folder][uid] = there
        return found

    def _state(self, record: MailboxRecord, remote: MailboxStatus) -> SyncState:
        """Return what mbsync knows of a mailbox; it must be up to date."""
        path = self.directory / "sync" / record.alias
        local = self.local.ensure(record.folder)
        state = SyncState.read(path) or SyncState(remote.uidvalidity, local.uidvalidity)
        if (
            interrupted(path)
            or record.uidvalidity not in (0, remote.uidvalidity)
            or state.local_validity not in (UNKNOWN, local.uidvalidity)
        ):
            raise ImporterError(
                f"{decode(record.raw)}: its last fetch was cut off, or it has been numbered anew since: "
                "let it be fetched once before this"
            )
        return replace(state, remote_validity=remote.uidvalidity, local_validity=local.uidvalidity)

    def _done(
        self,
        record: MailboxRecord,
        source: Source,
        remote: MailboxStatus,
        new: Mapping[int, bytes],
        old: Sequence[Stored],
    ) -> dict[int, Reason]:
        """Return which messages that the folder lacks are not to be fetched for all that, and why.

        They were deleted where they were fetched before; or they are another label's copies.
        """
        deleted = {number: message.fingerprint for number, message in enumerate(old) if message.deleted}
        gone = set(match_fingerprints(deleted, new)) | (
            self._fetched_before(record, source, remote) & new.keys()
        )
        done: dict[int, Reason] = dict.fromkeys(gone, "gone")
        if self._holds_copies(record):
            places = self.ledger.locations(set(new.values()))
            for uid, fingerprint in new.items():
                if any(alias != record.alias for alias, __ in places.get(fingerprint, ())):
                    done[uid] = "copy"
        return done

    def _fetched_before(self, record: MailboxRecord, source: Source, remote: MailboxStatus) -> set[int]:
        """Return the UIDs that the old state has as fetched."""
        if source.state is None:
            return set()
        with as_root():
            state = read_state(source.state)
        if state.remote_validity == remote.uidvalidity:
            return set(state.pairs)
        self._lines.append(
            f"{decode(record.raw)}: the provider has numbered it anew since {source.state} was written (UIDVALIDITY "
            f"{state.remote_validity}, now {remote.uidvalidity}): what was deleted since it was fetched comes back"
        )
        return set()

    def _unwanted(
        self,
        record: MailboxRecord,
        state: SyncState,
        known: Mapping[int, bytes],
        new: Mapping[int, bytes],
        old: Sequence[Stored],
    ) -> set[bytes]:
        """Return which messages were here before: here, or as ones of another mailbox that they have moved to."""
        places = self.ledger.locations({message.fingerprint for message in old})
        elsewhere = {
            fingerprint
            for fingerprint, found in places.items()
            if any(alias != record.alias for alias, __ in found)
        }
        had = {fingerprint for uid, fingerprint in known.items() if state.pairs.get(uid)}
        return had | (elsewhere - set(new.values()) - set(known.values()))

    def _append(
        self, record: MailboxRecord, old: Sequence[Stored], here: dict[int, bytes], unwanted: set[bytes]
    ) -> set[int]:
        """Store what the folder does not have yet of a Maildir; return the UIDs of the Maildir's messages.

        here: fingerprints of the folder's messages, to which those are added that come.
        """
        kept = {number: message.fingerprint for number, message in enumerate(old) if not message.deleted}
        there = match_fingerprints(here, kept)
        uids = set(there.values())
        elsewhere = self._elsewhere(record) if old else Counter()
        missing = [
            old[number]
            for number, fingerprint in kept.items()
            if number not in there and fingerprint not in unwanted
        ]
        appended = 0
        for message in missing:
            if elsewhere[message.fingerprint]:
                elsewhere[message.fingerprint] -= 1
                continue
            with as_root():
                content = message.read()
            uid = self.local.append(record.folder, content, message.flags, message.date)
            here[uid] = message.fingerprint
            uids.add(uid)
            appended += 1
        if old:
            self._lines.append(
                f"{decode(record.raw)}: {appended} of {len(old)} old messages were stored in {record.folder}"
            )
        return uids

    def _elsewhere(self, record: MailboxRecord) -> Counter[bytes]:
        """Count what the account's other folders have, if this one is not to have it once more."""
        if not self._holds_copies(record):
            return Counter()
        return Counter(
            fingerprint
            for other in self.selected
            if other.raw != record.raw
            for fingerprint in self.local.fingerprints(other.folder).values()
        )

    def _holds_copies(self, record: MailboxRecord) -> bool:
        """Tell whether a mailbox has messages of others, that are to be here once."""
        return record.role == "all" or (self.account.labelled and not self.account.labels)

    def _left_out(self, record: MailboxRecord, flags: Iterable[str]) -> bool:
        """Tell whether a message is a draft in all mail, which is not fetched."""
        return record.role == "all" and r"\draft" in map(str.lower, flags)

    def _settle(
        self,
        record: MailboxRecord,
        state: SyncState,
        fingerprints: Mapping[int, bytes],
        pairs: Mapping[int, int],
        reasons: Mapping[int, Reason],
    ) -> None:
        """Record messages (remote UID, local UID or 0) that are not to be fetched, and why."""
        path = self.directory / "sync" / record.alias
        path.parent.mkdir(mode=0o700, exist_ok=True)
        state.pairs |= pairs
        state.write(path)
        with self.ledger.transaction():
            self.ledger.record(record.alias, {uid: fingerprints[uid] for uid in pairs}, reasons)
            self.ledger.update(record.alias, uidvalidity=state.remote_validity)
