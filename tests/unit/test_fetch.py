# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fetches that mbsync gets of a house."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils.fetch import mbsync_fetches, patterns, quoted

GMAIL: dict[str, Any] = {
    "name": "gmail",
    "profile": "gmail",
    "address": "il@gmail.com",
    "password": "secret-gmail",
    "owner": "il",
}


def unquoted(argument: str) -> str:
    """Read one argument as mbsync does: quotes keep spaces, a backslash keeps what follows (mbsync(1))."""
    text, escaped, inside = "", False, False
    for character in argument:
        if escaped:
            text, escaped = text + character, False
        elif character == "\\":
            escaped = True
        elif character == '"':
            inside = not inside
        else:
            assert inside or character != " ", "the argument ends here"
            text += character
    assert not inside
    assert not escaped
    return text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("imap.gmail.com", '"imap.gmail.com"'),
        ("", '""'),
        ("All Mail", '"All Mail"'),
        ('the "old" one', '"the \\"old\\" one"'),
        ("a\\b", '"a\\\\b"'),
        ('\\"', '"\\\\\\""'),
        ("ends with \\", '"ends with \\\\"'),
        ("네이버 메일", '"네이버 메일"'),
        ("#no comment", '"#no comment"'),
    ],
)
def test_any_name_is_one_argument(text: str, expected: str) -> None:
    assert quoted(text) == expected
    assert unquoted(expected) == text


def test_the_inbox_and_what_is_skipped_are_left_out() -> None:
    assert patterns(["[Gmail]/All Mail", '"']) == '* !INBOX "![Gmail]/All Mail" "!\\""'
    assert patterns([]) == "* !INBOX"


def test_a_fetch_is_described_from_its_profile() -> None:
    (account,) = mbsync_fetches([GMAIL], "home.internal", "/etc/fetch")["accounts"]
    skipped = account.pop("patterns")
    assert account == {
        "name": "gmail",
        "host": '"imap.gmail.com"',
        "port": 993,
        "username": '"il@gmail.com"',
        "login": "il@home.internal",
        "inbox": '":gmail-house:Google/INBOX"',
        "path": '"Google/"',
    }
    assert skipped == "* !INBOX"


def test_an_owner_logs_in_in_lower_case() -> None:
    (account,) = mbsync_fetches([{**GMAIL, "owner": "Il"}], "Home.internal", "/etc/fetch")["accounts"]
    assert account["login"] == "il@home.internal"


def test_odd_names_come_back_as_they_are() -> None:
    odd = 'le "vieux" \\ 네이버'
    entry = {**GMAIL, "username": odd, "folder": odd, "skip_mailboxes": [odd]}
    (account,) = mbsync_fetches([entry], "home.internal", "/etc/fetch")["accounts"]
    assert unquoted(account["username"]) == odd
    assert unquoted(account["inbox"]) == f":gmail-house:{odd}/INBOX"
    assert unquoted(account["path"]) == f"{odd}/"
    assert unquoted(account["patterns"].removeprefix("* !INBOX ")) == f"!{odd}"


def test_only_what_is_fetched_is_described() -> None:
    entries = [
        GMAIL,
        {**GMAIL, "name": "relay_only", "fetch": False},
        {**GMAIL, "name": "fetch_only", "relay": False},
    ]
    fetches = mbsync_fetches(entries, "home.internal", "/etc/fetch")
    assert [account["name"] for account in fetches["accounts"]] == ["gmail", "fetch_only"]
    assert [secret["path"] for secret in fetches["secrets"]] == [
        "/etc/fetch/gmail.password",
        "/etc/fetch/fetch_only.password",
    ]


def test_passwords_stand_in_the_secrets_alone() -> None:
    fetches = mbsync_fetches([GMAIL], "home.internal", "/etc/fetch")
    assert "secret-" not in json.dumps(fetches["accounts"])
    assert fetches["secrets"] == [
        {"path": "/etc/fetch/gmail.password", "content": "secret-gmail", "mode": "0600", "secret": True}
    ]
