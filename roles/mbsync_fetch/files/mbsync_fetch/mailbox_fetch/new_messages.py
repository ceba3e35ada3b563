# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a mailbox of the provider has that has not been dealt with, as far as the provider says it."""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ..record.context import Context
from ..record.ledger import MailboxRecord
from ..remote.account import Listing, Message, RemoteError
from ..remote.survey import SILENCE, Survey
from ..status.report import Refused

OFFERED_AGAIN = (0, 20 * 60, 80 * 60, 5 * 3600, 24 * 3600)
"""Seconds until a message that Dovecot refuses is offered to it again, after the first time and each further one."""
ONCE_MORE = 20
"""How many messages that were refused before are asked for once more in one fetch."""

_choice = random.SystemRandom()


@dataclass(frozen=True)
class Look:
    """What was seen. The mailbox is open.

    listing: the UIDs from the first on that has not been dealt with. messages: what is known of those that are new.
    refused: new ones that the provider does not tell of, or that are not asked for now. later: new ones that are left
    for the next fetch.
    """

    listing: Listing
    messages: dict[int, Message]
    refused: dict[int, Refused]
    later: frozenset[int]


def look(context: Context, record: MailboxRecord, before: Mapping[int, Refused], *, again: bool) -> Look:
    """Look at a mailbox, which is open.

    before: messages that were refused before. They are asked for apart, if at all (again), so that the rest need not be
    divided each time to find them.
    """
    remote = context.remote
    listing = remote.uids(record.next_uid)
    taken = context.ledger.recorded(record.alias, record.next_uid)
    uids = [uid for uid in listing.uids if uid not in taken]
    survey = remote.survey(uid for uid in uids if uid not in before)
    refused = {uid: before[uid] for uid in uids if uid in before}
    more = _once_more(context, [uid for uid, entry in refused.items() if again and _due(entry)])
    for uid in more.messages:
        del refused[uid]
    refused |= {uid: Refused(uid, why) for uid, why in (survey.refused | more.refused).items()}
    later = survey.open.keys() | more.open.keys()
    if any(entry.reason == SILENCE for entry in refused.values()) or later:
        # What has gone meanwhile is not waited for.
        listing = remote.uids(record.next_uid)
        gone = refused.keys() | later
        gone = gone - set(listing.uids) if listing.whole else set()
        refused = {uid: entry for uid, entry in refused.items() if uid not in gone}
        later -= gone
    return Look(listing, survey.messages | more.messages, refused, frozenset(later - refused.keys()))


def _due(entry: Refused) -> bool:
    """Tell whether a message that was refused is asked for now."""
    if entry.by == "provider":
        return True
    # If the clock was set back, nobody knows how long it has been.
    return not 0 <= time.time() - entry.tried < OFFERED_AGAIN[min(entry.tries, len(OFFERED_AGAIN)) - 1]


def _once_more(context: Context, refused: Collection[int]) -> Survey:
    """Ask for some of the messages that were refused before."""
    chosen = _choice.sample(sorted(refused), min(len(refused), ONCE_MORE))
    try:
        return context.remote.survey(sorted(chosen))
    except RemoteError as error:
        if error.kind != "error":
            raise
        return Survey()
