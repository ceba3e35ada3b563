# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The account at the provider: what is there, read without changing anything (EXAMINE and PEEK alone).

No answer is trusted to be whole. What it lacks is unknown, and nothing follows from that: a listing is whole where it
has as many messages as the mailbox, and a message is gone where two whole listings in a row lack it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..account.settings import Account
from ..imap.fingerprint import FINGERPRINTED, MESSAGE_ID, header_fields
from ..imap.names import Mailbox, parse_list, quoted
from ..imap.replies import Value, octets, pairs, whole, words
from ..imap.sequence_set import uid_set
from ..imap.stream import Stream
from .answers import MailboxError, RemoteError
from .connection import Answer, Connection, check, checked
from .listing import Listing, Presence, Search
from .messages import DATE, date_of, fetched, message_of
from .special_use import with_special_uses
from .survey import Asked, Message, Survey, batches, survey

__all__ = [
    "Content",
    "Listing",
    "MailboxError",
    "MailboxStatus",
    "Message",
    "Presence",
    "RemoteAccount",
    "RemoteError",
]

SURVEYED = f"(UID FLAGS RFC822.SIZE {FINGERPRINTED})"
STATUS_ITEMS = "(MESSAGES UIDNEXT UIDVALIDITY)"
RECONNECTIONS = 5
"""How often a fetch connects again, where the connection ends over a mailbox or a message."""

# Flags of a session, and what must not cross.
_NOT_STORED = (r"\recent", r"\deleted")


@dataclass(frozen=True)
class MailboxStatus:
    """What a mailbox has now (RFC 9051 section 6.3.11). uidnext: None where the provider does not say it."""

    messages: int
    uidnext: int | None
    uidvalidity: int


@dataclass(frozen=True)
class Content:
    """A message as it is: its text, its flags and keywords, and its INTERNALDATE as IMAP writes it, or ""."""

    text: bytes
    flags: tuple[str, ...]
    date: str


def askable(raw: str) -> bool:
    """Tell whether a command can name a mailbox: in ASCII, without control characters (RFC 3501 section 5.1)."""
    return raw.isascii() and raw.isprintable()


