# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An IMAP server in memory, which answers as it should until a test spoils what it says."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from mbsync_fetch.imap.sequence_set import expand, in_set, uid_set

DATE = "17-Jul-2026 02:44:25 +0200"
_COMMAND = re.compile(rb"(\S+) (UID \S+|\S+) ?(.*)", re.S)
_LITERAL = re.compile(rb"\{(\d+)(\+?)\}\r\n$")
_ITEM = re.compile(r"BODY\.PEEK\[[^\]]*\]|[A-Z0-9.]+")


class Mailbox(Protocol):
    """What the server shows: texts and flags by UID."""

    uidvalidity: int
    uidnext: int
    messages: dict[int, str]
    flags: dict[int, frozenset[str]]


class CutError(Exception):
    """The connection ends here."""


@dataclass
class Reply:
    """A response: what comes before its list, the items in it, and what comes after; only text if it has no list."""

    text: bytes
    items: list[bytes] | None = None
    after: bytes = b""

    def __bytes__(self) -> bytes:
        listed = b"" if self.items is None else b"(" + b" ".join(self.items) + b")"
        return self.text + listed + self.after + b"\r\n"


Spoil = Callable[[str, str, list[Reply]], list[Reply]]
"""Takes a command, its arguments and the answer, whose last reply ends it; returns what is sent. The connection ends
after what does not end the answer, or with CutError."""


def header_of(text: str) -> bytes:
    """Return the header of a message, by which it is recognised."""
    return f"Message-ID: <{text}@elsewhere.test>\r\n".encode()


def text_of(message: bytes) -> str:
    """Return the text that a message was made of."""
    return message.partition(b"<")[2].partition(b"@")[0].decode() if b"<" in message else message.decode()


def _string(data: bytes) -> bytes:
    return b"{%d}\r\n%s" % (len(data), data)


def as_it_is(_name: str, _arguments: str, replies: list[Reply]) -> list[Reply]:
    """Spoil nothing."""
    return replies


@dataclass
class FakeImap:
    """The server. special: the special uses of mailboxes. asked: the commands that came, without tags."""

    boxes: Mapping[str, Mailbox]
    special: Mapping[str, str] = field(default_factory=dict)
    capabilities: str = "IMAP4rev1 AUTH=PLAIN ESEARCH SPECIAL-USE LIST-EXTENDED"
    greeting: bytes = b"* OK ready\r\n"
    spoil: Spoil = as_it_is
    asked: list[tuple[str, str]] = field(default_factory=list)
    logins: int = 0

    def connect(self) -> socket.socket:
        """Return a client's end of a new connection."""
        ours, theirs = socket.socketpair()
        theirs.settimeout(10)
        threading.Thread(target=self._serve, args=(ours,), daemon=True).start()
        return theirs

    def _serve(self, sock: socket.socket) -> None:
        with sock, sock.makefile("rb") as file, contextlib.suppress(CutError, OSError):
            sock.sendall(self.greeting)
            context = _Session(self)
            while line := file.readline():
                while literal := _LITERAL.search(line):
                    if not literal[2]:
                        sock.sendall(b"+ go on\r\n")
                    line = (
                        line[: literal.start()] + b'"' + file.read(int(literal[1])) + b'"' + file.readline()
                    )
                tag, name, arguments = _COMMAND.fullmatch(line.rstrip(b"\r\n")).groups()  # type: ignore[union-attr]
                if name.upper() == b"AUTHENTICATE":
                    sock.sendall(b"+ \r\n")
                    arguments += b" " + file.readline().rstrip(b"\r\n")
                self._answer(sock, context, tag, name.decode().upper(), arguments.decode("utf-8", "replace"))

    def _answer(self, sock: socket.socket, context: _Session, tag: bytes, name: str, arguments: str) -> None:
        self.asked.append((name, arguments))
        replies = [*context.answer(name, arguments)]
        if not replies[-1].text.startswith((b"OK", b"NO", b"BAD")):
            replies.append(Reply(b"OK done"))
        sent = self.spoil(name, arguments, replies)
        ended = bool(sent) and sent[-1].text.startswith((b"OK", b"NO", b"BAD"))
        if ended:
            sent[-1] = Reply(tag + b" " + sent[-1].text)
        sock.sendall(b"".join(map(bytes, sent)))
        if name == "LOGOUT" or not ended:
            raise CutError


def _named(uids: list[int], wanted: str) -> list[int]:
    """Return those of these UIDs that a set names."""
    if "*" in wanted:
        return [uid for uid in uids if in_set(uid, wanted)]
    named = set(expand(wanted))
    return [uid for uid in uids if uid in named]


