# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What verify says of fetches."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.fetch_books import PLACES as PLACES_SAID
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.fetch_books import RULES, Folder
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.fetch_status import (
    Fetch,
    fetch_checks,
    read_fetch,
    report_of,
)
from ansible_collections.ilnmors.mail.plugins.modules import fetch_info as fetch_status_module
from mbsync_fetch.account.failures import Kind
from mbsync_fetch.record.books import PLACES, Books
from mbsync_fetch.status.report import NotFetched, Refused, Report, Rule
from mbsync_fetch.status.status import Status

NOW = 1_800_000_000.0  # 2027-01-15 08:00:00 UTC


def books(unplaced: tuple[int, ...] = (), /, **places: int) -> Books:
    counts = {place: places.get(place, 0) for place in PLACES}
    return Books(sum(counts.values()) + len(unplaced), counts, unplaced)


INBOX = Report("INBOX", "Google/INBOX", provider=3, in_house=3, books=books(here=3))
SENT = Report(
    "[Gmail]/Sent", "Google/Sent", provider=5, in_house=4, books=books(here=3, elsewhere=1, deleted=1)
)


def fetched(*folders: Report, at: float = NOW - 60, **more: Any) -> Status:
    return Status().succeeded(at, folders, **more)


def failed(status: Status, kind: Kind, reason: str, times: int = 1) -> Status:
    for __ in range(times):
        status = status.failed(NOW, kind, reason, "right horse", jitter=lambda: 0)
    return status


def checks(
    tmp_path: Path, status: Status | None, unit: str = "inactive", asked: float = 0.0
) -> dict[str, list[tuple[bool | None, str]]]:
    """Return the checks of an account with this status.json, by the name of the check."""
    (tmp_path / "gmail").mkdir(exist_ok=True)
    if status:
        status.write(tmp_path / "gmail" / "status.json")
    said: dict[str, list[tuple[bool | None, str]]] = {}
    for check in fetch_checks(read_fetch("gmail", tmp_path, unit, asked), NOW):
        said.setdefault(check.name.removeprefix("gmail "), []).append((check.ok, check.detail))
    return said


