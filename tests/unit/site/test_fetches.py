# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""No account is fetched by two hosts."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.unit.site.description import SITE, literal, read, variables

GMAIL = SITE["mail_providers"][0]
NAVER = {
    "name": "naver",
    "profile": "naver",
    "address": "il@naver.com",
    "password": "secret-naver",
    "owner": "il",
}


@pytest.mark.parametrize(
    ("own", "other", "problems"),
    [
        ([GMAIL, NAVER], [], []),
        ([GMAIL], [NAVER], []),
        ([GMAIL], [{**GMAIL, "fetch": "no"}], []),
        ([{**GMAIL, "fetch": False}], [GMAIL], []),
        ([GMAIL], [{**GMAIL, "username": "somebody@gmail.com"}], []),
        ([GMAIL], [{}, "no account"], []),
        (
            [GMAIL, NAVER],
            [NAVER, {**GMAIL, "name": "same", "imap_host": "IMAP.gmail.com"}],
            [
                "mail_providers[0] (gmail): 'il@gmail.com' at 'imap.gmail.com' is fetched by both 'mail' and 'other'; "
                "set fetch: false for one of them",
                "mail_providers[1] (naver): 'il@naver.com' at 'imap.naver.com' is fetched by both 'mail' and 'other'; "
                "set fetch: false for one of them",
            ],
        ),
    ],
)
def test_an_account_is_fetched_by_one_host(own: list[Any], other: list[Any], problems: list[str]) -> None:
    given = variables("mbsync_fetch", literal("mbsync_fetch"), {**SITE, "mail_providers": own})
    given["mbsync_fetch_hosts"] = {"mail": own, "other": other}
    assert read("mbsync_fetch", given).problems == problems
