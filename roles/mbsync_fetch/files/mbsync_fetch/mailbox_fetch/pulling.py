# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How messages are pulled: through mbsync, and one by one where they are few or mbsync passes over them."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..imap.names import decode
from ..imap.sequence_set import in_lines
from ..local.session import LocalError, LocalRefusedError, mailbox_name
from ..mbsync.sync_state import UNKNOWN
from ..record.context import Context, say
from ..record.ledger import MailboxRecord
from ..remote.account import Content, Message
from ..remote.answers import RemoteError, kind_of
from ..remote.survey import HOPELESS, SILENCE
from ..status.report import Refused
from .arrivals import Arrivals, keepable
from .recovery import Unsettled

if TYPE_CHECKING:  # what runs mbsync is loaded where it is run
    from ..mbsync.append_batcher import AppendBatcher
    from ..mbsync.remote_filter import RemoteFilter
    from ..mbsync.run import Outcome

FEW, LITTLE = 5, 1024 * 1024
"""So many messages, of so many bytes altogether, come without mbsync: its start takes longer than they do.

One new message took 3.5 s without mbsync and 6.2 s with it (medians of six fetches each, two busy cores).
"""


class LocalFullError(Exception):
    """The owner's mailbox takes no more."""


@dataclass
class Pulling:
    """Pulls messages of an account into local folders.

    budget: the bytes that may be read, None for all. refused: by alias, messages that one side refused.
    few: how many messages come without mbsync.
    After it: over_budget or house_full, if something had to wait.
    """

    context: Context
    budget: int | None
    refused: dict[str, tuple[Refused, ...]]
    few: int = FEW
    over_budget: bool = False
    house_full: bool = False
    _arrivals: Arrivals = field(init=False)

    def __post_init__(self) -> None:
        self._arrivals = Arrivals(self.context)

    def pull(self, record: MailboxRecord, new: Mapping[int, Message]) -> None:
        """Bring messages, and record them; as many at once as one command can name."""
        for batch in in_lines(new):
            self._pull_batch(record, {uid: new[uid] for uid in batch})
            if self.over_budget or self.house_full:
                return

    def pull_refused(self, record: MailboxRecord, messages: Mapping[int, Message]) -> bool:
        """Ask once more for messages that were refused, one by one; False if the connection did not outlive it."""
        by_house = {entry.uid for entry in self.refused.get(record.alias, ()) if entry.by == "house"}
        for uid, message in messages.items():
            try:
                if uid not in by_house:
                    self.pull(record, {uid: message})
                elif wanted := self._affordable([message]):
                    self._begin(record, wanted)
                    self._store(record, wanted)
            except RemoteError as error:
                say(f"{decode(record.raw)}: message {uid}: {error}")
                return False
        return True

    def keep_refused(self, alias: str, refused: Mapping[int, Refused]) -> None:
        """Remember which messages of a mailbox are refused, beside those known of."""
        known = {entry.uid: entry for entry in self.refused.get(alias, ())}
        self.refused[alias] = tuple((known | dict(refused)).values())

    # --- through mbsync

    def _pull_batch(self, record: MailboxRecord, new: Mapping[int, Message]) -> None:
        wanted = self._affordable([new[uid] for uid in sorted(new)])
        if not wanted:
            return
        self._begin(record, wanted)
        if len(wanted) <= self.few and sum(message.size for message in wanted.values()) <= LITTLE:
            self._store(record, wanted)
            return
        state = self.context.state(record.alias)
        state.want(wanted)
        state.write(self.context.state_path(record.alias))
        outcome = self.mbsync(record, wanted, len(new))
        arrived = self._arrivals.record(record, wanted)
        refused = self._judge(record, outcome, wanted.keys() - arrived)
        self._store(record, {uid: wanted[uid] for uid in sorted(wanted.keys() - arrived - refused)})

    def _begin(self, record: MailboxRecord, wanted: Collection[int]) -> None:
        """Keep from which local UID on these messages will lie, before the first is stored."""
        path = self.context.state_path(record.alias)
        begins = Unsettled(self.context.local.ensure(record.folder).uidnext, max(wanted) + 1)
        Unsettled.keep(path, begins.widened(Unsettled.read(path)))

    def mbsync(self, record: MailboxRecord, wanted: Mapping[int, Message], total: int) -> Outcome:
        """Let mbsync pull messages."""
        from ..mbsync.append_batcher import AppendBatcher
        from ..mbsync.remote_filter import RemoteFilter, Shown
        from ..mbsync.run import pull

        context, name = self.context, decode(record.raw)
        timeout = context.account.timeout
        self._open(record)
        outcome = pull(
            record.alias,
            context.state_path(record.alias).parent,
            context.directory,
            RemoteFilter(
                server=context.remote.stream, timeout=timeout, shown=Shown(wanted, record.uidvalidity)
            ),
            AppendBatcher(server=context.local.lend(), timeout=timeout, mailbox=mailbox_name(record.folder)),
            lambda stored: say(f"{name}: {stored} of {total} messages have arrived"),
            lambda remote, local: _is_full(local) or _has_enough(remote, local),
        )
        if outcome.local.unanswered or outcome.local.error:
            context.local.open()
        return outcome

    def _judge(self, record: MailboxRecord, outcome: Outcome, left: Collection[int]) -> set[int]:
        """Say what mbsync's run means for wanted messages that it did not bring; return those that are refused."""
        name, remote, local = decode(record.raw), outcome.remote, outcome.local
        if _is_full(local):
            raise LocalFullError(local.refusals[-1].text)
        for refusal in local.refusals:
            say(f"{name}: the house answers: {refusal.text}")
        if _has_enough(remote, local):
            text = remote.refusals[-1].text
            raise RemoteError(kind_of(text), text)
        refused = {
            entry.uid: Refused(entry.uid, entry.text) for entry in remote.refusals if entry.uid in left
        }
        asked = [uid for __, uid in remote.unanswered if uid in left]
        if remote.error is not None and asked:
            # Perhaps it is this message that the provider fails at: the next fetch asks for it at the end.
            refused[asked[0]] = Refused(asked[0], f"the connection ended as it was asked for: {remote.error}")
        self.keep_refused(record.alias, refused)
        if remote.error is not None:
            raise RemoteError("unreachable", f"{name}: {remote.error}")
        if local.error is not None:
            raise LocalError(f"{name}: {local.error}")
        # It fails for refused messages as well, after all others. Whatever else it is that it fails at, a message that
        # it did not bring comes without it.
        if not outcome.succeeded and not refused and not local.refusals:
            say(f"{name}: mbsync: {' '.join(outcome.output.split()) or 'failed'}")
        return set(refused)

    # --- without mbsync

    def _store(self, record: MailboxRecord, messages: Mapping[int, Message]) -> None:
        """Store a few messages, or what mbsync passes over: 1.4 takes none without an empty line after its header."""
        try:
            self._store_each(record, messages)
        finally:
            self._arrivals.record(record, messages)

    def _store_each(self, record: MailboxRecord, uids: Iterable[int]) -> None:
        path = self.context.state_path(record.alias)
        state = self.context.state(record.alias)
        if UNKNOWN in (state.remote_validity, state.local_validity):
            state.remote_validity = record.uidvalidity
            state.local_validity = self.context.local.ensure(record.folder).uidvalidity
        failures = 0
        failure: Exception
        for uid in uids:
            try:
                content = self._content(record, uid)
                state.pairs[uid] = self.context.local.append(
                    record.folder, content.text, _flags(content), content.date or None
                )
            except LocalRefusedError as error:
                if "[OVERQUOTA]" in str(error).upper():
                    raise LocalFullError(str(error)) from error
                refused = self._refused_by_house(record, uid, str(error))
                failure = error
            except RemoteError as error:
                refused = Refused(uid, str(error))
                if error.kind != "error":
                    self.keep_refused(record.alias, {uid: refused} if error.kind == "unreachable" else {})
                    raise
                failure = error
            else:
                state.write(path)
                failures = 0
                continue
            self.keep_refused(record.alias, {uid: refused})
            failures += 1
            if failures >= HOPELESS:
                raise failure

    def _content(self, record: MailboxRecord, uid: int) -> Content:
        self._open(record)
        content = self.context.remote.content(uid)
        if content is None:
            raise RemoteError("error", SILENCE)
        return content

    def _open(self, record: MailboxRecord) -> None:
        if self.context.remote.opened(record.raw).uidvalidity != record.uidvalidity:
            raise RemoteError("error", f"{decode(record.raw)} was renumbered just now")

    def _refused_by_house(self, record: MailboxRecord, uid: int, reason: str) -> Refused:
        name = decode(record.raw)
        say(f"{name}: the house refuses message {uid}: {reason}")
        known = next((entry for entry in self.refused.get(record.alias, ()) if entry.uid == uid), None)
        tries = known.tries if known and known.by == "house" else 0
        return Refused(uid, reason, by="house", tries=tries + 1, tried=time.time())

    def _affordable(self, messages: Sequence[Message]) -> dict[int, Message]:
        """Leave out what the provider's daily limit or the owner's quota has no room for."""
        room = self.context.local.quota_left()
        wanted: dict[int, Message] = {}
        for message in messages:
            if self.budget is not None and message.size > self.budget:
                self.over_budget = True
                break
            if room is not None and message.size > room:
                self.house_full = True
                break
            if room is not None:
                room -= message.size
            if self.budget is not None:
                self.budget -= message.size
            wanted[message.uid] = message
        return wanted


def _flags(content: Content) -> list[str]:
    system = [flag for flag in content.flags if flag.startswith("\\")]
    return [*system, *keepable(flag for flag in content.flags if not flag.startswith("\\"))]


def _is_full(local: AppendBatcher) -> bool:
    return any("[OVERQUOTA]" in refusal.text.upper() for refusal in local.refusals)


def _has_enough(remote: RemoteFilter, local: AppendBatcher) -> bool:
    """Tell whether the provider has had enough, or hands over nothing at all: then it is not asked on."""
    if any(kind_of(refusal.text) == "provider limit" for refusal in remote.refusals):
        return True
    return not local.stored and len(remote.refusals) > 2 * HOPELESS
