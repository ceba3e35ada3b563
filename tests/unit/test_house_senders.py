# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a house's description may say of those who send, and of the accounts that carry their mail to the world."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils.house import house_problems
from ansible_collections.ilnmors.mail.plugins.module_utils.postfix_map import PostfixMapError, read_tables
from ansible_collections.ilnmors.mail.plugins.module_utils.relay import relay_transports

GMAIL: dict[str, Any] = {
    "name": "gmail",
    "profile": "gmail",
    "address": "il@gmail.com",
    "password": "abcd efgh ijkl mnop",
    "owner": "il",
}
SMARTHOST: dict[str, Any] = {
    "name": "club",
    "profile": "custom",
    "address": "il@example.org",
    "password": "secret-club",
    "owner": "il",
    "smtp_host": "smtp.example.org",
    "fetch": False,
}


def problems(**house: list[dict[str, Any]]) -> list[str]:
    """Return the problems of a house of il and guest."""
    users = [{"name": "il", "password": "x", "aliases": ["info"]}, {"name": "guest", "password": "x"}]
    return house_problems(
        {"domain": "home.internal", "users": users, "services": [], "providers": [], **house}
    )


@pytest.mark.parametrize(
    "provider",
    [
        GMAIL,
        SMARTHOST,
        {**GMAIL, "aliases": ["il@example.org"]},
        {**SMARTHOST, "smtp_host": "relay.home.internal", "smtp_tls": "none"},
        {**SMARTHOST, "smtp_tls": "none", "allow_cleartext": True},
    ],
    ids=["google", "custom", "aliases", "without-tls-in-the-house", "without-tls-on-purpose"],
)
def test_accounts_that_work(provider: dict[str, Any]) -> None:
    assert problems(providers=[provider]) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"smtp_tls": "none"},
            "mail_providers[0] (club).smtp_tls: none would send the password and all mail to 'smtp.example.org' where "
            "everybody on the way can read them; remove it, or set allow_cleartext: true if that host is one of the "
            "house",
        ),
        (
            {"profile": "naver", "smtp_host": None, "smtp_tls": "none"},
            "mail_providers[0] (club).smtp_tls: none would send the password and all mail to 'smtp.naver.com' where "
            "everybody on the way can read them; remove it, or set allow_cleartext: true if that host is one of the "
            "house",
        ),
        (
            {"password": "secret-one\nsecret-two"},
            "mail_providers[0] (club).password: holds a line break or another control character; write it on one line",
        ),
        (
            {"username": "il\nroot"},
            "mail_providers[0] (club).username: 'il\\nroot' holds a line break, a control character or a colon; "
            "remove that",
        ),
        (
            {"username": "il:root"},
            "mail_providers[0] (club).username: 'il:root' holds a line break, a control character or a colon; "
            "remove that",
        ),
        (
            {"address": "il@example.org\nroot@home.internal"},
            "mail_providers[0] (club).address: 'il@example.org\\nroot@home.internal' is not a mail address; "
            "write the account's, such as 'il@gmail.com'",
        ),
        (
            {"aliases": ["il"]},
            "mail_providers[0] (club).aliases[0]: 'il' is not a mail address; write one that the account may send as, "
            "such as 'il@example.org'",
        ),
        (
            {"smtp_host": None},
            "mail_providers[0] (club): has neither a profile nor smtp_host; set one of them, or relay: false",
        ),
    ],
)
def test_an_account_that_cannot_work_is_refused(change: dict[str, Any], problem: str) -> None:
    found = problems(providers=[{**SMARTHOST, **change}])
    assert found == [problem]
    assert "secret" not in "".join(found)


