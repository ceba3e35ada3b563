# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which messages of a mailbox were fetched before, by their fingerprints."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

ALIKE = 0.8
"""Share of a mailbox's messages that must be the same for it to be one that was renamed."""


def match_fingerprints(old: Mapping[int, bytes], new: Mapping[int, bytes]) -> dict[int, int]:
    """Return for each new UID the old one that is the same message.

    Of equal messages each is matched with one, in the order of their UIDs.
    """
    known = defaultdict[bytes, list[int]](list)
    for uid in sorted(old, reverse=True):
        known[old[uid]].append(uid)
    return {uid: known[new[uid]].pop() for uid in sorted(new) if known.get(new[uid])}


def renamed(gone: Mapping[str, Mapping[int, bytes]], new: Mapping[int, bytes]) -> str | None:
    """Return which of the mailboxes that are gone is this one by another name; None if none is, or it is not clear.

    A renamed mailbox keeps its UIDs (RFC 3501 section 6.3.5). What it has lost or got since does not count.
    """
    same = {}
    for alias, old in gone.items():
        then = [uid for uid in new if uid <= max(old, default=0)]
        found = sum(old.get(uid) == new[uid] for uid in then)
        if found and found >= ALIKE * len(then):
            same[alias] = found
    best = [alias for alias, found in same.items() if found == max(same.values())]
    return best[0] if len(best) == 1 else None
