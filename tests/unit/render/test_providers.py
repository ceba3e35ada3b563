# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Accounts at providers, with what is known of each provider filled in."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._formats.addresses import is_domain
from ansible_collections.ilnmors.mail.plugins.module_utils._render.providers import (
    OAuth2,
    Provider,
    provider_password_files,
    resolve,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._site.provider_profiles import (
    MEBIBYTE,
    PROFILES,
    Profile,
)

GMAIL: dict[str, Any] = {
    "name": "mine",
    "profile": "gmail",
    "address": "il@gmail.com",
    "password": "secret",
    "owner": "il",
}
OUTLOOK: dict[str, Any] = {
    "name": "work",
    "profile": "outlook",
    "address": "il@outlook.com",
    "owner": "il",
}
EXPLICIT: dict[str, Any] = {
    "name": "club",
    "address": "il@example.org",
    "password": "secret",
    "owner": "il",
    "smtp_host": "smtp.example.org",
    "imap_host": "imap.example.org",
}


def test_a_profile_fills_in_what_is_not_said() -> None:
    assert resolve(GMAIL) == Provider(
        name="mine",
        addresses=("il@gmail.com",),
        username="il@gmail.com",
        password="secret",
        password_file="",
        oauth2=None,
        owner="il",
        relay=True,
        failover=None,
        fetch=True,
        folder="Google",
        smtp_host="smtp.gmail.com",
        smtp_port=587,
        smtp_tls="starttls",
        connections=2,
        messages_per_minute=None,
        over_limit=(r"4\.5",),
        imap_host="imap.gmail.com",
        imap_port=993,
        inbox=False,
        labelled=True,
        labels=False,
        mailboxes=(),
        skip_mailboxes=(),
        uses={},
        deleted_at_provider="keep",
        daily_imap_megabytes=2_500,
    )


def test_without_a_profile_hosts_are_explicit_and_the_rest_is_usual() -> None:
    club = resolve(EXPLICIT)
    assert (club.smtp_host, club.smtp_port, club.smtp_tls) == ("smtp.example.org", 587, "starttls")
    assert (club.imap_host, club.imap_port, club.skip_mailboxes) == ("imap.example.org", 993, ())
    assert (club.folder, club.labelled, club.daily_imap_megabytes) == ("club", False, None)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("username", "il"),
        ("relay", False),
        ("fetch", False),
        ("folder", "구글"),
        ("smtp_host", "smtp.gmail.test"),
        ("smtp_port", 465),
        ("smtp_tls", "implicit"),
        ("imap_host", "imap.gmail.test"),
        ("imap_port", 1993),
        ("inbox", True),
        ("labels", True),
        ("deleted_at_provider", "mirror"),
        ("password_file", "/etc/mail-passwords/gmail"),
    ],
)
def test_what_is_said_wins_over_the_profile(key: str, value: object) -> None:
    assert getattr(resolve({**GMAIL, key: value}), key) == value


@pytest.mark.parametrize("skipped", [[], ["Junk", "휴지통"]])
def test_mailboxes_that_are_skipped_are_said_beside_what_the_profile_knows(skipped: list[str]) -> None:
    naver = {**GMAIL, "profile": "naver"}
    assert resolve(naver).uses == PROFILES["naver"].uses
    assert resolve(naver).skip_mailboxes == ()
    assert resolve({**naver, "skip_mailboxes": skipped}).skip_mailboxes == tuple(skipped)


def test_mailboxes_are_patterns() -> None:
    assert resolve({**GMAIL, "mailboxes": ["INBOX", "가족*"]}).mailboxes == ("INBOX", "가족*")


@pytest.mark.parametrize(
    "key",
    [
        *("folder", "smtp_host", "smtp_port", "imap_host", "skip_mailboxes", "username"),
        *("mailboxes", "deleted_at_provider", "password_file"),
    ],
)
def test_null_says_nothing(key: str) -> None:
    assert resolve({**GMAIL, key: None}) == resolve(GMAIL)


def test_postfix_asks_for_no_mx_of_the_provider() -> None:
    assert (resolve(GMAIL).nexthop, resolve(GMAIL).transport) == ("[smtp.gmail.com]:587", "relay-mine")


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("abcd efgh ijkl mnop", "abcdefghijklmnop"),
        ("a pass phrase of mine", "a pass phrase of mine"),
        ("Abcd efgh ijkl mnop", "Abcd efgh ijkl mnop"),
    ],
)
def test_an_app_password_as_google_shows_it_loses_its_spaces(password: str, expected: str) -> None:
    assert resolve({**GMAIL, "password": password}).password == expected


def test_secrets_are_not_in_what_is_printed_of_an_account() -> None:
    tokens = {"client_id": "house", "client_secret": "secret-client", "refresh_token": "secret-refresh"}
    assert "secret" not in str(resolve(GMAIL))
    assert "secret-" not in str(resolve({**OUTLOOK, "oauth2": tokens}))


