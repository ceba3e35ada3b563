# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the fetches of provider accounts go, from what each keeps of itself, and what is wrong with them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils.mail_checks import Check

LATE = 3600
"""Seconds after which a fetch that succeeded has not been made again for too long: several times its interval."""
_SHOWN = 5


@dataclass(frozen=True)
class Folder:
    """A folder on both sides. missing: messages at the provider that have yet to be fetched."""

    name: str
    house: str
    provider: int
    in_house: int
    missing: int
    gone: bool
    refused: list[dict[str, Any]]

    @property
    def differs(self) -> bool:
        """Whether its numbers are worth a line."""
        return self.provider != self.in_house or self.missing > 0


@dataclass(frozen=True)
class Fetch:
    """The fetch of an account (roles/mbsync_fetch/files/mbsync_fetch/status.py, Status). unit: state of its unit."""

    name: str
    unit: str
    state: str = "new"
    reason: str = ""
    remedy: str = ""
    last_success: float = 0.0
    next_try: float = 0.0
    unmatched: tuple[str, ...] = ()
    folders: tuple[Folder, ...] = ()

    @property
    def running(self) -> bool:
        """Whether the account is being fetched now."""
        return self.unit == "activating"


def read_fetch(name: str, directory: Path, unit: str) -> Fetch:
    """Read what a fetch keeps in its directory; one that has kept nothing yet is new."""
    try:
        status = json.loads((directory / name / "status.json").read_bytes())
    except (FileNotFoundError, ValueError):
        return Fetch(name, unit)
    return Fetch(
        name=name,
        unit=unit,
        unmatched=tuple(status["unmatched"]),
        folders=tuple(
            Folder(**{key: folder[key] for key in Folder.__dataclass_fields__})
            for folder in status["folders"]
        ),
        **{key: status[key] for key in ("state", "reason", "remedy", "last_success", "next_try")},
    )


def unit_states(names: Sequence[str]) -> dict[str, str]:
    """Return the state of each account's unit, such as "activating" while it is fetched (systemctl(1), ActiveState)."""
    units = {f"mbsync-fetch@{name}.service": name for name in names}
    answer = subprocess.run(
        ["systemctl", "show", "--property=Id,ActiveState", *units],
        capture_output=True,
        text=True,
        check=False,
    )
    blocks = (
        dict(line.split("=", 1) for line in block.splitlines()) for block in answer.stdout.split("\n\n")
    )
    return {units[block["Id"]]: block["ActiveState"] for block in blocks if block.get("Id") in units}


def fetch_checks(fetch: Fetch, now: float) -> list[Check]:
    """Return one check of the fetch, then a line for each thing that is good to know."""
    name = f"{fetch.name} fetch"
    problem = _problem(fetch, now)
    # A first fetch may take the provider's limits of several days.
    first_fetch = not fetch.last_success and (fetch.running or fetch.state == "limit")
    first = Check(name, None if first_fetch else problem is None, 0.0, problem or _summary(fetch))
    return [first, *(Check(name, None, 0.0, text) for text in _notes(fetch))]


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
    lacking = [folder for folder in fetch.folders if folder.missing > len(folder.refused)]
    if lacking and not fetch.running:
        count = sum(folder.missing - len(folder.refused) for folder in lacking)
        return (
            f"{_messages(count)} of {_some([folder.house for folder in lacking])} not fetched yet; "
            f"if that stays so, {journal}"
        )
    return None


def _summary(fetch: Fetch) -> str:
    if fetch.state == "new":
        return "is being fetched for the first time"
    there = [folder for folder in fetch.folders if not folder.gone]
    provider, house = sum(folder.provider for folder in there), sum(folder.in_house for folder in there)
    folders = f"{len(there)} folder{'' if len(there) == 1 else 's'}"
    numbers = f"{folders}, {_messages(provider)} at the provider, {house} in the house"
    return (
        f"{'being fetched now, ' if fetch.running else ''}last fetched {clock(fetch.last_success)}: {numbers}"
    )


def _notes(fetch: Fetch) -> Iterator[str]:
    for folder in fetch.folders:
        if folder.gone:
            yield f"{folder.house}: the provider no longer has {folder.name}; what was fetched of it stays"
        elif folder.differs:
            missing = f", {folder.missing} not fetched yet" if folder.missing else ""
            yield f"{folder.house}: {folder.provider} at the provider, {folder.in_house} in the house{missing}"
        for message in folder.refused[:_SHOWN]:
            yield (
                f"{folder.house}: the provider does not hand over the message with UID {message['uid']} "
                f"({message['reason']}); look at it there, in {folder.name}"
            )
        if len(folder.refused) > _SHOWN:
            yield f"{folder.house}: nor {len(folder.refused) - _SHOWN} more"
    for pattern in fetch.unmatched:
        yield (
            f"{pattern!r} matches no mailbox of the provider; correct mailboxes or skip_mailboxes of the account in "
            "mail_providers"
        )


def report_of(fetch: Fetch) -> dict[str, Any]:
    """Return what is known of a fetch, as a module does."""
    folders = [{**asdict(folder), "differs": folder.differs} for folder in fetch.folders]
    return {**asdict(fetch), "running": fetch.running, "unmatched": list(fetch.unmatched), "folders": folders}


def clock(moment: float) -> str:
    """Return a time as people read it."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S UTC}"


def _messages(count: int) -> str:
    return f"{count} message{'' if count == 1 else 's'}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
