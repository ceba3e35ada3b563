# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a provider says of messages that it is asked about (FETCH, RFC 9051 section 7.5.2)."""

from __future__ import annotations

import imaplib
import re
import time

from ..imap.fingerprint import fingerprint
from ..imap.replies import Value, octets, pairs, uid_of, whole, words
from .connection import Answer
from .survey import Message

DATE = re.compile(
    r"[ \d]\d-(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)-\d{4} \d\d:\d\d:\d\d [+-]\d{4}"
)


def fetched(answer: Answer) -> dict[int, dict[str, Value]]:
    """Return what was said of each UID; what was said in several responses is put together."""
    found: dict[int, dict[str, Value]] = {}
    for response in answer.of("FETCH"):
        for value in response.values():
            items = pairs(value)
            uid = uid_of(items.get("UID"))
            if uid is not None:
                found.setdefault(uid, {}).update(items)
    return found


def message_of(uid: int, items: dict[str, Value], *, alone: bool) -> Message | None:
    """Read what was said of a message; None where part of it was left out.

    alone: whether it was asked for alone. Then its header is enough, so that no habit of a provider keeps it away.
    """
    header = next((name for name in items if name.startswith("BODY[HEADER")), None)
    if header is None or not (alone or {"FLAGS", "INTERNALDATE", "RFC822.SIZE"} <= items.keys()):
        return None
    date = date_of(items)
    flags = words(items.get("FLAGS"))
    return Message(
        uid=uid,
        flags=frozenset(flag.lower() for flag in flags),
        size=whole(items.get("RFC822.SIZE")) or 0,
        arrived=_moment(date),
        fingerprint=fingerprint(octets(items[header]), date),
        keywords=frozenset(flag for flag in flags if not flag.startswith("\\")),
    )


def date_of(items: dict[str, Value]) -> str:
    """Return an INTERNALDATE as it is written, "" where there is none."""
    return octets(items.get("INTERNALDATE")).decode("ascii", "replace").title()


def _moment(internaldate: str) -> float:
    if not DATE.fullmatch(internaldate):
        return 0.0
    try:
        moment = imaplib.Internaldate2tuple(f'INTERNALDATE "{internaldate}"'.encode("ascii"))
        return time.mktime(moment) if moment else 0.0
    except (OverflowError, ValueError):
        return 0.0
