# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keeps the record of an account's mailboxes, and the owner's folders, in step with the provider and the settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..account.settings import Account
from ..imap.names import Mailbox, decode
from ..record.context import Session, say
from ..record.ledger import FolderRecord
from ..record.matching import renamed
from ..remote.client import MailboxError, ProviderError, askable
from ..remote.survey import SILENCE
from ..selection.left_out import left_out
from ..selection.selection import INBOX, ROLES, Folder, plan
from ..status.report import NotFetched, Report


class Layout:
    """The mailboxes of an account.

    After an update: unmatched, patterns that nothing is fetched for; not_fetched, the mailboxes that are left out;
    failed, why mailboxes are left for the next fetch.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.ledger = session.ledger
        self.provider = session.provider
        self.house = session.house
        self.unmatched: list[str] = []
        self.not_fetched: list[NotFetched] = []
        self.failed: dict[str, ProviderError] = {}

    def update(self) -> list[FolderRecord]:
        """Return what is fetched, after following what has appeared, disappeared or got another name."""
        known = self.ledger.folders()
        settled = {record.raw: record.house for record in known if _lies_there(record, self.session.account)}
        try:
            mailboxes = self._listed(known, settled)
        except ProviderError as error:
            if error.kind != "error" or not known:
                raise
            # Those that were listed before are fetched all the same.
            self.failed["LIST"] = ProviderError("error", f"the mailboxes cannot be listed: {error}")
            return [record for record in known if not record.gone]
        planned = plan(self.session.account, mailboxes, settled)
        self.unmatched = planned.unmatched
        self.not_fetched = left_out(
            self.session.account, mailboxes, {folder.raw for folder in planned.folders}
        )
        for pattern in planned.unmatched:
            say(f"warning: {_unmatched(pattern)}")
        listed = {mailbox.raw for mailbox in mailboxes}
        postponed = self._follow(planned.folders, [record for record in known if record.raw not in listed])
        for record in self.ledger.folders():
            if record.raw not in listed and not record.gone:
                self.ledger.update(record.alias, gone=True)
                self.session.note(
                    f"{decode(record.raw)} is no longer there at the provider; what was fetched stays in {record.house}"
                )
        return [self._assign(folder) for folder in planned.folders if folder.raw not in postponed]

    def _listed(self, known: Sequence[FolderRecord], settled: Mapping[str, str]) -> list[Mailbox]:
        """Return the mailboxes that are there: also such as the provider leaves out of its list.

        What is new in a list, or lacking, is listed once more before anything follows from it.
        """
        first = self.provider.mailboxes()
        planned = {folder.raw: folder.role for folder in plan(self.session.account, first, settled).folders}
        there = {record.raw: record.role for record in known if not record.gone}
        listed = {mailbox.raw: mailbox for mailbox in first}
        if planned.keys() - there.keys() or any(
            raw not in listed or planned.get(raw, role) != role for raw, role in there.items()
        ):
            for mailbox in self.provider.mailboxes():
                flags = mailbox.flags | listed.get(mailbox.raw, mailbox).flags
                listed[mailbox.raw] = replace(mailbox, flags=flags)
        if not listed:
            raise ProviderError("error", "the provider lists no mailboxes")
        delimiter = next(iter(listed.values())).delimiter
        # It is there, whatever a list says (RFC 9051 section 5.1).
        listed.setdefault(INBOX, Mailbox(INBOX, delimiter, frozenset()))
        found = (self._unlisted(raw, delimiter, role) for raw, role in there.items() if raw not in listed)
        return [*listed.values(), *(mailbox for mailbox in found if mailbox)]

    def _unlisted(self, raw: str, delimiter: str | None, role: str) -> Mailbox | None:
        """Return a mailbox that two lists lack, unless the provider says that there is none."""
        if not askable(raw):
            return None
        for mailbox in self.provider.mailboxes(raw):
            if mailbox.raw == raw:
                return mailbox
        try:
            self.provider.status(raw)
        except MailboxError as error:
            if error.fate == "gone":
                return None
        except ProviderError as error:
            if error.kind != "error":
                raise
        return Mailbox(raw, delimiter, frozenset(flag for flag, its in ROLES.items() if its == role))

    def gone(self) -> list[Report]:
        """Report the mailboxes that the provider no longer has."""
        reports = []
        for record in self.ledger.folders():
            near = self.house.status(record.house) if record.gone else None
            if near:
                reports.append(Report(decode(record.raw), record.house, 0, near.messages, gone=True))
        return reports

    def _assign(self, folder: Folder) -> FolderRecord:
        """Record where a mailbox lands; if that is another folder than before, what is there moves with it."""
        record = self.ledger.assign(folder.raw, folder.house)
        if record.house != folder.house:
            self._rename(record, folder.house)
        self.ledger.update(record.alias, house=folder.house, role=folder.role)
        return self.ledger.folder(record.alias)

    def _follow(self, planned: Sequence[Folder], vanished: Sequence[FolderRecord]) -> set[str]:
        """Recognise new mailboxes that are ones that have disappeared, and rename their folders.

        Returns those of which that cannot be told now.
        """
        postponed = set()
        known = {record.raw for record in self.ledger.folders()}
        left = {record.alias: record for record in vanished if record.role != "inbox"}
        for folder in planned:
            if folder.raw in known or not left:
                continue
            try:
                alias = self._formerly(folder.raw, left)
            except ProviderError as error:
                if error.kind != "error":
                    raise
                name = decode(folder.raw)
                self.failed[name] = ProviderError("error", f"{name}: {error}")
                postponed.add(folder.raw)
                continue
            if alias is not None:
                old = left.pop(alias)
                self.ledger.update(alias, raw=folder.raw, gone=False)
                self.session.note(f"{decode(old.raw)} is called {decode(folder.raw)} at the provider now")
        return postponed

    def _formerly(self, raw: str, vanished: dict[str, FolderRecord]) -> str | None:
        """Tell which of the mailboxes that have disappeared a new one is."""
        far = self.provider.examine(raw)
        same = [alias for alias, record in vanished.items() if record.uidvalidity == far.uidvalidity]
        if not same:
            return None
        listing = self.provider.uids()
        survey = self.provider.survey(listing.uids)
        if not listing.whole or survey.open or SILENCE in survey.refused.values():
            raise ProviderError("error", "the provider does not tell of all messages of this new mailbox now")
        new = {uid: message.fingerprint for uid, message in survey.messages.items()}
        return renamed({alias: self.ledger.taken(alias) for alias in same}, new)

    def _rename(self, record: FolderRecord, house: str) -> None:
        """Rename the owner's folder, unless that is the inbox or the name is taken."""
        if (
            INBOX not in (record.house, house)
            and self.house.status(record.house)
            and not self.house.status(house)
        ):
            self.house.rename(record.house, house)
            self.session.note(f"{record.house} is called {house} now")


def _lies_there(record: FolderRecord, account: Account) -> bool:
    """Tell whether a mailbox lands where the settings of the account say: they may have been changed."""
    if record.raw == INBOX:
        return record.house == (INBOX if account.inbox else f"{account.folder}/{INBOX}")
    return record.house.startswith(f"{account.folder}/")


def _unmatched(pattern: str) -> str:
    if pattern == r"\All":
        return "All Mail is not shown in IMAP (Gmail's settings, Labels): mail that is in no folder is not fetched"
    return f"no mailbox of the account matches '{pattern}' in mailboxes"
