# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An account that is fetched: a provider, a house and mbsync in memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.ilnmors.mail.tests.unit.mbsync_fetch.fakes.imap_server import (
    DATE,
    header_of,
    text_of,
)
from mbsync_fetch.account.settings import Account
from mbsync_fetch.account_fetch.fetch import AccountFetch
from mbsync_fetch.imap.fingerprint import fingerprint
from mbsync_fetch.imap.names import Mailbox
from mbsync_fetch.local.mailbox import FolderStatus
from mbsync_fetch.local.scripts import Filtered
from mbsync_fetch.local.session import LocalRefusedError
from mbsync_fetch.mailbox_fetch import fetch
from mbsync_fetch.mbsync.append_batcher import AppendBatcher
from mbsync_fetch.mbsync.command_filter import Refusal
from mbsync_fetch.mbsync.remote_filter import RemoteFilter, Shown, shown_flags
from mbsync_fetch.mbsync.run import Outcome
from mbsync_fetch.mbsync.sync_state import SyncState, interrupted
from mbsync_fetch.record.context import Context
from mbsync_fetch.record.ledger import Ledger
from mbsync_fetch.remote.account import Content, Listing, MailboxError, MailboxStatus, Message, Presence
from mbsync_fetch.remote.survey import Survey
from mbsync_fetch.statement.statement import Statement
from mbsync_fetch.status.report import Refused
from mbsync_fetch.status.status import Status

ACCOUNT = Account(
    name="gmail",
    host="imap.gmail.test",
    port=993,
    ca_file="/ca.pem",
    username="il@gmail.test",
    mechanism="password",
    owner="il@home.internal",
    folder="Google",
    inbox=False,
    labelled=False,
    labels=False,
    mailboxes=(),
    skip_mailboxes=(),
    mirror=False,
    daily_megabytes=None,
    metrics=False,
    timeout=60,
    local_socket="/socket",
)
ALL, SENT = "[Gmail]/All Mail", "[Gmail]/Sent Mail"
GMAIL = {ALL: "\\all", SENT: "\\sent"}
"""Which mailboxes of Gmail are marked for which use (RFC 6154)."""


def fp(text: str) -> bytes:
    return fingerprint(header_of(text), DATE)


@dataclass
class Box:
    """A mailbox of either side: its messages' texts by UID."""

    uidvalidity: int = 1
    uidnext: int = 1
    messages: dict[int, str] = field(default_factory=dict)
    flags: dict[int, frozenset[str]] = field(default_factory=dict)

    def add(self, text: str, *flags: str) -> int:
        self.messages[self.uidnext] = text
        self.flags[self.uidnext] = frozenset(flags)
        self.uidnext += 1
        return self.uidnext - 1


@dataclass
class FakeRemote:
    """The provider's side; refuses the UIDs in `refused`, and cuts the connection at those in `cut`."""

    boxes: dict[str, Box]
    special: dict[str, str] = field(default_factory=dict)
    refused: set[int] = field(default_factory=set)
    cut: set[int] = field(default_factory=set)
    passed_over: set[int] = field(default_factory=set)
    stream: Any = None
    open: str = ""
    connections: int = 1
    received: int = 0

    def mailboxes(self, _pattern: str = "*") -> list[Mailbox]:
        return [Mailbox(raw, "/", frozenset({self.special.get(raw, "\\x")})) for raw in self.boxes]

    def status(self, raw: str) -> MailboxStatus:
        if raw not in self.boxes:
            raise MailboxError(f"[NONEXISTENT] Mailbox doesn't exist: {raw}")
        box = self.boxes[raw]
        return MailboxStatus(len(box.messages), box.uidnext, box.uidvalidity)

    def examine(self, raw: str) -> MailboxStatus:
        self.open = raw
        return self.status(raw)

    def opened(self, raw: str) -> MailboxStatus:
        return self.examine(raw)

    def uids(self, first: int = 1) -> Listing:
        return Listing(
            tuple(sorted(uid for uid in self.boxes[self.open].messages if uid >= first)), whole=True
        )

    def settled(self) -> frozenset[int]:
        return frozenset(self.boxes[self.open].messages)

    def present(self, uids: Iterable[int]) -> Presence:
        asked = frozenset(uids)
        return Presence(asked & self.settled(), asked - self.settled())

    def message_ids(self, uids: Iterable[int]) -> dict[int, bytes]:
        return {uid: self.boxes[self.open].messages[uid].encode() for uid in uids}

    def reconnect(self) -> bool:
        self.connections += 1
        return self.connections < 6

    def content(self, uid: int) -> Content:
        box = self.boxes[self.open]
        return Content(box.messages[uid].encode(), tuple(box.flags[uid]), "")

    def survey(self, uids: Iterable[int]) -> Survey:
        box = self.boxes[self.open]
        return Survey({uid: Message(uid, box.flags[uid], 100, 0.0, fp(box.messages[uid])) for uid in uids})


