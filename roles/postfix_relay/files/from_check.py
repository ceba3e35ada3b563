#!/usr/bin/python3
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A milter of Postfix: a login writes only its own addresses into From and Sender.

Run by systemd as `from-check TABLE` when the first session comes, and ended by itself some time after the last one.
TABLE is the source file of smtpd_sender_login_maps, so that the header follows the same rules as the envelope; it is
read again when it has changed.

What a login sends without a sender, such as a notice that a message was read, gets one that says whose it is: it leaves
through the login's own account, again without a sender (sender_rewriting.py, NULL_MARK).
"""

from __future__ import annotations

import re
import selectors
import socket
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from email.errors import InvalidHeaderDefect
from email.policy import SMTP
from functools import lru_cache
from pathlib import Path

Owned = Mapping[str, frozenset[str]]
"""The addresses of each login."""

# Who wrote a message, and who sent it, with how many fields of each it may have: one of the message itself, and of each
# of the last times that it was sent on (RFC 5322 sections 3.6.2 and 3.6.6).
MOST = {"From": 1, "Sender": 1, "Resent-From": 3, "Resent-Sender": 3}
FIELDS = {name.lower(): name for name in MOST}
# One name and address. Scripts write any character into the name, without the quotes that RFC 5322 wants.
NAMED = re.compile(r'((?:"(?:[^"\\]|\\.)*"|[^"(),;<>\\])*)(<[^<>]*>)\s*')
# What looks like an address in such a name: words with an at sign, neither quoted nor encoded (RFC 2047).
IN_NAME = re.compile(r'"(?:[^"\\]|\\.)*"|=\?[^?\s]+\?[^?\s]+\?[^?\s]*\?=|([^\s":]+@[^\s":]+)')
FOLD = re.compile(r"\r?\n(?=[ \t])")
STRAY = re.compile(r"\r(?!\n)")
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# Characters of a field that is judged. What the parser takes grows with the square of it.
LONGEST = 1000
# What may be done to a message: give it another sender (SMFIF_* in Postfix's milter8.c).
ACTIONS = 0x0040
# What Postfix shall leave out: connect, helo, rcpt, body, unknown and data; not wait for: mail and header (SMFIP_*).
STEPS = 0x0001 | 0x0002 | 0x0008 | 0x0010 | 0x0100 | 0x0200 | 0x4000 | 0x0080
# Bytes of a packet. The longest holds a header field, which Postfix cuts at header_size_limit.
LONGEST_PACKET = 1 << 20
# Bytes that are read of a session before the others have their turn.
AT_ONCE = 1 << 16
# Seconds without any session after which the process ends: longer than Postfix keeps one that is idle (max_idle).
IDLE = 300
# What follows a login in the sender of what has none.
NULL_MARK = ".null.sender.invalid"


class UnreadableError(Exception):
    """A header field that does not say who sends."""


@lru_cache(maxsize=1024)
def addresses(value: str) -> tuple[str, ...]:
    """Every address that one may read in a header field's value, at least one; UnreadableError if that is unsure."""
    # Before it is unfolded, for it may have been cut.
    if len(value) > LONGEST or CONTROL.search(value := FOLD.sub("", value)):
        raise UnreadableError
    named = NAMED.fullmatch(value)
    parts = [named[2], *filter(None, IN_NAME.findall(named[1]))] if named else [value]
    found = [address for part in parts for address in parse(part)]
    if not found:
        raise UnreadableError
    return tuple(found)


def parse(text: str) -> list[str]:
    """Read a list of addresses (RFC 5322 section 3.4), UnreadableError if it is none."""
    try:
        header = SMTP.header_factory("From", text)
    except Exception as error:  # The parser fails in many ways on what is no address.
        raise UnreadableError from error
    if any(isinstance(defect, InvalidHeaderDefect) for defect in header.defects):
        raise UnreadableError
    return [address.addr_spec for address in header.addresses]


def owns(owned: Owned, login: str, address: str) -> bool:
    """Whether an address is a login's own, or a plus address of one."""
    # Postfix itself writes the envelope's sender, marked (sender_canonical_maps), where there is no From.
    local, __, domain = address.lower().removesuffix(".sender.invalid").rpartition("@")
    # Whom the table does not know is a person of a directory, who has the address to log in with.
    own = owned.get(login, {login})
    return f"{local}@{domain}" in own or f"{local.partition('+')[0]}@{domain}" in own


def refusal(owned: Owned, login: str, fields: Sequence[tuple[str, str]]) -> str | None:
    """Say why a login may not send a message with these fields, each a name and a value; None if it may."""
    if not login:
        return "530 5.7.0 Log in first"
    for field, most in MOST.items():
        if [name for name, __ in fields].count(field) > most:
            return f"554 5.6.0 There are more than {most} {field} fields; write one (RFC 5322 section 3.6)"
    for name, value in fields:
        try:
            foreign = [address for address in addresses(value) if not owns(owned, login, address)]
        except UnreadableError:
            return f"553 5.7.1 '{name}: {value}' cannot be read; write '{name}: \"Name\" <address>'"
        if foreign:
            return f"553 5.7.1 <{foreign[0]}>: {name} address not allowed for {login}"
    return None


def reply_text(reason: str) -> str:
    """Write a reason as a reply has it: printable ASCII (RFC 5321 section 4.2). Postfix takes '%%' for '%'."""
    return re.sub(r"[^ -~]", "?", " ".join(reason.split()))[:400].replace("%", "%%")


