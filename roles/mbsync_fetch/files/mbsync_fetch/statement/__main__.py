# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Prints a statement of an account as JSON. It runs as root, with the account's name as its argument."""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..account.files import ACCOUNTS, locked
from ..account.settings import Account
from ..account.user import become, secret_of
from ..local.mailbox import LocalMailbox
from ..local.session import LocalError
from ..mbsync.sync_state import SyncStateError
from ..record.context import Context
from ..record.ledger import Ledger
from ..remote.account import RemoteAccount, RemoteError
from ..status.status import Status
from .statement import Statement

PATIENCE = 120.0
"""Seconds that a fetch which is running is waited for."""


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Keep fetches away, after waiting for one that is running."""
    end = time.monotonic() + PATIENCE
    while True:
        with locked(directory) as alone:
            if alone:
                yield
                return
        if time.monotonic() > end:
            raise TimeoutError("a fetch of this account is running; ask for the statement when it is done")
        time.sleep(0.5)


def main() -> int:
    """State where the messages of an account are; return the exit status."""
    parser = argparse.ArgumentParser(prog="mbsync_fetch.statement", description=__doc__)
    parser.add_argument("name", help="the account")
    name = parser.parse_args().name
    try:
        account = Account.read(ACCOUNTS / f"{name}.json")
        secret = secret_of(name)
        directory = become(name)
        with (
            _alone(directory),
            Ledger(directory / "ledger.sqlite") as ledger,
            RemoteAccount(account, secret) as remote,
            LocalMailbox(account.local_socket) as local,
        ):
            context = Context(account, remote, local, ledger, directory)
            folders = Status.read(directory / "status.json").folders
            statement = Statement(context, {report.name: report.refused for report in folders}).make()
    except (LocalError, OSError, RemoteError, SyncStateError, sqlite3.Error) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    json.dump(statement, sys.stdout, ensure_ascii=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
