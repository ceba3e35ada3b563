# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The doors through which mbsync talks to the provider and to the house.

A door lets pass only the few commands (RFC 9051 section 6) that a fetch needs, and opens one mailbox, whatever name
mbsync asks for. On the provider's side SELECT becomes EXAMINE, which opens a mailbox read-only: no command that
changes anything there can pass, whatever mbsync does. mbsync also sees only the messages that it is to fetch.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from .sequence_set import in_set, uid_set
from .stream import CHUNK, Stream

FAR_COMMANDS = {"SELECT": "EXAMINE", "UID FETCH": "UID FETCH"}
NEAR_COMMANDS = {"SELECT": "SELECT", "UID FETCH": "UID FETCH", "CHECK": "CHECK"}
# What mbsync may know of a server; it uses no extension that it does not hear of.
FAR_CAPABILITIES = "IMAP4rev1"
NEAR_CAPABILITIES = "IMAP4rev1 LITERAL+ UIDPLUS"

# No control characters: a lone CR may begin a new line to some server.
_COMMAND = re.compile(
    rb"(?P<tag>[!-~]+) (?P<name>UID [A-Za-z]+|[A-Za-z]+)(?P<arguments>(?: [^\x00-\x1f\x7f]*)?)"
)
LITERAL = re.compile(rb"\{(\d+)\+?\}$")
MAILBOX = re.compile(rb' "[^"]*"')
_SET = re.compile(rb" (?P<set>[0-9:,*]+) (?P<items>\(.*\))$")
_READS_WITHOUT_PEEK = re.compile(rb"BODY\[|BINARY\[|RFC822(?!\.SIZE|\.HEADER)", re.IGNORECASE)


class Silence(OSError):
    """The server owes an answer and has sent nothing for too long."""


@dataclass
class Refusal:
    """A command that the server answered with NO or BAD."""

    command: str
    uid: int
    text: str