def read_owned(table: str) -> Owned:
    """Turn a table around: from an address and who owns it (postconf(5)), separated by commas, to logins."""
    owned: dict[str, set[str]] = {}
    for line in table.splitlines():
        if not line.startswith("#"):
            address, logins = line.split("\t")
            for login in logins.split(", "):
                owned.setdefault(login, set()).add(address)
    return {login: frozenset(those) for login, those in owned.items()}


class Table:
    """The table in a file, read again when it is another file."""

    def __init__(self, path: Path) -> None:
        """Remember where it is."""
        self.path = path
        self.seen: tuple[int, int] | None = None
        self.owned: Owned = {}

    def read(self) -> Owned:
        """Return the table as it is now."""
        status = self.path.stat()
        if self.seen != (status.st_ino, status.st_mtime_ns):
            self.owned = read_owned(self.path.read_text())
            self.seen = status.st_ino, status.st_mtime_ns
        return self.owned


class MalformedError(Exception):
    """What is no packet of the milter protocol."""


class Session:
    """What Postfix tells of one SMTP session, in the milter protocol of Sendmail, version 6.

    Each packet is a length (4 bytes), a letter, and data. One packet in each message is answered: the end of the
    header; and where that has no sender, the end of the message. If anything fails here, the connection is lost, and
    Postfix lets the mail wait.
    """

    def __init__(self, connection: socket.socket, table: Table) -> None:
        """Nothing is known yet. The connection waits for nothing, neither to be read nor to be written to."""
        self.connection = connection
        self.table = table
        self.received = bytearray()
        self.login = ""
        self.has_sender = True
        self.fields: list[tuple[str, str]] = []

    def proceed(self) -> bool:
        """Take what has come; tell whether the session goes on."""
        try:
            data = self.connection.recv(AT_ONCE)
            self.received += data
            for command, rest in self.packets():
                self.take(command, rest)
        except (MalformedError, OSError, ValueError) as error:
            print(f"a session ends, and its mail waits: {error}", file=sys.stderr, flush=True)
            return False
        return bool(data)

    def packets(self) -> Iterator[tuple[bytes, bytes]]:
        """Take the letter and the data of each packet that is complete."""
        begin = 0
        while len(self.received) >= begin + 4:
            (length,) = struct.unpack_from(">I", self.received, begin)
            if not 0 < length <= LONGEST_PACKET:
                raise MalformedError(f"a packet of {length} bytes")
            end = begin + 4 + length
            if len(self.received) < end:
                break
            yield bytes(self.received[begin + 4 : begin + 5]), bytes(self.received[begin + 5 : end])
            begin = end
        del self.received[:begin]

    def take(self, command: bytes, data: bytes) -> None:
        """Act on a packet."""
        if command == b"O":
            self.answer(b"O", struct.pack(">III", 6, ACTIONS, STEPS))
        elif command == b"D" and data.startswith(b"M"):
            macros = data[1:].split(b"\0")
            login = dict(zip(macros[::2], macros[1::2], strict=False)).get(b"{auth_authen}", b"")
            self.login = login.decode().lower()
        elif command == b"M":
            self.fields = []
            self.has_sender = data.partition(b"\0")[0] not in (b"", b"<>")
        elif command == b"L":
            self.take_field(data)
        elif command == b"N":
            self.judge()
        elif command == b"E":
            self.answer(b"e", f"<{self.login}{NULL_MARK}>\0".encode())
            self.answer(b"a")

    def take_field(self, data: bytes) -> None:
        """Remember a field that is judged, and no more of them than are needed to refuse the message."""
        name, separator, value = data.removesuffix(b"\0").decode(errors="surrogateescape").partition("\0")
        if not separator:
            raise MalformedError("a header field without a value")
        self.remember(name, value)
        # Postfix before 3.9 leaves a carriage return where it is, and some mail programs end a line there.
        for hidden in STRAY.split(value)[1:]:
            self.remember(*hidden.partition(":")[::2])

    def remember(self, name: str, value: str) -> None:
        """Remember a field if it is one that is judged."""
        field = FIELDS.get(name.strip().lower())
        if field and [known for known, __ in self.fields].count(field) <= MOST[field]:
            self.fields.append((field, value[: LONGEST + 1]))

    def judge(self) -> None:
        """Answer the end of the header."""
        reason = refusal(self.table.read(), self.login, self.fields)
        if reason:
            self.answer(b"y", f"{reply_text(reason)}\0".encode())
        else:
            self.answer(b"a" if self.has_sender else b"c")

    def answer(self, command: bytes, data: bytes = b"") -> None:
        """Send a packet. Postfix reads each answer before it goes on: there is room for it."""
        self.connection.sendall(struct.pack(">I", 1 + len(data)) + command + data)


def serve(listening: socket.socket, table: Table, idle: float) -> None:
    """Serve all sessions that come, a part of each in turns, until there has been none for so many seconds."""
    listening.setblocking(False)
    with selectors.DefaultSelector() as selector:
        selector.register(listening, selectors.EVENT_READ)
        while ready := selector.select(idle if len(selector.get_map()) == 1 else None):
            for key, __ in ready:
                if key.data is None:
                    connection, __ = listening.accept()
                    connection.setblocking(False)
                    selector.register(connection, selectors.EVENT_READ, Session(connection, table))
                elif not key.data.proceed():
                    selector.unregister(key.fileobj)
                    key.data.connection.close()


def main() -> None:
    """Serve on the socket that systemd hands over (sd_listen_fds(3)), and keeps when this process ends."""
    serve(socket.socket(fileno=3), Table(Path(sys.argv[1])), IDLE)


if __name__ == "__main__":
    main()
