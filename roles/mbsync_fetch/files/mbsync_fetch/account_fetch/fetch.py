# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A fetch of all mailboxes of an account, or of its INBOX: what fails at one holds up no other."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from ..account.failures import Kind, unforeseen
from ..imap.names import decode
from ..local.session import LocalError, LocalRefusedError
from ..mailbox_fetch.fetch import MailboxFetch
from ..mailbox_fetch.pulling import LocalFullError
from ..mbsync.sync_state import SyncStateError
from ..record.context import say
from ..record.ledger import MailboxRecord
from ..remote.account import MailboxError, MailboxStatus, RemoteError, askable
from ..status.report import NotFetched, Report
from ..status.status import Status


class FailedError(Exception):
    """Some mailboxes could not be fetched. kind: why the first of them; partly: whether others could."""

    def __init__(self, kind: Kind, reason: str, *, partly: bool) -> None:
        super().__init__(reason)
        self.kind = kind
        self.partly = partly


class AccountFetch:
    """A fetch of all mailboxes of an account, or of its INBOX.

    before: what was reported of the mailboxes last, by their names.
    """

    def __init__(self, fetch: MailboxFetch, before: Mapping[str, Report] | None = None) -> None:
        self.fetch = fetch
        self.context = fetch.context
        self.before: Mapping[str, Report] = before or {}
        self.unmatched: list[str] = []
        self.not_fetched: list[NotFetched] = []
        self._failed: dict[str, tuple[Kind, str]] = {}

    def inbox(self) -> bool:
        """Fetch INBOX; False if it takes a fetch of all mailboxes first."""
        records = [
            record for record in self.context.ledger.mailboxes() if record.role == "inbox" and not record.gone
        ]
        if not records:
            return False
        remote = self.context.remote.examine(records[0].raw)
        if remote.uidvalidity != records[0].uidvalidity:
            return False
        if self.context.account.mirror:
            from .mirror import Mirror

            mirror = Mirror(self.context)
            mirror.look(records[0])
            if mirror.gone:
                return False  # it may have moved to another mailbox
        self.fetch.mailbox(records[0], remote, again=False)
        return True

    def all(self) -> None:
        """Fetch each mailbox that is planned; FailedError, in the end, if that was not possible for some."""
        # A fetch of INBOX, which somebody waits for, does without these.
        from .bookkeeper import Bookkeeper
        from .layout import Layout
        from .mirror import Mirror

        layout = Layout(self.context)
        records = layout.update()
        self.unmatched, self.not_fetched = layout.unmatched, layout.not_fetched
        for name, error in layout.failed.items():
            self._failed[name] = (error.kind, str(error))
        mirror, seen = Mirror(self.context), dict[str, MailboxStatus]()
        if self.context.account.mirror:
            for record in records:
                self._try(record, mirror.look)
        for record in records:
            self._try(record, lambda record: seen.update({record.alias: self._fetch(record)}))
        # What has left one mailbox may be what has yet to come from another.
        if not self._failed and not self.fetch.unseen:
            for alias in mirror.gone:
                record = self.context.ledger.mailbox(alias)
                self._try(record, lambda record: mirror.follow(record, self.fetch.waiting))
        books = {name: report.books for name, report in self.before.items()}
        for error in Bookkeeper(self.fetch, books).balance(seen):
            self._failed.setdefault(str(error), (error.kind, str(error)))
        self.fetch.reports += layout.gone()
        if self._failed:
            kind, reason = next(iter(self._failed.values()))
            more = f"; {len(self._failed) - 1} more failed" if len(self._failed) > 1 else ""
            raise FailedError(kind, f"{reason}{more}", partly=bool(seen))

    def _fetch(self, record: MailboxRecord) -> MailboxStatus:
        remote = self.context.remote.status(record.raw)
        # As it is now: it may have been gone on with after it was numbered anew.
        self.fetch.mailbox(self.context.ledger.mailbox(record.alias), remote)
        return remote

    def _try(self, record: MailboxRecord, action: Callable[[MailboxRecord], object]) -> None:
        """Do something for a mailbox; what fails at it alone is kept, and what concerns them all goes on."""
        if decode(record.raw) in self._failed:
            return
        try:
            action(record)
        except (LocalFullError, OSError, sqlite3.Error):
            raise
        except RemoteError as error:
            self._refused(record, error)
        except LocalError as error:
            self._fail(record, "house unavailable", str(error))
            if not isinstance(error, LocalRefusedError):
                self.context.local.open()
        except SyncStateError as error:
            self._fail(record, "error", str(error))
        except Exception as error:
            self._fail(record, "error", unforeseen(error))

    def _refused(self, record: MailboxRecord, error: RemoteError) -> None:
        if isinstance(error, MailboxError) and error.kind == "error" and error.fate == "closed":
            self._close(record, str(error))
            return
        if error.kind not in ("error", "unreachable"):
            raise error
        self._fail(record, error.kind, str(error))
        # Perhaps it is this mailbox that ends the connection.
        if error.kind == "unreachable" and not self.context.remote.reconnect():
            raise error

    def _fail(self, record: MailboxRecord, kind: Kind, reason: str) -> None:
        name = decode(record.raw)
        say(f"{name}: {reason}")
        self._failed[name] = (kind, reason if reason.startswith(name) else f"{name}: {reason}")
        now = next((report for report in self.fetch.reports if report.name == name), None)
        report = now or self.before.get(name) or Report(name, record.folder, 0, 0)
        self.fetch.report(replace(report, problem=reason))

    def _close(self, record: MailboxRecord, reason: str) -> None:
        """Keep that the provider does not let a mailbox be read."""
        name = decode(record.raw)
        say(f"{name}: {reason}")
        found = NotFetched(name, "refused", reason) if askable(record.raw) else NotFetched(name, "unaskable")
        if found not in self.not_fetched:
            self.not_fetched.append(found)

    def shortage(self) -> tuple[Kind, str] | None:
        """Say what kept the fetch from being complete, if anything did."""
        if self.fetch.pulling.house_full:
            return "house full", "the owner's quota has no room for the rest"
        if self.fetch.pulling.over_budget:
            return "budget", "the provider's limit for a day is near; the rest is fetched tomorrow"
        return None

    def kept(self, status: Status) -> Status:
        """Return the status with what this run has seen, whether it succeeded or not."""
        now = time.time()
        status = status.counted(now, self.context.remote.received).reported(self.fetch.reports)
        for text in self.context.notes:
            status = status.noted(now, text)
        return status
