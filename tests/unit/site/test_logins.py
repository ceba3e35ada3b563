# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How accounts at providers log in is checked."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.unit.site.description import SITE, literal, read, variables

HOW = "the README of the role mail_oauth2 says how to get one"
TOKEN = "https://login.example.org/token"
GIVEN = {"client_id": "a-client", "refresh_token": "secret-token"}


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"profile": "outlook", "oauth2": GIVEN}, None),
        ({"profile": "gmail", "oauth2": GIVEN}, None),
        ({"profile": "gmail", "password": "secret"}, None),
        ({"oauth2": {**GIVEN, "token_url": "https://login.example.org:8443/token"}}, None),
        (
            {"profile": "gmail", "password": "secret", "oauth2": GIVEN},
            ": has both password and oauth2; remove one of them",
        ),
        (
            {"profile": "outlook", "password": "secret"},
            ".password: is set, but outlook takes no passwords; write oauth2 instead, with client_id "
            f"({HOW})",
        ),
        (
            {"profile": "outlook"},
            f": has no oauth2; write it with client_id ({HOW}), or remove the account",
        ),
        (
            {"profile": "naver"},
            ": has no password; write the account's (app) password, or remove the account",
        ),
        ({"profile": "outlook", "oauth2": {"client_id": "a-client"}}, None),
        ({"profile": "gmail", "oauth2": {"client_id": "a-client", "refresh_token": ""}}, None),
        ({"oauth2": {"client_id": "a-client", "token_url": TOKEN, "device_url": TOKEN}}, None),
        (
            {"profile": "outlook", "oauth2": {"client_id": "a-client", "token_url": TOKEN}},
            ".oauth2.refresh_token: is missing, and it is not known where the provider is asked for one; write"
            f" device_url or authorize_url, or the token itself ({HOW})",
        ),
        (
            {"oauth2": GIVEN},
            ".oauth2.token_url: is missing; write where the provider gives tokens, such as 'https://…/token'",
        ),
    ],
)
def test_how_an_account_logs_in_is_checked(entry: dict[str, Any], problem: str | None) -> None:
    account = {"name": "outlook", "address": "il@outlook.com", "owner": "il", "imap_host": "a.test", **entry}
    given = variables(
        "mail_oauth2", literal("mail_oauth2"), {**SITE, "mail_providers": [{**account, "relay": False}]}
    )
    found = read("mail_oauth2", given).problems
    assert found == ([] if problem is None else [f"mail_providers[0] (outlook){problem}"])
    assert "secret" not in "".join(found)
