# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What verify says of fetches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.ilnmors.mail.plugins.module_utils.fetch_status import (
    Fetch,
    Folder,
    fetch_checks,
    read_fetch,
    report_of,
    unit_states,
)
from ansible_collections.ilnmors.mail.plugins.modules import fetch_status as fetch_status_module
from mbsync_fetch.report import Refused, Report
from mbsync_fetch.status import Kind, Status

NOW = 1_800_000_000.0  # 2027-01-15 08:00:00 UTC
INBOX = Report("INBOX", "Google/INBOX", provider=3, in_house=3)
SENT = Report("[Gmail]/Sent", "Google/Sent", provider=5, in_house=4)


def fetched(*folders: Report, at: float = NOW - 60, **more: Any) -> Status:
    return Status().succeeded(at, folders, **more)


def failed(status: Status, kind: Kind, reason: str, times: int = 1) -> Status:
    for _ in range(times):
        status = status.failed(NOW, kind, reason, "right horse", jitter=lambda: 0)
    return status


def checks(tmp_path: Path, status: Status | None, unit: str = "inactive") -> list[tuple[bool | None, str]]:
    """Return what is said of an account with this status.json."""
    (tmp_path / "gmail").mkdir(exist_ok=True)
    if status:
        status.write(tmp_path / "gmail" / "status.json")
    found = fetch_checks(read_fetch("gmail", tmp_path, unit), NOW)
    assert {check.name for check in found} == {"gmail fetch"}
    return [(check.ok, check.detail) for check in found]


