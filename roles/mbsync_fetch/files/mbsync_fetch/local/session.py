# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An IMAP session with Dovecot, over the socket that is the account's own: commands, and what they fail at."""

from __future__ import annotations

import imaplib
import socket
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from typing import Any

from ..imap.names import encode, quoted
from ..imap.sequence_set import uid_set
from ..imap.stream import Stream

# A script may have to wait for the queue that takes what it redirects.
TIMEOUT = 120.0

# The longest line of imaplib is one million bytes; the UIDs of a large folder may be longer.
imaplib._MAXLINE = 50_000_000  # type: ignore[attr-defined]


class LocalError(Exception):
    """Dovecot did not do what it was asked; the message says what it answered."""


class LocalRefusedError(LocalError):
    """Dovecot refused a command, and is there for others."""


def connect(path: str) -> socket.socket:
    """Connect to the socket of an account; OSError."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(TIMEOUT)
        sock.connect(path)
    except OSError:
        sock.close()
        raise
    return sock


class _Imap(imaplib.IMAP4):
    """imaplib over a Unix socket."""

    def __init__(self, path: str, connected: socket.socket | None) -> None:
        self._connected = connected
        super().__init__(path)

    def open(self, host: str = "", port: int = 0, timeout: float | None = None) -> None:
        """Connect; the host is the path of the socket."""
        del port, timeout
        self.sock = self._connected or connect(host)
        self.sock.settimeout(TIMEOUT)
        self.stream = Stream(self.sock)
        self.file: Any = self.stream


class Session:
    """A session. Every method may raise LocalError.

    path: of the socket. connected: a connection to it for the first session. imap: imaplib's object, whose methods
    are declared too narrowly there.
    """

    def __init__(self, path: str, connected: socket.socket | None = None) -> None:
        self.path = path
        self._connected = connected
        self._selected: str | None = None

    def __enter__(self) -> Session:
        self.open()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def open(self) -> None:
        """Begin a session, a new one if there was one before."""
        self._selected = None
        connected, self._connected = self._connected, None
        try:
            self.imap: Any = _Imap(self.path, connected)
        except imaplib.IMAP4.error as error:
            # The greeting: what Dovecot says, or the unit before it, that does not open.
            raise LocalError(text(error.args[0])) from error
        except OSError as error:
            raise LocalError(f"{self.path}: {error}") from error

    def close(self) -> None:
        """End the session."""
        try:
            self.imap.logout()
        except (imaplib.IMAP4.error, OSError):
            self.imap.shutdown()

    def lend(self) -> Stream:
        """Return the connection itself, for mbsync; `open` again if commands were left without an answer there."""
        self._selected = None
        stream: Stream = self.imap.stream
        return stream

    def select(self, folder: str) -> None:
        """Open a folder unless it is open."""
        if self._selected != folder:
            self._selected = None
            self.do("SELECT", folder, self.imap.select, quoted_name(folder))
            self._selected = folder

    def examine(self, folder: str) -> None:
        """Open a folder without changing what is recent there."""
        self._selected = None
        self.do("EXAMINE", folder, self.imap.select, quoted_name(folder), True)

    def unselect(self) -> None:
        """Close the folder that is open, if one is."""
        if self._selected is not None:
            self.do("UNSELECT", self._selected, self.imap.unselect)
            self._selected = None

    def uid(self, command: str, folder: str, *arguments: str) -> Sequence[Any]:
        """Have a UID command obeyed for the open folder."""
        return self.do(f"UID {command}", folder, self.imap.uid, command, *arguments)

    def do(self, name: str, folder: str, command: Callable[..., Any], *arguments: object) -> Sequence[Any]:
        """Have a command obeyed, and return what is said; LocalRefusedError names it and the folder."""
        answer, data = self.attempt(command, *arguments)
        if answer != "OK":
            raise refused(name, folder, data)
        return data

    def attempt(self, command: Callable[..., Any], *arguments: object) -> tuple[str, Sequence[Any]]:
        """Send a command; return OK or NO, and what is said."""
        try:
            answer, data = command(*arguments)
        except imaplib.IMAP4.abort as error:
            raise LocalError(text(error.args[0])) from error
        except imaplib.IMAP4.error as error:
            raise LocalRefusedError(text(error.args[0])) from error
        except OSError as error:
            raise LocalError(f"{self.path}: {error}") from error
        return answer, data


def uid_sets(uids: Collection[int], size: int) -> Iterator[str]:
    """Divide UIDs into sets of at most this size."""
    rest = iter(sorted(set(uids)))
    while batch := list(islice(rest, size)):
        yield uid_set(batch)


def mailbox_name(folder: str) -> bytes:
    """Write a folder's name as IMAP does: modified UTF-7 in quotes."""
    return quoted(encode(folder))


def quoted_name(folder: str) -> str:
    """Write a folder's name as imaplib takes it."""
    return mailbox_name(folder).decode("ascii")


def refused(name: str, folder: str, data: Sequence[Any]) -> LocalRefusedError:
    """Word the refusal of a command."""
    return LocalRefusedError(f"{folder}: {name}: {text(data[-1])}")


def text(said: object) -> str:
    """Return what a server says as text."""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
