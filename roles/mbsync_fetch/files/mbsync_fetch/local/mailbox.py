# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The owner's mailbox in the local Dovecot: its folders, and the messages in them."""

from __future__ import annotations

import re
import socket
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType

from ..imap.fingerprint import FINGERPRINTED, MESSAGE_ID, fingerprint, header_fields
from ..imap.names import decode, parse_list
from ..imap.sequence_set import expand
from ..imap.stream import Stream
from .scripts import Filtered, run_scripts
from .session import LocalError, Session, quoted_name, refused, uid_sets

# UIDs in one command: Dovecot takes lines of 64 KiB (imap_max_line_length).
BATCH = 2000

_UID = re.compile(rb"UID (\d+)")
_DATED = re.compile(rb'UID (?P<uid>\d+) INTERNALDATE "(?P<date>[^"]*)"')
_STATUS = re.compile(rb"\((?P<items>[^()]*)\)\s*$")
_LISTED = re.compile(rb"\bALL ([0-9:,]+)")
_STORAGE = re.compile(rb"\(.*?STORAGE (?P<used>\d+) (?P<limit>\d+).*?\)")


@dataclass(frozen=True)
class FolderStatus:
    """A folder's UIDVALIDITY, the next UID, and how many messages it has."""

    uidvalidity: int
    uidnext: int
    messages: int


