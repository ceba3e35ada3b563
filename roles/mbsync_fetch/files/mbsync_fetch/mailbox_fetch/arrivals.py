# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is done with messages once they have arrived in the local folder."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping

from ..account.failures import DAY
from ..imap.names import decode
from ..local.session import LocalRefusedError
from ..record.context import Context, say
from ..record.ledger import MailboxRecord, Reason
from ..remote.account import Message

# Scripts may answer and forward mail: what is older than this, in seconds, is filed without them.
SIEVE_AGE = 7 * DAY


# An atom (RFC 9051 section 9), as long as Dovecot takes one (mail_max_keyword_length).
_KEYWORD = re.compile(r'[^\x00-\x20\x7f-\U0010ffff(){%*"\\\]]{1,50}')


def keepable(keywords: Iterable[str]) -> tuple[str, ...]:
    """Return the keywords that Dovecot can keep, in their order."""
    return tuple(sorted(keyword for keyword in keywords if _KEYWORD.fullmatch(keyword)))


class Arrivals:
    """The messages that have arrived in a mailbox of an account."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def record(self, record: MailboxRecord, new: Mapping[int, Message]) -> set[int]:
        """Take into the ledger what mbsync has paired, once it has passed the owner's scripts."""
        state = self.context.state(record.alias)
        arrived = {uid: state.pairs[uid] for uid in new if state.pairs.get(uid)}
        # Before the scripts, which may file it elsewhere.
        self._keep_keywords(record, new, arrived)
        filed = self.filter(record, new, arrived)
        reasons: dict[int, Reason] = {uid: "filed" if uid in filed else "arrived" for uid in arrived}
        self.context.ledger.record(record.alias, {uid: new[uid].fingerprint for uid in arrived}, reasons)
        return set(arrived)

    def _keep_keywords(
        self, record: MailboxRecord, new: Mapping[int, Message], pairs: Mapping[int, int]
    ) -> None:
        """Give local messages the keywords that they have at the provider: mbsync does not bring them."""
        alike: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for uid, local in pairs.items():
            if kept := keepable(new[uid].keywords):
                alike[kept].append(local)
        for keywords, uids in alike.items():
            try:
                self.context.local.add_flags(record.folder, uids, keywords)
            except LocalRefusedError as error:
                say(f"{decode(record.raw)}: keywords {' '.join(keywords)}: {error}")

    def filter(self, record: MailboxRecord, new: Mapping[int, Message], pairs: Mapping[int, int]) -> set[int]:
        """Let what has arrived lately in the inbox pass the scripts; return what they took from there."""
        if not (self.context.account.inbox and record.role == "inbox"):
            return set()
        recent = time.time() - SIEVE_AGE
        lately = [local for uid, local in pairs.items() if local and new[uid].arrived > recent]
        filtered = self.context.local.sieve(record.folder, lately)
        for complaint in filtered.complaints:
            say(f"{decode(record.raw)}: the owner's scripts: {complaint}")
        return {uid for uid, local in pairs.items() if local in filtered.gone}
