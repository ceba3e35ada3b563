# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The owner's mailbox in the house: an IMAP session with Dovecot, over the socket that is the account's own."""

from __future__ import annotations

import imaplib
import re
import socket
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Any

from ..imap.fingerprint import FINGERPRINTED, MESSAGE_ID, fingerprint, header_fields
from ..imap.names import decode, encode, parse_list, quoted
from ..imap.sequence_set import expand, uid_set
from ..imap.stream import Stream

# A script may have to wait for the queue that takes what it redirects.
TIMEOUT = 120.0
# UIDs in one command: Dovecot takes lines of 64 KiB (imap_max_line_length).
BATCH = 2000
# Messages that pass the scripts in one session. Pigeonhole waits without end for the rest of a FILTER command that is
# cut in the name of the script's kind, and Dovecot cuts a line where its buffer of 8 KiB is full: this many UIDs,
# however long, stay below that. What a script has filed away is removed from its folder after each batch, so that a
# run that is killed leaves few messages in both.
SIEVE_BATCH = 50

# The longest line of imaplib is one million bytes; the UIDs of a large folder may be longer.
imaplib._MAXLINE = 50_000_000  # type: ignore[attr-defined]

_UID = re.compile(rb"UID (\d+)")
_DATED = re.compile(rb'UID (?P<uid>\d+) INTERNALDATE "(?P<date>[^"]*)"')
_STATUS = re.compile(rb"\((?P<items>[^()]*)\)\s*$")
_LISTED = re.compile(rb"\bALL ([0-9:,]+)")
_STORAGE = re.compile(rb"\(.*?STORAGE (?P<used>\d+) (?P<limit>\d+).*?\)")


class HouseError(Exception):
    """The house did not do what it was asked; the message says what it answered."""


class HouseRefusedError(HouseError):
    """The house refused a command, and is there for others."""


@dataclass(frozen=True)
class FolderStatus:
    """A folder's UIDVALIDITY, the next UID, and how many messages it has."""

    uidvalidity: int
    uidnext: int
    messages: int


@dataclass(frozen=True)
class Filtered:
    """What scripts did. gone: the UIDs that they took from the folder. complaints: what they say was wrong."""

    gone: frozenset[int]
    complaints: tuple[str, ...]


