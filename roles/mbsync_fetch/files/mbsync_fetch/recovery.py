# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a fetch stored in the house and was kept from noting, because it was stopped, is recognised there.

Before anything is stored, a file beside mbsync's state says from where on in the house it will be. It goes once all
that came is recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .ledger import FolderRecord
from .recognise import recognise
from .session import Session
from .status import write_file
from .survey import Message
from .sync_state import interrupted

ALL = 2**32
"""Above every UID."""


@dataclass(frozen=True)
class Unsettled:
    """Where messages may lie that nothing pairs yet.

    near: in the house, from this UID on. below: they are ones of the provider's whose UIDs are below this one.
    """

    near: int
    below: int

    @classmethod
    def read(cls, state: Path) -> Unsettled | None:
        """Return what is kept beside mbsync's state of a mailbox."""
        try:
            near, *below = _beside(state).read_text("ascii").split()
            return cls(int(near), int(below[0]) if below else ALL)
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
            write_file(_beside(state), f"{unsettled.near} {unsettled.below}", 0o600)

    def widened(self, other: Unsettled | None) -> Unsettled:
        """Return what takes in both."""
        if other is None:
            return self
        return Unsettled(min(self.near, other.near), max(self.below, other.below))


def _beside(state: Path) -> Path:
    return state.with_name(f"{state.name}.storing")


def recover(session: Session, record: FolderRecord, new: Mapping[int, Message]) -> None:
    """Pair new messages with what lies in the house unpaired since a fetch was stopped."""
    path = session.state_path(record.alias)
    unsettled = Unsettled.read(path)
    if unsettled is None:
        return
    state = session.state(record.alias)
    some = {
        uid: message.fingerprint
        for uid, message in new.items()
        if uid < unsettled.below and uid not in state.pairs
    }
    if some:
        paired = set(state.pairs.values())
        lying = [
            uid for uid in session.house.uids(record.house) if uid >= unsettled.near and uid not in paired
        ]
        found = recognise(session.house.fingerprints(record.house, lying), some)
        state.pairs |= found
        if not found and not interrupted(path):
            return
    elif not interrupted(path):
        return
    # From here on this is the state, and not what mbsync's journal says. The file that says what is unsettled must be
    # there before that goes.
    Unsettled.keep(path, unsettled)
    state.write(path)
