#!/usr/bin/python3
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A milter of Postfix: a login writes only its own addresses into From and Sender.

Run by systemd as `from-check TABLE`. TABLE is the source file of smtpd_sender_login_maps, so that the header follows
the same rules as the envelope; it is read again when it has changed.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import sys
from collections.abc import Mapping, Sequence
from email.errors import InvalidHeaderDefect
from email.policy import SMTP
from functools import lru_cache
from pathlib import Path
from typing import cast

Owned = Mapping[str, frozenset[str]]
"""The addresses of each login."""

# Who wrote a message, and who sent it (RFC 5322 sections 3.6.2 and 3.6.6).
FIELDS = {name.lower(): name for name in ("From", "Sender", "Resent-From", "Resent-Sender")}
# One name and address. Scripts write any character into the name, without the quotes that RFC 5322 wants.
NAMED = re.compile(r'((?:"(?:[^"\\]|\\.)*"|[^"(),;<>\\])*)(<[^<>]*>)\s*')
# What looks like an address in such a name: words with an at sign, neither quoted nor encoded (RFC 2047).
IN_NAME = re.compile(r'"(?:[^"\\]|\\.)*"|=\?[^?\s]+\?[^?\s]+\?[^?\s]*\?=|([^\s":]+@[^\s":]+)')
FOLD = re.compile(r"\r?\n(?=[ \t])")
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# Characters of a field that is judged. What the parser takes grows with the square of it.
LONGEST = 4096
# What Postfix shall leave out: connect, helo, rcpt, body, unknown and data; and not wait for: mail and header
# (SMFIP_* in Postfix's milter8.c).
STEPS = 0x0001 | 0x0002 | 0x0008 | 0x0010 | 0x0100 | 0x0200 | 0x4000 | 0x0080


class UnreadableError(Exception):
    """A header field that does not say who sends."""


@lru_cache(maxsize=1024)
def addresses(value: str) -> tuple[str, ...]:
    """Every address that one may read in a header field's value, at least one; UnreadableError if that is unsure."""
    value = FOLD.sub("", value)
    if len(value) > LONGEST or CONTROL.search(value):
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
    local, _, domain = address.lower().removesuffix(".sender.invalid").rpartition("@")
    # Whom the table does not know is a person of a directory, who has the address to log in with.
    own = owned.get(login, {login})
    return f"{local}@{domain}" in own or f"{local.partition('+')[0]}@{domain}" in own


def refusal(owned: Owned, login: str, fields: Sequence[tuple[str, str]]) -> str | None:
    """Say why a login may not send a message with these fields, each a name and a value; None if it may."""
    for name, value in fields:
        try:
            foreign = [address for address in addresses(value) if not owns(owned, login, address)]
        except UnreadableError:
            return f"'{name}: {value}' cannot be read; write '{name}: \"Name\" <address>'"
        if foreign:
            return f"<{foreign[0]}>: {name} address not allowed for {login}"
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


class Session(asyncio.Protocol):
    """What Postfix tells of one SMTP session, in the milter protocol of Sendmail, version 6.

    Each packet is a length (4 bytes), a letter, and data. One packet in each message is answered: the end of the
    header. If anything fails here, the connection is lost, and Postfix lets the mail wait.
    """

    def __init__(self, table: Table) -> None:
        """Nothing is known yet."""
        self.table = table
        self.received = b""
        self.login = ""
        self.fields: list[tuple[str, str]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Take the packets that are complete."""
        self.received += data
        begin = 0
        while len(self.received) >= begin + 4:
            (length,) = struct.unpack_from(">I", self.received, begin)
            end = begin + 4 + length
            if len(self.received) < end:
                break
            self.take(self.received[begin + 4 : begin + 5], self.received[begin + 5 : end])
            begin = end
        self.received = self.received[begin:]

    def take(self, command: bytes, data: bytes) -> None:
        """Act on a packet."""
        if command == b"O":
            self.answer(b"O", struct.pack(">III", 6, 0, STEPS))
        elif command == b"D" and data.startswith(b"M"):
            macros = data[1:].split(b"\0")
            self.login = dict(zip(macros[::2], macros[1::2], strict=False))[b"{auth_authen}"].decode().lower()
        elif command == b"M":
            self.fields = []
        elif command == b"L":
            name, value, _ = data.decode(errors="surrogateescape").split("\0")
            if field := FIELDS.get(name.lower()):
                self.fields.append((field, value))
        elif command == b"N":
            reason = refusal(self.table.read(), self.login, self.fields)
            if reason:
                self.answer(b"y", f"553 5.7.1 {reply_text(reason)}\0".encode())
            else:
                self.answer(b"a")

    def answer(self, command: bytes, data: bytes = b"") -> None:
        """Send a packet."""
        self.transport.write(struct.pack(">I", 1 + len(data)) + command + data)


async def main() -> None:
    """Serve until systemd ends it."""
    table = Table(Path(sys.argv[1]))
    # The first socket that systemd hands over (sd_listen_fds(3)).
    listening = socket.socket(fileno=3)
    server = await asyncio.get_running_loop().create_unix_server(lambda: Session(table), sock=listening)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
