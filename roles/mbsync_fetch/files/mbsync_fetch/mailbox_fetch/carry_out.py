# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Carries out the plan of a mailbox, but for what is pulled (pulling.py): records what need not be, and moves it."""

from __future__ import annotations

from collections.abc import Mapping

from ..imap.fingerprint import NOTHING
from ..imap.names import decode
from ..mbsync.sync_state import UNKNOWN, interrupted
from ..record.context import Context, say
from ..record.ledger import MailboxRecord, Reason
from ..remote.account import MailboxStatus
from ..remote.survey import Message
from .arrivals import Arrivals
from .plan import Plan


class CarryOut:
    """Carries out plans. Whatever it is stopped at, the next fetch finds each message where it is."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._ledger = context.ledger
        self._arrivals = Arrivals(context)

    def present(
        self, record: MailboxRecord, remote: MailboxStatus, new: Mapping[int, Message], plan: Plan
    ) -> None:
        """Record what lies in the local folder before the first fetch."""
        if not plan.present:
            return
        self.context.note(
            f"{decode(record.raw)}: {len(plan.present)} of {remote.messages} messages are in {record.folder} already, "
            "and were not fetched again"
        )
        # What has a pair is recorded by the next fetch if this one is stopped here.
        self._pair(record, plan.present)
        self._record(record, new, dict.fromkeys(plan.present, "adopted"))

    def others(self, record: MailboxRecord, new: Mapping[int, Message], plan: Plan) -> None:
        """Record and move what need not be pulled for any other reason."""
        if plan.returned:
            self._return(record, new, plan.returned)
        if plan.moved:
            self._move(record, new, plan.moved)
        self._ledger.record(
            record.alias, dict.fromkeys(plan.drafts, NOTHING), dict.fromkeys(plan.drafts, "draft")
        )
        self._record(record, new, dict.fromkeys(plan.copies, "copy"))

    def _return(self, record: MailboxRecord, new: Mapping[int, Message], returned: Mapping[int, int]) -> None:
        """Have messages that came back count by their new numbers, for the reasons that they were recorded for."""
        pairs, reasons = self.context.state(record.alias).pairs, self._ledger.reasons(record.alias)
        with self._ledger.transaction():
            self._ledger.forget(record.alias, returned.values())
            self._record(record, new, {uid: reasons[old] for uid, old in returned.items()})
        self._pair(record, {uid: pairs.get(old, 0) for uid, old in returned.items()})

    def _move(
        self, record: MailboxRecord, new: Mapping[int, Message], moved: Mapping[str, Mapping[int, int]]
    ) -> None:
        """Move messages in the local mailbox as they were moved at the provider."""
        pairs: dict[int, int] = {}
        for alias, uids in moved.items():
            pairs |= self._move_from(record, alias, uids)
        filed = self._arrivals.filter(record, new, pairs)
        with self._ledger.transaction():
            for alias, uids in moved.items():
                if self._ledger.mailbox(alias).role != "all":  # which still has them
                    self._ledger.forget(alias, uids.values())
            self._record(record, new, {uid: "filed" if uid in filed else "moved" for uid in pairs})
        self._pair(record, pairs)

    def _move_from(self, record: MailboxRecord, alias: str, uids: Mapping[int, int]) -> dict[int, int]:
        """Move messages from the folder of another mailbox (their UIDs there, by the new ones); return the pairs."""
        other = self._ledger.mailbox(alias)
        state = self.context.state(alias)
        left = self._ledger.local_uids(alias)
        lying = {uid: state.pairs.get(there, 0) or left.get(there, 0) for uid, there in uids.items()}
        here = [number for number in lying.values() if number]
        status = self.context.local.status(other.folder)
        if status is None or status.uidvalidity != state.local_validity:
            here = []
        arrived = self.context.local.move(other.folder, here, record.folder) if here else {}
        if arrived:
            say(f"{decode(record.raw)}: {len(arrived)} messages have moved here from {decode(other.raw)}")
        return {uid: arrived.get(number, 0) for uid, number in lying.items()}

    def _record(
        self, record: MailboxRecord, new: Mapping[int, Message], reasons: Mapping[int, Reason]
    ) -> None:
        self._ledger.record(record.alias, {uid: new[uid].fingerprint for uid in reasons}, reasons)

    def _pair(self, record: MailboxRecord, pairs: Mapping[int, int]) -> None:
        """Have mbsync remember where messages lie (UID at the provider, local UID or 0)."""
        path = self.context.state_path(record.alias)
        if interrupted(path) or not any(pairs.values()):
            return
        state = self.context.state(record.alias)
        if UNKNOWN in (state.remote_validity, state.local_validity):
            remote, local = self.context.remote.opened(record.raw), self.context.local.status(record.folder)
            if local:
                state.remote_validity, state.local_validity = remote.uidvalidity, local.uidvalidity
        state.pairs |= {uid: number for uid, number in pairs.items() if number}
        path.parent.mkdir(mode=0o700, exist_ok=True)
        state.write(path)
