# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One attempt to fetch an account, and why it fails."""

from __future__ import annotations

import socket
import sqlite3
import time
from pathlib import Path
from typing import NamedTuple

from ..account.failures import Kind, unforeseen
from ..account.settings import Account
from ..imap.names import decode
from ..local.mailbox import LocalMailbox
from ..local.session import LocalError
from ..mailbox_fetch.fetch import MailboxFetch
from ..mailbox_fetch.pulling import LocalFullError
from ..mbsync.sync_state import SyncStateError
from ..record.context import Context, say
from ..record.ledger import Ledger
from ..remote.account import RemoteAccount, RemoteError
from ..status.report import Refused
from ..status.status import Status
from .fetch import AccountFetch, FailedError

FAILURES: dict[type[Exception], Kind] = {
    LocalFullError: "house full",
    LocalError: "house unavailable",
    OSError: "error",
    SyncStateError: "error",
    sqlite3.Error: "error",
}


def attempt(
    account: Account,
    secret: str,
    directory: Path,
    status: Status,
    *,
    quick: bool,
    connected: socket.socket | None = None,
) -> Status:
    """Make one attempt; return the status after it."""
    run: AccountFetch | None = None
    try:
        with (
            Ledger(directory / "ledger.sqlite") as ledger,
            RemoteAccount(account, secret) as remote,
            LocalMailbox(account.local_socket, connected) as local,
        ):
            if ledger.damaged:
                say(ledger.damaged)
            budget = status.budget_left(time.time(), account.daily_megabytes)
            context = Context(account, remote, local, ledger, directory)
            before = {report.name: report for report in status.folders}
            run = AccountFetch(MailboxFetch(context, budget, _refused_before(status, ledger)), before)
            if not (quick and run.inbox()):
                quick = False
                run.all()
    except Exception as error:
        failure: Failure | None = failure_of(error, secret)
        if quick and failure and failure.kind == "error":
            failure = failure._replace(partly=True)  # of the other mailboxes nobody has heard
    else:
        shortage = run.shortage()
        failure = Failure(*shortage) if shortage else None
    if run is not None:
        status = run.kept(status)
        if failure is None:
            return status.succeeded(
                time.time(),
                run.fetch.reports,
                whole=not quick,
                unmatched=run.unmatched,
                not_fetched=run.not_fetched,
            )
    kind, reason, wait, partly = failure or Failure("error", "nothing was done")
    token = account.mechanism == "xoauth2"
    return status.failed(time.time(), kind, reason, secret, token=token, wait=wait, partly=partly)


class Failure(NamedTuple):
    """Why an attempt failed, how many seconds the provider says to wait, and whether some mailboxes were fetched."""

    kind: Kind
    reason: str
    wait: float = 0.0
    partly: bool = False


def failure_of(error: Exception, secret: str) -> Failure:
    """Say what kind of failure an exception is."""
    if isinstance(error, RemoteError):
        return Failure(error.kind, str(error), wait=error.wait)
    if isinstance(error, FailedError):
        return Failure(error.kind, str(error), partly=error.partly)
    for known, kind in FAILURES.items():
        if isinstance(error, known):
            return Failure(kind, str(error))
    return Failure("error", unforeseen(error, secret))


def _refused_before(status: Status, ledger: Ledger) -> dict[str, tuple[Refused, ...]]:
    """Return by alias which messages were refused in the last fetch."""
    reports = {report.name: report.refused for report in status.folders if report.refused}
    records = ((record.alias, decode(record.raw)) for record in ledger.mailboxes())
    return {alias: reports[name] for alias, name in records if name in reports}
