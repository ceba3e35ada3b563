# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the fetches of provider accounts go, from what each keeps of itself, and what is wrong with them."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils._checks.checks import Check
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.fetch_books import (
    Folder,
    books_problems,
    books_summary,
    messages,
    some,
)

LATE = 3600
"""Seconds after which a fetch that succeeded has not been made again for too long: several times its interval."""
HIDDEN = r"\All"
"""What is unmatched where Gmail does not show All Mail."""


@dataclass(frozen=True)
class Fetch:
    """The fetch of an account (roles/mbsync_fetch/files/mbsync_fetch/status, Status).

    unit: state of its unit. asked: when it was started for this check, 0 if it was not.
    """

    name: str
    unit: str
    asked: float = 0.0
    state: str = "new"
    reason: str = ""
    remedy: str = ""
    last_success: float = 0.0
    last_try: float = 0.0
    next_try: float = 0.0
    unmatched: tuple[str, ...] = ()
    not_fetched: tuple[dict[str, str], ...] = ()
    folders: tuple[Folder, ...] = ()

    @property
    def running(self) -> bool:
        """Whether the account is being fetched now."""
        return self.unit == "activating"


KEPT = ("state", "reason", "remedy", "last_success", "last_try", "next_try")


def read_fetch(name: str, directory: Path, unit: str, asked: float = 0.0) -> Fetch:
    """Read what a fetch keeps in its directory; one that has kept nothing yet is new."""
    try:
        status = json.loads((directory / name / "status.json").read_bytes())
    except (FileNotFoundError, ValueError):
        return Fetch(name, unit, asked)
    return Fetch(
        name=name,
        unit=unit,
        asked=asked,
        unmatched=tuple(status["unmatched"]),
        not_fetched=tuple(status.get("not_fetched", ())),
        folders=tuple(
            # An earlier version of the program kept no books.
            Folder(**{key: folder.get(key) for key in Folder.__dataclass_fields__})
            for folder in status["folders"]
        ),
        **{key: status[key] for key in KEPT},
    )


def start_fetches(names: Sequence[str], running: Sequence[str], timeout: float) -> None:
    """Fetch accounts now, and wait for it, but not for longer than this (seconds): a first fetch may take days.

    running: those that are being fetched. A start only joins that, which may have looked before, or at INBOX alone.
    """
    end = time.monotonic() + timeout
    with contextlib.suppress(subprocess.TimeoutExpired):
        for some in filter(None, (names, running)):
            units = [f"mbsync-fetch@{name}.service" for name in some]
            left = max(end - time.monotonic(), 0.1)
            # pylint: disable-next=ansible-bad-function
            subprocess.run(["systemctl", "start", *units], capture_output=True, check=False, timeout=left)


def fetch_checks(fetch: Fetch, now: float) -> list[Check]:
    """Return a check of the fetch and one of its books, then a line for each thing that is good to know."""
    problem = _problem(fetch, now)
    # A first fetch may take the provider's limits of several days.
    first_fetch = not fetch.last_success and (fetch.running or fetch.state == "limit")
    ok = None if first_fetch else problem is None
    checks = [Check(f"{fetch.name} fetch", ok, 0.0, problem or _summary(fetch))]
    if fetch.last_success:
        checks += _books_checks(fetch)
    return [*checks, *(Check(f"{fetch.name} fetch", None, 0.0, text) for text in _notes(fetch))]


def _books_checks(fetch: Fetch) -> Iterator[Check]:
    name = f"{fetch.name} books"
    wrong = list(books_problems(fetch.folders, fetch.not_fetched, f"mbsync-fetch@{fetch.name}"))
    # While it is fetched, they are of before.
    for problem in wrong:
        yield Check(name, None if fetch.running else False, 0.0, problem)
    if not wrong:
        yield Check(name, True, 0.0, books_summary(fetch.folders, fetch.not_fetched))


def _problem(fetch: Fetch, now: float) -> str | None:
    """Say what is wrong, and what to do; None if nothing is."""
    unit = f"mbsync-fetch@{fetch.name}"
    journal = f"look at 'journalctl --unit {unit}'"
    if fetch.state == "new":
        return None if fetch.running else f"has never been fetched; {journal}"
    if fetch.state != "ok":
        since = f"last fetched {clock(fetch.last_success)}" if fetch.last_success else "never fetched"
        after = (
            [] if fetch.state == "stopped" else [f"the next attempt is made after {clock(fetch.next_try)}"]
        )
        return "; ".join([f"{fetch.state}, {since}: {fetch.reason}", *filter(None, [fetch.remedy]), *after])
    if fetch.unit == "failed":
        return f"last fetched {clock(fetch.last_success)}, and since then its unit failed; {journal}"
    if now - fetch.last_success > LATE and not fetch.running:
        return (
            f"last fetched {clock(fetch.last_success)}, and not since then; look at 'systemctl status {unit}.timer', "
            f"and {journal}"
        )
    return _lack(fetch, unit)


def _lack(fetch: Fetch, unit: str) -> str | None:
    """Say what is wrong with a fetch that went well as far as it knows."""
    if fetch.running:
        return None
    if fetch.last_try < fetch.asked:
        return f"was started now, and did nothing; look at 'systemctl status {unit}'"
    if HIDDEN in fetch.unmatched:
        return (
            "All Mail is not shown, and mail that is in no other mailbox is not fetched; "
            "turn on 'Show in IMAP' for it in Gmail's settings, Labels"
        )
    lacking = [folder for folder in fetch.folders if folder.missing > len(folder.refused)]
    if lacking:
        count = sum(folder.missing - len(folder.refused) for folder in lacking)
        return (
            f"{messages(count)} of {some([folder.house for folder in lacking])} not fetched yet; "
            f"if that stays so, look at 'journalctl --unit {unit}'"
        )
    return None


def _summary(fetch: Fetch) -> str:
    if fetch.state == "new":
        return "is being fetched for the first time"
    there = [folder for folder in fetch.folders if not folder.gone]
    provider, house = sum(folder.provider for folder in there), sum(folder.in_house for folder in there)
    folders = f"{len(there)} folder{'' if len(there) == 1 else 's'}"
    numbers = f"{folders}, {messages(provider)} at the provider, {house} in the house"
    return (
        f"{'being fetched now, ' if fetch.running else ''}last fetched {clock(fetch.last_success)}: {numbers}"
    )


def _notes(fetch: Fetch) -> Iterator[str]:
    for pattern in fetch.unmatched:
        if pattern != HIDDEN:
            yield (
                f"{pattern!r} matches no mailbox of the provider; correct mailboxes of the account in mail_providers"
            )


def report_of(fetch: Fetch) -> dict[str, Any]:
    """Return what is known of a fetch, as a module does."""
    folders = [{**asdict(folder), "balanced": folder.balanced} for folder in fetch.folders]
    lists = {"unmatched": list(fetch.unmatched), "not_fetched": list(fetch.not_fetched), "folders": folders}
    return {**asdict(fetch), "running": fetch.running, **lists}


def clock(moment: float) -> str:
    """Return a time as people read it."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S UTC}"
