# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""States where every message of an account is, with digests of what both sides have.

It asks both sides anew, whatever is recorded, and changes nothing at either. It runs as root, with the
account's name as its argument, and prints JSON.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..imap.names import Mailbox as Listed
from ..imap.names import decode
from ..record.books import PLACES, Place
from ..record.context import Context
from ..record.ledger import MailboxRecord
from ..record.whereabouts import Whereabouts, listed
from ..remote.account import MailboxError, askable
from ..selection.left_out import left_out
from ..selection.selection import select
from ..status.report import NotFetched, Refused
from .digests import of_message_ids, of_uids

PATIENCE = 120.0
"""Seconds that a fetch which is running is waited for."""
MOVED = "moved"
"""Where messages are that lie in another folder of the owner: the books have them as deleted, or filed."""
AWAY = ("deleted", "filed")


@dataclass
class Mailbox:
    """A mailbox as the statement sees it.

    message_ids: what the provider says, by UID. places: where each message is. lies: local folder and UID.
    house_ids: the Message-IDs of those.
    """

    record: MailboxRecord
    uidvalidity: int
    uids: Sequence[int]
    message_ids: Mapping[int, bytes]
    places: dict[int, Place | str | None]
    lies: dict[int, tuple[str, int]] = field(default_factory=dict)
    house_ids: dict[int, bytes] = field(default_factory=dict)

    @property
    def differs(self) -> set[int]:
        """The UIDs of messages that are another one here, or not there, or that nothing is said of."""
        silent = set(self.uids) - self.message_ids.keys()
        return silent | {uid for uid in self.lies if self.house_ids.get(uid) != self.message_ids.get(uid)}

    def at(self, place: Place | str) -> list[int]:
        """Return the UIDs of the messages at a place."""
        return [uid for uid in self.uids if self.places[uid] == place]


