# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What verify says of the account that mail leaves through."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.checks import Check
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.failover import failover_checks, is_active

START, NOW = 1_800_000_000.0, 1_800_000_600.0
CONDITION = {
    "failing_since": 0.0,
    "last_failure": 0.0,
    "out_since": START,
    "until": START + 86_400,
    "limit": True,
    "why": "550 5.4.5 Daily limit",
}
WELL = {**CONDITION, "out_since": 0.0, "until": 0.0, "limit": False, "why": ""}
FAILING = {**WELL, "failing_since": START, "last_failure": START, "why": "Connection refused"}
UNTIL = "until 2027-01-16 08:00 UTC: 550 5.4.5 Daily limit"


def checks(folder: Path, account: dict[str, Any], active: bool = True, now: float = NOW) -> list[Check]:
    (folder / "failover.json").write_text("{}")
    (folder / "status.json").write_text(json.dumps({"seen": NOW, "accounts": {"gmail": account}}))
    return failover_checks(folder / "failover.json", folder / "status.json", active, now)


@pytest.mark.parametrize(
    ("way", "condition", "chain", "ok", "detail"),
    [
        ("own", WELL, ["naver"], True, "takes mail"),
        (
            "own",
            FAILING,
            ["naver"],
            None,
            "no mail has left through it since 2027-01-15 08:00 UTC: Connection refused",
        ),
        (
            "elsewhere",
            CONDITION,
            ["naver"],
            None,
            f"over its limit since 2027-01-15 08:00 UTC; its mail leaves through naver {UNTIL}",
        ),
        (
            "elsewhere",
            {**CONDITION, "limit": False},
            ["naver"],
            None,
            f"without mail since 2027-01-15 08:00 UTC; its mail leaves through naver {UNTIL}",
        ),
        (
            "trial",
            {**CONDITION, "until": NOW - 1},
            ["naver"],
            None,
            "over its limit since 2027-01-15 08:00 UTC, and tried again with the next message: 550 5.4.5 Daily limit",
        ),
        (
            "waits",
            CONDITION,
            ["naver", "outlook"],
            False,
            "over its limit since 2027-01-15 08:00 UTC, and nothing leaves through naver and outlook either, so that "
            f"its mail waits {UNTIL}",
        ),
        # It only takes the place of others.
        ("waits", CONDITION, [], None, f"over its limit since 2027-01-15 08:00 UTC; its mail waits {UNTIL}"),
    ],
)
def test_what_is_said(
    tmp_path: Path, way: str, condition: dict[str, Any], chain: list[str], ok: bool | None, detail: str
) -> None:
    through = {"own": "gmail", "trial": "gmail", "elsewhere": "naver", "waits": ""}[way]
    account = {"way": way, "through": through, "chain": chain, "condition": condition}
    assert checks(tmp_path, account) == [Check("account gmail", ok, 0.0, detail)]


def test_a_unit_that_does_not_run_fails(tmp_path: Path) -> None:
    account = {"way": "own", "through": "gmail", "chain": ["naver"], "condition": WELL}
    first, second = checks(tmp_path, account, active=False)
    assert (first.name, first.ok, second.ok) == ("failover", False, True)
    assert "systemctl restart postfix-failover.service" in first.detail


@pytest.mark.parametrize("text", ["", "[]", '{"accounts": 7}'])
def test_a_damaged_status_fails(tmp_path: Path, text: str) -> None:
    (tmp_path / "settings").write_text("{}")
    (tmp_path / "status").write_text(text)
    (check,) = failover_checks(tmp_path / "settings", tmp_path / "status", True, NOW)
    assert check.ok is False
    assert "cannot be read" in check.detail


def test_where_no_account_has_another_nothing_is_said(tmp_path: Path) -> None:
    assert failover_checks(tmp_path / "settings", tmp_path / "status", False, NOW) == []


def test_a_unit_that_is_not_there_does_not_run() -> None:
    assert is_active("no-such-unit-here.service") is False
