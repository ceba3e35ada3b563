# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the house says of the age of its backups."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.backups import (
    DAY,
    HOUR,
    Ages,
    backup_checks,
    read_status,
)

AGES = Ages(36 * HOUR, 9 * DAY)
NOW = 1_796_000_000.0
GOOD = {"state": "ok", "last_success": NOW - HOUR, "facts": {"messages": 7, "snapshot": "25ab2c2ea4"}}


def check(work: dict[str, Any], installed: float = NOW - 30 * DAY) -> Any:
    return next(backup_checks({"backup": work}, AGES, NOW, installed))


@pytest.mark.parametrize(
    ("work", "ok", "said"),
    [
        (GOOD, True, "7 messages, snapshot 25ab2c2e"),
        ({**GOOD, "last_success": NOW - 37 * HOUR}, False, "see 'systemctl status mail-backup.timer'"),
        ({}, False, "there has been no good one"),
        ({"state": "new", "last_success": 0.0}, False, "there has been no good one"),
        (
            {**GOOD, "state": "password", "reason": "wrong password", "remedy": "write the right one"},
            False,
            "wrong password; write the right one; the last good one is of 2026-11-29",
        ),
    ],
)
def test_the_age_is_judged(work: dict[str, Any], ok: bool, said: str) -> None:
    found = check(work)
    assert found.ok is ok
    assert said in found.detail


def test_nothing_is_judged_before_a_first_one_is_due() -> None:
    found = check({}, installed=NOW - HOUR)
    assert found.ok is None
    assert "systemctl start mail-backup" in found.detail


def test_a_damaged_status_is_no_good_backup(tmp_path: Path) -> None:
    assert read_status(tmp_path / "none") == {}
    (tmp_path / "status").write_text("[]")
    with pytest.raises(ValueError, match="holds no status"):
        read_status(tmp_path / "status")
