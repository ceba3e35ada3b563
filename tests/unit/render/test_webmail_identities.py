# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whom people write as in the webmail, in tables."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._render.webmail_identities import (
    webmail_identities,
)

GMAIL = {
    "name": "gmail",
    "profile": "gmail",
    "address": "Il@gmail.com",
    "aliases": ["il@example.org"],
    "password": "secret",
    "owner": "il",
}


@pytest.mark.parametrize(
    ("users", "providers", "expected"),
    [
        ([], [], {}),
        ([{"name": "il"}], [], {"il@home.internal": {"name": "", "addresses": ["il@home.internal"]}}),
        (
            [{"name": "Il", "display_name": "일", "aliases": ["Office"], "password": "secret"}],
            [],
            {"il@home.internal": {"name": "일", "addresses": ["il@home.internal", "office@home.internal"]}},
        ),
        (
            [{"name": "il"}, {"name": "guest", "display_name": None, "catch_all": True}],
            [GMAIL],
            {
                "il@home.internal": {
                    "name": "",
                    "addresses": ["il@home.internal", "il@gmail.com", "il@example.org"],
                },
                "guest@home.internal": {"name": "", "addresses": ["guest@home.internal"]},
            },
        ),
        (
            [{"name": "il"}],
            [{**GMAIL, "relay": False}],
            {"il@home.internal": {"name": "", "addresses": ["il@home.internal"]}},
        ),
        (
            [],
            [GMAIL],
            {
                "il@home.internal": {
                    "name": "",
                    "addresses": ["il@home.internal", "il@gmail.com", "il@example.org"],
                }
            },
        ),
        (
            [{"name": "il"}],
            [GMAIL, {**GMAIL, "name": "second"}],
            {
                "il@home.internal": {
                    "name": "",
                    "addresses": ["il@home.internal", "il@gmail.com", "il@example.org"],
                }
            },
        ),
    ],
    ids=["nobody", "alone", "alias", "provider", "fetched-only", "person-of-a-directory", "twice"],
)
def test_identities_are_what_the_mail_host_accepts(
    users: list[dict[str, Any]], providers: list[dict[str, Any]], expected: dict[str, Any]
) -> None:
    assert webmail_identities(users, providers, "home.internal") == expected
