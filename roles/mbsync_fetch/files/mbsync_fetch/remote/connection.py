# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An IMAP session with a provider, within verified TLS (RFC 9051): commands, and all that is said in answer.

What a server says beyond what it was asked for, or out of form, is passed over: whoever asks counts what came.
"""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..account.settings import Account
from ..imap.names import quoted
from ..imap.replies import LITERAL, Response, code, response, whole
from ..imap.stream import Stream
from .answers import RemoteError, kind_of, kind_of_login

LONGEST_LINE = 64 * 1024 * 1024
"""Bytes; every UID of a large mailbox may stand in one."""
LONGEST = 512 * 1024 * 1024
"""Bytes of a response with its literals, such as a whole message."""
CLOSED = "the connection was closed"
PATIENCE = 20
"""How many times the time for an answer one command may take, as long as something comes."""


@dataclass
class Answer:
    """What came in answer to a command: OK, NO or BAD, the text after it, and the untagged responses before it."""

    kind: str
    text: str
    responses: list[Response] = field(default_factory=list)

    def of(self, name: str) -> Iterator[Response]:
        """Yield the responses of a name."""
        return (one for one in self.responses if one.name == name)


class Connection:
    """A session. Every method raises RemoteError.

    exists: how many messages the open mailbox has, None while it has not been said. codes: numbers of response codes
    since it was opened: UIDNEXT, UIDVALIDITY. capabilities: in capitals. last: the answer to the last command, as far
    as it came.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._number = 0
        self.exists: int | None = None
        self.codes: dict[str, int] = {}
        self.capabilities: frozenset[str] = frozenset()
        self.last = Answer("", "")
        with failures():
            self._sock = self._connect()
            self.stream = Stream(self._sock)
            try:
                self._greet()
            except BaseException:
                self._sock.close()
                raise

    def _connect(self) -> ssl.SSLSocket:
        account = self._account
        context = ssl.create_default_context(cafile=account.ca_file)
        with contextlib.ExitStack() as undo:
            plain = undo.enter_context(
                socket.create_connection((account.host, account.port), account.timeout)
            )
            wrapped = context.wrap_socket(plain, server_hostname=account.host)
            undo.pop_all()
        return wrapped

    def _greet(self) -> None:
        said = self._read(time.monotonic() + self._account.timeout)
        greeting = response(said)
        if greeting is None or greeting.name != "OK":
            if greeting is not None:
                self._note(greeting)  # a BYE ends it
            raise RemoteError("error", f"it greets with {said[:80].decode('utf-8', 'replace').strip()!r}")
        self._note(greeting)

    def close(self) -> None:
        """Leave, as politely as a few seconds allow."""
        with contextlib.suppress(RemoteError):
            self._sock.settimeout(2)
            self.command("LOGOUT")
        self._sock.close()

    # --- logging in

    def log_in(self, secret: str) -> None:
        """Log in with a password, or an access token (XOAUTH2)."""
        username = self._account.username
        if not self.capabilities:
            self.command("CAPABILITY")
        before, self.capabilities = self.capabilities, frozenset()
        if self._account.mechanism == "xoauth2":
            token = base64.b64encode(f"user={username}\1auth=Bearer {secret}\1\1".encode())
            # A token is refused by a challenge, which wants an empty line.
            answer = self._authenticate("XOAUTH2", token, before, b"")
        elif "AUTH=PLAIN" in before:
            plain = base64.b64encode(f"\0{username}\0{secret}".encode())
            answer = self._authenticate("PLAIN", plain, before)
        elif all(text.isascii() and text.isprintable() for text in (username, secret)):
            answer = self.command(
                f"LOGIN {quoted(username).decode('ascii')} {quoted(secret).decode('ascii')}"
            )
        else:  # with literals, which may hold any character
            user, key = username.encode(), secret.encode()
            answer = self.command(f"LOGIN {{{len(user)}}}", lines=[user + b" {%d}" % len(key), key])
        if answer.kind != "OK":
            said = answer.text.replace(secret, "***") if secret else answer.text
            raise RemoteError(kind_of_login(said), f"the login was refused: {said}")
        # Servers tell more of themselves after the login, many of them unasked.
        if not self.capabilities:
            self.command("CAPABILITY")

    def _authenticate(
        self, mechanism: str, first: bytes, capabilities: frozenset[str], *more: bytes
    ) -> Answer:
        """Begin with the first line at once where the server takes that (SASL-IR, RFC 4959)."""
        if "SASL-IR" in capabilities:
            return self.command(f"AUTHENTICATE {mechanism} {first.decode('ascii')}", lines=list(more))
        return self.command(f"AUTHENTICATE {mechanism}", lines=[first, *more])

    # --- commands

    def command(self, text: str, lines: list[bytes] | None = None) -> Answer:
        """Send a command and wait for its end. lines: what is sent when the server asks for more, one each time."""
        self._number += 1
        tag = b"F%d" % self._number
        rest = list(lines or ())
        answer = self.last = Answer("", "")
        end = time.monotonic() + PATIENCE * self._account.timeout
        with failures():
            self._sock.sendall(tag + b" " + text.encode("ascii") + b"\r\n")
            while not answer.kind:
                said = self._read(end)
                if said.startswith(b"+"):
                    # Also where it asks for what it was not promised: it waits for a line.
                    self._sock.sendall((rest.pop(0) if rest else b"") + b"\r\n")
                elif said.startswith(tag + b" "):
                    self._end(answer, said[len(tag) :].decode("utf-8", "replace").strip())
                elif untagged := response(said):
                    answer.responses.append(untagged)
                    self._note(untagged, leaving=text == "LOGOUT")
        return answer

    def _end(self, answer: Answer, said: str) -> None:
        kind, __, text = said.partition(" ")
        answer.text = text.strip() or kind
        answer.kind = kind.upper() if kind.upper() in ("OK", "NO") else "BAD"
        self._take_code(answer.text)

    def _note(self, said: Response, *, leaving: bool = False) -> None:
        """Remember what a response tells of the session and the open mailbox (RFC 9051 section 7)."""
        if said.name == "BYE" and not leaving:
            text = said.rest.decode("utf-8", "replace").strip()
            raise RemoteError(kind_of(text, "unreachable"), f"it says goodbye: {text}")
        if said.name == "EXISTS" and said.number is not None:
            self.exists = said.number
        elif said.name == "EXPUNGE" and self.exists:
            self.exists -= 1
        elif said.name == "CAPABILITY":
            self.capabilities = frozenset(said.rest.decode("ascii", "replace").upper().split())
        elif said.name in ("OK", "NO", "BAD"):
            self._take_code(said.rest.decode("utf-8", "replace"))

    def _take_code(self, said: str) -> None:
        name, values = code(said)
        if name == "CAPABILITY":
            self.capabilities = frozenset(value.upper() for value in values)
        elif name in ("UIDNEXT", "UIDVALIDITY") and values and (number := whole(values[0])) is not None:
            self.codes[name] = number

    def _read(self, end: float) -> bytes:
        """Read a response with its literals."""
        parts: list[bytes] = []
        size = 0
        while True:
            if time.monotonic() > end:
                raise TimeoutError("its answer has no end")
            line = self.stream.readline(LONGEST_LINE)
            if not line.endswith(b"\n"):
                raise ConnectionError("a line has no end" if len(line) >= LONGEST_LINE else CLOSED)
            parts.append(line)
            literal = LITERAL.search(line)
            if literal is None:
                return b"".join(parts)
            wanted = int(literal[1])
            size += len(line) + wanted
            if size > LONGEST:
                raise ConnectionError(f"it sends {size} bytes at once")
            parts.append(self.stream.read(wanted))
            if len(parts[-1]) < wanted:
                raise ConnectionError(CLOSED)


def check(answer: Answer) -> None:
    """Raise RemoteError for a command that the server did not obey."""
    if answer.kind != "OK":
        raise RemoteError(kind_of(answer.text), answer.text)


def checked(answer: Answer) -> Answer:
    """Return the answer to a command that the server has obeyed; RemoteError otherwise."""
    check(answer)
    return answer


@contextlib.contextmanager
def failures() -> Iterator[None]:
    """Turn what goes wrong on the way to the provider into a RemoteError."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise RemoteError("tls", f"its certificate is not accepted: {error.verify_message}") from error
    except ssl.SSLEOFError as error:
        raise RemoteError("unreachable", CLOSED) from error
    except ssl.SSLError as error:
        raise RemoteError("tls", f"TLS fails: {error.reason or error}") from error
    except OSError as error:
        raise RemoteError("unreachable", f"it cannot be reached: {error}") from error
