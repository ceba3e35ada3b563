# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The command filter between mbsync and Dovecot: it stores messages in batches, each as it was at the provider.

mbsync stores messages one by one and does not wait in between. Dovecot takes many at once (MULTIAPPEND, RFC 3502) in a
third of the time, since it has to see only once that they are on the disk: what arrives while it is at work goes on as
one command.

mbsync adds a header field X-TUID to each message, to find again what it has stored where a run was cut off. It is taken
off here: what was stored then is matched in another way (mailbox_fetch/recovery.py).
"""

from __future__ import annotations

import re
import time
from collections import deque
from dataclasses import dataclass, field
from typing import ClassVar

from ..imap.sequence_set import expand
from .command_filter import LITERAL, CommandFilter

COMMANDS = ("SELECT", "UID FETCH", "CHECK")
# What one command may hold.
MESSAGES, BYTES = 100, 4 * 1024 * 1024

_APPEND = re.compile(rb"(?P<tag>[!-~]+) APPEND(?P<arguments>(?: [^\x00-\x1f\x7f]*)?)", re.IGNORECASE)
_MAILBOX = re.compile(rb' "[^"]*"')
_HEADER_END = re.compile(rb"\r?\n\r?\n")
_TUID = re.compile(rb"^X-TUID: [^\r\n]{12}\r?\n", re.MULTILINE)
_UIDS = re.compile(rb"\[APPENDUID (?P<validity>\d+) (?P<set>[0-9:,]+)\]", re.IGNORECASE)


@dataclass(frozen=True)
class Append:
    """A message that mbsync stores. options: its flags and date."""

    tag: bytes
    options: bytes
    message: bytes


@dataclass(kw_only=True)
class AppendBatcher(CommandFilter):
    """The local side.

    mailbox: its name there, quoted. patience: how long Dovecot may go on storing after mbsync has left, in seconds.
    After the run: stored, how many messages it has taken.
    """

    capabilities: ClassVar[str] = "IMAP4rev1 LITERAL+ UIDPLUS"
    mailbox: bytes
    patience: float = 30.0
    stored: int = 0
    _waiting: deque[Append] = field(default_factory=deque)
    _sent: list[Append] = field(default_factory=list)
    # How many of the first that wait are to be sent one by one.
    _singly: int = 0
    _head: tuple[bytes, bytes, int] | None = None
    _left: bool = False

    def _finish(self) -> None:
        """Wait for what Dovecot is storing: it would come once more if it came after the next look for it.

        mbsync leaves at once where the provider cuts the connection. What has not been sent yet is not sent any more.
        """
        self._left = True
        self._waiting.clear()
        end = time.monotonic() + self.patience
        while self._owed and (left := end - time.monotonic()) > 0:
            if self.server.readable([], left):
                self._from_server()

    def _obey(self, tag: bytes, name: str, arguments: bytes, line: bytes) -> bytes:
        if name not in COMMANDS:
            return self._refuse(tag, line)
        if name == "SELECT":
            arguments = b" " + self.mailbox
        return self._forward(tag, name, arguments)

    def _next_line(self) -> bytes | None:
        """Take mbsync's next line that is no part of a message."""
        while True:
            if self._head is None:
                line = super()._next_line()
                if line is None or (append := _APPEND.fullmatch(line)) is None:
                    return line
                literal = LITERAL.search(line)
                if literal is None:
                    return line
                if not line.endswith(b"+}"):
                    # A large message waits for this (RFC 9051 section 4.3).
                    self._answer(b"+ go on\r\n")
                options = _MAILBOX.sub(b"", append["arguments"], count=1)
                self._head = (append["tag"], LITERAL.sub(b"", options), int(literal[1]))
            tag, options, size = self._head
            # The command ends with the line after the message.
            if len(self._from_client) < size + 2:
                return None
            self._waiting.append(Append(tag, options, without_tuid(bytes(self._from_client[:size]))))
            del self._from_client[: size + 2]
            self._head = None

    def _send(self, onward: bytes | bytearray) -> None:
        """Send commands, and messages once Dovecot has taken those before."""
        if self._left:
            return
        super()._send(onward)
        if self._sent or not self._waiting:
            return
        size, limit = 0, 1 if self._singly else MESSAGES
        self._singly = max(self._singly - 1, 0)
        while self._waiting and len(self._sent) < limit and size < BYTES:
            self._sent.append(self._waiting.popleft())
            size += len(self._sent[-1].message)
        self._owed[self._sent[0].tag] = ("APPEND", 0)
        parts = [self._sent[0].tag, b" APPEND ", self.mailbox]
        for append in self._sent:
            parts += (append.options, b"{%d+}\r\n" % len(append.message), append.message)
        super()._send(b"".join([*parts, b"\r\n"]))

    def _answered(self, line: bytes) -> bytes:
        tag, __, answer = line.partition(b" ")
        if not self._sent or tag != self._sent[0].tag:
            return super()._answered(line)
        sent, self._sent = self._sent, []
        if answer[:2].upper() == b"OK":
            self._owed.pop(tag)
            self.stored += len(sent)
            reply = b"".join(_answers(sent, answer))
        elif len(sent) == 1:
            reply = super()._answered(line)
        else:
            # One of them is refused, and none was stored: Dovecot says which when they come one by one.
            self._owed.pop(tag)
            self._waiting.extendleft(reversed(sent))
            self._singly = len(sent)
            reply = b""
        self._send(b"")
        return reply


def _answers(sent: list[Append], answer: bytes) -> list[bytes]:
    """Answer each message's command, with the UID that it has got (RFC 4315 section 3)."""
    found = _UIDS.search(answer)
    uids = expand(found["set"].decode("ascii")) if found else []
    if found is None or len(uids) != len(sent):
        return [append.tag + b" OK stored\r\n" for append in sent]
    return [
        b"%s OK [APPENDUID %s %d] stored\r\n" % (append.tag, found["validity"], uid)
        for append, uid in zip(sent, uids, strict=True)
    ]


def without_tuid(message: bytes) -> bytes:
    """Take off what mbsync has added to the header of a message."""
    end = _HEADER_END.search(message)
    added = _TUID.search(message, 0, end.end() if end else len(message))
    return message[: added.start()] + message[added.end() :] if added else message
