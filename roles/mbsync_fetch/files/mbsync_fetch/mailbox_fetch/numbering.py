# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keeps the record in step where messages get other numbers: at the provider, or in a local folder made anew."""

from __future__ import annotations

import itertools
from collections.abc import Collection

from ..imap.names import decode
from ..mbsync.sync_state import UNKNOWN, SyncState
from ..record.context import Context
from ..record.ledger import LOWEST, MailboxRecord
from ..record.matching import match_fingerprints
from ..remote.account import MailboxStatus, RemoteError
from ..remote.survey import SILENCE
from .recovery import ALL, Unsettled


def renumber(context: Context, record: MailboxRecord, remote: MailboxStatus) -> None:
    """Go on after the provider has numbered a mailbox anew (RFC 9051 section 2.3.1.1)."""
    ledger, alias = context.ledger, record.alias
    now = _fingerprints(context, record)
    before, reasons = ledger.recorded(alias, LOWEST), ledger.reasons(alias)
    same = match_fingerprints(before, now)
    # What is no longer here may be in another mailbox now: it is kept by a number that no message has.
    unused = itertools.count(min([0, *before]) - 1, -1)
    gone = before.keys() - same.values()
    left = {uid if uid < 0 else next(unused): uid for uid in sorted(gone)}
    _renumber_state(context, record, remote, same, gone)
    there = ledger.local_uids(alias)
    with ledger.transaction():
        ledger.replace(
            alias,
            {uid: now[uid] for uid in same} | {uid: before[old] for uid, old in left.items()},
            {uid: reasons[old] for uid, old in (same | left).items()},
        )
        ledger.record_local_uids(alias, {uid: there[old] for uid, old in left.items() if old in there})
        ledger.update(alias, uidvalidity=remote.uidvalidity, next_uid=1)
    context.note(
        f"{decode(record.raw)} was renumbered by the provider (UIDVALIDITY {record.uidvalidity}, now "
        f"{remote.uidvalidity}): {len(same)} of {len(now)} messages are known, and were not fetched again"
    )


def renumber_others(context: Context, aliases: Collection[str]) -> None:
    """Go on with those of these mailboxes that were numbered anew, whose UIDs would be taken for other messages."""
    for other in context.ledger.mailboxes():
        if other.alias in aliases and not other.gone:
            try:
                remote = context.remote.status(other.raw)
                if other.uidvalidity not in (0, remote.uidvalidity):
                    renumber(context, other, remote)
            except RemoteError as error:
                if error.kind != "error":
                    raise


def check_local(context: Context, record: MailboxRecord, uidvalidity: int) -> None:
    """Go on after the owner has removed the local folder: what was in it does not come back."""
    path = context.state_path(record.alias)
    state = SyncState.read(path)
    if state is None or state.local_validity in (UNKNOWN, uidvalidity):
        return
    state.pairs = dict.fromkeys(state.pairs, 0)
    state.local_validity = uidvalidity
    context.ledger.forget_local_uids(record.alias)
    Unsettled.keep(path, None)
    state.write(path)
    context.note(
        f"{record.folder} is not the folder that it was: what was fetched before is not fetched again"
    )


def _renumber_state(
    context: Context, record: MailboxRecord, remote: MailboxStatus, same: dict[int, int], gone: set[int]
) -> None:
    """Have mbsync's state name messages by their new numbers (same: with the old ones)."""
    path = context.state_path(record.alias)
    state = SyncState.read(path)
    # It has been done already if a fetch was stopped after this.
    if state is None or state.remote_validity == remote.uidvalidity:
        return
    if state.remote_validity not in (UNKNOWN, record.uidvalidity):
        state.pairs.clear()  # by numbers between those, that nothing tells of any more
    known = state.pairs | context.ledger.local_uids(record.alias)
    context.ledger.record_local_uids(record.alias, {old: known[old] for old in gone & known.keys()})
    if unsettled := Unsettled.read(path):
        Unsettled.keep(path, Unsettled(unsettled.local, ALL))
    state.pairs = {uid: known[old] for uid, old in same.items() if old in known}
    state.remote_validity, state.max_pulled = remote.uidvalidity, 0
    state.write(path)


def _fingerprints(context: Context, record: MailboxRecord) -> dict[int, bytes]:
    """Return the fingerprints of all messages of a mailbox that has been numbered anew."""
    context.remote.examine(record.raw)
    listing = context.remote.uids()
    survey = context.remote.survey(listing.uids)
    if not listing.whole or survey.open or SILENCE in survey.refused.values():
        raise RemoteError(
            "error", "it was renumbered by the provider, which does not tell of all its messages now"
        )
    return {uid: message.fingerprint for uid, message in survey.messages.items()}
