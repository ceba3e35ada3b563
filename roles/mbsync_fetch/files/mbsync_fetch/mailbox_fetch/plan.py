# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is to become of each message that a mailbox has and that is new: decided here, and carried out afterwards.

The decision reads the record, mbsync's state and both sides, and changes none of them (carry_out.py does).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from ..record.context import Context
from ..record.ledger import MailboxRecord
from ..remote.survey import Message
from . import deduplication


@dataclass(frozen=True)
class Plan:
    """The new messages of a mailbox, by their UIDs: each is in one of these.

    present: those that lie in the local folder before the first fetch, with their local UIDs. returned: those that had
    left the mailbox and came back, with the UIDs that they had. moved: those that come from other mailboxes, by the
    alias of each, with the UIDs that they had there. drafts: those that do not come with all mail. copies: those that
    lie in the local folder of another mailbox. postponed: those of which this cannot be told now, and why. pull: those
    that are to be pulled.
    """

    present: Mapping[int, int] = field(default_factory=dict)
    returned: Mapping[int, int] = field(default_factory=dict)
    moved: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    drafts: Collection[int] = ()
    copies: Collection[int] = ()
    postponed: Mapping[int, str] = field(default_factory=dict)
    pull: Mapping[int, Message] = field(default_factory=dict)


def make_plan(context: Context, record: MailboxRecord, new: Mapping[int, Message], *, first: bool) -> Plan:
    """Decide about new messages of a mailbox, which is open and stays so. first: whether it was never fetched."""
    present = deduplication.present(context, record, new) if first else {}
    rest = _without(new, present)
    locations = context.ledger.locations({message.fingerprint for message in rest.values()})
    returned, unsure = deduplication.returned(context, record, rest, locations)
    rest = _without(rest, returned, unsure)
    moved: dict[str, dict[int, int]] = {}
    unseen: dict[int, str] = {}
    drafts: set[int] = set()
    if record.role == "all":
        # What becomes of a draft is another message, though it may look the same.
        drafts = {uid for uid, message in rest.items() if r"\draft" in message.flags}
    else:
        settled = {new[uid].fingerprint for uid in present}
        moved, unseen = deduplication.moved(context, record, rest, locations, settled)
    rest = _without(rest, drafts, unseen, *moved.values())
    copies: list[int] = []
    if context.holds_copies(record):
        copies = deduplication.copies(context, record, rest, locations, moved)
    return Plan(present, returned, moved, drafts, copies, unsure | unseen, _without(rest, copies))


def _without(messages: Mapping[int, Message], *decided: Collection[int]) -> dict[int, Message]:
    """Return those messages that nothing has been decided about."""
    return {uid: message for uid, message in messages.items() if not any(uid in some for some in decided)}