REFUSED = Report(
    "INBOX",
    "Google/INBOX",
    provider=9,
    in_house=2,
    missing=7,
    refused=tuple(Refused(uid, "server error") for uid in range(1, 8)),
    books=books(here=2, refused=7),
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
        [(True, f"{LAST}: 2 folders, 8 messages at the provider, 7 in the house")],
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
            )
        ],
    ),
    "it was started and did nothing": (
        fetched(INBOX, at=NOW - 100),
        "inactive",
        [(False, "was started now, and did nothing; look at 'systemctl status mbsync-fetch@gmail'")],
    ),
    "All Mail is hidden": (
        fetched(INBOX, unmatched=["\\All"]),
        "inactive",
        [
            (
                False,
                "All Mail is not shown, and mail that is in no other mailbox is not fetched; turn on 'Show in IMAP' "
                "for it in Gmail's settings, Labels",
            )
        ],
    ),
    "a folder is gone, a pattern matches nothing": (
        fetched(INBOX, Report("Old", "Google/Old", 0, 8, gone=True), unmatched=["Trips/*"]),
        "inactive",
        [
            (True, f"{LAST}: 1 folder, 3 messages at the provider, 3 in the house"),
            (
                None,
                "'Trips/*' matches no mailbox of the provider; correct mailboxes of the account in mail_providers",
            ),
        ],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_fetch_is_told_in_words(tmp_path: Path, case: str) -> None:
    status, unit, said = CASES[case]
    asked = NOW - 90 if case == "it was started and did nothing" else 0
    assert checks(tmp_path, status, unit, asked)["fetch"] == said


JUNK = NotFetched("Junk", "spam")
LEAVE = "look at it at the provider, or leave it out by skip_mailboxes of the account in mail_providers"
JOURNAL = "look at 'journalctl --unit mbsync-fetch@gmail'"
BOOKS: dict[str, tuple[Status, str, list[tuple[bool | None, str]]]] = {
    "all is well": (
        fetched(INBOX, SENT, not_fetched=[JUNK, NotFetched("Old", "skip_mailboxes", "O*")]),
        "inactive",
        [
            (
                True,
                "8 messages at the provider: 6 here, 1 in other mailboxes, 1 deleted or moved here; "
                "not fetched: Junk (spam), Old (skip_mailboxes: O*)",
            )
        ],
    ),
    "nothing is there": (
        fetched(replace(INBOX, books=books())),
        "inactive",
        [(True, "0 messages at the provider")],
    ),
    "a folder that is gone": (
        fetched(INBOX, Report("Old", "Google/Old", 0, 8, gone=True)),
        "inactive",
        [(True, "3 messages at the provider: 3 here")],
    ),
    "some have no place": (
        fetched(replace(INBOX, books=books((4, 5, 7, 8, 9, 11), here=3))),
        "inactive",
        [
            (
                False,
                "Google/INBOX: of 9 messages at the provider 6 have no place: those with the UIDs 4, 5, 7, 8, 9 and "
                f"1 more; they are asked for again each time, {JOURNAL}",
            )
        ],
    ),
    "some have no place, while it is fetched": (
        fetched(replace(INBOX, books=books((4,), here=3))),
        "activating",
        [
            (
                None,
                "Google/INBOX: of 4 messages at the provider 1 have no place: those with the UIDs 4; they are asked "
                f"for again each time, {JOURNAL}",
            )
        ],
    ),
    "the sum is wrong": (
        fetched(replace(INBOX, books=Books(4, dict.fromkeys(PLACES, 0) | {"here": 3}))),
        "inactive",
        [
            (
                False,
                "Google/INBOX: of 4 messages at the provider 3 have a place; run 'systemctl start mbsync-fetch@gmail'",
            )
        ],
    ),
    "there are none": (
        fetched(replace(INBOX, books=None)),
        "inactive",
        [
            (
                False,
                "Google/INBOX: nobody has looked where its messages are; run 'systemctl start mbsync-fetch@gmail'",
            )
        ],
    ),
    "messages are refused": (
        fetched(REFUSED),
        "inactive",
        [
            *((False, f"Google/INBOX: {HANDED.format(uid)}") for uid in range(1, 6)),
            (False, f"Google/INBOX: nor 2 more; {JOURNAL}"),
        ],
    ),
    "a mailbox could not be fetched": (
        fetched(replace(INBOX, problem="It is damaged")),
        "inactive",
        [(False, f"Google/INBOX: INBOX could not be fetched: It is damaged; {JOURNAL}")],
    ),
    "the house refuses one": (
        fetched(replace(INBOX, refused=(Refused(7, "NO too big", "house"),))),
        "inactive",
        [
            (
                False,
                "Google/INBOX: the house does not take the message with UID 7 (NO too big); look at it there, in INBOX",
            )
        ],
    ),
    "mailboxes are refused": (
        fetched(
            INBOX,
            not_fetched=[
                NotFetched("Closed", "refused", "[NOPERM] no"),
                NotFetched("Grüße", "unaskable"),
            ],
        ),
        "inactive",
        [
            (False, f"Closed is not fetched: the provider does not open it ([NOPERM] no); {LEAVE}"),
            (False, f"Grüße is not fetched: no command can name it; {LEAVE}"),
        ],
    ),
}


@pytest.mark.parametrize("case", BOOKS)
def test_the_books_are_told_in_words(tmp_path: Path, case: str) -> None:
    status, unit, said = BOOKS[case]
    assert checks(tmp_path, status, unit)["books"] == said


def test_what_was_never_fetched_has_no_books(tmp_path: Path) -> None:
    assert "books" not in checks(tmp_path, failed(Status(), "unreachable", "down"))


def test_each_place_and_rule_has_its_words() -> None:
    assert set(PLACES_SAID) == set(PLACES)
    assert set(RULES) == set(get_args(Rule))


def test_a_damaged_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "gmail").mkdir()
    (tmp_path / "gmail" / "status.json").write_text('{"state": "ok"')
    assert read_fetch("gmail", tmp_path, unit="inactive") == Fetch("gmail", unit="inactive")


