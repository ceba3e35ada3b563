# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keeps the record of an account's mailboxes, and the owner's folders, in step with the provider and the settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..account.settings import Account
from ..imap.names import Mailbox, decode
from ..record.context import Context, say
from ..record.ledger import MailboxRecord
from ..record.matching import renamed
from ..remote.account import MailboxError, RemoteError, askable
from ..remote.survey import SILENCE
from ..selection.left_out import left_out
from ..selection.names import INBOX, ROLES
from ..selection.selection import Selected, select
from ..status.report import NotFetched, Report


class Layout:
    """The mailboxes of an account.

    After an update: unmatched, patterns that nothing is fetched for; not_fetched, the mailboxes that are left out;
    failed, why mailboxes are left for the next fetch.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self.ledger = context.ledger
        self.remote = context.remote
        self.local = context.local
        self.unmatched: list[str] = []
        self.not_fetched: list[NotFetched] = []
        self.failed: dict[str, RemoteError] = {}

    def update(self) -> list[MailboxRecord]:
        """Return what is fetched, after following what has appeared, disappeared or got another name."""
        known = self.ledger.mailboxes()
        settled = {record.raw: record.folder for record in known if _lies_there(record, self.context.account)}
        try:
            mailboxes = self._listed(known, settled)
        except RemoteError as error:
            if error.kind != "error" or not known:
                raise
            # Those that were listed before are fetched all the same.
            self.failed["LIST"] = RemoteError("error", f"the mailboxes cannot be listed: {error}")
            return [record for record in known if not record.gone]
        planned = select(self.context.account, mailboxes, settled)
        self.unmatched = planned.unmatched
        self.not_fetched = left_out(
            self.context.account, mailboxes, {selected.raw for selected in planned.mailboxes}
        )
        for pattern in planned.unmatched:
            say(f"warning: {_unmatched(pattern)}")
        listed = {mailbox.raw for mailbox in mailboxes}
        postponed = self._follow(planned.mailboxes, [record for record in known if record.raw not in listed])
        for record in self.ledger.mailboxes():
            if record.raw not in listed and not record.gone:
                self.ledger.update(record.alias, gone=True)
                self.context.note(
                    f"{decode(record.raw)} is no longer there at the provider; "
                    f"what was fetched stays in {record.folder}"
                )
        return [self._assign(selected) for selected in planned.mailboxes if selected.raw not in postponed]

    def _listed(self, known: Sequence[MailboxRecord], settled: Mapping[str, str]) -> list[Mailbox]:
        """Return the mailboxes that are there: also such as the provider leaves out of its list.

        What is new in a list, or lacking, is listed once more before anything follows from it.
        """
        first = self.remote.mailboxes()
        planned = {
            selected.raw: selected.role for selected in select(self.context.account, first, settled).mailboxes
        }
        there = {record.raw: record.role for record in known if not record.gone}
        listed = {mailbox.raw: mailbox for mailbox in first}
        if planned.keys() - there.keys() or any(
            raw not in listed or planned.get(raw, role) != role for raw, role in there.items()
        ):
            for mailbox in self.remote.mailboxes():
                flags = mailbox.flags | listed.get(mailbox.raw, mailbox).flags
                listed[mailbox.raw] = replace(mailbox, flags=flags)
        if not listed:
            raise RemoteError("error", "the provider lists no mailboxes")
        delimiter = next(iter(listed.values())).delimiter
        # It is there, whatever a list says (RFC 9051 section 5.1).
        listed.setdefault(INBOX, Mailbox(INBOX, delimiter, frozenset()))
        found = (self._unlisted(raw, delimiter, role) for raw, role in there.items() if raw not in listed)
        return [*listed.values(), *(mailbox for mailbox in found if mailbox)]

    def _unlisted(self, raw: str, delimiter: str | None, role: str) -> Mailbox | None:
        """Return a mailbox that two lists lack, unless the provider says that there is none."""
        if not askable(raw):
            return None
        for mailbox in self.remote.mailboxes(raw):
            if mailbox.raw == raw:
                return mailbox
        try:
            self.remote.status(raw)
        except MailboxError as error:
            if error.fate == "gone":
                return None
        except RemoteError as error:
            if error.kind != "error":
                raise
        return Mailbox(raw, delimiter, frozenset(flag for flag, its in ROLES.items() if its == role))

    def gone(self) -> list[Report]:
        """Report the mailboxes that the provider no longer has."""
        reports = []
        for record in self.ledger.mailboxes():
            local = self.local.status(record.folder) if record.gone else None
            if local:
                reports.append(Report(decode(record.raw), record.folder, 0, local.messages, gone=True))
        return reports

    def _assign(self, selected: Selected) -> MailboxRecord:
        """Record where a mailbox lands; if that is another folder than before, what is there moves with it."""
        record = self.ledger.assign(selected.raw, selected.folder)
        if record.folder != selected.folder:
            self._rename(record, selected.folder)
        self.ledger.update(record.alias, folder=selected.folder, role=selected.role)
        return self.ledger.mailbox(record.alias)

    def _follow(self, planned: Sequence[Selected], vanished: Sequence[MailboxRecord]) -> set[str]:
        """Recognise new mailboxes that are ones that have disappeared, and rename their folders.

        Returns those of which that cannot be told now.
        """
        postponed = set()
        known = {record.raw for record in self.ledger.mailboxes()}
        left = {record.alias: record for record in vanished if record.role != "inbox"}
        for selected in planned:
            if selected.raw in known or not left:
                continue
            try:
                alias = self._formerly(selected.raw, left)
            except RemoteError as error:
                if error.kind != "error":
                    raise
                name = decode(selected.raw)
                self.failed[name] = RemoteError("error", f"{name}: {error}")
                postponed.add(selected.raw)
                continue
            if alias is not None:
                old = left.pop(alias)
                self.ledger.update(alias, raw=selected.raw, gone=False)
                self.context.note(f"{decode(old.raw)} is called {decode(selected.raw)} at the provider now")
        return postponed

    def _formerly(self, raw: str, vanished: dict[str, MailboxRecord]) -> str | None:
        """Tell which of the mailboxes that have disappeared a new one is."""
        remote = self.remote.examine(raw)
        same = [alias for alias, record in vanished.items() if record.uidvalidity == remote.uidvalidity]
        if not same:
            return None
        listing = self.remote.uids()
        survey = self.remote.survey(listing.uids)
        if not listing.whole or survey.open or SILENCE in survey.refused.values():
            raise RemoteError("error", "the provider does not tell of all messages of this new mailbox now")
        new = {uid: message.fingerprint for uid, message in survey.messages.items()}
        return renamed({alias: self.ledger.recorded(alias) for alias in same}, new)

    def _rename(self, record: MailboxRecord, folder: str) -> None:
        """Rename the owner's folder, unless that is the inbox or the name is taken."""
        if (
            INBOX not in (record.folder, folder)
            and self.local.status(record.folder)
            and not self.local.status(folder)
        ):
            self.local.rename(record.folder, folder)
            self.context.note(f"{record.folder} is called {folder} now")


def _lies_there(record: MailboxRecord, account: Account) -> bool:
    """Tell whether a mailbox lands where the settings of the account say: they may have been changed."""
    if record.raw == INBOX:
        return record.folder == (INBOX if account.inbox else f"{account.folder}/{INBOX}")
    return record.folder.startswith(f"{account.folder}/")


def _unmatched(pattern: str) -> str:
    if pattern == r"\All":
        return "All Mail is not shown in IMAP (Gmail's settings, Labels): mail that is in no folder is not fetched"
    return f"no mailbox of the account matches '{pattern}' in mailboxes"
