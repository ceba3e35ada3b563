# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keeps the record of an account's mailboxes, and the owner's folders, in step with the provider and the settings."""

from __future__ import annotations

from collections.abc import Sequence

from .account import Account
from .ledger import FolderRecord
from .names import decode
from .plan import INBOX, Folder, plan
from .recognise import renamed
from .session import Session, say
from .status import Report


class Layout:
    """The mailboxes of an account. unmatched: patterns that nothing is fetched for, after an update."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.ledger = session.ledger
        self.provider = session.provider
        self.house = session.house
        self.unmatched: list[str] = []

    def update(self) -> list[FolderRecord]:
        """Return what is fetched, after following what has appeared, disappeared or got another name."""
        mailboxes = self.provider.mailboxes()
        known = self.ledger.folders()
        settled = {record.raw: record.house for record in known if _lies_there(record, self.session.account)}
        planned = plan(self.session.account, mailboxes, settled)
        self.unmatched = planned.unmatched
        for pattern in planned.unmatched:
            say(f"warning: {_unmatched(pattern)}")
        listed = {mailbox.raw for mailbox in mailboxes}
        self._follow(planned.folders, [record for record in known if record.raw not in listed])
        for record in self.ledger.folders():
            if record.raw not in listed and not record.gone:
                self.ledger.update(record.alias, gone=True)
                self.session.note(
                    f"{decode(record.raw)} is no longer there at the provider; what was fetched stays in {record.house}"
                )
        return [self._assign(folder) for folder in planned.folders]

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

    def _follow(self, planned: Sequence[Folder], vanished: Sequence[FolderRecord]) -> None:
        """Recognise new mailboxes that are ones that have disappeared, and rename their folders."""
        known = {record.raw for record in self.ledger.folders()}
        left = {record.alias: record for record in vanished if record.role != "inbox"}
        for folder in planned:
            if folder.raw in known or not left:
                continue
            alias = self._formerly(folder.raw, left)
            if alias is not None:
                old = left.pop(alias)
                self.ledger.update(alias, raw=folder.raw, gone=False)
                self.session.note(f"{decode(old.raw)} is called {decode(folder.raw)} at the provider now")

    def _formerly(self, raw: str, vanished: dict[str, FolderRecord]) -> str | None:
        """Tell which of the mailboxes that have disappeared a new one is."""
        far = self.provider.status(raw)
        same = [alias for alias, record in vanished.items() if far and record.uidvalidity == far.uidvalidity]
        if not same:
            return None
        self.provider.examine(raw)
        new = {message.uid: message.fingerprint for message in self.provider.survey(self.provider.uids())}
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