def connect(door: str) -> socket.socket:
    """Connect to the house door of an account; OSError."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(TIMEOUT)
        sock.connect(door)
    except OSError:
        sock.close()
        raise
    return sock


class _Session(imaplib.IMAP4):
    """imaplib over a Unix socket."""

    def __init__(self, door: str, knocked: socket.socket | None) -> None:
        self._knocked = knocked
        super().__init__(door)

    def open(self, host: str = "", port: int = 0, timeout: float | None = None) -> None:
        """Connect; the host is the path of the socket."""
        del port, timeout
        self.sock = self._knocked or connect(host)
        self.sock.settimeout(TIMEOUT)
        self.stream = Stream(self.sock)
        self.file: Any = self.stream


class House:
    """The owner's mailbox. Folders are paths with "/" between their parts; every method may raise HouseError."""

    def __init__(self, door: str, knocked: socket.socket | None = None) -> None:
        self._door = door
        # What is connected to the door already.
        self._knocked = knocked
        self._selected: str | None = None

    def __enter__(self) -> House:
        self.open()
        return self

    def open(self) -> None:
        """Begin a session, a new one if there was one before."""
        self._selected = None
        knocked, self._knocked = self._knocked, None
        try:
            self._session: Any = _Session(self._door, knocked)  # whose methods are declared too narrowly
        except imaplib.IMAP4.error as error:
            # The greeting, which is what Dovecot or the door says when it does not open.
            raise HouseError(_text(error.args[0])) from error
        except OSError as error:
            raise HouseError(f"{self._door}: {error}") from error

    def lend(self) -> Stream:
        """Return the connection itself, for a door; `open` again if commands were left without an answer there."""
        self._selected = None
        stream: Stream = self._session.stream
        return stream

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._session.logout()
        except (imaplib.IMAP4.error, OSError):
            self._session.shutdown()

    # --- folders

    def status(self, folder: str) -> FolderStatus | None:
        """Return the state of a folder, or None if there is none."""
        items = "(UIDVALIDITY UIDNEXT MESSAGES)"
        answer, data = self._try(self._session.status, _quoted(folder), items)
        if answer != "OK":
            # Dovecot 2.3 says it without the code NONEXISTENT.
            if b"Mailbox doesn't exist" in data[-1]:
                return None
            raise _refused("STATUS", folder, data)
        found = _STATUS.search(data[-1])
        if found is None:
            raise _refused("STATUS", folder, data)
        words = found["items"].split()
        values = {key.upper(): int(value) for key, value in zip(words[::2], words[1::2], strict=True)}
        return FolderStatus(values[b"UIDVALIDITY"], values[b"UIDNEXT"], values[b"MESSAGES"])

    def ensure(self, folder: str) -> FolderStatus:
        """Make a folder that its owner sees, unless it is there."""
        found = self.status(folder)
        if found is None:
            self._do("CREATE", folder, self._session.create, _quoted(folder))
            self._do("SUBSCRIBE", folder, self._session.subscribe, _quoted(folder))
            found = self.status(folder)
        if found is None:
            raise HouseError(f"{folder}: is not there though it was made")
        return found

    def folders(self) -> list[str]:
        """List the folders that can hold messages."""
        listed = self._do("LIST", "*", self._session.list, '""', '"*"')
        # A name that comes as a literal is apart from what stood before it.
        said = (b"\r\n".join(item) if isinstance(item, tuple) else item for item in listed if item)
        found = (parse_list(line) for line in said)
        return [decode(one.raw) for one in found if one is not None and "\\noselect" not in one.flags]

    def rename(self, old: str, new: str) -> None:
        """Rename a folder; subscriptions follow."""
        if self._selected is not None:
            # Dovecot ends a session that has the folder open.
            self._do("UNSELECT", self._selected, self._session.unselect)
            self._selected = None
        self._do("RENAME", old, self._session.rename, _quoted(old), _quoted(new))
        self._do("SUBSCRIBE", new, self._session.subscribe, _quoted(new))
        self._do("UNSUBSCRIBE", old, self._session.unsubscribe, _quoted(old))

    def quota_left(self) -> int | None:
        """Return how many bytes the mailbox can still take, or None without a limit."""
        if "QUOTA" not in self._session.capabilities:
            return None
        _, quotas = self._do("GETQUOTAROOT", "INBOX", self._session.getquotaroot, "INBOX")
        # In units of 1024 bytes (RFC 9208 section 5.1).
        left = [
            (int(found["limit"]) - int(found["used"])) * 1024
            for line in quotas
            if line and (found := _STORAGE.search(line))
        ]
        return max(min(left), 0) if left else None

    # --- messages

    def append(self, folder: str, message: bytes, flags: Iterable[str] = (), date: str | None = None) -> int:
        """Store a message and return its UID. date: an INTERNALDATE as IMAP writes it, without quotes."""
        data = self._do(
            "APPEND",
            folder,
            self._session.append,
            _quoted(folder),
            f"({' '.join(flags)})",
            f'"{date}"' if date else None,
            message,
        )
        found = re.search(rb"APPENDUID \d+ (\d+)", data[-1])
        if found is None:
            raise _refused("APPEND", folder, data)
        return int(found[1])

    def add_flags(self, folder: str, uids: Collection[int], flags: Iterable[str]) -> None:
        """Give flags to messages."""
        wanted = f"({' '.join(flags)})"
        for batch in self._batches(folder, uids, BATCH):
            self._uid("STORE", folder, batch, "+FLAGS.SILENT", wanted)

    def uids(self, folder: str) -> list[int]:
        """List the UIDs of a folder, without changing what is recent there."""
        self._selected = None
        self._do("EXAMINE", folder, self._session.select, _quoted(folder), True)
        self._uid("SEARCH", folder, "RETURN", "(ALL)", "ALL")
        found = b" ".join(line for line in self._session.response("ESEARCH")[1] if line)
        listed = _LISTED.search(found)
        return expand(listed[1].decode("ascii")) if listed else []

    def fingerprints(self, folder: str, uids: Collection[int] | None = None) -> dict[int, bytes]:
        """Return what messages of a folder are recognised by, by UID. uids: which ones, None for all."""
        found = {}
        for batch in self._batches(folder, self._all(folder) if uids is None else uids, BATCH):
            for item in self._uid("FETCH", folder, batch, f"(UID {FINGERPRINTED})"):
                if isinstance(item, tuple) and (match := _DATED.search(item[0])):
                    found[int(match["uid"])] = fingerprint(item[1], match["date"].decode("ascii"))
        return found

    def message_ids(self, folder: str, uids: Collection[int]) -> dict[int, bytes]:
        """Return the Message-ID of each of these messages that is there, b"" where there is none."""
        found = {}
        for batch in self._batches(folder, uids, BATCH):
            for item in self._uid("FETCH", folder, batch, f"(UID {MESSAGE_ID})"):
                if isinstance(item, tuple) and (match := _UID.search(item[0])):
                    found[int(match[1])] = header_fields(item[1]).get("message-id", b"")
        return found

    def move(self, folder: str, uids: Collection[int], target: str) -> dict[int, int]:
        """Move messages into another folder; return the new UID of each one that was there (RFC 6851)."""
        moved: dict[int, int] = {}
        for batch in self._batches(folder, uids, BATCH):
            self._uid("MOVE", folder, batch, _quoted(target))
            _, codes = self._session.response("COPYUID")
            for code in codes:
                if code:
                    _, old, new = code.split()
                    moved |= zip(expand(old.decode("ascii")), expand(new.decode("ascii")), strict=True)
        return moved

    def remove(self, folder: str, uids: Collection[int]) -> None:
        """Remove messages, these and no other that is marked as deleted (RFC 4315)."""
        for batch in self._batches(folder, uids, BATCH):
            self._uid("STORE", folder, batch, "+FLAGS.SILENT", r"(\Deleted)")
            self._uid("EXPUNGE", folder, batch)

    def sieve(self, folder: str, uids: Collection[int]) -> Filtered:
        r"""Let messages pass the house's script and the owner's, as those do that are delivered.

        What they keep stays where it is; what they file, discard or redirect leaves the folder. A message that was
        marked as deleted before is left alone. If a script fails, or there is none, the messages stay.
        """
        gone: set[int] = set()
        complaints: list[str] = []
        for batch in _sets(uids, SIEVE_BATCH):
            with House(self._door) as session:
                gone |= session._sieve(folder, batch, complaints)
        return Filtered(frozenset(gone), tuple(dict.fromkeys(complaints)))

    def _sieve(self, folder: str, batch: str, complaints: list[str]) -> set[int]:
        self._select(folder)
        marked = self._marked(folder, batch)
        for script in ("GLOBAL before", "DELIVERY"):
            # A script marks as deleted what it does not keep (draft-bosch-imap-filter-sieve): the next one skips that.
            complaints += self._filter(script, batch)
        if done := self._marked(folder, batch) - marked:
            self._uid("EXPUNGE", folder, uid_set(done))
        return done

    def _filter(self, script: str, batch: str) -> list[str]:
        session = self._session
        for name in ("FILTER", "FILTERED"):
            session.response(name)
        # NO is said of a script that is not there, or does not compile; the latter in an untagged reply as well.
        self._try(session.xatom, "UID", "FILTER", "SIEVE", script, "UID", batch, "UNDELETED")
        replies = [reply for name in ("FILTER", "FILTERED") for reply in session.response(name)[1] if reply]
        # A reply with a text comes as what was before it, and the text.
        return [_text(reply[1]).strip() for reply in replies if isinstance(reply, tuple)]

    def _marked(self, folder: str, batch: str) -> set[int]:
        data = self._uid("SEARCH", folder, "UID", batch, "DELETED")
        return {int(uid) for uid in (data[0] or b"").split()}

    # --- how it is said

    def _all(self, folder: str) -> list[int]:
        status = self.status(folder)
        if status is None or not status.messages:
            return []
        self._select(folder)
        return [int(uid) for uid in (self._uid("SEARCH", folder, "ALL")[0] or b"").split()]

    def _batches(self, folder: str, uids: Collection[int], size: int) -> Iterator[str]:
        """Select a folder, and divide UIDs into sets of at most this size."""
        if uids:
            self._select(folder)
        yield from _sets(uids, size)

    def _select(self, folder: str) -> None:
        if self._selected != folder:
            self._selected = None
            self._do("SELECT", folder, self._session.select, _quoted(folder))
            self._selected = folder

    def _uid(self, command: str, folder: str, *arguments: str) -> Sequence[Any]:
        return self._do(f"UID {command}", folder, self._session.uid, command, *arguments)

    def _do(self, name: str, folder: str, command: Callable[..., Any], *arguments: object) -> Sequence[Any]:
        answer, data = self._try(command, *arguments)
        if answer != "OK":
            raise _refused(name, folder, data)
        return data

    def _try(self, command: Callable[..., Any], *arguments: object) -> tuple[str, Sequence[Any]]:
        try:
            answer, data = command(*arguments)
        except imaplib.IMAP4.abort as error:
            raise HouseError(_text(error.args[0])) from error
        except imaplib.IMAP4.error as error:
            raise HouseRefusedError(_text(error.args[0])) from error
        except OSError as error:
            raise HouseError(f"{self._door}: {error}") from error
        return answer, data


def _sets(uids: Collection[int], size: int) -> Iterator[str]:
    """Divide UIDs into sets of at most this size."""
    rest = iter(sorted(set(uids)))
    while batch := list(islice(rest, size)):
        yield uid_set(batch)


def mailbox_name(folder: str) -> bytes:
    """Write a folder's name as IMAP does: modified UTF-7 in quotes."""
    return quoted(encode(folder))


def _quoted(folder: str) -> str:
    return mailbox_name(folder).decode("ascii")


def _refused(name: str, folder: str, data: Sequence[Any]) -> HouseRefusedError:
    return HouseRefusedError(f"{folder}: {name}: {_text(data[-1])}")


def _text(said: object) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
