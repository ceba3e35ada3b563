# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filters between the house's variables, the checks and the person who reads them."""

from __future__ import annotations

from ansible_collections.ilnmors.mail.plugins.filter.mail_logins import FilterModule as AccountsFilter
from ansible_collections.ilnmors.mail.plugins.filter.report_lines import FilterModule as LinesFilter

mail_logins = AccountsFilter().filters()["mail_logins"]
report_lines = LinesFilter().filters()["report_lines"]


def test_lines_stand_in_columns() -> None:
    checks = [
        {
            "name": "993 imap (TLS)",
            "ok": True,
            "seconds": 0.031,
            "detail": "TLSv1.3, certificate valid for 819 days",
        },
        {"name": "25 smtp (STARTTLS)", "ok": False, "seconds": 10.0, "detail": "STARTTLS is not offered"},
        {"name": "roundtrip il@x", "ok": None, "seconds": 0.0, "detail": "check mode sends nothing"},
    ]
    assert report_lines(checks) == [
        "ok      993 imap (TLS)       0.03 s  TLSv1.3, certificate valid for 819 days",
        "FAILED  25 smtp (STARTTLS)  10.00 s  STARTTLS is not offered",
        "note    roundtrip il@x       0.00 s  check mode sends nothing",
    ]


def test_no_checks_are_no_lines() -> None:
    assert report_lines([]) == []


def test_users_become_accounts_with_the_password_that_is_known() -> None:
    users = [
        {"name": "il", "password": "il-lab-password", "quota": "1G"},
        {"name": "Guest", "password_hash": "{ARGON2ID}$argon2id$x"},
    ]
    assert mail_logins(users, "Ilnmors.internal") == [
        {"username": "il@ilnmors.internal", "password": "il-lab-password"},
        {"username": "guest@ilnmors.internal"},
    ]
