# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Through which account the mail of each leaves, as the failover of the role postfix_relay keeps it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils._checks.checks import Check

UNIT = "postfix-failover.service"


class Unreadable(Exception):
    """Why the status says nothing."""


def is_active(unit: str = UNIT) -> bool:
    """Ask systemd whether a unit runs."""
    try:
        # pylint: disable-next=ansible-bad-function
        done = subprocess.run(["systemctl", "is-active", "--quiet", unit], check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def read_status(path: Path) -> dict[str, Any]:
    """Read what the unit keeps of each account, by its name. Raises Unreadable."""
    try:
        return dict(json.loads(path.read_bytes())["accounts"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise Unreadable(f"{path} cannot be read: {error}") from error


def failover_checks(settings: Path, status: Path, active: bool, now: float) -> list[Check]:
    """Return a check of each account; none where no account has another that takes its place.

    settings: the unit's file; status: what it keeps; active: whether it runs; now: seconds since 1970.
    """
    if not settings.exists():
        return []
    remedy = f"run 'systemctl restart {UNIT}' there, and see 'journalctl -u {UNIT}' if that does not help"
    try:
        accounts = read_status(status)
    except Unreadable as why:
        return [Check("failover", False, 0.0, f"{why}; {remedy}")]
    checks = list(_account_checks(accounts, now))
    if not active:
        checks.insert(
            0, Check("failover", False, 0.0, f"{UNIT} does not run, so mail goes on as below; {remedy}")
        )
    return checks


def _account_checks(accounts: Mapping[str, Any], now: float) -> Iterator[Check]:
    for name, account in accounts.items():
        ok, detail = _judge(account, now)
        yield Check(f"account {name}", ok, 0.0, detail)


def _judge(account: Mapping[str, Any], now: float) -> tuple[bool | None, str]:
    condition, why = account["condition"], account["condition"]["why"]
    if account["way"] == "own":
        failing = condition["failing_since"]
        return (
            (None, f"no mail has left through it since {_clock(failing)}: {why}")
            if failing
            else (True, "takes mail")
        )
    cause = "over its limit" if condition["limit"] else "without mail"
    since = f"{cause} since {_clock(condition['out_since'])}"
    if account["way"] == "trial" or condition["until"] <= now:
        return None, f"{since}, and tried again with the next message: {why}"
    until = f"until {_clock(condition['until'])}: {why}"
    if account["way"] == "elsewhere":
        return None, f"{since}; its mail leaves through {account['through']} {until}"
    if not account["chain"]:
        return None, f"{since}; its mail waits {until}"
    others = " and ".join(account["chain"])
    return False, f"{since}, and nothing leaves through {others} either, so that its mail waits {until}"


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
