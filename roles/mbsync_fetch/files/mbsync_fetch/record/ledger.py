# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The record of an account's mailboxes and of every message ever fetched from them."""

from __future__ import annotations

import contextlib
import itertools
import re
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

Reason = Literal["arrived", "filed", "adopted", "moved", "copy", "draft", "gone", ""]
"""Why a message is in the record.

arrived: it was fetched into the folder of its mailbox. filed: it was, and the owner's scripts took it from there.
adopted: it lay there before. moved: it came there from another folder of the account, as at the provider.
copy: the local side has it from another mailbox. draft: of those that are not fetched.
gone: its owner had removed it before it was recorded. Empty: it was recorded before reasons were.
"""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS folder (
    alias TEXT PRIMARY KEY, raw TEXT NOT NULL, house TEXT NOT NULL, uidvalidity INTEGER NOT NULL DEFAULT 0,
    gone INTEGER NOT NULL DEFAULT 0, role TEXT NOT NULL DEFAULT '', next_uid INTEGER NOT NULL DEFAULT 1
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS folder_raw ON folder (raw) WHERE gone = 0;
CREATE TABLE IF NOT EXISTS message (
    alias TEXT NOT NULL, uid INTEGER NOT NULL, fingerprint BLOB NOT NULL, reason TEXT NOT NULL DEFAULT '',
    house_uid INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (alias, uid)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS message_fingerprint ON message (fingerprint);
"""
_ADDED = {"reason": "TEXT NOT NULL DEFAULT ''", "house_uid": "INTEGER NOT NULL DEFAULT 0"}
"""Columns of messages that an older record lacks."""
LOWEST = -(2**32)
"""Below all numbers of messages: UIDs have 32 bits (RFC 9051 section 2.3.1.1)."""
_AT_ONCE = 500
"""Fingerprints asked for in one statement; SQLite allows 999 values in the oldest versions."""


@dataclass(frozen=True)
class MailboxRecord:
    """A mailbox: alias is mbsync's name for it, raw the provider's, folder its path in the owner's mailbox.

    No two that are there have the same raw name.
    uidvalidity: the provider's, 0 before the first fetch. gone: the provider no longer has it.
    role: its special use there, as in selection/names.py. next_uid: each message below it has been dealt with.
    """

    alias: str
    raw: str
    folder: str
    uidvalidity: int = 0
    gone: bool = False
    role: str = ""
    next_uid: int = 1


class Ledger:
    """The record in a file; use as a context manager. Each call is one transaction, or `transaction` makes them one.

    damaged: what was wrong with the file if it could not be read and was set aside, for people; then the record begins
    anew, without messages, and without folders if not even they could be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damaged = ""
        try:
            self._db = self._open()
        except sqlite3.OperationalError:
            raise  # locked, or no such directory: the file is not to blame
        except sqlite3.DatabaseError as error:
            self._set_aside(error)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._db.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Have all that is done meanwhile recorded at once, or nothing if an exception ends it."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def mailboxes(self) -> list[MailboxRecord]:
        """Return all mailboxes ever assigned, by alias."""
        return _folders(self._db)

    def mailbox(self, alias: str) -> MailboxRecord:
        """Return a mailbox that was assigned."""
        return next(record for record in self.mailboxes() if record.alias == alias)

    def assign(self, raw: str, folder: str, *, alias: str = "") -> MailboxRecord:
        """Return the mailbox of this name, which is there; a new one gets the next alias, or the one given."""
        with self.transaction():
            for record in sorted(self.mailboxes(), key=lambda record: record.gone):
                if record.raw == raw:
                    self.update(record.alias, gone=False)
                    return replace(record, gone=False)
            alias = alias or self._next_alias()
            self._db.execute("INSERT INTO folder (alias, raw, house) VALUES (?, ?, ?)", (alias, raw, folder))
        return MailboxRecord(alias, raw, folder)

    def update(
        self,
        alias: str,
        *,
        raw: str | None = None,
        folder: str | None = None,
        uidvalidity: int | None = None,
        gone: bool | None = None,
        role: str | None = None,
        next_uid: int | None = None,
    ) -> None:
        """Record what has changed of a mailbox."""
        with self.transaction():
            self._db.execute(
                "UPDATE folder SET raw = coalesce(?, raw), house = coalesce(?, house),"
                " uidvalidity = coalesce(?, uidvalidity), gone = coalesce(?, gone), role = coalesce(?, role),"
                " next_uid = coalesce(?, next_uid) WHERE alias = ?",
                (raw, folder, uidvalidity, gone, role, next_uid, alias),
            )

    def recorded(self, alias: str, first: int = 1) -> dict[int, bytes]:
        """Return the fingerprint of each UID, from this one on, ever taken from a mailbox since its UIDVALIDITY.

        Numbers below 0, from LOWEST on, are those of messages that were gone when it changed.
        """
        query = "SELECT uid, fingerprint FROM message WHERE alias = ? AND uid >= ? ORDER BY uid"
        return dict(self._db.execute(query, (alias, first)))

    def reasons(self, alias: str) -> dict[int, Reason]:
        """Return why each UID, and each number below 0, is in the record of a mailbox."""
        return dict(
            self._db.execute("SELECT uid, reason FROM message WHERE alias = ? ORDER BY uid", (alias,))
        )

    def record(self, alias: str, fingerprints: Mapping[int, bytes], reasons: Mapping[int, Reason]) -> None:
        """Record messages as taken, each with its reason."""
        with self.transaction():
            self._db.executemany(
                "INSERT OR REPLACE INTO message (alias, uid, fingerprint, reason) VALUES (?, ?, ?, ?)",
                ((alias, uid, found, reasons[uid]) for uid, found in fingerprints.items()),
            )

    def replace(self, alias: str, fingerprints: Mapping[int, bytes], reasons: Mapping[int, Reason]) -> None:
        """Record these messages instead of all that were taken from a mailbox."""
        with self.transaction():
            self._db.execute("DELETE FROM message WHERE alias = ?", (alias,))
            self.record(alias, fingerprints, reasons)

    def record_local_uids(self, alias: str, local: Mapping[int, int]) -> None:
        """Record where messages lie (local UID) that lose their numbers at the provider."""
        with self.transaction():
            self._db.executemany(
                "UPDATE message SET house_uid = ? WHERE alias = ? AND uid = ?",
                ((there, alias, uid) for uid, there in local.items()),
            )

    def local_uids(self, alias: str) -> dict[int, int]:
        """Return where messages lie (local UID) that lost their numbers at the provider."""
        query = "SELECT uid, house_uid FROM message WHERE alias = ? AND house_uid > 0"
        return dict(self._db.execute(query, (alias,)))

    def forget_local_uids(self, alias: str) -> None:
        """Record that such messages lie nowhere."""
        with self.transaction():
            self._db.execute("UPDATE message SET house_uid = 0 WHERE alias = ?", (alias,))

    def explain(self, alias: str, reasons: Mapping[int, Reason]) -> None:
        """Record why messages are in the record that are there."""
        with self.transaction():
            self._db.executemany(
                "UPDATE message SET reason = ? WHERE alias = ? AND uid = ?",
                ((reason, alias, uid) for uid, reason in reasons.items()),
            )

    def forget(self, alias: str, uids: Iterable[int]) -> None:
        """Record messages as not taken."""
        with self.transaction():
            self._db.executemany(
                "DELETE FROM message WHERE alias = ? AND uid = ?", ((alias, uid) for uid in uids)
            )

    def locations(self, fingerprints: Collection[bytes]) -> dict[bytes, list[tuple[str, int]]]:
        """Return where messages were taken from: alias and UID, in their order; nothing for unknown ones."""
        found = defaultdict[bytes, list[tuple[str, int]]](list)
        asked = iter(set(fingerprints))
        while some := list(itertools.islice(asked, _AT_ONCE)):
            marks = ", ".join("?" * len(some))
            query = f"SELECT fingerprint, alias, uid FROM message WHERE fingerprint IN ({marks}) ORDER BY alias, uid"  # noqa: S608
            for known, alias, uid in self._db.execute(query, some):
                found[known].append((alias, uid))
        return dict(found)

    def _open(self) -> sqlite3.Connection:
        """Open the file, made if it is not there; DatabaseError if it is damaged."""
        database = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        try:
            (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise sqlite3.DatabaseError(verdict)
            database.executescript(_SCHEMA)
            columns = {column for __, column, *__ in database.execute("PRAGMA table_info(message)")}
            for column in _ADDED.keys() - columns:
                database.execute(f"ALTER TABLE message ADD COLUMN {column} {_ADDED[column]}")
        except sqlite3.Error:
            database.close()
            raise
        return database

    def _set_aside(self, error: sqlite3.DatabaseError) -> None:
        """Keep a damaged file under another name and begin anew, with the mailboxes that it still tells of."""
        aside = self.path.with_name(f"{self.path.name}.damaged")
        folders: list[MailboxRecord] = []
        with contextlib.closing(sqlite3.connect(self.path)) as database, contextlib.suppress(sqlite3.Error):
            folders = _folders(database)
        self.path.replace(aside)
        self.path.with_name(f"{self.path.name}-journal").unlink(missing_ok=True)
        self.damaged = f"{self.path} was damaged ({error}); it is kept as {aside.name}, and begins anew"
        self._db = self._open()
        with self.transaction():
            for record in folders:
                self.assign(record.raw, record.folder, alias=record.alias)
                self.update(record.alias, uidvalidity=record.uidvalidity, gone=record.gone, role=record.role)

    def _next_alias(self) -> str:
        """Return an alias that no mailbox has had, not even one whose record was lost but not mbsync's state of it."""
        states = (path.name for path in self.path.with_name("sync").glob("f*"))
        names = itertools.chain(states, (record.alias for record in self.mailboxes()))
        used = (int(number[1]) for name in names if (number := re.match(r"f(\d+)", name)))
        return f"f{max(used, default=0) + 1:04}"


def _folders(database: sqlite3.Connection) -> list[MailboxRecord]:
    columns = "alias, raw, house, uidvalidity, gone, role, next_uid"
    rows = database.execute(f"SELECT {columns} FROM folder ORDER BY alias")  # noqa: S608
    return [
        MailboxRecord(alias, raw, folder, uidvalidity, bool(gone), role, next_uid)
        for alias, raw, folder, uidvalidity, gone, role, next_uid in rows
    ]
