# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a stopped fetch stored and could not record any more is matched in the local folder.

Before anything is stored, a file beside mbsync's state says from which local UID on it will be. The file goes once
all that came is recorded.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..account.files import write_file
from ..mbsync.sync_state import UNKNOWN, SyncState, interrupted
from ..record.context import Context
from ..record.ledger import MailboxRecord
from ..record.matching import match_fingerprints
from ..remote.survey import Message

ALL = 2**32
"""Above every UID."""


@dataclass(frozen=True)
class Unsettled:
    """Where messages may lie that nothing pairs yet.

    local: in the local folder, from this UID on. below: they are ones of the provider's whose UIDs are below this one.
    """

    local: int
    below: int

    @classmethod
    def read(cls, state: Path) -> Unsettled | None:
        """Return what is kept beside mbsync's state of a mailbox."""
        try:
            local, *below = _beside(state).read_text("ascii").split()
            return cls(int(local), int(below[0]) if below else ALL)
        except FileNotFoundError:
            # A run that an older program began, and whose end it did not see.
            return cls(1, ALL) if interrupted(state) else None
        except ValueError:
            return cls(1, ALL)

    @classmethod
    def keep(cls, state: Path, unsettled: Unsettled | None) -> None:
        """Keep this, or nothing."""
        if unsettled is None:
            _beside(state).unlink(missing_ok=True)
        else:
            state.parent.mkdir(mode=0o700, exist_ok=True)
            write_file(_beside(state), f"{unsettled.local} {unsettled.below}", 0o600)

    def widened(self, other: Unsettled | None) -> Unsettled:
        """Return what takes in both."""
        if other is None:
            return self
        return Unsettled(min(self.local, other.local), max(self.below, other.below))


def _beside(state: Path) -> Path:
    return state.with_name(f"{state.name}.storing")


def recover(context: Context, record: MailboxRecord, new: Mapping[int, Message]) -> None:
    """Pair new messages with what lies in local folders unpaired since a fetch was stopped.

    That may lie in the folder of another mailbox, which has the same message: then it moves to this one's.
    """
    path = context.state_path(record.alias)
    unsettled = Unsettled.read(path)
    state = context.state(record.alias)
    some = {uid: message.fingerprint for uid, message in new.items() if uid not in state.pairs}
    found: dict[int, int] = {}
    if unsettled is not None:
        asked = {uid: fingerprint for uid, fingerprint in some.items() if uid < unsettled.below}
        paired = set(state.pairs.values())
        found = match_fingerprints(_lying(context, record, unsettled, paired), asked) if asked else {}
    if found or interrupted(path):
        # From here on this is the state, and not what mbsync's journal says. The file that says what is unsettled must
        # be there before that goes.
        Unsettled.keep(path, unsettled)
        if found:
            _pair(context, record, state, found)
        state.write(path)
    for other in context.ledger.mailboxes():
        stray = Unsettled.read(context.state_path(other.alias)) if other.alias != record.alias else None
        if stray is not None and (
            rest := {uid: fingerprint for uid, fingerprint in some.items() if uid not in state.pairs}
        ):
            # What is paired but not recorded is lost to whoever asks the record where it is.
            pairs, recorded = context.state(other.alias).pairs, context.ledger.recorded(other.alias)
            settled = {pairs.get(uid, 0) for uid in recorded}
            _take_over(
                context, record, match_fingerprints(_lying(context, other, stray, settled), rest), other
            )
            state = context.state(record.alias)


def _lying(
    context: Context, record: MailboxRecord, unsettled: Unsettled, settled: Collection[int]
) -> dict[int, bytes]:
    """Return what lies unsettled in the folder of a mailbox, from where it may have been stored without being noted."""
    status, state = context.local.status(record.folder), context.state(record.alias)
    if status is None or state.local_validity not in (UNKNOWN, status.uidvalidity):
        return {}
    lying = [
        uid for uid in context.local.uids(record.folder) if uid >= unsettled.local and uid not in settled
    ]
    return context.local.fingerprints(record.folder, lying) if lying else {}


def _take_over(
    context: Context, record: MailboxRecord, found: Mapping[int, int], other: MailboxRecord
) -> None:
    """Move what lies in the folder of another mailbox (its UID there, by the provider's) to where it is asked for."""
    if not found:
        return
    path, local = context.state_path(record.alias), context.local.ensure(record.folder)
    state, there = context.state(other.alias), set(found.values())
    if there & set(state.pairs.values()):
        state.pairs = {uid: number for uid, number in state.pairs.items() if number not in there}
        state.write(context.state_path(other.alias))
    begins = Unsettled(local.uidnext, max(found) + 1)
    Unsettled.keep(path, begins.widened(Unsettled.read(path)))
    moved = context.local.move(other.folder, list(found.values()), record.folder)
    state = context.state(record.alias)
    _pair(context, record, state, {uid: moved[there] for uid, there in found.items() if there in moved})
    state.write(path)


def _pair(context: Context, record: MailboxRecord, state: SyncState, pairs: Mapping[int, int]) -> None:
    """Add pairs to a state, and whose numbers they are of where nothing says it yet: mbsync never ran to its end."""
    if state.local_validity == UNKNOWN:
        state.local_validity = context.local.ensure(record.folder).uidvalidity
    if state.remote_validity == UNKNOWN:
        state.remote_validity = record.uidvalidity
    state.pairs |= pairs