def test_the_report_says_which_folders_balance(tmp_path: Path) -> None:
    wrong = replace(SENT, books=books((9,), here=4))
    checks(tmp_path, fetched(INBOX, wrong, unmatched=["Trips/*"], not_fetched=[JUNK]))
    found = report_of(read_fetch("gmail", tmp_path, unit="inactive"))
    assert [(folder["name"], folder["balanced"]) for folder in found["folders"]] == [
        ("INBOX", True),
        ("[Gmail]/Sent", False),
    ]
    assert found["not_fetched"] == [{"name": "Junk", "rule": "spam", "detail": ""}]
    assert (found["name"], found["state"], found["unmatched"]) == ("gmail", "ok", ["Trips/*"])
    json.dumps(found)


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in for systemd: gmail is being fetched, naver's timer is stopped.

    Returns the file where it writes what it is to start.
    """
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(
        f"""#!/bin/sh
verb=$1
shift
if [ "$verb" = start ]; then echo "$@" >>{tmp_path}/started; exit 1; fi
shift
for unit; do
    case $unit in
        mbsync-fetch@gmail.service) state=activating sub=start ;;
        mbsync-fetch@naver.timer | *@naver.service) state=inactive sub=dead ;;
        *) state=active sub=running ;;
    esac
    printf '%sId=%s\\nLoadState=loaded\\nActiveState=%s\\nSubState=%s\\n' "$blank" "$unit" "$state" "$sub"
    printf 'UnitFileState=enabled\\nExecMainStatus=0\\n'
    blank='
'
done
"""
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    return tmp_path / "started"


def run_module(capsys: pytest.CaptureFixture[str], **arguments: Any) -> dict[str, Any]:
    with patch_module_args(arguments), pytest.raises(SystemExit):
        fetch_status_module.main()
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_module_reports_every_account(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], systemctl: Path
) -> None:
    (tmp_path / "naver").mkdir()
    failed(Status(), "error", "broken").write(tmp_path / "naver" / "status.json")
    result = run_module(capsys, accounts=["gmail", "naver"], directory=str(tmp_path))
    assert [(check["name"], check["ok"]) for check in result["checks"]] == [
        ("gmail units", True),
        ("gmail fetch", None),
        ("naver units", False),
        ("naver fetch", False),
    ]
    assert [account["state"] for account in result["accounts"]] == ["new", "retrying"]
    assert result["failed"]
    assert not result["changed"]
    assert result["msg"].startswith(
        "2 of 4 checks failed. naver units: mbsync-fetch@naver.timer is stopped: "
    )
    assert not systemctl.exists()


@pytest.mark.parametrize("check_mode", [False, True])
def test_the_module_fetches_first_if_it_is_asked_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], systemctl: Path, check_mode: bool
) -> None:
    (tmp_path / "naver").mkdir()
    fetched(INBOX, at=time.time() - 9).write(tmp_path / "naver" / "status.json")
    result = run_module(
        capsys,
        accounts=["gmail", "naver"],
        directory=str(tmp_path),
        fetch=True,
        _ansible_check_mode=check_mode,
    )
    detail = next(check["detail"] for check in result["checks"] if check["name"] == "naver fetch")
    assert systemctl.exists() == ("did nothing" in detail) == (not check_mode)
    if not check_mode:
        # The one that was running once more.
        assert systemctl.read_text().splitlines() == [
            "mbsync-fetch@gmail.service mbsync-fetch@naver.service",
            "mbsync-fetch@gmail.service",
        ]


def test_a_folder_has_what_the_fetch_keeps_of_it() -> None:
    assert set(Folder.__dataclass_fields__) == set(Report.__dataclass_fields__)


def test_books_of_before_there_were_any_are_none(tmp_path: Path) -> None:
    checks(tmp_path, fetched(INBOX))
    path = tmp_path / "gmail" / "status.json"
    status = json.loads(path.read_text())
    del status["not_fetched"], status["folders"][0]["books"]
    path.write_text(json.dumps(status))
    assert read_fetch("gmail", tmp_path, "inactive").folders[0].books is None
