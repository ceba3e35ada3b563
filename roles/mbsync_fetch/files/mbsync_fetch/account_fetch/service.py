# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The service that fetches an account, once.

A fetch that the watcher asked for, by the file "news", looks at INBOX alone.
Ends with 0 also where no attempt may be made yet, or what is left has to wait for tomorrow; with 75 where the fetch
failed for something that may pass, such as a provider that is down, with 77 where the provider refuses the login, and
with 78 where another host fetches the account. Anything else is a fault, and systemd tries again.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from ..account.files import ACCOUNTS, locked, write_file
from ..account.host import ElsewhereError, claim
from ..account.settings import Account
from ..local.mailbox import LocalMailbox
from ..local.session import LocalError
from ..record.context import say
from ..status.metrics import metrics
from ..status.status import Status
from .attempt import attempt, failure_of

# EX_TEMPFAIL (sysexits.h) is no failure of the unit: the next attempt is made by itself.
# EX_NOPERM is for what somebody has to mend.
EXIT = {"ok": 0, "limit": 0, "retrying": 75, "house full": 75, "refused": 77, "stopped": 77}


def tell_owner(account: Account, status: Status) -> Status:
    """Tell the owner, by a message, that the account is no longer fetched."""
    from ..status.owner_message import owner_message

    try:
        with LocalMailbox(account.local_socket) as local:
            local.append("INBOX", owner_message(account, status, time.time()))
    except LocalError as error:
        say(f"the owner could not be told: {error}")
        return status
    return status.owner_told()


def main(name: str, connected: socket.socket | None = None) -> int:
    """Fetch an account; return the exit status. connected: a connection to the local mailbox."""
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
            return fetch(name, directory, runtime, connected)
        except Exception as error:
            # Not even an attempt could be made; the status says so all the same.
            status = Status.read(directory / "status.json")
            status = status.failed(time.time(), "error", failure_of(error, "").reason, "")
            with contextlib.suppress(OSError):
                status.write(directory / "status.json")
    print(status.describe(), file=sys.stderr)
    return EXIT[status.state]


def fetch(name: str, directory: Path, runtime: Path, connected: socket.socket | None = None) -> int:
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
    elif not secret:
        status = status.unauthorized(time.time(), name)
    else:
        status = attempt(account, secret, directory, status, quick=quick, connected=connected)
    if status.tell_owner:
        status = tell_owner(account, status)
    status.write(directory / "status.json")
    publish(account, runtime, status)
    if wait or status.state == "ok":
        return 0
    print(status.describe(), file=sys.stderr)
    return EXIT[status.state]


def by_timer(seen: Path, environment: Mapping[str, str] | None = None) -> bool:
    """Tell whether the timer has started this (systemd.exec(5)). seen: when it has started one before.

    systemd 252 says of each later start as well what it said of the last one by a timer.
    """
    moment = (os.environ if environment is None else environment).get("TRIGGER_TIMER_MONOTONIC_USEC", "")
    before = seen.read_text("ascii") if seen.exists() else ""
    seen.write_text(moment, "ascii")
    return moment not in ("", before)


def publish(account: Account, runtime: Path, status: Status) -> None:
    """Write the metrics of an account where others may read them."""
    if account.metrics:
        write_file(runtime / "metrics.prom", metrics(account.name, status, time.time()), 0o644)