class _Session:
    """What one client has opened."""

    def __init__(self, server: FakeImap) -> None:
        self._server = server
        self._open: Mailbox | None = None

    def answer(self, name: str, arguments: str) -> Iterator[Reply]:
        words = name.lower().replace(" ", "_")
        method = getattr(self, f"_{words}", None)
        if method is None:
            return iter([Reply(b"BAD unknown command")])
        found: Iterator[Reply] = method(arguments)
        return found

    def _capability(self, _arguments: str) -> Iterator[Reply]:
        yield Reply(f"* CAPABILITY {self._server.capabilities}".encode())
        yield Reply(b"OK done")

    def _login(self, _arguments: str) -> Iterator[Reply]:
        self._server.logins += 1
        yield Reply(b"OK logged in")

    _authenticate = _login

    def _logout(self, _arguments: str) -> Iterator[Reply]:
        yield Reply(b"* BYE")
        yield Reply(b"OK done")

    def _list(self, arguments: str) -> Iterator[Reply]:
        pattern = arguments.split('"')[3]
        for raw in self._server.boxes:
            if pattern in ("*", raw):
                flags = self._server.special.get(raw, "").encode()
                yield Reply(b"* LIST ", [flags] if flags else [], f' "/" "{raw}"'.encode())
        yield Reply(b"OK done")

    def _status(self, arguments: str) -> Iterator[Reply]:
        raw = arguments.split('"')[1]
        box = self._server.boxes.get(raw)
        if box is None:
            yield Reply(b"NO [NONEXISTENT] Mailbox doesn't exist")
            return
        items = [
            f"MESSAGES {len(box.messages)}".encode(),
            f"UIDNEXT {box.uidnext}".encode(),
            f"UIDVALIDITY {box.uidvalidity}".encode(),
        ]
        yield Reply(f'* STATUS "{raw}" '.encode(), items)
        yield Reply(b"OK done")

    def _examine(self, arguments: str) -> Iterator[Reply]:
        self._open = self._server.boxes.get(arguments.split('"')[1])
        if self._open is None:
            yield Reply(b"NO [NONEXISTENT] Mailbox doesn't exist")
            return
        yield Reply(b"* FLAGS ", [rb"\Seen"])
        yield Reply(f"* {len(self._open.messages)} EXISTS".encode())
        yield Reply(f"* OK [UIDVALIDITY {self._open.uidvalidity}] valid".encode())
        yield Reply(f"* OK [UIDNEXT {self._open.uidnext}] next".encode())
        yield Reply(b"OK [READ-ONLY] done")

    @property
    def _messages(self) -> list[int]:
        assert self._open is not None
        return sorted(self._open.messages)

    def _uid_search(self, arguments: str) -> Iterator[Reply]:
        wanted = arguments.rpartition("UID ")[2]
        found = _named(self._messages, wanted)
        if wanted.endswith(":*") and not found:
            found = self._messages[-1:]
        if "RETURN" in arguments:
            yield Reply(b'* ESEARCH (TAG "x") UID' + (f" ALL {uid_set(found)}".encode() if found else b""))
        else:
            yield Reply(b"* SEARCH" + b"".join(b" %d" % uid for uid in found))
        yield Reply(b"OK done")

    def _uid_fetch(self, arguments: str) -> Iterator[Reply]:
        wanted, __, items = arguments.partition(" ")
        named = set(_named(self._messages, wanted))
        for number, uid in enumerate(self._messages, 1):
            if uid in named:
                yield self._fetched(number, uid, items)
        yield Reply(b"OK done")

    def _fetch(self, arguments: str) -> Iterator[Reply]:
        wanted, __, items = arguments.partition(" ")
        for number, uid in enumerate(self._messages, 1):
            if in_set(number, wanted):
                yield self._fetched(number, uid, items)
        yield Reply(b"OK done")

    def _fetched(self, number: int, uid: int, items: str) -> Reply:
        assert self._open is not None
        text = self._open.messages[uid]
        whole = header_of(text) + b"\r\n" + text.encode() + b"\r\n"
        known = {
            "UID": b"%d" % uid,
            "FLAGS": b"(" + " ".join(sorted(self._open.flags.get(uid, ()))).encode() + b")",
            "RFC822.SIZE": b"%d" % len(whole),
            "INTERNALDATE": f'"{DATE}"'.encode(),
            "BODY.PEEK[]": _string(whole),
        }
        return Reply(
            b"* %d FETCH " % number,
            [
                name.replace(".PEEK", "").encode()
                + b" "
                + known.get(name, _string(header_of(text) + b"\r\n"))
                for name in _ITEM.findall(items)
            ],
        )