@dataclass
class Statement:
    """A statement of an account. refused: what was refused when it was last fetched, by the names of mailboxes."""

    context: Context
    refused: Mapping[str, Sequence[Refused]]

    def __post_init__(self) -> None:
        self._whereabouts = Whereabouts(self.context)
        self._names: list[Listed] = []
        self._not_fetched: list[NotFetched] = []

    def make(self) -> dict[str, Any]:
        """Return the statement."""
        account = self.context.account
        mailboxes = list(self._mailboxes())
        self._find_moved(mailboxes)
        for mailbox in mailboxes:
            self._read_house(mailbox)
        described = [self._describe(mailbox) for mailbox in mailboxes]
        not_fetched = [self._left_out(one) for one in self._not_fetched]
        return {
            "account": account.name,
            "username": account.username,
            "server": account.host,
            "owner": account.owner,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "complete": all(one["complete"] for one in described)
            and not any(one["rule"] in ("refused", "unaskable") for one in not_fetched),
            "mailboxes": described,
            "not_fetched": not_fetched,
        }

    # --- what is where

    def _mailboxes(self) -> Iterator[Mailbox]:
        context = self.context
        names = self._names = context.remote.mailboxes()
        records = {record.raw: record for record in context.ledger.mailboxes() if not record.gone}
        planned = select(context.account, names, {raw: record.folder for raw, record in records.items()})
        self._not_fetched = left_out(context.account, names, {folder.raw for folder in planned.mailboxes})
        for folder in planned.mailboxes:
            # One that is new has nothing in the record yet.
            record = records.get(folder.raw) or MailboxRecord("", folder.raw, folder.folder, role=folder.role)
            try:
                yield self._look(record)
            except MailboxError as error:
                if error.fate != "closed":
                    raise
                rule = NotFetched(decode(folder.raw), "refused", str(error))
                self._not_fetched.append(
                    rule if askable(folder.raw) else NotFetched(decode(folder.raw), "unaskable")
                )

    def _look(self, record: MailboxRecord) -> Mailbox:
        opened, uids = listed(self.context, record)
        message_ids = self.context.remote.message_ids(uids)
        refused = [entry.uid for entry in self.refused.get(decode(record.raw), ())]
        places: dict[int, Place | str | None] = {**self._whereabouts.places(record, uids, refused)}
        mailbox = Mailbox(record, opened.uidvalidity, uids, message_ids, places)
        for uid in [*mailbox.at("here"), *mailbox.at("elsewhere")]:
            if found := self._whereabouts.location(record, uid):
                mailbox.lies[uid] = found
        return mailbox

    def _find_moved(self, mailboxes: Sequence[Mailbox]) -> None:
        """Find in the owner's other folders what is no longer where it landed."""
        away = [(mailbox, uid) for mailbox in mailboxes for place in AWAY for uid in mailbox.at(place)]
        if not away:
            return
        used = {place for mailbox in mailboxes for place in mailbox.lies.values()}
        fingerprints = {self._mark(mailbox, uid) for mailbox, uid in away}
        found: dict[bytes, list[tuple[str, int]]] = defaultdict(list)
        for folder in self.context.local.folders():
            for local, fingerprint in self.context.local.fingerprints(folder).items():
                if fingerprint in fingerprints and (folder, local) not in used:
                    found[fingerprint].append((folder, local))
        for mailbox, uid in away:
            if places := found[self._mark(mailbox, uid)]:
                mailbox.places[uid], mailbox.lies[uid] = MOVED, places.pop(0)

    def _mark(self, mailbox: Mailbox, uid: int) -> bytes:
        return self._whereabouts.held(mailbox.record).fingerprints[uid]

    def _read_house(self, mailbox: Mailbox) -> None:
        folders: dict[str, dict[int, int]] = defaultdict(dict)
        for uid, (folder, local) in mailbox.lies.items():
            folders[folder][uid] = local
        for folder, pairs in folders.items():
            there = self.context.local.message_ids(folder, list(pairs.values()))
            mailbox.house_ids |= {uid: there[local] for uid, local in pairs.items() if local in there}

    # --- how it is said

    def _describe(self, mailbox: Mailbox) -> dict[str, Any]:
        counts = {place: len(mailbox.at(place)) for place in (*PLACES, MOVED)}
        unplaced = [uid for uid in mailbox.uids if mailbox.places[uid] is None]
        folders: dict[str, int] = defaultdict(int)
        for uid in mailbox.at(MOVED):
            folders[mailbox.lies[uid][0]] += 1
        differs = sorted(mailbox.differs)
        return {
            "name": decode(mailbox.record.raw),
            "folder": mailbox.record.folder,
            "uidvalidity": mailbox.uidvalidity,
            "messages": len(mailbox.uids),
            "places": counts,
            "unplaced": unplaced,
            "differs": differs,
            "refused": [asdict(entry) for entry in self.refused.get(decode(mailbox.record.raw), ())],
            "moved_to": dict(folders),
            "complete": not (unplaced or differs or counts["refused"] or counts["to_come"]),
            "digests": {
                "provider": _digests(mailbox, mailbox.uids),
                **{place: _both(mailbox, place) for place in ("here", "elsewhere", MOVED)},
            },
        }

    def _left_out(self, mailbox: NotFetched) -> dict[str, Any]:
        """Say of a mailbox that is not fetched how many messages it has, as far as the provider says it."""
        count = None
        raw = next((one.raw for one in self._names if decode(one.raw) == mailbox.name), "")
        if raw and mailbox.rule not in ("unselectable", "refused", "unaskable"):
            try:
                count = self.context.remote.status(raw).messages
            except MailboxError:
                count = None
        return {**asdict(mailbox), "messages": count}


def _digests(mailbox: Mailbox, uids: Iterable[int]) -> dict[str, str]:
    chosen = list(uids)
    return {
        "uids": of_uids(chosen),
        "message_ids": of_message_ids(mailbox.message_ids.get(uid, b"") for uid in chosen),
    }


def _both(mailbox: Mailbox, place: str) -> dict[str, dict[str, str]]:
    uids = mailbox.at(place)
    local = {"message_ids": of_message_ids(mailbox.house_ids.get(uid, b"") for uid in uids)}
    if place == "here":
        local["uids"] = of_uids(mailbox.lies[uid][1] for uid in uids if uid in mailbox.lies)
    return {"provider": _digests(mailbox, uids), "house": local}
