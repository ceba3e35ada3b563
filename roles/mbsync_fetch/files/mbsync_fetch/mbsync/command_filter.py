# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The command filters through which mbsync talks to the provider and to the local mailbox.

A filter lets pass only the few commands (RFC 9051 section 6) that a fetch needs, and each opens one mailbox,
whatever name mbsync asks for. The remote one is in remote_filter.py, the local one in append_batcher.py.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from ..imap.stream import CHUNK, Stream

# No control characters: a lone CR may begin a new line to some server.
_COMMAND = re.compile(
    rb"(?P<tag>[!-~]+) (?P<name>UID [A-Za-z]+|[A-Za-z]+)(?P<arguments>(?: [^\x00-\x1f\x7f]*)?)"
)
LITERAL = re.compile(rb"\{(\d+)\+?\}$")
LONGEST_LINE = 64 * 1024 * 1024
"""Bytes."""


class Silence(OSError):
    """The server owes an answer and has sent nothing for too long."""


@dataclass
class Refusal:
    """A command that the server answered with NO or BAD."""

    command: str
    uid: int
    text: str


@dataclass
class CommandFilter:
    """The filter between mbsync and one server, for one run of mbsync.

    server: the connection, logged in. timeout: how long the server may owe an answer, in seconds.
    capabilities: what mbsync may know of the server; it uses no extension that it does not hear of.
    After the run: refusals, unanswered (commands without an answer), and error (why the connection to the server
    ended).
    """

    capabilities: ClassVar[str]
    server: Stream
    timeout: float
    refusals: list[Refusal] = field(default_factory=list)
    error: OSError | None = None
    _owed: dict[bytes, tuple[str, int]] = field(default_factory=dict)
    _from_client: bytearray = field(default_factory=bytearray)
    # The server's line as far as it has come; bytes of its literal that are yet to come; whether a response goes on,
    # and whether it is one that mbsync gets.
    _line: bytearray = field(default_factory=bytearray)
    _literal: int = 0
    _inside: bool = False
    _passing: bool = False
    _stop: threading.Event = field(default_factory=threading.Event)

    @property
    def unanswered(self) -> list[tuple[str, int]]:
        """What the server had not answered in the end, each with the UID it was about, or 0."""
        return list(self._owed.values())

    def stop(self) -> None:
        """Close mbsync's connection, which ends its run; the next one goes on where it stopped."""
        self._stop.set()

    def serve(self, client: socket.socket) -> None:
        """Pass on what may pass until mbsync leaves (client is its end), or the server does."""
        self._client = client
        client.sendall(b"* PREAUTH ready\r\n")
        try:
            self._pass_on()
            client.close()
            self._finish()
        except OSError as error:
            self.error = error
        finally:
            client.close()

    def _pass_on(self) -> None:
        heard = time.monotonic()
        while not self._stop.is_set():
            ready = self.server.readable([self._client], 1.0)
            if self.server.sock in ready:
                heard = time.monotonic()
                self._from_server()
            elif self._owed and time.monotonic() - heard > self.timeout:
                raise Silence(f"no answer for {self.timeout:.0f} s")
            if self._client in ready:
                if not self._owed:
                    heard = time.monotonic()
                if not self._read_client():
                    return

    def _finish(self) -> None:
        """Do what is left to do with the server once mbsync has left."""

    # --- from the server to mbsync

    def _from_server(self) -> None:
        data = self.server.read_some()
        if onward := b"".join(self._replies(data)):
            try:
                self._client.sendall(onward)
            except OSError:
                self._stop.set()  # mbsync has left
        if not data:
            raise ConnectionError("the connection was closed")

    def _replies(self, data: bytes) -> Iterator[bytes]:
        """Yield what mbsync gets of the server's replies; data may begin and end anywhere in them."""
        position = 0
        while position < len(data):
            if self._literal:
                part = data[position : position + self._literal]
                self._literal -= len(part)
                position += len(part)
                if self._passing:
                    yield part
                continue
            end = data.find(b"\n", position)
            self._line += data[position:] if end < 0 else data[position : end + 1]
            if end < 0:
                if len(self._line) > LONGEST_LINE:
                    raise ConnectionError("a line has no end")
                return
            position = end + 1
            line = bytes(self._line)
            self._line.clear()
            yield self._reply(line)

    def _reply(self, line: bytes) -> bytes:
        """Return what mbsync gets of a line."""
        first = not self._inside
        literal = LITERAL.search(line.rstrip(b"\r\n"))
        self._literal = int(literal[1]) if literal else 0
        self._inside = literal is not None
        if first and not line.startswith((b"* ", b"+ ")):
            self._passing = True
            return self._answered(line)
        if first:
            self._passing = self._wants(line)
        return line if self._passing else b""

    def _wants(self, _line: bytes) -> bool:
        """Tell whether mbsync gets an untagged response, by its first line."""
        return True

    def _answered(self, line: bytes) -> bytes:
        """Take note of the answer to a command; return what mbsync gets, which is nothing where it asked nothing."""
        tag, __, answer = line.partition(b" ")
        if tag not in self._owed:
            return b""
        command, uid = self._owed.pop(tag)
        if answer[:2].upper() != b"OK":
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
        if LITERAL.search(line):
            return self._refuse(tag, line)
        return self._obey(tag, name, command["arguments"], line)

    def _obey(self, tag: bytes, name: str, arguments: bytes, line: bytes) -> bytes:
        """Return what the server gets for a command of mbsync's that is not answered here."""
        raise NotImplementedError

    def _forward(self, tag: bytes, name: str, arguments: bytes, uid: int = 0) -> bytes:
        self._owed[tag] = (name, uid)
        return b"%s %s%s\r\n" % (tag, name.encode("ascii"), arguments)

    def _answer(self, reply: bytes) -> bytes:
        self._client.sendall(reply)
        return b""

    def _refuse(self, tag: bytes, line: bytes) -> bytes:
        self.refusals.append(Refusal("filter", 0, line.decode("utf-8", "replace")[:80]))
        self._stop.set()
        return self._answer(b"%s BAD not allowed here\r\n" % tag)
