# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What verify says of a house: also of what could not be checked, and in a report that programs read."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._render.verify_report import (
    failures,
    house_checks,
    report,
)

GOOD = {"name": "queue", "ok": True, "seconds": 0.0, "detail": "empty"}
BAD = {"name": "993 imap (TLS)", "ok": False, "seconds": 0.1, "detail": "refused;\n start Dovecot"}
NOTE = {"name": "gmail", "ok": None, "seconds": 0.0, "detail": "is fetched for the first time"}


@pytest.mark.parametrize(
    ("result", "checks"),
    [
        ({"checks": [GOOD, BAD]}, [GOOD, BAD]),
        # A task that its tag leaves out.
        (None, []),
        ("", []),
        ({"results": [{"checks": [GOOD]}, {"checks": [BAD]}]}, [GOOD, BAD]),
        # A loop over nothing.
        ({"results": [], "skipped": True}, []),
        (
            {"skipped": True},
            [{"name": "what", "ok": None, "seconds": 0.0, "detail": "there is nothing of it to check"}],
        ),
    ],
)
def test_checks_of_a_task(result: object, checks: list[dict[str, Any]]) -> None:
    assert house_checks({"what": result}) == checks


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (
            {"unreachable": True, "msg": "Failed to connect to the host\nvia ssh."},
            "what: Failed to connect to the host via ssh; see that the host runs, and that Ansible can log in to it",
        ),
        ({"failed": True, "msg": "no ss"}, "what: no ss; run verify with -vvv for the whole of it"),
        ({"rc": 1}, "what: it ended without a word; run verify with -vvv for the whole of it"),
    ],
)
def test_a_task_that_could_not_check_is_a_failure(result: dict[str, Any], said: str) -> None:
    assert failures(house_checks({"what": result})) == [said]


def test_a_report_has_a_line_for_each_failure() -> None:
    found = report([{**GOOD, "more": 1}, BAD, NOTE], "home.internal", "2026-11-30T06:07:00Z")
    assert found == {
        "version": 1,
        "house": "home.internal",
        "at": "2026-11-30T06:07:00Z",
        "ok": False,
        "failures": ["993 imap (TLS): refused; start Dovecot"],
        "checks": [GOOD, BAD, NOTE],
    }


@pytest.mark.parametrize(
    ("checks", "ok"), [([GOOD, NOTE], True), ([NOTE], True), ([GOOD, BAD], False), ([], False)]
)
def test_a_house_works_where_something_was_checked_and_nothing_failed(
    checks: list[dict[str, Any]], ok: bool
) -> None:
    assert report(checks, "home.internal", "")["ok"] is ok
