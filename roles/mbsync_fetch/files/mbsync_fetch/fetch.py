# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fetch of one mailbox: which messages the house lacks, and what mbsync is to pull."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from .answers import kind_of
from .arrivals import Arrivals
from .doors import Door
from .house import mailbox_name
from .known import Known
from .ledger import FolderRecord
from .look import Look, look
from .mbsync import Outcome, Side, pull
from .names import decode, quoted
from .provider import MailboxStatus, Message, ProviderError
from .recognise import recognise
from .report import Refused, Report
from .sequence_set import in_lines
from .session import Session, say
from .status import write_file
from .survey import SILENCE
from .sync_state import interrupted, mend


class HouseFullError(Exception):
    """The owner's mailbox takes no more."""


@dataclass
class Fetch:
    """One fetch of an account.

    budget: the bytes that may be read, None for all.
    refused: by alias, messages that the provider did not hand over in earlier fetches.
    After it: reports of the mailboxes, and over_budget or house_full, if something had to wait.
    """

    session: Session
    budget: int | None
    refused: dict[str, tuple[Refused, ...]]
    reports: list[Report] = field(default_factory=list)
    over_budget: bool = False
    house_full: bool = False

    def __post_init__(self) -> None:
        self._known = Known(self.session)
        self._arrivals = Arrivals(self.session)
        self._missing = 0

    def mailbox(self, record: FolderRecord, far: MailboxStatus, *, again: bool = True) -> None:
        """Fetch one mailbox. again: whether messages that were refused before are asked for once more."""
        near = self.session.house.ensure(record.house)
        if record.uidvalidity not in (0, far.uidvalidity):
            self._known.renumber(record, far)
            self.refused.pop(record.alias, None)
            record = replace(record, uidvalidity=far.uidvalidity, next_uid=1)
        self._missing = 0
        try:
            if interrupted(self.session.state_path(record.alias)) or not _dealt_with(record, far):
                self._known.check_near(record, near.uidvalidity)
                self._fetch_new(record, far, again=again)
            else:
                self.session.ledger.update(record.alias, uidvalidity=far.uidvalidity)
        finally:
            present = self.session.house.status(record.house) or near
            self.report(
                Report(
                    name=decode(record.raw),
                    house=record.house,
                    provider=far.messages,
                    in_house=present.messages,
                    missing=self._missing,
                    refused=self.refused.get(record.alias, ()),
                )
            )

    def report(self, report: Report) -> None:
        """Keep what is to be said of a mailbox, instead of what was."""
        self.reports = [other for other in self.reports if other.name != report.name] + [report]

    # --- what is new

    def _fetch_new(self, record: FolderRecord, far: MailboxStatus, *, again: bool) -> None:
        """Fetch what has not been dealt with."""
        alias = record.alias
        opened = self.session.provider.examine(record.raw)
        if opened.uidvalidity != far.uidvalidity:
            raise ProviderError("error", f"{decode(record.raw)} was renumbered just now")
        before = {entry.uid: entry for entry in self.refused.get(alias, ())}
        seen = look(self.session, record, before, again=again)
        self._missing = len(seen.messages) + len(seen.refused) + len(seen.later) + seen.listing.lacking
        self.refused[alias] = tuple(seen.refused.values())
        self._known.postponed = {}
        new = self._known.paired(record, seen.messages)
        if record.uidvalidity == 0:
            new = self._known.adopted(record, opened, new)
            self.session.ledger.update(alias, uidvalidity=far.uidvalidity)
        new = self._known.returned(record, new)
        new = self._known.elsewhere(record, new)
        self._keep_refused(alias, {uid: Refused(uid, why) for uid, why in self._known.postponed.items()})
        try:
            self._pull(record, {uid: message for uid, message in new.items() if uid not in before})
            self._pull_refused(record, {uid: new[uid] for uid in before if uid in new})
        finally:
            self._settle(record, opened, seen)
        if not seen.listing.whole:
            raise ProviderError("error", f"the provider does not list all of its {far.messages} messages")

    def _settle(self, record: FolderRecord, opened: MailboxStatus, seen: Look) -> None:
        """Record how far a mailbox has been dealt with: up to the first message that has not, seen or unseen."""
        taken = self.session.ledger.taken(record.alias, record.next_uid)
        left = [uid for uid in seen.listing.uids if uid not in taken]
        self._missing = len(left) + seen.listing.lacking
        self.refused[record.alias] = tuple(entry for entry in self.refused[record.alias] if entry.uid in left)
        if left:
            self.session.ledger.update(record.alias, next_uid=left[0])
        elif seen.listing.whole:
            end = max([record.next_uid, opened.uidnext or 0, *(uid + 1 for uid in seen.listing.uids)])
            self.session.ledger.update(record.alias, next_uid=end)

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
        """Let mbsync pull messages, and record them; as many at once as one command can name."""
        for batch in in_lines(new) or [[]]:
            self._pull_batch(record, {uid: new[uid] for uid in batch})
            if self.over_budget or self.house_full:
                return

    def _pull_batch(self, record: FolderRecord, new: Mapping[int, Message]) -> None:
        path = self.session.state_path(record.alias)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        unfinished = interrupted(path)
        if unfinished:
            mend(path, _journal_version())
        wanted = self._affordable([new[uid] for uid in sorted(new)])
        if not wanted and not unfinished:
            return
        if not unfinished:
            state = self.session.state(record.alias)
            state.want(wanted)
            state.write(path)
        outcome = self._mbsync(record, frozenset(wanted), len(new))
        arrived = self._arrivals.record(record, new)
        self._judge(record, outcome, frozenset(wanted) - arrived)
        if unfinished:
            # What is below the highest message of the run before is not looked at while that is completed.
            self._pull_batch(record, {uid: message for uid, message in new.items() if uid not in arrived})
        elif not outcome.near.refusals:
            refused = {entry.uid for entry in self.refused[record.alias]}
            passed_over = frozenset(wanted) - arrived - refused
            self._store(record, {uid: new[uid] for uid in sorted(passed_over)})

    def _store(self, record: FolderRecord, messages: Mapping[int, Message]) -> None:
        """Store what mbsync passes over: mbsync 1.4 takes no message without an empty line after its header."""
        if not messages:
            return
        path = self.session.state_path(record.alias)
        state = self.session.state(record.alias)
        # The house's next UID then; it is there after a fetch that was stopped before it had paired all that it stored.
        began = path.with_name(f"{path.name}.storing")
        if began.exists():
            near = self.session.house.fingerprints(record.house)
            unpaired = near.keys() - set(state.pairs.values())
            state.pairs |= recognise(
                {uid: near[uid] for uid in unpaired if uid >= int(began.read_text("ascii"))},
                {uid: message.fingerprint for uid, message in messages.items()},
            )
            state.write(path)
        write_file(began, str(self.session.house.ensure(record.house).uidnext), 0o600)
        self.session.provider.examine(record.raw)
        for uid in sorted(messages.keys() - state.pairs.keys()):
            content = self.session.provider.content(uid)
            if content is None:
                self._keep_refused(record.alias, {uid: Refused(uid, SILENCE)})
            else:
                stored = self.session.house.append(record.house, content.text, content.flags, content.date)
                state.pairs[uid] = stored
                state.write(path)
        began.unlink()
        self._arrivals.record(record, messages)

    def _mbsync(self, record: FolderRecord, wanted: frozenset[int], total: int) -> Outcome:
        name = decode(record.raw)
        outcome = pull(
            record.alias,
            self.session.state_path(record.alias).parent,
            self.session.directory,
            Side(self.session.provider.stream, quoted(record.raw)),
            Side(self.session.house.lend(), mailbox_name(record.house)),
            wanted,
            self.session.account.timeout,
            lambda stored: say(f"{name}: {stored} of {total} messages have arrived"),
            lambda _far, near: _is_full(near),
        )
        if outcome.near.unanswered or outcome.near.error:
            self.session.house.open()
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
            raise ProviderError(kind_of(other[0]), f"{name}: {other[0]}")
        if near.error is not None:
            raise ProviderError("house unavailable", f"{name}: {near.error}")
        # It fails for refused messages as well, after all others.
        if not outcome.succeeded and not refused:
            raise ProviderError("error", f"{name}: mbsync: {' '.join(outcome.output.split()) or 'failed'}")

    def _affordable(self, messages: Sequence[Message]) -> list[int]:
        """Leave out what the provider's daily limit or the owner's quota has no room for."""
        room = self.session.house.quota_left()
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


def _dealt_with(record: FolderRecord, far: MailboxStatus) -> bool:
    """Tell whether a mailbox has nothing new, as far as its next UID says that."""
    return far.uidnext is not None and far.uidnext <= record.next_uid


def _is_full(near: Door) -> bool:
    return any("[OVERQUOTA]" in refusal.text.upper() for refusal in near.refusals)


def _journal_version() -> int:
    """Return which journals the installed mbsync reads."""
    version = subprocess.run(["mbsync", "--version"], capture_output=True, check=True, text=True).stdout
    return 4 if version.startswith("isync 1.4") else 5
