# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How old the last good backup and the last good drill of a host are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils._checks.checks import Check

HOUR, DAY = 3600.0, 86400.0
START = {"backup": "mail-backup", "drill": "mail-backup-drill"}


@dataclass(frozen=True)
class Ages:
    """After how many seconds without a good one the check of a kind of work fails."""

    backup: float
    drill: float


def read_status(path: Path) -> dict[str, Any]:
    """Read what the backup keeps of itself; an empty one if it has never run. Raises ValueError for a damaged one."""
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    if not isinstance(found, dict):
        raise ValueError(f"{path} holds no status")
    return found


def backup_checks(status: Mapping[str, Any], ages: Ages, now: float, installed: float) -> Iterator[Check]:
    """Yield the check of each kind of work.

    installed: when the host was told to back up; until a first one is due, nothing is judged.
    """
    for name, age in (("backup", ages.backup), ("drill", ages.drill)):
        yield _check(name, status.get(name) or {}, age, now, installed)


def _check(name: str, work: Mapping[str, Any], age: float, now: float, installed: float) -> Check:
    last = float(work.get("last_success", 0.0))
    said = "; ".join(filter(None, (str(work.get("reason", "")), str(work.get("remedy", "")))))
    if not last and not said and now - installed < age:
        return Check(
            name, None, 0.0, f"none has been made yet; 'systemctl start {START[name]}' makes one now"
        )
    when = f"the last good one is of {_clock(last)}" if last else "there has been no good one"
    if work.get("state") not in ("ok", "new", None):
        return Check(name, False, 0.0, f"{said}; {when}")
    if now - last > age:
        return Check(name, False, 0.0, f"{when}; see 'systemctl status {START[name]}.timer'")
    facts = work.get("facts") or {}
    return Check(
        name,
        True,
        0.0,
        f"{when}: {facts.get('messages', 0)} messages, snapshot {facts.get('snapshot', '')[:8]}",
    )


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