@pytest.mark.parametrize(
    ("house", "problem"),
    [
        (
            {"providers": [GMAIL, {**SMARTHOST, "address": "IL@gmail.com", "owner": "guest"}]},
            "mail_providers[1].address: 'IL@gmail.com' belongs to 'il' already (mail_providers[0].address); "
            "an address has one owner: remove it from one of them",
        ),
        (
            {"providers": [GMAIL, {**SMARTHOST, "aliases": ["il@gmail.com"], "owner": "guest"}]},
            "mail_providers[1].aliases[0]: 'il@gmail.com' belongs to 'il' already (mail_providers[0].address); "
            "an address has one owner: remove it from one of them",
        ),
        (
            {"services": [{"name": "gitea", "password": "x", "addresses": ["info@home.internal"]}]},
            "mail_services[0].addresses[0]: 'info@home.internal' belongs to 'il' already (mail_users[0]); "
            "an address has one owner: remove it from one of them",
        ),
        (
            {
                "services": [
                    {"name": "gitea", "password": "x"},
                    {
                        "name": "nas",
                        "password": "x",
                        "addresses": ["nas@home.internal", "gitea@home.internal"],
                    },
                ]
            },
            "mail_services[1].addresses[1]: 'gitea@home.internal' belongs to 'gitea' already "
            "(mail_services[0].addresses[0]); an address has one owner: remove it from one of them",
        ),
        (
            {"services": [{"name": "gitea", "password": "x", "provider": "naver"}], "providers": [GMAIL]},
            "mail_services[0].provider: 'naver' is no account that relays; write one of gmail, "
            "or leave it out for the default",
        ),
        (
            {
                "services": [{"name": "gitea", "password": "x", "provider": "gmail"}],
                "providers": [{**GMAIL, "relay": False}],
            },
            "mail_services[0].provider: 'gmail' is no account that relays; write one of mail_providers, "
            "or leave it out for the default",
        ),
        (
            {"users": [{"name": "il", "password": "x", "display_name": "Il\nBcc: all"}]},
            "mail_users[0].display_name: 'Il\\nBcc: all' holds a line break or another control character; "
            "write it on one line",
        ),
    ],
)
def test_an_address_has_one_owner(house: dict[str, Any], problem: str) -> None:
    assert problems(**house) == [problem]


def test_one_owner_may_have_an_address_at_two_accounts() -> None:
    fetched = {**GMAIL, "name": "fetched", "relay": False, "folder": "Fetched"}
    assert problems(providers=[GMAIL, fetched]) == []


# What a line of a table cannot hold.
UNFIT = ["abc def ", " abc", "\tabc", "abc\n", "   ", "a\x85b", "a\u2028b", "a\u2029b", "a\ud800b", "a\x00b"]


@pytest.mark.parametrize("key", ["username", "password"])
@pytest.mark.parametrize("value", UNFIT)
def test_what_postfixs_tables_cannot_hold_is_refused_before_a_host_changes(key: str, value: str) -> None:
    account = {**SMARTHOST, key: value}
    (problem,) = problems(providers=[account])
    assert problem.startswith(f"mail_providers[0] (club).{key}: ")
    assert key == "username" or value not in problem


@pytest.mark.parametrize(
    "value", ["abc def", "päss wörd", "a:b", "#a", '"a', "a" * 300, "비밀 번호", "a,b=c{d}"]
)
def test_what_is_not_refused_fits_into_postfixs_tables(value: str) -> None:
    account = {**SMARTHOST, "password": value}
    assert problems(providers=[account]) == []
    read_tables(transport["passwords"] for transport in relay_transports([account], "/etc/postfix/maps"))


def test_the_module_refuses_no_more_than_that() -> None:
    def fits(value: str) -> bool:
        try:
            read_tables([{"path": "/etc/postfix/maps/x", "entries": {"key": value}, "secret": True}])
        except PostfixMapError:
            return False
        return True

    every = [*map(chr, range(0x3000)), "\ud800", "\udfff"]
    refused = [text for text in every if not fits(f"a:b{text}b") or not fits(f"a:b{text}")]
    assert [text for text in refused if not problems(providers=[{**SMARTHOST, "password": f"b{text}"}])] == []
