# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One fetch of an account.

A fetch that the watcher asked for, by the file "news", looks at INBOX alone.
Ends with 0 also where no attempt may be made yet, or what is left has to wait for tomorrow; with 75 where the fetch
failed for something that may pass, such as a provider that is down, with 77 where the provider refuses the login, and
with 78 where another host fetches the account. Anything else is a fault, and systemd tries again.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ..account.failures import Kind, unforeseen
from ..account.files import ACCOUNTS, locked, write_file
from ..account.host import ElsewhereError, claim
from ..account.settings import Account
from ..imap.names import decode
from ..local.client import House, HouseError
from ..mailbox_fetch.fetch import Fetch
from ..mailbox_fetch.pulling import HouseFullError
from ..mbsync.sync_state import SyncStateError
from ..record.context import Session, say
from ..record.ledger import Ledger
from ..remote.client import Provider, ProviderError
from ..status.metrics import metrics
from ..status.report import Refused
from ..status.status import Status
from .fetch import FailedError, Run

# EX_TEMPFAIL (sysexits.h) is no failure of the unit: the next attempt is made by itself.
# EX_NOPERM is for what somebody has to mend.
EXIT = {"ok": 0, "limit": 0, "retrying": 75, "house full": 75, "refused": 77, "stopped": 77}

FAILURES: dict[type[Exception], Kind] = {
    HouseFullError: "house full",
    HouseError: "house unavailable",
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
    knocked: socket.socket | None = None,
) -> Status:
    """Make one attempt; return the status after it."""
    run: Run | None = None
    try:
        with (
            Ledger(directory / "ledger.sqlite") as ledger,
            Provider(account, secret) as provider,
            House(account.local_socket, knocked) as house,
        ):
            if ledger.damaged:
                say(ledger.damaged)
            budget = status.budget_left(time.time(), account.daily_megabytes)
            session = Session(account, provider, house, ledger, directory)
            before = {report.name: report for report in status.folders}
            run = Run(Fetch(session, budget, _refused_before(status, ledger)), before)
            if not (quick and run.inbox()):
                quick = False
                run.all()
    except Exception as error:
        failure: Failure | None = _failure(error, secret)
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


def _failure(error: Exception, secret: str) -> Failure:
    if isinstance(error, ProviderError):
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
    records = ((record.alias, decode(record.raw)) for record in ledger.folders())
    return {alias: reports[name] for alias, name in records if name in reports}


def tell_owner(account: Account, status: Status) -> Status:
    """Tell the owner, in the house, that the account is no longer fetched."""
    from ..status.owner_message import owner_message

    try:
        with House(account.local_socket) as house:
            house.append("INBOX", owner_message(account, status, time.time()))
    except HouseError as error:
        say(f"the owner could not be told: {error}")
        return status
    return status.owner_told()


def main(name: str, knocked: socket.socket | None = None) -> int:
    """Fetch an account; return the exit status. knocked: a connection to the house's door."""
    directory, runtime = Path(os.environ["STATE_DIRECTORY"]), Path(os.environ["RUNTIME_DIRECTORY"])
    try:
        claim(name, str(directory / "host"))
    except ElsewhereError as error:
        print(error, file=sys.stderr)
        return 78  # EX_CONFIG
    with locked(directory) as alone:
        if not alone:
            say("another fetch of this account is running")
            return 1
        try:
            return fetch(name, directory, runtime, knocked)
        except Exception as error:
            # Not even an attempt could be made; the status says so all the same.
            status = Status.read(directory / "status.json")
            status = status.failed(time.time(), "error", _failure(error, "").reason, "")
            with contextlib.suppress(OSError):
                status.write(directory / "status.json")
    print(status.describe(), file=sys.stderr)
    return EXIT[status.state]


def fetch(name: str, directory: Path, runtime: Path, knocked: socket.socket | None = None) -> int:
    """Fetch an account, which nothing else does; return the exit status."""
    account = Account.read(ACCOUNTS / f"{name}.json")
    kind = "token" if account.mechanism == "xoauth2" else "password"
    secret = (Path(os.environ["CREDENTIALS_DIRECTORY"]) / kind).read_text("utf-8").strip("\r\n")
    news = runtime / "news"
    quick = news.exists() and os.environ.get("TRIGGER_UNIT", "").endswith(".path")
    news.unlink(missing_ok=True)
    if (hold := ACCOUNTS / f"{name}.hold").exists():
        say(f"nothing is fetched while {hold} exists")
        return 0
    status = Status.read(directory / "status.json")
    publish(account, runtime, status)
    # Where there is news, the provider can be reached again.
    wait = status.may_try(time.time(), secret, asked=not by_timer(runtime / "timer"))
    if wait:
        say(f"no attempt now: {wait}")
    else:
        status = attempt(account, secret, directory, status, quick=quick, knocked=knocked)
    if status.tell_owner:
        status = tell_owner(account, status)
    status.write(directory / "status.json")
    publish(account, runtime, status)
    if wait or status.state == "ok":
        return 0
    print(status.describe(), file=sys.stderr)
    return EXIT[status.state]


def by_timer(seen: Path, environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether the timer has started this (systemd.exec(5)). seen: when it has started one before.

    systemd 252 says of each later start as well what it said of the last one by a timer.
    """
    moment = environment.get("TRIGGER_TIMER_MONOTONIC_USEC", "")
    before = seen.read_text("ascii") if seen.exists() else ""
    seen.write_text(moment, "ascii")
    return moment not in ("", before)


def publish(account: Account, runtime: Path, status: Status) -> None:
    """Write the metrics of an account where others may read them."""
    if account.metrics:
        write_file(runtime / "metrics.prom", metrics(account.name, status, time.time()), 0o644)
