# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Takes over what another program fetched from an account before: its Maildirs and mbsync's states.

Nothing of it is fetched again, nothing that was deleted there comes back, and the old files stay as they are. It can be
cut off and run again. It runs as root, while the account is not fetched, and writes as the account's user.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

from ..account.files import ACCOUNTS, locked
from ..account.settings import Account
from ..account.user import as_root, become, secret_of
from ..local.mailbox import LocalMailbox
from ..local.session import LocalError
from ..mbsync.sync_state import SyncStateError
from ..record.ledger import Ledger
from ..remote.account import RemoteAccount, RemoteError, askable
from ..selection.names import MailboxNames
from ..selection.selection import select
from .importer import Importer
from .maildirs import ImporterError
from .sources import Source, sources


def take_over(account: Account, secret: str, directory: Path, arguments: argparse.Namespace) -> Iterator[str]:
    """Take over what the arguments name; say what was done."""
    with (
        Ledger(directory / "ledger.sqlite") as ledger,
        RemoteAccount(account, secret) as remote,
        LocalMailbox(account.local_socket) as local,
    ):
        mailboxes = remote.mailboxes()
        assigned = {record.raw: record.folder for record in ledger.mailboxes()}
        folders = [folder for folder in select(account, mailboxes, assigned).mailboxes if askable(folder.raw)]
        with as_root():
            found, left = sources(
                folders, MailboxNames(mailboxes), arguments.mailbox, arguments.maildir, arguments.state
            )
        importer = Importer(account, remote, local, ledger, directory, folders)
        for folder in folders:
            # All mail is looked through in any case: what was archived since would come once more.
            if folder.raw in found or folder.role == "all":
                importer.mailbox(folder, found.get(folder.raw, Source()))
                yield from importer.said()
        importer.follow()
        yield from importer.said()
        for name in left:
            yield f"{name}: its Maildir was left alone, because no mailbox of this name is fetched"


def main() -> int:
    """Adopt; return the exit status."""
    parser = argparse.ArgumentParser(prog="mbsync_fetch.importer", description=__doc__)
    parser.add_argument("name", help="the account")
    parser.add_argument("--mailbox", default="", help="the mailbox, as it is called at the provider")
    parser.add_argument("--maildir", type=Path, help="its Maildir, or without --mailbox a tree of Maildirs")
    parser.add_argument("--state", type=Path, help="mbsync's state of the mailbox")
    arguments = parser.parse_args()
    try:
        account = Account.read(ACCOUNTS / f"{arguments.name}.json")
        secret = secret_of(arguments.name)
        directory = become(arguments.name)
        with locked(directory) as alone:
            if not alone:
                raise ImporterError("a fetch of this account is running; stop it first")
            for line in take_over(account, secret, directory, arguments):
                print(line, flush=True)
    except (ImporterError, LocalError, OSError, RemoteError, SyncStateError, sqlite3.Error) as error:
        print(f"{arguments.name}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