@dataclass
class Door:
    """One side's door for one run of mbsync.

    server: the connection, logged in. mailbox: its name as the server knows it, quoted.
    commands: the commands that pass, and what they become.
    wanted: the only UIDs that mbsync may see there, or None for all.
    timeout: how long the server may owe an answer, in seconds.
    After the run: refusals, unanswered (commands without an answer), and error (why the connection to the server
    ended).
    """

    server: Stream
    mailbox: bytes
    commands: dict[str, str]
    capabilities: str
    wanted: frozenset[int] | None
    timeout: float
    refusals: list[Refusal] = field(default_factory=list)
    error: OSError | None = None
    _owed: dict[bytes, tuple[str, int]] = field(default_factory=dict)
    _from_client: bytearray = field(default_factory=bytearray)
    _line: bytearray = field(default_factory=bytearray)
    _server_literal: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    @property
    def unanswered(self) -> list[tuple[str, int]]:
        """What the server had not answered in the end, each with the UID it was about, or 0."""
        return list(self._owed.values())

    def stop(self) -> None:
        """Close the door to mbsync, which ends its run; the next one goes on where it stopped."""
        self._stop.set()

    def serve(self, client: socket.socket) -> None:
        """Pass on what may pass until mbsync leaves (client is its end), or the server does."""
        self._client = client
        client.sendall(b"* PREAUTH ready\r\n")
        heard = time.monotonic()
        try:
            while not self._stop.is_set():
                ready = self.server.readable([client], 1.0)
                if self.server.sock in ready:
                    heard = time.monotonic()
                    if not self._from_server():
                        raise ConnectionError("the connection was closed")
                elif self._owed and time.monotonic() - heard > self.timeout:
                    raise Silence(f"no answer for {self.timeout:.0f} s")
                if client in ready:
                    if not self._owed:
                        heard = time.monotonic()
                    if not self._read_client():
                        return
        except OSError as error:
            self.error = error
        finally:
            client.close()

    # --- from the server to mbsync

    def _from_server(self) -> bool:
        data = self.server.read_some()
        if onward := b"".join(self._replies(data)):
            try:
                self._client.sendall(onward)
            except OSError:
                self._stop.set()  # mbsync has left
        return bool(data)

    def _replies(self, data: bytes) -> Iterator[bytes]:
        """Yield what mbsync gets of the server's replies; data may begin and end anywhere in them."""
        position = 0
        while position < len(data):
            if self._server_literal:
                part = data[position : position + self._server_literal]
                self._server_literal -= len(part)
                position += len(part)
                yield part
                continue
            end = data.find(b"\n", position)
            self._line += data[position:] if end < 0 else data[position : end + 1]
            if end < 0:
                return
            position = end + 1
            line = bytes(self._line)
            self._line.clear()
            if literal := LITERAL.search(line.rstrip(b"\r\n")):
                self._server_literal = int(literal[1])
            yield line if literal or line.startswith((b"* ", b"+ ")) else self._answered(line)

    def _answered(self, line: bytes) -> bytes:
        """Take note of the answer to a command; return what mbsync gets."""
        tag, _, answer = line.partition(b" ")
        command, uid = self._owed.pop(tag, ("", 0))
        if command and answer[:2].upper() != b"OK":
            self.refusals.append(Refusal(command, uid, answer.decode("utf-8", "replace").strip()))
        return line

    # --- from mbsync to the server

    def _read_client(self) -> bool:
        try:
            data = self._client.recv(CHUNK)
        except OSError:
            return False
        self._from_client += data
        onward = bytearray()
        while (line := self._next_line()) is not None:
            onward += self._command(line)
        self._send(onward)
        return bool(data) and not self._stop.is_set()

    def _next_line(self) -> bytes | None:
        """Take mbsync's next line without its end, if it is here as a whole."""
        end = self._from_client.find(b"\n")
        if end < 0:
            return None
        line = bytes(self._from_client[: end + 1]).rstrip(b"\r\n")
        del self._from_client[: end + 1]
        return line

    def _send(self, onward: bytes | bytearray) -> None:
        if onward:
            self.server.sock.sendall(onward)

    def _command(self, line: bytes) -> bytes:
        """Return what the server gets for a line of mbsync's."""
        command = _COMMAND.fullmatch(line)
        if command is None:
            return self._refuse(b"*", line)
        tag, name = command["tag"], command["name"].decode("ascii").upper()
        if name == "CAPABILITY":
            return self._answer(
                b"* CAPABILITY %s\r\n%s OK done\r\n" % (self.capabilities.encode("ascii"), tag)
            )
        if name == "NOOP":
            return self._answer(b"%s OK done\r\n" % tag)
        if name == "LOGOUT":
            self._stop.set()
            return self._answer(b"* BYE\r\n%s OK done\r\n" % tag)
        if name not in self.commands or LITERAL.search(line):
            return self._refuse(tag, line)
        if name == "UID FETCH":
            return self._fetch(tag, command["arguments"], line)
        return self._forward(tag, name, MAILBOX.sub(self._own_mailbox, command["arguments"], count=1))

    def _fetch(self, tag: bytes, arguments: bytes, line: bytes) -> bytes:
        parts = _SET.match(arguments)
        if parts is None or _READS_WITHOUT_PEEK.search(parts["items"]):
            return self._refuse(tag, line)
        uids = self._seen(parts["set"].decode("ascii"))
        if not uids:
            return self._answer(b"%s OK nothing there\r\n" % tag)
        uid = int(uids) if uids.isdigit() else 0
        return self._forward(tag, "UID FETCH", b" %s %s" % (uids.encode("ascii"), parts["items"]), uid)

    def _forward(self, tag: bytes, name: str, arguments: bytes, uid: int = 0) -> bytes:
        self._owed[tag] = (name, uid)
        return b"%s %s%s\r\n" % (tag, self.commands[name].encode("ascii"), arguments)

    def _own_mailbox(self, _match: re.Match[bytes]) -> bytes:
        return b" " + self.mailbox

    def _seen(self, uids: str) -> str:
        """Leave of a sequence set what mbsync may see."""
        if self.wanted is None:
            return uids
        if uids.isdigit():
            return uids if int(uids) in self.wanted else ""
        return uid_set([uid for uid in self.wanted if in_set(uid, uids)])

    def _answer(self, reply: bytes) -> bytes:
        self._client.sendall(reply)
        return b""

    def _refuse(self, tag: bytes, line: bytes) -> bytes:
        self.refusals.append(Refusal("door", 0, line.decode("utf-8", "replace")[:80]))
        self._stop.set()
        return self._answer(b"%s BAD not allowed here\r\n" % tag)
