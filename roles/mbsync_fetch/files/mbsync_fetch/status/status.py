# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the fetch of an account goes: what is kept of it, and when the next attempt is made.

All times are seconds since 1970. Nothing here holds a secret.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from ..account.failures import Kind
from ..account.files import write_file
from .credential import credential_digest, is_digest_of
from .report import NotFetched, Report
from .retries import AUTHORIZE, REFUSED_DELAYS, STATES, State, next_try, random_part, remedy

BUDGET = 0.8
"""What part of the provider's daily limit is used; the rest is left to the owner's other clients."""
MEGABYTE = 1_000_000
NOTES = 20
"""How many notes are kept."""

# --- what is kept


@dataclass(frozen=True)
class Note:
    """What was done that the owner might wonder about, such as a recovery."""

    time: float
    text: str


@dataclass(frozen=True)
class Status:
    """How it goes. Each change is a new Status.

    reason, remedy: why it is not ok, and what to do; empty where there is nothing.
    failures, refusals: attempts in a row that failed, and those of them whose login was refused.
    credential: what the last refused password or token is known again by, "" if none was refused.
    told: whether the owner has been told that it has stopped.
    unmatched: patterns that match no mailbox. not_fetched: the account's other mailboxes.
    day: the date (UTC) that bytes_today belong to.
    """

    state: State = "new"
    reason: str = ""
    remedy: str = ""
    last_success: float = 0.0
    last_try: float = 0.0
    next_try: float = 0.0
    failures: int = 0
    refusals: int = 0
    credential: str = field(default="", repr=False)
    told: bool = False
    folders: tuple[Report, ...] = ()
    unmatched: tuple[str, ...] = ()
    not_fetched: tuple[NotFetched, ...] = ()
    notes: tuple[Note, ...] = ()
    day: str = ""
    bytes_today: int = 0

    @classmethod
    def read(cls, path: Path) -> Status:
        """Read the file; one that is missing, damaged or of another version is a new account's."""
        try:
            values = json.loads(path.read_bytes())
            status = cls(
                **{
                    **values,
                    "folders": tuple(Report.load(entry) for entry in values["folders"]),
                    "unmatched": tuple(values["unmatched"]),
                    "not_fetched": tuple(NotFetched(**entry) for entry in values.get("not_fetched", ())),
                    "notes": tuple(Note(**entry) for entry in values["notes"]),
                }
            )
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return cls()
        return status if status._is_sound() else cls()

    def _is_sound(self) -> bool:
        kinds = {"float": (int, float)}
        builtin = {"int": int, "str": str, "bool": bool}
        return self.state in get_args(State) and all(
            isinstance(getattr(self, entry.name), kinds.get(str(entry.type)) or builtin[str(entry.type)])
            for entry in fields(self)
            if entry.type in {*kinds, *builtin}
        )

    def write(self, path: Path) -> None:
        """Replace the file as a whole, readable by its owner alone."""
        write_file(path, json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n", 0o600)

    # --- when to try

    def may_try(self, now: float, credential: str, *, asked: bool = False) -> str | None:
        """Return why no attempt may be made now, None if it may.

        credential: the password or token to be used. asked: whether a person or news asks for it. Then it is made,
        unless the provider refuses the login, or is asked for too much.
        """
        refused_again = self.refusals > 0 and is_digest_of(self.credential, credential)
        if self.refusals > len(REFUSED_DELAYS) and refused_again:
            return f"stopped after {self.refusals} refused logins: {self.remedy or remedy('refused')}"
        if self.state in ("refused", "stopped") and not refused_again:
            return None
        if asked and self.state in ("retrying", "house full"):
            return None
        # If the clock was set back, nobody knows how long it has been.
        if self.last_try <= now < self.next_try:
            return f"waits until {clock(self.next_try)}: {self.reason}"
        return None

    def succeeded(
        self,
        now: float,
        folders: Sequence[Report],
        *,
        whole: bool = True,
        unmatched: Sequence[str] = (),
        not_fetched: Sequence[NotFetched] = (),
    ) -> Status:
        """Return the status after a fetch. whole: whether these are all the folders, or only some of them."""
        reported = self.reported(folders)
        named = {report.name for report in folders}
        if whole:
            reported = replace(
                reported,
                folders=tuple(report for report in reported.folders if report.name in named),
                unmatched=tuple(unmatched),
                not_fetched=tuple(not_fetched),
            )
        return replace(
            reported,
            state="ok",
            reason="",
            remedy="",
            last_success=now,
            last_try=now,
            next_try=0.0,
            failures=0,
            refusals=0,
            credential="",
            told=False,
        )

    def reported(self, folders: Sequence[Report]) -> Status:
        """Return the status with these reports instead of those of the same folders.

        Books stand until others are made.
        """
        books = {report.name: report.books for report in self.folders}
        named = {
            report.name: report
            if report.gone
            else replace(report, books=report.books or books.get(report.name))
            for report in folders
        }
        kept = [named.pop(report.name, report) for report in self.folders]
        return replace(self, folders=(*kept, *named.values()))

    def failed(
        self,
        now: float,
        kind: Kind,
        reason: str,
        credential: str,
        *,
        token: bool = False,
        wait: float = 0.0,
        partly: bool = False,
        jitter: Callable[[], float] = random_part,
    ) -> Status:
        """Return the status after one more failure.

        reason: one line without a secret. token: whether the credential is an access token; as that is a new one every
        hour, it does not start the counting of refusals anew. wait: how many seconds the provider says to wait, 0 if it
        does not say. partly: whether some mailboxes were fetched. jitter: returns a number from 0 to 1.
        """
        after = replace(
            self,
            state=STATES[kind],
            reason=" ".join(reason.split()),
            remedy=remedy(kind, token=token),
            last_try=now,
            failures=self.failures + 1,
        )
        if kind == "refused":
            after = after._refused(credential, token)
        if after.state == "stopped":
            return replace(after, next_try=0.0)
        attempts = after.refusals if kind == "refused" else after.failures
        return replace(
            after, next_try=next_try(now, kind, attempts, wait=wait, partly=partly, jitter=jitter())
        )

    def unauthorized(self, now: float, name: str) -> Status:
        """Return the status of an account that has no token yet; it is looked for each time, which asks nobody."""
        return replace(
            self,
            state="refused",
            reason="the account is not authorized yet",
            remedy=AUTHORIZE.format(name=name),
            last_try=now,
            next_try=now,
        )

    def _refused(self, credential: str, token: bool) -> Status:
        again = self.refusals > 0 and (token or is_digest_of(self.credential, credential))
        refusals = self.refusals + 1 if again else 1
        return replace(
            self,
            state="refused" if refusals <= len(REFUSED_DELAYS) else "stopped",
            refusals=refusals,
            credential=credential_digest(credential),
            told=self.told and again,
        )

    @property
    def tell_owner(self) -> bool:
        """Whether the owner has yet to be told that the fetch has stopped."""
        return self.state == "stopped" and not self.told

    def owner_told(self) -> Status:
        """Return the status once the owner has the message."""
        return replace(self, told=True)

    # --- what else is kept

    def noted(self, now: float, text: str) -> Status:
        """Return the status with one more note."""
        return replace(self, notes=(*self.notes, Note(now, text))[-NOTES:])

    def counted(self, now: float, size: int) -> Status:
        """Return the status after so many bytes were read from the provider."""
        return replace(self, day=day(now), bytes_today=self.read_today(now) + size)

    def read_today(self, now: float) -> int:
        """Return the bytes read on this day (UTC)."""
        return self.bytes_today if self.day == day(now) else 0

    def budget_left(self, now: float, daily_megabytes: int | None) -> int | None:
        """Return the bytes that may still be read on this day; None where the provider names no limit."""
        if daily_megabytes is None:
            return None
        return max(0, int(daily_megabytes * MEGABYTE * BUDGET) - self.read_today(now))

    def describe(self) -> str:
        """Say in one line why it is not ok, what to do, and when it is tried again."""
        after = (
            "no more attempts are made until then"
            if self.state == "stopped"
            else f"the next attempt is made after {clock(self.next_try)}"
        )
        return "; ".join(filter(None, (self.reason, self.remedy, after)))


def clock(moment: float) -> str:
    """Return a time as people read it."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S UTC}"


def day(moment: float) -> str:
    """Return the date, in UTC."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d}"