class RemoteAccount:
    """A connection to the account, logged in. Every method raises RemoteError."""

    def __init__(self, account: Account, secret: str) -> None:
        self.account = account
        self._secret = secret
        self._before = 0
        self._left = RECONNECTIONS
        self._opened: tuple[str, MailboxStatus] | None = None
        self._connection = self._connect()

    def _connect(self) -> Connection:
        connection = Connection(self.account)
        try:
            connection.log_in(self._secret)
        except RemoteError:
            connection.close()
            raise
        return connection

    def reconnect(self) -> bool:
        """Connect again after the connection has ended; False if that was done too often."""
        self._left -= 1
        if self._left < 0:
            return False
        self._opened = None
        self._before += self._connection.stream.received
        self._connection.close()
        self._connection = self._connect()
        return True

    @property
    def received(self) -> int:
        """How many bytes the provider has sent."""
        return self._before + self._connection.stream.received

    @property
    def stream(self) -> Stream:
        """The connection itself, for a command filter; only between two methods."""
        return self._connection.stream

    def __enter__(self) -> RemoteAccount:
        return self

    def __exit__(self, *__: object) -> None:
        self._connection.close()

    # --- mailboxes

    def mailboxes(self, pattern: str = "*") -> list[Mailbox]:
        """Ask for all mailboxes, with what each is for (RFC 6154); one that is not named may be there all the same."""
        extended = {"SPECIAL-USE", "LIST-EXTENDED"} <= self._connection.capabilities
        asked = f'LIST "" {quoted(pattern).decode("ascii")}'
        answer = self._ask(f"{asked} RETURN (SPECIAL-USE)" if extended else asked)
        if answer.kind == "BAD" and extended:
            answer = self._ask(asked)
        check(answer)
        found: dict[str, Mailbox] = {}
        for response in answer.of("LIST"):
            if mailbox := parse_list(response.rest):
                # Said twice, it is all that was said.
                known = found.get(mailbox.raw, mailbox)
                found[mailbox.raw] = Mailbox(
                    mailbox.raw, known.delimiter or mailbox.delimiter, known.flags | mailbox.flags
                )
        mailboxes = list(found.values())
        return with_special_uses(mailboxes, self.account.uses) if pattern == "*" else mailboxes

    def status(self, raw: str) -> MailboxStatus:
        """Ask what a mailbox has; MailboxError where the provider does not say it."""
        _check_name(raw)
        answer = self._ask(f"STATUS {quoted(raw).decode('ascii')} {STATUS_ITEMS}")
        if answer.kind != "OK":
            raise MailboxError(answer.text)
        found: dict[str, int] = {}
        for response in answer.of("STATUS"):
            values = response.values()
            if len(values) == 2 and _is_name(values[0], raw):
                numbers = {name: whole(value) for name, value in pairs(values[1]).items()}
                found |= {name: number for name, number in numbers.items() if number is not None}
        if found.get("UIDVALIDITY") and {"MESSAGES", "UIDNEXT"} <= found.keys():
            return MailboxStatus(found["MESSAGES"], found["UIDNEXT"], found["UIDVALIDITY"])
        # 163.com, for one, leaves UIDNEXT out.
        opened = self.examine(raw)
        return MailboxStatus(
            found.get("MESSAGES", opened.messages), found.get("UIDNEXT", opened.uidnext), opened.uidvalidity
        )

    def examine(self, raw: str) -> MailboxStatus:
        """Open a mailbox read-only; MailboxError where the provider does not."""
        _check_name(raw)
        for __ in range(2):
            self._opened = None
            connection = self._connection
            connection.exists, connection.codes = None, {}
            answer = self._ask(f"EXAMINE {quoted(raw).decode('ascii')}")
            if answer.kind != "OK":
                raise MailboxError(answer.text)
            validity = connection.codes.get("UIDVALIDITY")
            if connection.exists is not None and validity:
                status = MailboxStatus(connection.exists, connection.codes.get("UIDNEXT"), validity)
                self._opened = (raw, status)
                return status
        lacking = "UIDVALIDITY" if connection.exists is not None else "EXISTS"
        raise RemoteError("error", f"the provider opens it without saying {lacking}")

    def opened(self, raw: str) -> MailboxStatus:
        """Open a mailbox unless it is open; return what it had as it was opened."""
        if self._opened is not None and self._opened[0] == raw:
            return self._opened[1]
        return self.examine(raw)

    # --- messages of the open mailbox

    def uids(self, first: int = 1) -> Listing:
        """List the UIDs from this one on."""
        return self._search.uids(first)

    def settled(self) -> frozenset[int] | None:
        """Return the UIDs of all messages, as two whole listings in a row have them; None if that cannot be had now."""
        return self._search.settled()

    def present(self, uids: Iterable[int]) -> Presence:
        """Tell which of these messages there are. Numbers below 1 are those of messages that are gone."""
        return self._search.present(uids)

    def survey(self, uids: Iterable[int]) -> Survey:
        """Ask for the flags, size and fingerprint of messages."""
        return survey(uids, self._survey)

    def message_ids(self, uids: Iterable[int]) -> dict[int, bytes]:
        """Read the Message-ID of messages, b"" where there is none; those are left out that nothing is said of."""
        found: dict[int, bytes] = {}
        for batch in batches(uids):
            for __ in range(2):
                rest = [uid for uid in batch if uid not in found]
                answer = self._ask(f"UID FETCH {uid_set(rest)} (UID {MESSAGE_ID})") if rest else None
                for uid, items in fetched(answer).items() if answer else ():
                    header = next((octets(items[name]) for name in items if name.startswith("BODY[")), None)
                    if header is not None:
                        found[uid] = header_fields(header).get("message-id", b"")
        return found

    def content(self, uid: int) -> Content | None:
        """Read a message; None if the provider says nothing of it."""
        for __ in range(2):
            answer = checked(self._ask(f"UID FETCH {uid} (UID FLAGS INTERNALDATE BODY.PEEK[])"))
            items = fetched(answer).get(uid, {})
            if "BODY[]" in items:
                date = date_of(items)
                return Content(
                    octets(items["BODY[]"]),
                    tuple(flag for flag in words(items.get("FLAGS")) if flag.lower() not in _NOT_STORED),
                    date if DATE.fullmatch(date) else "",
                )
        return None

    # --- how

    def _ask(self, command: str) -> Answer:
        return self._connection.command(command)

    @property
    def _search(self) -> Search:
        return Search(self._connection)

    def _survey(self, uids: Sequence[int]) -> Asked:
        cut = False
        try:
            answer = self._ask(f"UID FETCH {uid_set(uids)} {SURVEYED}")
        except RemoteError as error:
            # Perhaps it is a message that the provider fails at: those before it have been told of.
            answer, opened = self._connection.last, self._opened
            if error.kind != "unreachable" or opened is None or not self.reconnect():
                raise
            if self.examine(opened[0]).uidvalidity != opened[1].uidvalidity:
                raise
            answer.text, cut = f"the connection ended as it was asked for: {error}", True
        alone = len(uids) == 1
        found = {
            uid: message
            for uid, items in fetched(answer).items()
            if (message := message_of(uid, items, alone=alone)) is not None
        }
        return Asked(found, "" if answer.kind == "OK" else answer.text, cut)


def _is_name(value: Value, raw: str) -> bool:
    name = octets(value).decode("utf-8", "replace")
    return name == raw or name.upper() == raw == "INBOX"


def _check_name(raw: str) -> None:
    if not askable(raw):
        raise MailboxError("[CANNOT] no command can hold its name")