REFUSED = Report(
    "INBOX",
    "Google/INBOX",
    provider=9,
    in_house=2,
    missing=7,
    refused=tuple(Refused(uid, "server error") for uid in range(1, 8)),
)
HANDED = "the provider does not hand over the message with UID {} (server error); look at it there, in INBOX"
LAST = "last fetched 2027-01-15 07:59:00 UTC"
CASES: dict[str, tuple[Status | None, str, list[tuple[bool | None, str]]]] = {
    "all is well": (
        fetched(INBOX),
        "inactive",
        [(True, f"{LAST}: 1 folder, 3 messages at the provider, 3 in the house")],
    ),
    "numbers differ": (
        fetched(INBOX, SENT),
        "inactive",
        [
            (True, f"{LAST}: 2 folders, 8 messages at the provider, 7 in the house"),
            (None, "Google/Sent: 5 at the provider, 4 in the house"),
        ],
    ),
    "a fetch goes on": (
        fetched(INBOX),
        "activating",
        [(True, f"being fetched now, {LAST}: 1 folder, 3 messages at the provider, 3 in the house")],
    ),
    "the first fetch": (None, "activating", [(None, "is being fetched for the first time")]),
    "no fetch at all": (
        None,
        "inactive",
        [(False, "has never been fetched; look at 'journalctl --unit mbsync-fetch@gmail'")],
    ),
    "nothing was recorded": (
        fetched(INBOX, at=NOW - 7200),
        "inactive",
        [
            (
                False,
                "last fetched 2027-01-15 06:00:00 UTC, and not since then; look at 'systemctl status "
                "mbsync-fetch@gmail.timer', and look at 'journalctl --unit mbsync-fetch@gmail'",
            )
        ],
    ),
    "its unit fails": (
        fetched(INBOX),
        "failed",
        [(False, f"{LAST}, and since then its unit failed; look at 'journalctl --unit mbsync-fetch@gmail'")],
    ),
    "a long fetch": (
        fetched(INBOX, at=NOW - 7200),
        "activating",
        [
            (
                True,
                "being fetched now, last fetched 2027-01-15 06:00:00 UTC: 1 folder, 3 messages at the provider, "
                "3 in the house",
            )
        ],
    ),
    "the provider is down": (
        failed(fetched(INBOX), "unreachable", "imap.gmail.test: Connection refused"),
        "inactive",
        [
            (
                False,
                f"retrying, {LAST}: imap.gmail.test: Connection refused; the next attempt is made after "
                "2027-01-15 08:01:00 UTC",
            )
        ],
    ),
    "the password is wrong": (
        failed(Status(), "refused", "Invalid credentials"),
        "inactive",
        [
            (
                False,
                "refused, never fetched: Invalid credentials; write the right (app) password of the account in "
                "mail_providers and run the site playbook; the next attempt is made after 2027-01-15 08:15:00 UTC",
            )
        ],
    ),
    "it has stopped": (
        failed(fetched(INBOX), "refused", "Invalid credentials", times=3),
        "inactive",
        [
            (
                False,
                f"stopped, {LAST}: Invalid credentials; write the right (app) password of the account in "
                "mail_providers and run the site playbook",
            )
        ],
    ),
    "a first fetch of several days": (
        failed(Status(), "budget", "2000 MB were read today"),
        "inactive",
        [
            (
                None,
                "limit, never fetched: 2000 MB were read today; the next attempt is made after "
                "2027-01-16 00:00:00 UTC",
            )
        ],
    ),
    "messages are missing": (
        fetched(INBOX, Report("Trips", "Google/Trips", provider=4, in_house=2, missing=2)),
        "inactive",
        [
            (
                False,
                "2 messages of Google/Trips not fetched yet; if that stays so, look at "
                "'journalctl --unit mbsync-fetch@gmail'",
            ),
            (None, "Google/Trips: 4 at the provider, 2 in the house, 2 not fetched yet"),
        ],
    ),
    "messages are refused": (
        fetched(REFUSED),
        "inactive",
        [
            (True, f"{LAST}: 1 folder, 9 messages at the provider, 2 in the house"),
            (None, "Google/INBOX: 9 at the provider, 2 in the house, 7 not fetched yet"),
            *((None, f"Google/INBOX: {HANDED.format(uid)}") for uid in range(1, 6)),
            (None, "Google/INBOX: nor 2 more"),
        ],
    ),
    "a folder is gone, a pattern matches nothing": (
        fetched(INBOX, Report("Old", "Google/Old", 0, 8, gone=True), unmatched=["Trips/*"]),
        "inactive",
        [
            (True, f"{LAST}: 1 folder, 3 messages at the provider, 3 in the house"),
            (None, "Google/Old: the provider no longer has Old; what was fetched of it stays"),
            (
                None,
                "'Trips/*' matches no mailbox of the provider; correct mailboxes or skip_mailboxes of the account in "
                "mail_providers",
            ),
        ],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_fetch_is_told_in_words(tmp_path: Path, case: str) -> None:
    status, unit, said = CASES[case]
    assert checks(tmp_path, status, unit) == said


def test_a_damaged_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "gmail").mkdir()
    (tmp_path / "gmail" / "status.json").write_text('{"state": "ok"')
    assert read_fetch("gmail", tmp_path, unit="inactive") == Fetch("gmail", unit="inactive")


def test_the_report_says_which_folders_differ(tmp_path: Path) -> None:
    checks(tmp_path, fetched(INBOX, SENT, unmatched=["Trips/*"]))
    found = report_of(read_fetch("gmail", tmp_path, unit="inactive"))
    assert [(folder["name"], folder["differs"]) for folder in found["folders"]] == [
        ("INBOX", False),
        ("[Gmail]/Sent", True),
    ]
    assert (found["name"], found["state"], found["unmatched"]) == ("gmail", "ok", ["Trips/*"])
    json.dumps(found)


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in for systemd: gmail is being fetched, nothing is known of the others."""
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(
        """#!/bin/sh
shift 2
for unit; do
    case $unit in *gmail*) state=activating ;; *) state=inactive ;; esac
    printf '%sId=%s\\nActiveState=%s\\n' "$blank" "$unit" "$state"
    blank='
'
done
"""
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")


@pytest.mark.usefixtures("systemctl")
def test_systemd_says_which_are_running() -> None:
    assert unit_states(["naver", "gmail"]) == {"naver": "inactive", "gmail": "activating"}


@pytest.mark.usefixtures("systemctl")
def test_the_module_reports_every_account(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "naver").mkdir()
    failed(Status(), "error", "broken").write(tmp_path / "naver" / "status.json")
    with (
        patch_module_args({"accounts": ["gmail", "naver"], "directory": str(tmp_path)}),
        pytest.raises(SystemExit),
    ):
        fetch_status_module.main()
    result = json.loads(capsys.readouterr().out)
    assert [check["ok"] for check in result["checks"]] == [None, False]
    assert [account["state"] for account in result["accounts"]] == ["new", "retrying"]
    assert result["failed"]
    assert not result["changed"]
    assert result["msg"].startswith("1 of 2 checks failed. naver fetch: retrying, never fetched: broken;")


def test_a_folder_has_what_the_fetch_keeps_of_it() -> None:
    assert set(Folder.__dataclass_fields__) == set(Report.__dataclass_fields__)