def test_a_profile_says_where_tokens_come_from() -> None:
    given = resolve({**OUTLOOK, "oauth2": {"client_id": "house", "refresh_token": "r"}}).oauth2
    assert given == OAuth2(
        token_url=PROFILES["outlook"].token_url,
        device_url=PROFILES["outlook"].device_url,
        authorize_url=PROFILES["outlook"].authorize_url,
        scope=PROFILES["outlook"].scope,
        client_id="house",
        client_secret="",
        refresh_token="r",
    )
    own = {
        "client_id": "house",
        "token_url": "https://login.home.internal/token",
        "scope": "m",
    }
    said = resolve({**OUTLOOK, "oauth2": own}).oauth2
    assert said is not None
    assert (said.token_url, said.scope) == ("https://login.home.internal/token", "m")
    # Nobody is sent to another provider than the one that gives the tokens.
    assert (said.device_url, said.authorize_url, said.refresh_token) == ("", "", "")


def test_an_account_may_have_other_addresses() -> None:
    account = resolve({**GMAIL, "aliases": ["il@example.org"]})
    assert (account.address, account.addresses) == ("il@gmail.com", ("il@gmail.com", "il@example.org"))


@pytest.mark.parametrize(
    "name", ["gmail", "naver", "outlook", "daum", "kakao", "icloud", "yahoo", "fastmail", "custom"]
)
def test_a_provider_is_known(name: str) -> None:
    assert name in PROFILES


@pytest.mark.parametrize(
    "profile", [profile for name, profile in PROFILES.items() if name != "custom"], ids=lambda p: p.folder
)
def test_a_profile_can_be_used(profile: Profile) -> None:
    assert is_domain(profile.smtp_host)
    assert is_domain(profile.imap_host)
    assert profile.folder
    assert "/" not in profile.folder
    assert profile.smtp_port in (465, 587)
    assert not any("INBOX" in names for names in profile.uses.values())
    assert bool(profile.token_url) == bool(profile.scope)
    assert profile.auth == "password" or profile.token_url.startswith("https://")
    assert all(re.compile(f"^{pattern}") for pattern in profile.over_limit)


@pytest.mark.parametrize(
    ("given", "tls"),
    [
        ({"smtp_port": 465}, "implicit"),
        ({"smtp_port": 2587}, "starttls"),
        ({"smtp_port": 465, "smtp_tls": "starttls"}, "starttls"),
    ],
)
def test_the_port_says_which_tls_it_wants(given: dict[str, object], tls: str) -> None:
    entry = {
        "name": "club",
        "address": "il@example.org",
        "password": "x",
        "owner": "il",
        "smtp_host": "smtp.example.org",
    }
    assert resolve({**entry, **given}).smtp_tls == tls


def row(name: str, profile: Profile) -> str:
    """Describe a profile as the README of postfix_relay does."""
    limits = [
        f"{profile.daily_messages:,} a day" if profile.daily_messages else "",
        f"{profile.messages_per_minute} a minute" if profile.messages_per_minute else "",
        f"{profile.message_size // MEBIBYTE} MB" if profile.message_size else "",
    ]
    login = "OAuth 2.0" if profile.auth == "oauth2" else "app password"
    columns = [
        f"`{name}`",
        f"{profile.smtp_host}:{profile.smtp_port}",
        login,
        str(profile.foreign_sender),
        ", ".join(filter(None, limits)) or "not published",
    ]
    return f"| {' | '.join(columns)} |"


def fetch_row(name: str, profile: Profile) -> str:
    """Describe a profile as the README of mbsync_fetch does."""
    limits = [
        f"{profile.daily_imap_megabytes:,} MB a day" if profile.daily_imap_megabytes else "",
        f"{profile.imap_connections} connections" if profile.imap_connections else "",
    ]
    columns = [
        f"`{name}`",
        f"{profile.imap_host}:{profile.imap_port}",
        profile.folder,
        ", ".join(filter(None, limits)) or "not published",
        ", ".join(name for use in ("drafts", "trash", "junk") for name in profile.uses.get(use, ())[:1])
        or "by use",
    ]
    return f"| {' | '.join(columns)} |"


@pytest.mark.parametrize(("role", "describe"), [("postfix_relay", row), ("mbsync_fetch", fetch_row)])
def test_the_readme_describes_each_profile(role: str, describe: Callable[[str, Profile], str]) -> None:
    readme = Path(__file__).parents[3] / "roles" / role / "README.md"
    rows = [describe(name, profile) for name, profile in PROFILES.items() if name != "custom"]
    assert "\n".join(rows) in readme.read_text()


def test_a_password_file_is_looked_at_whether_the_account_is_fetched_or_not() -> None:
    kept = {**GMAIL, "password_file": "/root/mine"}
    assert provider_password_files([kept, {**kept, "name": "off", "fetch": False}, EXPLICIT]) == {
        "mail_providers (mine).password_file": "/root/mine",
        "mail_providers (off).password_file": "/root/mine",
    }
