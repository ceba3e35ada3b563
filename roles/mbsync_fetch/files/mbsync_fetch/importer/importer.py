# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Takes old mail over into the house, and records what need not be fetched."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..account.settings import Account
from ..account.user import as_root
from ..imap.names import decode
from ..local.client import House
from ..mbsync.sync_state import UNKNOWN, SyncState, interrupted
from ..record.ledger import FolderRecord, Ledger, Reason
from ..record.matching import recognise
from ..remote.client import MailboxStatus, Message, Provider
from ..selection.selection import Folder
from .maildirs import AdoptError, Stored, read_state, stored
from .sources import Source


@dataclass
class Adoption:
    """Takes mailboxes over into the house, and records what need not be fetched.

    directory: the account's own, as for a fetch. folders: all that are fetched.
    """

    account: Account
    provider: Provider
    house: House
    ledger: Ledger
    directory: Path
    folders: Sequence[Folder]
    _lines: list[str] = field(default_factory=list)
    # What lies in the house and is no longer in the mailbox that it came from, by fingerprint: folder and UID.
    _strays: dict[bytes, list[tuple[str, int]]] = field(default_factory=lambda: defaultdict(list))
    # What is still to be fetched.
    _unknown: list[tuple[FolderRecord, dict[int, bytes]]] = field(default_factory=list)

    def mailbox(self, folder: Folder, source: Source) -> None:
        """Take one mailbox over."""
        record = replace(self.ledger.assign(folder.raw, folder.house), role=folder.role)
        self.ledger.update(record.alias, role=folder.role)
        far = self.provider.examine(record.raw)
        state = self._state(record, far)
        with as_root():
            old = stored(source.maildir) if source.maildir else []
        old = [message for message in old if not self._left_out(record, message.flags)]
        known = self.ledger.taken(record.alias)
        new = {
            uid: message.fingerprint
            for uid, message in self._seen(record, known).items()
            if not self._left_out(record, message.flags)
        }
        here = self.house.fingerprints(record.house)
        brought = self._append(record, old, here, self._unwanted(record, state, known, new, old))
        paired = set(state.pairs.values())
        lacking = new | {uid: mark for uid, mark in known.items() if not state.pairs.get(uid)}
        pairs = recognise({uid: mark for uid, mark in here.items() if uid not in paired}, lacking)
        for uid in brought - paired - set(pairs.values()):
            self._strays[here[uid]].append((record.house, uid))
        unknown = {uid: mark for uid, mark in new.items() if uid not in pairs}
        done = self._done(record, source, far, unknown, old)
        self._settle(record, state, lacking, pairs, dict.fromkeys(pairs, "adopted"))
        self._settle(record, state, lacking, dict.fromkeys(done, 0), done)
        pairs |= dict.fromkeys(done, 0)
        unknown = {uid: mark for uid, mark in unknown.items() if uid not in pairs}
        self._unknown.append((record, unknown))
        self._lines.append(
            f"{decode(record.raw)}: {len(unknown)} of {far.messages} messages are still to be fetched"
        )

    def follow(self) -> None:
        """Move what was moved at the provider since it was fetched, and would come once more."""
        for record, unknown in self._unknown:
            for folder, uids in self._arrivals(unknown).items():
                moved = self.house.move(folder, list(uids.values()), record.house)
                pairs = {uid: moved[there] for uid, there in uids.items() if there in moved}
                state = self._state(record, self.provider.examine(record.raw))
                self._settle(record, state, unknown, pairs, dict.fromkeys(pairs, "moved"))
                self._lines.append(
                    f"{decode(record.raw)}: {len(pairs)} messages have moved here from {folder}"
                )

    def said(self) -> list[str]:
        """Return what was done since this was last asked."""
        lines, self._lines = self._lines, []
        return lines

    def _seen(self, record: FolderRecord, known: Collection[int]) -> Mapping[int, Message]:
        """Look at the messages of the mailbox, which is open, but for those that are known; none may be missing."""
        listing = self.provider.uids()
        survey = self.provider.survey(uid for uid in listing.uids if uid not in known)
        if not listing.whole or survey.unanswered:
            lacking = listing.lacking + len(survey.unanswered)
            raise AdoptError(
                f"{decode(record.raw)}: the provider says nothing of {lacking or 'some'} messages; run this again"
            )
        return survey.messages

    def _arrivals(self, unknown: Mapping[int, bytes]) -> dict[str, dict[int, int]]:
        """Find where messages lie that are to be fetched: folder -> UID at the provider -> UID there."""
        found: dict[str, dict[int, int]] = defaultdict(dict)
        for uid, mark in unknown.items():
            if places := self._strays.get(mark):
                folder, there = places.pop(0)
                found[folder][uid] = there
        return found

    def _state(self, record: FolderRecord, far: MailboxStatus) -> SyncState:
        """Return what mbsync knows of a mailbox; it must be up to date."""
        path = self.directory / "sync" / record.alias
        near = self.house.ensure(record.house)
        state = SyncState.read(path) or SyncState(far.uidvalidity, near.uidvalidity)
        if (
            interrupted(path)
            or record.uidvalidity not in (0, far.uidvalidity)
            or state.near_validity not in (UNKNOWN, near.uidvalidity)
        ):
            raise AdoptError(
                f"{decode(record.raw)}: its last fetch was cut off, or it has been numbered anew since: "
                "let it be fetched once before this"
            )
        return replace(state, far_validity=far.uidvalidity, near_validity=near.uidvalidity)

    def _done(
        self,
        record: FolderRecord,
        source: Source,
        far: MailboxStatus,
        new: Mapping[int, bytes],
        old: Sequence[Stored],
    ) -> dict[int, Reason]:
        """Return which messages that the folder lacks are not to be fetched for all that, and why.

        They were deleted where they were fetched before; or they are another label's copies.
        """
        deleted = {number: message.fingerprint for number, message in enumerate(old) if message.deleted}
        gone = set(recognise(deleted, new)) | (self._fetched_before(record, source, far) & new.keys())
        done: dict[int, Reason] = dict.fromkeys(gone, "gone")
        if self._holds_copies(record):
            places = self.ledger.places(set(new.values()))
            for uid, mark in new.items():
                if any(alias != record.alias for alias, _ in places.get(mark, ())):
                    done[uid] = "copy"
        return done

    def _fetched_before(self, record: FolderRecord, source: Source, far: MailboxStatus) -> set[int]:
        """Return the UIDs that the old state has as fetched."""
        if source.state is None:
            return set()
        with as_root():
            state = read_state(source.state)
        if state.far_validity == far.uidvalidity:
            return set(state.pairs)
        self._lines.append(
            f"{decode(record.raw)}: the provider has numbered it anew since {source.state} was written (UIDVALIDITY "
            f"{state.far_validity}, now {far.uidvalidity}): what was deleted since it was fetched comes back"
        )
        return set()

    def _unwanted(
        self,
        record: FolderRecord,
        state: SyncState,
        known: Mapping[int, bytes],
        new: Mapping[int, bytes],
        old: Sequence[Stored],
    ) -> set[bytes]:
        """Return which messages the house had before: here, or as ones of another mailbox that they have moved to."""
        places = self.ledger.places({message.fingerprint for message in old})
        elsewhere = {
            mark for mark, found in places.items() if any(alias != record.alias for alias, _ in found)
        }
        had = {mark for uid, mark in known.items() if state.pairs.get(uid)}
        return had | (elsewhere - set(new.values()) - set(known.values()))

    def _append(
        self, record: FolderRecord, old: Sequence[Stored], here: dict[int, bytes], unwanted: set[bytes]
    ) -> set[int]:
        """Store in the house what it does not have yet of a Maildir; return the UIDs of the Maildir's messages.

        here: fingerprints of the folder's messages, to which those are added that come.
        """
        kept = {number: message.fingerprint for number, message in enumerate(old) if not message.deleted}
        there = recognise(here, kept)
        uids = set(there.values())
        elsewhere = self._elsewhere(record) if old else Counter()
        missing = [
            old[number] for number, mark in kept.items() if number not in there and mark not in unwanted
        ]
        appended = 0
        for message in missing:
            if elsewhere[message.fingerprint]:
                elsewhere[message.fingerprint] -= 1
                continue
            with as_root():
                content = message.read()
            uid = self.house.append(record.house, content, message.flags, message.date)
            here[uid] = message.fingerprint
            uids.add(uid)
            appended += 1
        if old:
            self._lines.append(
                f"{decode(record.raw)}: {appended} of {len(old)} old messages were stored in {record.house}"
            )
        return uids

    def _elsewhere(self, record: FolderRecord) -> Counter[bytes]:
        """Count what the account's other folders have, if this one is not to have it once more."""
        if not self._holds_copies(record):
            return Counter()
        return Counter(
            mark
            for folder in self.folders
            if folder.raw != record.raw
            for mark in self.house.fingerprints(folder.house).values()
        )

    def _holds_copies(self, record: FolderRecord) -> bool:
        """Tell whether a mailbox has messages of others, that are to be in the house once."""
        return record.role == "all" or (self.account.labelled and not self.account.labels)

    def _left_out(self, record: FolderRecord, flags: Iterable[str]) -> bool:
        """Tell whether a message is a draft in all mail, which is not fetched."""
        return record.role == "all" and r"\draft" in map(str.lower, flags)

    def _settle(
        self,
        record: FolderRecord,
        state: SyncState,
        marks: Mapping[int, bytes],
        pairs: Mapping[int, int],
        reasons: Mapping[int, Reason],
    ) -> None:
        """Record messages (UID at the provider, in the house or 0) that are not to be fetched, and why."""
        path = self.directory / "sync" / record.alias
        path.parent.mkdir(mode=0o700, exist_ok=True)
        state.pairs |= pairs
        state.write(path)
        with self.ledger.transaction():
            self.ledger.take(record.alias, {uid: marks[uid] for uid in pairs}, reasons)
            self.ledger.update(record.alias, uidvalidity=state.far_validity)
