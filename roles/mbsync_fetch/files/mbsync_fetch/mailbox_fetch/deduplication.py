# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which new messages need not be pulled: the local side has them by another number, from another mailbox, or as a copy.

Nothing is changed here. locations: where the record has messages of the same fingerprints (Ledger.locations).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from ..imap.names import decode
from ..record.context import Context
from ..record.ledger import MailboxRecord
from ..record.matching import match_fingerprints
from ..remote.listing import Presence
from ..remote.survey import Message

Locations = Mapping[bytes, Sequence[tuple[str, int]]]


def present(context: Context, record: MailboxRecord, new: Mapping[int, Message]) -> dict[int, int]:
    """Find messages in the local folder before the first fetch; return their local UIDs."""
    paired = set(context.state(record.alias).pairs.values())
    lying = {
        uid: fingerprint
        for uid, fingerprint in context.local.fingerprints(record.folder).items()
        if uid not in paired
    }
    return match_fingerprints(lying, _fingerprints(new))


def returned(
    context: Context, record: MailboxRecord, new: Mapping[int, Message], locations: Locations
) -> tuple[dict[int, int], dict[int, str]]:
    """Find messages that have left this mailbox, which is open, and come back, as out of the trash.

    Returns the UIDs that they had, and why it cannot be told of others.
    """
    before = {
        uid: fingerprint
        for fingerprint, found in locations.items()
        for alias, uid in found
        if alias == record.alias
    }
    if not before:
        return {}, {}
    there = context.remote.present(before)
    back = match_fingerprints({uid: before[uid] for uid in there.absent}, _fingerprints(new))
    unsure = {before[uid] for uid in before.keys() - there.present - there.absent}
    why = _postponed(record)
    return back, {uid: why for uid in new.keys() - back if new[uid].fingerprint in unsure}


def moved(
    context: Context,
    record: MailboxRecord,
    new: Mapping[int, Message],
    locations: Locations,
    settled: Collection[bytes],
) -> tuple[dict[str, dict[int, int]], dict[int, str]]:
    """Find messages that have left another mailbox of the account, or that all mail brought (RFC 6154).

    settled: fingerprints of messages that this mailbox has in the local folder. Returns the UIDs that they had, by the
    alias of their mailbox, and why it cannot be told of others. This mailbox is open again after it.
    """
    records = {other.alias: other for other in context.ledger.mailboxes()}
    asked = _origins(record, records, {new[uid].fingerprint for uid in new}, locations, settled)
    sides = {alias: _presence(context, records[alias], uids) for alias, uids in asked.items()}
    absent = {alias: set(presence.absent) for alias, presence in sides.items()}
    context.remote.opened(record.raw)
    found: dict[str, dict[int, int]] = defaultdict(dict)
    postponed: dict[int, str] = {}
    for uid in sorted(new):
        places = locations.get(new[uid].fingerprint, ())
        if place := next((place for place in places if place[1] in absent.get(place[0], ())), None):
            alias, there = place
            absent[alias].remove(there)
            found[alias][uid] = there
        elif unseen := _unseen(places, asked, sides):
            postponed[uid] = _postponed(records[unseen])
    return dict(found), postponed


def copies(
    context: Context,
    record: MailboxRecord,
    new: Mapping[int, Message],
    locations: Locations,
    moved: Mapping[str, Mapping[int, int]],
) -> list[int]:
    """Find messages that the local side has from another mailbox.

    moved: what is about to move here from other mailboxes, and is none of theirs any more. All mail keeps it.
    """
    taken = {
        (alias, there)
        for alias, uids in moved.items()
        if context.ledger.mailbox(alias).role != "all"
        for there in uids.values()
    }
    return [
        uid
        for uid, message in new.items()
        if any(
            place[0] != record.alias and place not in taken
            for place in locations.get(message.fingerprint, ())
        )
    ]


def _fingerprints(messages: Mapping[int, Message]) -> dict[int, bytes]:
    return {uid: message.fingerprint for uid, message in messages.items()}


def _origins(
    record: MailboxRecord,
    records: Mapping[str, MailboxRecord],
    fingerprints: Collection[bytes],
    locations: Locations,
    settled: Collection[bytes],
) -> dict[str, set[int]]:
    """Return which messages of other mailboxes these may be, by alias."""
    uids: dict[str, set[int]] = defaultdict(set)
    for fingerprint in fingerprints & locations.keys():
        # What all mail alone had lies there; what another mailbox has, or had, lies in that one's folder.
        alone = fingerprint not in settled and all(
            records[alias].role == "all" for alias, __ in locations[fingerprint]
        )
        for alias, there in locations[fingerprint]:
            if alias != record.alias and (alone or records[alias].role != "all"):
                uids[alias].add(there)
    return uids


def _presence(context: Context, other: MailboxRecord, uids: set[int]) -> Presence:
    """Tell which of these UIDs another mailbox no longer has, or brought as messages that are in all mail alone."""
    if other.role == "all":
        pairs = context.state(other.alias).pairs
        lying = frozenset(uid for uid in uids if pairs.get(uid))
        return Presence(frozenset(uids) - lying, lying)
    return context.present(other, uids)


def _unseen(
    places: Iterable[tuple[str, int]], asked: Mapping[str, Collection[int]], sides: Mapping[str, Presence]
) -> str:
    """Return the mailbox of a place of which nobody knows whether its message is still there, "" if there is none."""
    for alias, there in places:
        known = sides.get(alias)
        if known and there in asked[alias] and there not in known.present | known.absent:
            return alias
    return ""


def _postponed(where: MailboxRecord) -> str:
    return f"it may be one that was in {decode(where.raw)}, which cannot be seen as a whole now"
