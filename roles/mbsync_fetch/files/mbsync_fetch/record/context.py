# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a fetch works with: the account, both of its sides, and what is kept of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..account.settings import Account
from ..local.mailbox import LocalMailbox
from ..mbsync.sync_state import SyncState, interrupted
from ..remote.account import MailboxError, Presence, RemoteAccount
from .ledger import Ledger, MailboxRecord


def say(text: str) -> None:
    """Write a line to the journal."""
    print(text, flush=True)


@dataclass
class Context:
    """An account that is being fetched.

    directory: the account's own (systemd.exec(5), StateDirectory). notes: what was done that the owner might wonder
    about.
    """

    account: Account
    remote: RemoteAccount
    local: LocalMailbox
    ledger: Ledger
    directory: Path
    notes: list[str] = field(default_factory=list)
    _states: dict[str, tuple[object, SyncState]] = field(default_factory=dict, repr=False)

    def note(self, text: str) -> None:
        """Say what was done that the owner might wonder about, and keep it."""
        say(text)
        self.notes.append(text)

    def state_path(self, alias: str) -> Path:
        """Return mbsync's state file of a mailbox."""
        return self.directory / "sync" / alias

    def state(self, alias: str) -> SyncState:
        """Return what mbsync remembers of a mailbox, nothing before the first time."""
        path = self.state_path(alias)
        if interrupted(path) or not path.exists():
            return SyncState.read(path) or SyncState()
        # That of a large mailbox takes long to read. Whoever writes it makes another file.
        found = path.stat()
        version = (found.st_ino, found.st_mtime_ns, found.st_size)
        kept, state = self._states.get(alias, (None, None))
        if state is None or kept != version:
            state = SyncState.read(path) or SyncState()
            self._states[alias] = (version, state)
        return replace(state, pairs=dict(state.pairs))

    def holds_copies(self, record: MailboxRecord) -> bool:
        """Tell whether a mailbox has messages of others, that are to be here once."""
        return record.role == "all" or (self.account.labelled and not self.account.labels)

    def present(self, other: MailboxRecord, uids: Collection[int]) -> Presence:
        """Tell which of these messages a mailbox has. It is open then, if it can be."""
        nothing = frozenset[int]()
        if other.gone:
            return Presence(nothing, frozenset(uids))
        try:
            status = self.remote.examine(other.raw)
        except MailboxError as error:
            if error.kind != "error":
                raise
            # What can never be seen again is not waited for.
            return Presence(frozenset(uids) if error.fate == "closed" else nothing, nothing)
        if status.uidvalidity != other.uidvalidity:
            return Presence(nothing, nothing)
        return self.remote.present(uids)