class LocalMailbox:
    """The owner's mailbox. Folders are paths with "/" between their parts; every method may raise LocalError."""

    def __init__(self, path: str, connected: socket.socket | None = None) -> None:
        self._session = Session(path, connected)

    def __enter__(self) -> LocalMailbox:
        self.open()
        return self

    def open(self) -> None:
        """Begin a session, a new one if there was one before."""
        self._session.open()

    def lend(self) -> Stream:
        """Return the connection itself, for mbsync; `open` again if commands were left without an answer there."""
        return self._session.lend()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    # --- folders

    def status(self, folder: str) -> FolderStatus | None:
        """Return the state of a folder, or None if there is none."""
        items = "(UIDVALIDITY UIDNEXT MESSAGES)"
        answer, data = self._session.attempt(self._session.imap.status, quoted_name(folder), items)
        if answer != "OK":
            # Dovecot 2.3 says it without the code NONEXISTENT.
            if b"Mailbox doesn't exist" in data[-1]:
                return None
            raise refused("STATUS", folder, data)
        found = _STATUS.search(data[-1])
        if found is None:
            raise refused("STATUS", folder, data)
        words = found["items"].split()
        values = {key.upper(): int(value) for key, value in zip(words[::2], words[1::2], strict=True)}
        return FolderStatus(values[b"UIDVALIDITY"], values[b"UIDNEXT"], values[b"MESSAGES"])

    def ensure(self, folder: str) -> FolderStatus:
        """Make a folder that its owner sees, unless it is there."""
        found = self.status(folder)
        if found is None:
            self._session.do("CREATE", folder, self._session.imap.create, quoted_name(folder))
            self._session.do("SUBSCRIBE", folder, self._session.imap.subscribe, quoted_name(folder))
            found = self.status(folder)
        if found is None:
            raise LocalError(f"{folder}: is not there though it was made")
        return found

    def folders(self) -> list[str]:
        """List the folders that can hold messages."""
        listed = self._session.do("LIST", "*", self._session.imap.list, '""', '"*"')
        # A name that comes as a literal is apart from what stood before it.
        said = (b"\r\n".join(item) if isinstance(item, tuple) else item for item in listed if item)
        found = (parse_list(line) for line in said)
        return [decode(one.raw) for one in found if one is not None and "\\noselect" not in one.flags]

    def rename(self, old: str, new: str) -> None:
        """Rename a folder; subscriptions follow."""
        # Dovecot ends a session that has the folder open.
        self._session.unselect()
        self._session.do("RENAME", old, self._session.imap.rename, quoted_name(old), quoted_name(new))
        self._session.do("SUBSCRIBE", new, self._session.imap.subscribe, quoted_name(new))
        self._session.do("UNSUBSCRIBE", old, self._session.imap.unsubscribe, quoted_name(old))

    def quota_left(self) -> int | None:
        """Return how many bytes the mailbox can still take, or None without a limit."""
        if "QUOTA" not in self._session.imap.capabilities:
            return None
        __, quotas = self._session.do("GETQUOTAROOT", "INBOX", self._session.imap.getquotaroot, "INBOX")
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
        data = self._session.do(
            "APPEND",
            folder,
            self._session.imap.append,
            quoted_name(folder),
            f"({' '.join(flags)})",
            f'"{date}"' if date else None,
            message,
        )
        found = re.search(rb"APPENDUID \d+ (\d+)", data[-1])
        if found is None:
            raise refused("APPEND", folder, data)
        return int(found[1])

    def add_flags(self, folder: str, uids: Collection[int], flags: Iterable[str]) -> None:
        """Give flags to messages."""
        wanted = f"({' '.join(flags)})"
        for batch in self._batches(folder, uids, BATCH):
            self._session.uid("STORE", folder, batch, "+FLAGS.SILENT", wanted)

    def uids(self, folder: str) -> list[int]:
        """List the UIDs of a folder, without changing what is recent there."""
        self._session.examine(folder)
        self._session.uid("SEARCH", folder, "RETURN", "(ALL)", "ALL")
        found = b" ".join(line for line in self._session.imap.response("ESEARCH")[1] if line)
        listed = _LISTED.search(found)
        return expand(listed[1].decode("ascii")) if listed else []

    def fingerprints(self, folder: str, uids: Collection[int] | None = None) -> dict[int, bytes]:
        """Return what messages of a folder are recognised by, by UID. uids: which ones, None for all."""
        found = {}
        for batch in self._batches(folder, self._all(folder) if uids is None else uids, BATCH):
            for item in self._session.uid("FETCH", folder, batch, f"(UID {FINGERPRINTED})"):
                if isinstance(item, tuple) and (match := _DATED.search(item[0])):
                    found[int(match["uid"])] = fingerprint(item[1], match["date"].decode("ascii"))
        return found

    def message_ids(self, folder: str, uids: Collection[int]) -> dict[int, bytes]:
        """Return the Message-ID of each of these messages that is there, b"" where there is none."""
        found = {}
        for batch in self._batches(folder, uids, BATCH):
            for item in self._session.uid("FETCH", folder, batch, f"(UID {MESSAGE_ID})"):
                if isinstance(item, tuple) and (match := _UID.search(item[0])):
                    found[int(match[1])] = header_fields(item[1]).get("message-id", b"")
        return found

    def move(self, folder: str, uids: Collection[int], target: str) -> dict[int, int]:
        """Move messages into another folder; return the new UID of each one that was there (RFC 6851)."""
        moved: dict[int, int] = {}
        for batch in self._batches(folder, uids, BATCH):
            self._session.uid("MOVE", folder, batch, quoted_name(target))
            __, codes = self._session.imap.response("COPYUID")
            for code in codes:
                if code:
                    __, old, new = code.split()
                    moved |= zip(expand(old.decode("ascii")), expand(new.decode("ascii")), strict=True)
        return moved

    def remove(self, folder: str, uids: Collection[int]) -> None:
        """Remove messages, these and no other that is marked as deleted (RFC 4315)."""
        for batch in self._batches(folder, uids, BATCH):
            self._session.uid("STORE", folder, batch, "+FLAGS.SILENT", r"(\Deleted)")
            self._session.uid("EXPUNGE", folder, batch)

    def sieve(self, folder: str, uids: Collection[int]) -> Filtered:
        """Let messages pass the Sieve scripts, as those do that are delivered."""
        return run_scripts(self._session.path, folder, uids)

    # --- how it is said

    def _all(self, folder: str) -> list[int]:
        status = self.status(folder)
        if status is None or not status.messages:
            return []
        self._session.select(folder)
        return [int(uid) for uid in (self._session.uid("SEARCH", folder, "ALL")[0] or b"").split()]

    def _batches(self, folder: str, uids: Collection[int], size: int) -> Iterator[str]:
        """Select a folder, and divide UIDs into sets of at most this size."""
        if uids:
            self._session.select(folder)
        yield from uid_sets(uids, size)
