# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fetch of one mailbox: look what is new, bring the record up to date, make a plan, carry it out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ..imap.names import decode
from ..mbsync.sync_state import interrupted
from ..record.context import Context
from ..record.ledger import MailboxRecord
from ..remote.account import MailboxStatus, RemoteError
from ..status.report import Refused, Report
from .carry_out import CarryOut
from .catch_up import catch_up
from .new_messages import Look, look
from .numbering import check_local, renumber
from .plan import make_plan
from .pulling import Pulling
from .recovery import ALL, Unsettled


@dataclass
class MailboxFetch:
    """Fetches the mailboxes of an account, one by one.

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
        self._carry_out = CarryOut(self.context)
        self._missing = 0

    def mailbox(self, record: MailboxRecord, remote: MailboxStatus, *, again: bool = True) -> None:
        """Fetch one mailbox. again: whether messages that were refused before are asked for once more."""
        local = self.context.local.ensure(record.folder)
        if record.uidvalidity not in (0, remote.uidvalidity):
            renumber(self.context, record, remote)
            self.refused.pop(record.alias, None)
            record = replace(record, uidvalidity=remote.uidvalidity, next_uid=1)
        self._missing = 0
        changed = interrupted(self.context.state_path(record.alias)) or not _dealt_with(record, remote)
        try:
            if changed:
                check_local(self.context, record, local.uidvalidity)
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
        context, alias = self.context, record.alias
        opened = context.remote.opened(record.raw)
        if opened.uidvalidity != remote.uidvalidity:
            raise RemoteError("error", f"{decode(record.raw)} was renumbered just now")
        first = record.uidvalidity == 0
        record = replace(record, uidvalidity=remote.uidvalidity)
        before = {entry.uid: entry for entry in self.refused.get(alias, ())}
        seen = look(context, record, before, again=again)
        self._missing = len(seen.messages) + len(seen.refused) + len(seen.later) + seen.listing.lacking
        self.pulling.keep_refused(alias, seen.refused)
        path = context.state_path(alias)
        # What nobody has seen of a first fetch may lie in the local folder already, as well.
        unsettled = Unsettled(1, opened.uidnext or ALL) if first else Unsettled.read(path)
        new = catch_up(context, record, seen.messages)
        plan = make_plan(context, record, new, first=first)
        if first:
            self._carry_out.present(record, opened, new, plan)
            Unsettled.keep(path, unsettled)
            context.ledger.update(alias, uidvalidity=remote.uidvalidity)
        self._carry_out.others(record, new, plan)
        self.pulling.keep_refused(alias, {uid: Refused(uid, why) for uid, why in plan.postponed.items()})
        try:
            self.pulling.pull(
                record, {uid: message for uid, message in plan.pull.items() if uid not in before}
            )
            clean = self.pulling.pull_refused(
                record, {uid: plan.pull[uid] for uid in before if uid in plan.pull}
            )
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
        if seen.listing.whole:  # or what it lacks may lie below all that it has
            end = max([record.next_uid, opened.uidnext or 0, *(uid + 1 for uid in seen.listing.uids)])
            self.context.ledger.update(record.alias, next_uid=left[0] if left else end)
        return left


def _dealt_with(record: MailboxRecord, remote: MailboxStatus) -> bool:
    """Tell whether a mailbox has nothing new, as far as its next UID says that."""
    return remote.uidnext is not None and remote.uidnext <= record.next_uid
