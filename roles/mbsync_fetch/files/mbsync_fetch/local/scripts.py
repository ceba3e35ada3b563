# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sieve scripts for messages that are fetched into the inbox, as for those that are delivered."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ..imap.sequence_set import uid_set
from .session import Session, text, uid_sets

# Messages that pass the scripts in one session. Pigeonhole waits without end for the rest of a FILTER command that is
# cut in the name of the script's kind, and Dovecot cuts a line where its buffer of 8 KiB is full: this many UIDs,
# however long, stay below that. What a script has filed away is removed from its folder after each batch, so that a
# run that is killed leaves few messages in both.
SIEVE_BATCH = 50


@dataclass(frozen=True)
class Filtered:
    """What scripts did. gone: the UIDs that they took from the folder. complaints: what they say was wrong."""

    gone: frozenset[int]
    complaints: tuple[str, ...]


def run_scripts(path: str, folder: str, uids: Collection[int]) -> Filtered:
    r"""Let messages pass the site's script and the owner's, as those do that are delivered; LocalError.

    What they keep stays where it is; what they file, discard or redirect leaves the folder. A message that was
    marked as deleted before is left alone. If a script fails, or there is none, the messages stay.
    """
    gone: set[int] = set()
    complaints: list[str] = []
    for batch in uid_sets(uids, SIEVE_BATCH):
        with Session(path) as session:
            gone |= _run(session, folder, batch, complaints)
    return Filtered(frozenset(gone), tuple(dict.fromkeys(complaints)))


def _run(session: Session, folder: str, batch: str, complaints: list[str]) -> set[int]:
    session.select(folder)
    marked = _marked(session, folder, batch)
    for script in ("GLOBAL before", "DELIVERY"):
        # A script marks as deleted what it does not keep (draft-bosch-imap-filter-sieve): the next one skips that.
        complaints += _filter(session, script, batch)
    if done := _marked(session, folder, batch) - marked:
        session.uid("EXPUNGE", folder, uid_set(done))
    return done


def _filter(session: Session, script: str, batch: str) -> list[str]:
    imap = session.imap
    for name in ("FILTER", "FILTERED"):
        imap.response(name)
    # NO is said of a script that is not there, or does not compile; the latter in an untagged reply as well.
    session.attempt(imap.xatom, "UID", "FILTER", "SIEVE", script, "UID", batch, "UNDELETED")
    replies = [reply for name in ("FILTER", "FILTERED") for reply in imap.response(name)[1] if reply]
    # A reply with a text comes as what was before it, and the text.
    return [text(reply[1]).strip() for reply in replies if isinstance(reply, tuple)]


def _marked(session: Session, folder: str, batch: str) -> set[int]:
    data = session.uid("SEARCH", folder, "UID", batch, "DELETED")
    return {int(uid) for uid in (data[0] or b"").split()}
