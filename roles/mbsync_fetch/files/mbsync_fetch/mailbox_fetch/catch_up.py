# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Brings the record up to date before anything is planned: with what a stopped fetch left, and with other numbers."""

from __future__ import annotations

from collections.abc import Mapping

from ..record.context import Context
from ..record.ledger import MailboxRecord
from ..remote.survey import Message
from .arrivals import Arrivals
from .numbering import renumber_others
from .recovery import recover


def catch_up(context: Context, record: MailboxRecord, new: Mapping[int, Message]) -> dict[int, Message]:
    """Record what an earlier fetch brought; return the messages that are new after that. The mailbox is open."""
    recover(context, record, new)
    rest = _record_paired(context, record, new)
    if record.role != "all":
        locations = context.ledger.locations({message.fingerprint for message in rest.values()})
        renumber_others(
            context, {alias for found in locations.values() for alias, __ in found} - {record.alias}
        )
        context.remote.opened(record.raw)
    return rest


def _record_paired(context: Context, record: MailboxRecord, new: Mapping[int, Message]) -> dict[int, Message]:
    """Record what an earlier fetch brought but was kept from recording; return the rest."""
    pairs = context.state(record.alias).pairs
    paired = {uid: message for uid, message in new.items() if uid in pairs}
    arrived = Arrivals(context).record(record, paired)
    gone = paired.keys() - arrived
    context.ledger.record(
        record.alias, {uid: new[uid].fingerprint for uid in gone}, dict.fromkeys(gone, "gone")
    )
    return {uid: message for uid, message in new.items() if uid not in paired}
