# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The command filter between mbsync and the provider: it lets the texts of messages pass, and nothing else.

What mbsync asks about the mailbox is answered here, from what is known of it: it is one that has the wanted messages
alone. The only command that reaches the provider asks for the text of one of these, without marking it as read; its
mailbox was opened before, read-only. And of what the provider says, mbsync hears only the texts that it has asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ..imap.sequence_set import in_set
from ..remote.survey import Message
from .command_filter import LITERAL, CommandFilter

_LISTING = re.compile(rb" (?P<set>[0-9:,*]+) \((?P<items>(?:(?:UID|FLAGS|RFC822\.SIZE) ?)+)\)")
_TEXT = re.compile(rb" (?P<uid>\d+) \((?:(?:UID|FLAGS|INTERNALDATE) )*BODY\.PEEK\[\]\)")
_FETCHED = re.compile(rb"\* \d+ FETCH \(", re.IGNORECASE)
_UID = re.compile(rb"\bUID (\d+)", re.IGNORECASE)
# What mbsync knows; keywords go another way (mailbox_fetch/arrivals.py), and \\Deleted does not cross.
_FLAGS = {r"\seen": r"\Seen", r"\answered": r"\Answered", r"\flagged": r"\Flagged", r"\draft": r"\Draft"}


@dataclass(frozen=True)
class Shown:
    """What mbsync sees of the provider's mailbox: these messages, by UID."""

    messages: Mapping[int, Message]
    uidvalidity: int

    @property
    def uidnext(self) -> int:
        """The UID above all of them."""
        return max(self.messages, default=0) + 1


@dataclass(kw_only=True)
class RemoteFilter(CommandFilter):
    """The provider's side."""

    capabilities: ClassVar[str] = "IMAP4rev1"
    shown: Shown

    def _obey(self, tag: bytes, name: str, arguments: bytes, line: bytes) -> bytes:
        if name == "SELECT":
            return self._answer(self._select() + b"%s OK [READ-ONLY] done\r\n" % tag)
        if name == "UID FETCH" and (listing := _LISTING.fullmatch(arguments)):
            return self._answer(self._list(listing["set"].decode("ascii")) + b"%s OK done\r\n" % tag)
        if name == "UID FETCH" and (text := _TEXT.fullmatch(arguments)):
            uid = int(text["uid"])
            if uid in self.shown.messages:
                return self._forward(tag, name, arguments, uid)
        return self._refuse(tag, line)

    def _select(self) -> bytes:
        shown = self.shown
        return (
            b"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n* %d EXISTS\r\n* 0 RECENT\r\n"
            b"* OK [UIDVALIDITY %d] valid\r\n* OK [UIDNEXT %d] next\r\n"
        ) % (len(shown.messages), shown.uidvalidity, shown.uidnext)

    def _list(self, wanted: str) -> bytes:
        return "".join(
            f"* {number} FETCH (UID {uid} FLAGS ({shown_flags(message)}) RFC822.SIZE {message.size})\r\n"
            for number, (uid, message) in enumerate(sorted(self.shown.messages.items()), 1)
            if in_set(uid, wanted)
        ).encode("ascii")

    def _wants(self, line: bytes) -> bool:
        if line[:6].upper() == b"* BYE ":
            said = line[6:].decode("utf-8", "replace").strip()
            raise ConnectionError(f"it says goodbye: {said}")
        if not _FETCHED.match(line):
            return False
        # A server may name other items before the text, as literals, and the UID after it.
        named = line.upper()
        if b"BODY[]" not in named and (b"BODY[" in named or not LITERAL.search(line.rstrip())):
            return False
        uid = _UID.search(line)
        return uid is None or int(uid[1]) in {owed for __, owed in self._owed.values()}


def shown_flags(message: Message) -> str:
    """Return the flags that mbsync sees of a message, separated by spaces."""
    return " ".join(_FLAGS[flag] for flag in sorted(message.flags) if flag in _FLAGS)
