"""A ManageSieve client (RFC 5804) over STARTTLS that verifies what it connects to."""

from __future__ import annotations

import base64
import re
import socket
from dataclasses import dataclass, field
from types import TracebackType

from ansible_collections.ilnmors.mail.tests.behaviour.support import clients

PORT = 4190
_STRING = re.compile(rb'"((?:[^"\\]|\\.)*)"')


class Refused(Exception):
    """What the server answered with NO or BYE."""


@dataclass(frozen=True)
class Answer:
    """What stood before the final OK: lines of strings, and of what is no string (ACTIVE). And what OK said."""

    lines: list[list[str]] = field(default_factory=list)
    text: str = ""


class ManageSieve:
    """One connection, logged in or not; a context manager."""

    def __init__(self, host: str, ca_file: str) -> None:
        self._socket = socket.create_connection((host, PORT), clients.TIMEOUT)
        self._stream = self._socket.makefile("rwb")
        self.greeting = self._read_capabilities()
        self.command("STARTTLS")
        self._socket = clients.tls(ca_file).wrap_socket(self._socket, server_hostname=host)
        self._stream = self._socket.makefile("rwb")
        self.capabilities = self._read_capabilities()

    def __enter__(self) -> ManageSieve:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()
        self._socket.close()

    def log_in(self, name: str, password: str) -> None:
        """AUTHENTICATE with PLAIN (RFC 4616)."""
        secret = base64.b64encode(f"\0{name}\0{password}".encode()).decode()
        self.command("AUTHENTICATE", "PLAIN", secret)

    def command(self, verb: str, *strings: str) -> Answer:
        """Send a command with strings as literals, and return what is answered; Refused if that is not OK."""
        words = [verb.encode()]
        for value in strings:
            octets = value.encode()
            words.append(b"{%d+}\r\n%s" % (len(octets), octets))
        self._stream.write(b" ".join(words) + b"\r\n")
        self._stream.flush()
        return self._read_answer()

    def scripts(self) -> dict[str, bool]:
        """Return the names of scripts, and whether each is the active one."""
        return {line[0]: line[1:] == ["ACTIVE"] for line in self.command("LISTSCRIPTS").lines}

    def active(self) -> str:
        """Return the name of the active script; the empty name where there is none, as SETACTIVE takes it."""
        return next((name for name, active in self.scripts().items() if active), "")

    def _read_capabilities(self) -> dict[str, str]:
        return {line[0]: (line[1:] or [""])[0] for line in self._read_answer().lines}

    def _read_answer(self) -> Answer:
        lines: list[list[str]] = []
        while True:
            words = self._read_line()
            if words[0] == "OK":
                return Answer(lines, " ".join(words[1:]))
            if words[0] in ("NO", "BYE"):
                raise Refused(" ".join(words[1:]))
            lines.append([word for word in words if word])

    def _read_line(self) -> list[str]:
        """Read one line, whose strings may be quoted or literals of several lines."""
        words: list[str] = []
        while True:
            line = self._stream.readline()
            if not line:
                raise ConnectionError("the server closed the connection")
            literal = re.search(rb"\{(\d+)\+?\}\r\n\Z", line)
            rest = line[: literal.start()] if literal else line
            words += [
                re.sub(rb"\\(.)", rb"\1", match[1]).decode() if match[1] is not None else match[0].decode()
                for match in re.finditer(_STRING.pattern + rb"|[^\s\"]+", rest)
            ]
            if not literal:
                return words
            words.append(self._stream.read(int(literal[1])).decode())