@dataclass
class FakeLocal:
    """The owner's mailbox. refused: texts that it does not take. offered: how often one was stored alone."""

    boxes: dict[str, Box] = field(default_factory=dict)
    left: int | None = None
    filtered: list[int] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    listed: int = 0
    offered: int = 0

    def status(self, folder: str) -> FolderStatus | None:
        box = self.boxes.get(folder)
        return FolderStatus(box.uidvalidity, box.uidnext, len(box.messages)) if box else None

    def ensure(self, folder: str) -> FolderStatus:
        self.boxes.setdefault(folder, Box(uidvalidity=len(self.boxes) + 100))
        status = self.status(folder)
        assert status is not None
        return status

    def rename(self, old: str, new: str) -> None:
        self.boxes[new] = self.boxes.pop(old)

    def quota_left(self) -> int | None:
        return self.left

    def folders(self) -> list[str]:
        return list(self.boxes)

    def message_ids(self, folder: str, uids: Collection[int]) -> dict[int, bytes]:
        messages = self.boxes[folder].messages
        return {uid: messages[uid].encode() for uid in uids if uid in messages}

    def uids(self, folder: str) -> list[int]:
        self.listed += 1
        return sorted(self.boxes[folder].messages)

    def fingerprints(self, folder: str, uids: Collection[int] | None = None) -> dict[int, bytes]:
        messages = self.boxes.get(folder, Box()).messages
        return {uid: fp(text) for uid, text in messages.items() if uids is None or uid in uids}

    def append(self, folder: str, message: bytes, flags: Iterable[str], _date: str) -> int:
        self.offered += 1
        text = text_of(message)
        if text in self.refused:
            raise LocalRefusedError(f"{folder}: APPEND: not that")
        return self.boxes[folder].add(text, *flags)

    def add_flags(self, folder: str, uids: Collection[int], flags: Iterable[str]) -> None:
        for uid in uids:
            self.boxes[folder].flags[uid] |= set(flags)

    def move(self, folder: str, uids: Collection[int], target: str) -> dict[int, int]:
        here = self.boxes[folder].messages
        return {uid: self.boxes[target].add(here.pop(uid)) for uid in uids if uid in here}

    def remove(self, folder: str, uids: Collection[int]) -> None:
        for uid in uids:
            self.boxes[folder].messages.pop(uid, None)

    def sieve(self, folder: str, uids: Collection[int]) -> Filtered:
        assert folder in self.boxes
        self.filtered += uids
        return Filtered(frozenset(), ())


