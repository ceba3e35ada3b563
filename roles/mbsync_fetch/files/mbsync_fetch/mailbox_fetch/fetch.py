# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fetch of one mailbox: which messages the house lacks, and what mbsync is to pull."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ..imap.names import decode
from ..mbsync.sync_state import interrupted
from ..record.context import Context
from ..record.ledger import MailboxRecord
from ..remote.account import MailboxStatus, RemoteError
from ..status.report import Refused, Report
from .deduplication import Deduplication
from .new_messages import Look, look
from .pulling import Pulling
from .recovery import ALL, Unsettled, recover


@dataclass
class MailboxFetch:
    """One fetch of an account.

    budget: the bytes that may be read, None for all.
    refused: by alias, messages that one side refused in earlier fetches. After it: reports of the mailboxes; unseen,
    whether there are messages of which nothing is known; waiting, the fingerprints of those that have yet to come.
    """

    context: Context
    budget: int | None
    refused: dict[str, tuple[Refused, ...]]
    reports: list[Report] = field(default_factory=list)
    unseen: bool = False
    waiting: set[bytes] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.pulling = Pulling(self.context, self.budget, self.refused)
        self._known = Deduplication(self.context)
        self._missing = 0

    def mailbox(self, record: MailboxRecord, remote: MailboxStatus, *, again: bool = True) -> None:
        """Fetch one mailbox. again: whether messages that were refused before are asked for once more."""
        local = self.context.local.ensure(record.folder)
        if record.uidvalidity not in (0, remote.uidvalidity):
            self._known.renumber(record, remote)
            self.refused.pop(record.alias, None)
            record = replace(record, uidvalidity=remote.uidvalidity, next_uid=1)
        self._missing = 0
        changed = interrupted(self.context.state_path(record.alias)) or not _dealt_with(record, remote)
        try:
            if changed:
                self._known.check_near(record, local.uidvalidity)
                self._fetch_new(record, remote, again=again)
            else:
                self.context.ledger.update(record.alias, uidvalidity=remote.uidvalidity)
        finally:
            present = (self.context.local.status(record.folder) if changed else None) or local
            self.report(
                Report(
                    name=decode(record.raw),
                    house=record.folder,
                    provider=remote.messages,
                    in_house=present.messages,
                    missing=self._missing,
                    refused=self.refused.get(record.alias, ()),
                )
            )

    def report(self, report: Report) -> None:
        """Keep what is to be said of a mailbox, instead of what was."""
        self.reports = [other for other in self.reports if other.name != report.name] + [report]

    # --- what is new

    def _fetch_new(self, record: MailboxRecord, remote: MailboxStatus, *, again: bool) -> None:
        """Fetch what has not been dealt with."""
        alias = record.alias
        opened = self.context.remote.opened(record.raw)
        if opened.uidvalidity != remote.uidvalidity:
            raise RemoteError("error", f"{decode(record.raw)} was renumbered just now")
        first = record.uidvalidity == 0
        record = replace(record, uidvalidity=remote.uidvalidity)
        before = {entry.uid: entry for entry in self.refused.get(alias, ())}
        seen = look(self.context, record, before, again=again)
        self._missing = len(seen.messages) + len(seen.refused) + len(seen.later) + seen.listing.lacking
        self.pulling.keep_refused(alias, seen.refused)
        path = self.context.state_path(alias)
        # What nobody has seen of a first fetch may lie in the house already, as well.
        unsettled = Unsettled(1, opened.uidnext or ALL) if first else Unsettled.read(path)
        recover(self.context, record, seen.messages)
        self._known.postponed = {}
        new = self._known.paired(record, seen.messages)
        if first:
            new = self._known.adopted(record, opened, new)
            Unsettled.keep(path, unsettled)
            self.context.ledger.update(alias, uidvalidity=remote.uidvalidity)
        new = self._known.returned(record, new)
        new = self._known.elsewhere(record, new)
        postponed = {uid: Refused(uid, why) for uid, why in self._known.postponed.items()}
        self.pulling.keep_refused(alias, postponed)
        try:
            self.pulling.pull(record, {uid: message for uid, message in new.items() if uid not in before})
            clean = self.pulling.pull_refused(record, {uid: new[uid] for uid in before if uid in new})
        finally:
            left = self._settle(record, opened, seen)
        if clean:
            old = any(unsettled and uid < unsettled.below for uid in left if uid not in seen.messages)
            Unsettled.keep(path, unsettled if old or not seen.listing.whole else None)
        if not seen.listing.whole:
            raise RemoteError("error", f"the provider does not list all of its {remote.messages} messages")

    def _settle(self, record: MailboxRecord, opened: MailboxStatus, seen: Look) -> list[int]:
        """Record how far a mailbox has been dealt with: up to the first message that has not, seen or unseen.

        Returns those that have not.
        """
        taken = self.context.ledger.recorded(record.alias, record.next_uid)
        left = [uid for uid in seen.listing.uids if uid not in taken]
        self._missing = len(left) + seen.listing.lacking
        self.unseen |= not seen.messages.keys() >= set(left)
        self.waiting |= {seen.messages[uid].fingerprint for uid in left if uid in seen.messages}
        self.refused[record.alias] = tuple(entry for entry in self.refused[record.alias] if entry.uid in left)
        if left:
            self.context.ledger.update(record.alias, next_uid=left[0])
        elif seen.listing.whole:
            end = max([record.next_uid, opened.uidnext or 0, *(uid + 1 for uid in seen.listing.uids)])
            self.context.ledger.update(record.alias, next_uid=end)
        return left


def _dealt_with(record: MailboxRecord, remote: MailboxStatus) -> bool:
    """Tell whether a mailbox has nothing new, as far as its next UID says that."""
    return remote.uidnext is not None and remote.uidnext <= record.next_uid
