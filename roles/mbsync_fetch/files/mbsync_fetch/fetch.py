# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fetch of one mailbox: which messages the house lacks, and what mbsync is to pull."""

from __future__ import annotations

import subprocess
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from .account import Account
from .doors import Door
from .house import House, mailbox_name
from .ledger import FINGERPRINT_SIZE, FolderRecord, Ledger
from .mbsync import Outcome, Side, pull
from .names import decode
from .provider import MailboxStatus, Message, Provider, ProviderError, quoted
from .recognise import recognise
from .status import DAY, Refused, Report, kind_of
from .sync_state import UNKNOWN, SyncState, interrupted, mend

# Scripts may answer and forward mail: what is older than this, in seconds, is filed without them.
SIEVE_AGE = 7 * DAY
# A mailbox that lost more than this at once is not mirrored: that is rather a fault at the provider than a wish.
MIRRORED_AT_ONCE, MIRRORED_SHARE = 10, 0.5

# The fingerprint of what is not to be recognised.
NOTHING = bytes(FINGERPRINT_SIZE)

Pairs = Mapping[int, int]


class HouseFullError(Exception):
    """The owner's mailbox takes no more."""


def say(text: str) -> None:
    """Write a line to the journal."""
    print(text, flush=True)


@dataclass
class Fetch:
    """One fetch of an account.

    directory: the account's own (systemd.exec(5), StateDirectory). budget: the bytes that may be read, None for all.
    refused: by alias, messages that the provider did not hand over in earlier fetches.
    After it: reports of the mailboxes, notes (what was recovered), and over_budget or house_full, if something had to
    wait.
    """

    account: Account
    provider: Provider
    house: House
    ledger: Ledger
    directory: Path
    budget: int | None
    refused: dict[str, tuple[Refused, ...]]
    reports: list[Report] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    over_budget: bool = False
    house_full: bool = False

    def note(self, text: str) -> None:
        """Say what was done that the owner might wonder about, and keep it."""
        say(text)
        self.notes.append(text)

    def state_path(self, alias: str) -> Path:
        """Return mbsync's state file of a mailbox."""
        return self.directory / "sync" / alias

    def mailbox(self, record: FolderRecord, far: MailboxStatus, *, again: bool = True) -> None:
        """Fetch one mailbox. again: whether messages that were refused before are asked for once more."""
        near = self.house.ensure(record.house)
        if record.uidvalidity not in (0, far.uidvalidity):
            self._renumber(record, far)
            record = replace(record, uidvalidity=far.uidvalidity, next_uid=1)
        missing = 0
        try:
            if interrupted(self.state_path(record.alias)) or record.next_uid < far.uidnext:
                self._check_near(record, near.uidvalidity)
                missing = self._fetch_new(record, far, again=again)
            else:
                self.ledger.update(record.alias, uidvalidity=far.uidvalidity)
        finally:
            present = self.house.status(record.house) or near
            self.reports.append(
                Report(
                    name=decode(record.raw),
                    house=record.house,
                    provider=far.messages,
                    in_house=present.messages,
                    missing=missing,
                    refused=self.refused.get(record.alias, ()),
                )
            )

    # --- what is new

    def _fetch_new(self, record: FolderRecord, far: MailboxStatus, *, again: bool) -> int:
        """Fetch what has not been dealt with; return how many messages are still missing."""
        alias = record.alias
        opened = self.provider.examine(record.raw)
        if opened.uidvalidity != far.uidvalidity:
            raise ProviderError("error", f"{decode(record.raw)} was renumbered just now")
        uids = self.provider.uids(record.next_uid)
        taken = self.ledger.taken(alias, record.next_uid)
        new = {message.uid: message for message in self.provider.survey([u for u in uids if u not in taken])}
        new = self._settle_paired(record, new)
        if record.uidvalidity == 0:
            new = self._settle_adopted(record, opened, new)
            self.ledger.update(alias, uidvalidity=far.uidvalidity)
        new = self._settle_returned(record, new)
        new = self._settle_known(record, new)
        refused = {entry.uid: entry for entry in self.refused.pop(alias, ()) if entry.uid in new}
        self._keep_refused(alias, refused)
        self._pull(record, {uid: message for uid, message in new.items() if uid not in refused})
        if again:
            self._pull_refused(record, {uid: new[uid] for uid in refused})
        left = sorted(set(new) - set(self.ledger.taken(alias, record.next_uid)))
        self.refused[alias] = tuple(entry for entry in self.refused[alias] if entry.uid in left)
        self.ledger.update(alias, next_uid=left[0] if left else max([opened.uidnext, *(u + 1 for u in uids)]))
        return len(left)

    def _keep_refused(self, alias: str, refused: Mapping[int, Refused]) -> None:
        """Remember which messages of a mailbox the provider does not hand over, beside those known of."""
        known = {entry.uid: entry for entry in self.refused.get(alias, ())}
        self.refused[alias] = tuple((known | dict(refused)).values())

    def _pull_refused(self, record: FolderRecord, messages: Mapping[int, Message]) -> None:
        """Ask once more for messages that were refused, one by one: the connection may not outlive it."""
        for uid, message in messages.items():
            try:
                self._pull(record, {uid: message})
            except ProviderError as error:
                say(f"{decode(record.raw)}: message {uid}: {error}")
                return

    def _pull(self, record: FolderRecord, new: Mapping[int, Message]) -> None:
        """Let mbsync pull messages, and record them."""
        path = self.state_path(record.alias)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        unfinished = interrupted(path)
        if unfinished:
            mend(path, _journal_version())
        wanted = self._affordable([new[uid] for uid in sorted(new)])
        if not wanted and not unfinished:
            return
        if not unfinished:
            state = SyncState.read(path) or SyncState()
            state.want(wanted)
            state.write(path)
        outcome = self._mbsync(record, frozenset(wanted), len(new))
        arrived = self._record(record, new)
        self._judge(record, outcome, frozenset(wanted) - arrived)
        if unfinished:
            # What is below the highest message of the run before is not looked at while that is completed.
            self._pull(record, {uid: message for uid, message in new.items() if uid not in arrived})

    def _mbsync(self, record: FolderRecord, wanted: frozenset[int], total: int) -> Outcome:
        name = decode(record.raw)
        outcome = pull(
            record.alias,
            self.state_path(record.alias).parent,
            self.directory,
            Side(self.provider.stream, quoted(record.raw)),
            Side(self.house.lend(), mailbox_name(record.house)),
            wanted,
            self.account.timeout,
            lambda stored: say(f"{name}: {stored} of {total} messages have arrived"),
            lambda _far, near: _is_full(near),
        )
        if outcome.near.unanswered or outcome.near.error:
            self.house.open()
        return outcome

    def _judge(self, record: FolderRecord, outcome: Outcome, left: frozenset[int]) -> None:
        """Say what mbsync's run means for the wanted messages that it did not bring."""
        name, far, near = decode(record.raw), outcome.far, outcome.near
        if _is_full(near):
            raise HouseFullError(near.refusals[-1].text)
        for refusal in near.refusals:
            say(f"{name}: the house answers: {refusal.text}")
        refused = {
            refusal.uid: Refused(refusal.uid, refusal.text) for refusal in far.refusals if refusal.uid in left
        }
        asked = [uid for command, uid in far.unanswered if command == "UID FETCH" and uid in left]
        if far.error is not None and asked:
            # Perhaps it is this message that the provider fails at: the next fetch asks for it at the end.
            refused[asked[0]] = Refused(asked[0], f"the connection ended as it was asked for: {far.error}")
        self._keep_refused(record.alias, refused)
        if far.error is not None:
            raise ProviderError("unreachable", f"{name}: {far.error}")
        other = [refusal.text for refusal in far.refusals if refusal.uid not in left]
        if other:
            raise ProviderError(kind_of(other[0], "error"), f"{name}: {other[0]}")
        if near.error is not None:
            raise ProviderError("house unavailable", f"{name}: {near.error}")
        # It fails for refused messages as well, after all others.
        if not outcome.succeeded and not refused:
            raise ProviderError("error", f"{name}: mbsync: {' '.join(outcome.output.split()) or 'failed'}")

    def _affordable(self, messages: Sequence[Message]) -> list[int]:
        """Leave out what the provider's daily limit or the owner's quota has no room for."""
        room = self.house.quota_left()
        wanted: list[int] = []
        for message in messages:
            if self.budget is not None and message.size > self.budget:
                self.over_budget = True
                break
            if room is not None and message.size > room:
                self.house_full = True
                break
            if room is not None:
                room -= message.size
            if self.budget is not None:
                self.budget -= message.size
            wanted.append(message.uid)
        return wanted

    # --- what has arrived

    def _record(self, record: FolderRecord, new: Mapping[int, Message]) -> set[int]:
        """Take into the ledger what mbsync has paired, once it has passed the owner's scripts."""
        state = SyncState.read(self.state_path(record.alias)) or SyncState()
        arrived = {uid: state.pairs[uid] for uid in new if state.pairs.get(uid)}
        if self.account.inbox and record.role == "inbox":
            self._filter(record, new, arrived)
        deleted = [near for uid, near in arrived.items() if r"\deleted" in new[uid].flags]
        self.house.remove_flags(record.house, deleted, [r"\Deleted"])
        self.ledger.take(record.alias, {uid: new[uid].fingerprint for uid in arrived})
        return set(arrived)

    def _filter(self, record: FolderRecord, new: Mapping[int, Message], pairs: Pairs) -> None:
        """Let what has arrived lately pass the scripts of the house and of the owner."""
        recent = time.time() - SIEVE_AGE
        lately = [near for uid, near in pairs.items() if near and new[uid].arrived > recent]
        for complaint in self.house.sieve(record.house, lately):
            say(f"{decode(record.raw)}: the owner's scripts: {complaint}")

    def _settle_paired(self, record: FolderRecord, new: dict[int, Message]) -> dict[int, Message]:
        """Record what an earlier fetch brought but was kept from recording; return the rest."""
        state = SyncState.read(self.state_path(record.alias)) or SyncState()
        paired = {uid: message for uid, message in new.items() if uid in state.pairs}
        self._record(record, paired)
        return self._settle(record, new, dict.fromkeys(paired, 0))

    # --- what the house knows already

    def _settle(self, record: FolderRecord, new: Mapping[int, Message], pairs: Pairs) -> dict[int, Message]:
        """Record messages (UID at the provider, in the house or 0) that need not be pulled; return the rest."""
        if any(pairs.values()):
            path = self.state_path(record.alias)
            state = SyncState.read(path) or SyncState()
            if not interrupted(path):
                state.pairs |= {far: near for far, near in pairs.items() if near}
                path.parent.mkdir(mode=0o700, exist_ok=True)
                state.write(path)
        self.ledger.take(record.alias, {uid: new[uid].fingerprint for uid in pairs})
        return {uid: message for uid, message in new.items() if uid not in pairs}

    def _settle_adopted(
        self, record: FolderRecord, far: MailboxStatus, new: dict[int, Message]
    ) -> dict[int, Message]:
        """Recognise what lies in the house's folder before the first fetch: nothing is fetched twice."""
        near = self.house.fingerprints(record.house)
        pairs = recognise(near, {uid: message.fingerprint for uid, message in new.items()})
        if not pairs:
            return new
        self.note(
            f"{decode(record.raw)}: {len(pairs)} of {far.messages} messages are in {record.house} already, "
            "and were not fetched again"
        )
        return self._settle(record, new, pairs)

    def _settle_returned(self, record: FolderRecord, new: dict[int, Message]) -> dict[int, Message]:
        """Recognise what has left this mailbox, which is open, and come back, as out of the trash; return the rest."""
        places = self.ledger.places({message.fingerprint for message in new.values()})
        before = {
            uid: fingerprint
            for fingerprint, found in places.items()
            for alias, uid in found
            if alias == record.alias
        }
        if not before:
            return new
        present = self.provider.present(before)
        left = {uid: fingerprint for uid, fingerprint in before.items() if uid not in present}
        returned = recognise(left, {uid: message.fingerprint for uid, message in new.items()})
        state = SyncState.read(self.state_path(record.alias)) or SyncState()
        new = self._settle(record, new, {uid: state.pairs.get(old, 0) for uid, old in returned.items()})
        self.ledger.forget(record.alias, returned.values())
        return new

    def _settle_known(self, record: FolderRecord, new: dict[int, Message]) -> dict[int, Message]:
        """Recognise what the house has from another mailbox of the account; return what it has not.

        A message that all mail (RFC 6154) brought, or that has left another mailbox, was moved at the provider: it
        moves in the house as well.
        """
        if record.role != "all":
            pairs: dict[int, int] = {}
            for alias, uids in self._moved(record, new).items():
                pairs |= self._move(record, alias, uids)
            if self.account.inbox and record.role == "inbox":
                self._filter(record, new, pairs)
            new = self._settle(record, new, pairs)
        if record.role == "all":
            # What becomes of a draft is another message, though it may look the same.
            drafts = {uid: NOTHING for uid, message in new.items() if r"\draft" in message.flags}
            self.ledger.take(record.alias, drafts)
            new = {uid: message for uid, message in new.items() if uid not in drafts}
        if record.role == "all" or (self.account.labelled and not self.account.labels):
            new = self._settle(record, new, dict.fromkeys(self._copies(record, new), 0))
        return new

    def _copies(self, record: FolderRecord, new: Mapping[int, Message]) -> list[int]:
        """Find which new messages are another label's copy."""
        places = self.ledger.places({message.fingerprint for message in new.values()})
        return [
            uid
            for uid, message in new.items()
            if any(alias != record.alias for alias, _ in places.get(message.fingerprint, ()))
        ]

    def _moved(self, record: FolderRecord, new: Mapping[int, Message]) -> dict[str, dict[int, int]]:
        """Find which new messages come from another mailbox: alias -> new UID -> UID there."""
        places = self.ledger.places({message.fingerprint for message in new.values()})
        records = {other.alias: other for other in self.ledger.folders()}
        candidates: dict[str, dict[int, int]] = defaultdict(dict)
        for uid in sorted(new):
            for place in places.get(new[uid].fingerprint, ()):
                if place[0] != record.alias and place[1] not in candidates[place[0]].values():
                    candidates[place[0]][uid] = place[1]
        found: dict[str, dict[int, int]] = {}
        claimed: set[int] = set()
        for alias, uids in candidates.items():
            left = {uid: there for uid, there in uids.items() if uid not in claimed}
            if left:
                absent = self._absent(records[alias], set(left.values()))
                found[alias] = {uid: there for uid, there in left.items() if there in absent}
                claimed |= found[alias].keys()
        if candidates:
            self.provider.examine(record.raw)
        return found

    def _absent(self, other: FolderRecord, uids: set[int]) -> set[int]:
        """Tell which of these UIDs another mailbox no longer has, or brought as messages that are in all mail alone."""
        if other.role == "all":
            state = SyncState.read(self.state_path(other.alias)) or SyncState()
            return {uid for uid in uids if state.pairs.get(uid)}
        return uids - self._present(other, uids)

    def _present(self, other: FolderRecord, uids: set[int]) -> set[int]:
        """Tell which of these UIDs another mailbox still has: all, where that cannot be seen now."""
        if other.gone:
            return set()
        status = self.provider.status(other.raw)
        if status is None or status.uidvalidity != other.uidvalidity:
            return uids
        self.provider.examine(other.raw)
        return self.provider.present(uids)

    def _move(self, record: FolderRecord, alias: str, uids: Mapping[int, int]) -> dict[int, int]:
        """Move messages in the house as they were at the provider; return the pairs."""
        other = next(entry for entry in self.ledger.folders() if entry.alias == alias)
        state = SyncState.read(self.state_path(alias)) or SyncState()
        near = {uid: state.pairs.get(there, 0) for uid, there in uids.items()}
        here = [number for number in near.values() if number]
        status = self.house.status(other.house)
        if status is None or status.uidvalidity != state.near_validity:
            here = []
        moved = self.house.move(other.house, here, record.house) if here else {}
        if moved:
            say(f"{decode(record.raw)}: {len(moved)} messages have moved here from {decode(other.raw)}")
        return {uid: moved.get(number, 0) for uid, number in near.items()}

    # --- when numbers have changed

    def _renumber(self, record: FolderRecord, far: MailboxStatus) -> None:
        """Go on after the provider has numbered a mailbox anew (RFC 9051 section 2.3.1.1)."""
        self.provider.examine(record.raw)
        now = {message.uid: message.fingerprint for message in self.provider.survey(self.provider.uids())}
        same = recognise(self.ledger.taken(record.alias), now)
        path = self.state_path(record.alias)
        state = SyncState.read(path)
        if state is not None:
            state.pairs = {uid: state.pairs[old] for uid, old in same.items() if state.pairs.get(old)}
            state.far_validity, state.max_pulled = far.uidvalidity, 0
            state.write(path)
        self.ledger.replace(record.alias, {uid: now[uid] for uid in same})
        self.ledger.update(record.alias, uidvalidity=far.uidvalidity, next_uid=1)
        self.refused.pop(record.alias, None)
        self.note(
            f"{decode(record.raw)} was renumbered by the provider (UIDVALIDITY {record.uidvalidity}, now "
            f"{far.uidvalidity}): {len(same)} of {len(now)} messages are known, and were not fetched again"
        )

    def _check_near(self, record: FolderRecord, uidvalidity: int) -> None:
        """Go on after the owner has removed the folder in the house: what was in it does not come back."""
        path = self.state_path(record.alias)
        state = SyncState.read(path)
        if state is None or state.near_validity in (UNKNOWN, uidvalidity):
            return
        state.pairs = dict.fromkeys(state.pairs, 0)
        state.near_validity = uidvalidity
        state.write(path)
        self.note(
            f"{record.house} is not the folder that it was: what was fetched before is not fetched again"
        )

    # --- what was deleted

    def mirror(self, record: FolderRecord) -> None:
        """Delete in the house what the owner has deleted at the provider, where it still is where it landed."""
        state = SyncState.read(self.state_path(record.alias))
        if (
            state is None
            or interrupted(self.state_path(record.alias))
            or self.provider.status(record.raw) is None
        ):
            return
        # Numbers of another UIDVALIDITY, on either side, are those of other messages.
        far, near = self.provider.examine(record.raw), self.house.status(record.house)
        known = next(entry.uidvalidity for entry in self.ledger.folders() if entry.alias == record.alias)
        if far.uidvalidity != known or near is None or state.near_validity not in (UNKNOWN, near.uidvalidity):
            return
        taken = self.ledger.taken(record.alias)
        gone = sorted(set(taken) - set(self.provider.uids()))
        gone = [uid for uid in gone if not self._elsewhere(record, taken[uid])]
        if len(gone) > max(MIRRORED_AT_ONCE, MIRRORED_SHARE * len(taken)):
            self.note(
                f"{decode(record.raw)}: {len(gone)} of {len(taken)} messages have gone at once, and are kept in "
                f"{record.house}; delete them there if that was meant"
            )
        else:
            here = [state.pairs[uid] for uid in gone if state.pairs.get(uid)]
            self.house.remove(record.house, here)
            if here:
                say(f"{decode(record.raw)}: {len(here)} messages were deleted at the provider, and here")
        self.ledger.forget(record.alias, gone)

    def _elsewhere(self, record: FolderRecord, fingerprint: bytes) -> bool:
        """Tell whether the account still has a message in another of its mailboxes."""
        records = {other.alias: other for other in self.ledger.folders()}
        return any(
            self._present(records[alias], {uid})
            for alias, uid in self.ledger.places({fingerprint}).get(fingerprint, ())
            if alias != record.alias
        )


def _is_full(near: Door) -> bool:
    return any("[OVERQUOTA]" in refusal.text.upper() for refusal in near.refusals)


def _journal_version() -> int:
    """Return which journals the installed mbsync reads."""
    version = subprocess.run(["mbsync", "--version"], capture_output=True, check=True, text=True).stdout
    return 4 if version.startswith("isync 1.4") else 5