@dataclass
class World:
    """An account, both sides, and what was pulled in the last fetch.

    pause: called where mbsync may be stopped. few: how many messages come without mbsync.
    """

    directory: Path
    remote: FakeRemote
    local: FakeLocal = field(default_factory=FakeLocal)
    account: Account = ACCOUNT
    refused: dict[str, tuple[Refused, ...]] = field(default_factory=dict)
    budget: int | None = None
    few: int = 0
    pulled: list[str] = field(default_factory=list)
    last: fetch.MailboxFetch | None = None
    kept: Status = field(default_factory=Status)
    pause: Callable[[], object] = lambda: None

    def mbsync(self, record: Any, wanted: Mapping[int, Message], _total: int) -> Outcome:
        """Do as mbsync does between its command filters."""
        path = self.directory / "sync" / record.alias
        remote, local = self.remote.boxes[record.raw], self.local.boxes[record.folder]
        state = SyncState.read(path) or SyncState()
        assert not interrupted(path)
        filters: Any = (
            RemoteFilter(server=None, timeout=1, shown=Shown(wanted, remote.uidvalidity)),  # type: ignore[arg-type]
            AppendBatcher(server=None, timeout=1, mailbox=b""),  # type: ignore[arg-type]
        )
        state.remote_validity, state.local_validity = remote.uidvalidity, local.uidvalidity
        state.write(path)
        journal = ["5", f"| {remote.uidvalidity} {local.uidvalidity}"]
        try:
            for uid in sorted(wanted):
                assert uid > state.max_pulled
                assert uid not in state.pairs
                if uid in self.remote.cut:
                    filters[0]._owed[b"1"] = ("UID FETCH", uid)
                    filters[0].error = OSError("cut")
                    break
                if uid in self.remote.passed_over:
                    continue
                if uid in self.remote.refused:
                    filters[0].refusals.append(Refusal("UID FETCH", uid, "NO cannot"))
                    continue
                if remote.messages[uid] in self.local.refused:
                    filters[1].refusals.append(Refusal("APPEND", 0, "NO not that"))
                    continue
                journal += [f"+ {uid} 0", f"# {uid} 0 mark{uid}"]
                self.pause()
                shown = shown_flags(wanted[uid]).lower().split()
                state.pairs[uid] = local.add(remote.messages[uid], *shown)
                self.pulled.append(remote.messages[uid])
                self.pause()
                journal.append(f"> {uid} 0 {state.pairs[uid]}")
            else:
                state.max_pulled = max([state.max_pulled, *wanted])
            state.write(path)
        except KeyboardInterrupt:
            path.with_name(f"{path.name}.journal").write_text("".join(f"{line}\n" for line in journal))
            path.with_name(f"{path.name}.new").touch()
            raise
        return Outcome(filters[0].error is None, "", *filters)

    def fetch(self, *, quick: bool = False) -> AccountFetch:
        self.pulled.clear()
        with Ledger(self.directory / "ledger.sqlite") as ledger:
            remote: Any = self.remote
            local: Any = self.local
            context = Context(self.account, remote, local, ledger, self.directory)
            one: Any = fetch.MailboxFetch(context, self.budget, self.refused)
            one.pulling.mbsync = self.mbsync
            one.pulling.few = self.few
            self.last = one
            now = AccountFetch(one, {report.name: report for report in self.kept.folders})
            quick = quick and now.inbox()
            if not quick:
                now.all()
        self.kept = self.kept.succeeded(0, one.reports, whole=not quick, not_fetched=now.not_fetched)
        return now

    def statement(self) -> dict[str, Any]:
        """State where everything is, as after the last fetch."""
        with Ledger(self.directory / "ledger.sqlite") as ledger:
            remote: Any = self.remote
            local: Any = self.local
            context = Context(self.account, remote, local, ledger, self.directory)
            return Statement(context, {report.name: report.refused for report in self.kept.folders}).make()

    def books(self, name: str = "INBOX") -> dict[str, int]:
        """Return where the messages of a mailbox are, as the last fetch says: how many are at which places."""
        books = next(report.books for report in self.kept.folders if report.name == name)
        assert books
        counts = {place: number for place, number in books.places.items() if number}
        return counts | ({"unplaced": len(books.unplaced)} if books.unplaced else {})

    def inside(self) -> dict[str, list[str]]:
        return {name: sorted(box.messages.values()) for name, box in self.local.boxes.items() if box.messages}


def boxes(**content: str) -> dict[str, Box]:
    """Make mailboxes of the provider; each word is a message."""
    made = {}
    for number, (name, texts) in enumerate(content.items(), 1):
        made[name] = Box(uidvalidity=number)
        for text in texts.split():
            made[name].add(text)
    return made
