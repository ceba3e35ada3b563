# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What becomes of senders, read as pcre_table(5) says: caseless, and the first pattern that is found decides."""

from __future__ import annotations

import re
from collections.abc import Sequence
from email import message_from_string
from email.policy import default
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils import sender_rewriting as rewriting
from ansible_collections.ilnmors.mail.plugins.module_utils.providers import resolve

DOMAIN = "home.internal"
PEOPLE: list[dict[str, Any]] = [
    {"name": "il", "display_name": 'Il "the" $1', "aliases": ["info"]},
    {"name": "guest"},
    {"name": "min", "display_name": "민"},
]
MACHINES: list[dict[str, Any]] = [
    {"name": "gitea"},
    {"name": "prometheus", "addresses": ["alerts@home.internal"]},
]
GMAIL = resolve(
    {
        "name": "gmail",
        "profile": "gmail",
        "address": "il@gmail.com",
        "aliases": ["il@example.org"],
        "password": "x",
        "owner": "il",
    }
)
HEADERS = rewriting.header_rules(PEOPLE, MACHINES, [GMAIL], DOMAIN)


def look_up(rules: Sequence[rewriting.Rule], text: str) -> str | None:
    """Return what Postfix finds for a text."""
    for rule in rules:
        if found := re.search(rule.pattern, text, re.IGNORECASE | re.DOTALL):
            return re.sub(
                r"\$(\$|\d)", lambda part: "$" if part[1] == "$" else found[int(part[1])] or "", rule.result
            )
    return None


def sent(header: str) -> str | None:
    """Return a header as the world gets it through the account, or None where it does not."""
    action = look_up(HEADERS, header)
    if action == "IGNORE":
        return None
    changed = action.removeprefix("REPLACE ") if action else header
    # generic(5) replaces each address by itself.
    return re.sub(
        r"[^\s<>,]+\.sender\.invalid", lambda a: look_up(rewriting.account_rules(GMAIL), a[0]) or "", changed
    )


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("il@home.internal", "il@home.internal.sender.invalid"),
        ("root@pve.lan", "root@pve.lan.sender.invalid"),
        ("il@home.internal.sender.invalid", None),
        # The sender of a bounce, and of what says that a bounce failed.
        ("", None),
        ("double-bounce@mail.home.internal", None),
    ],
)
def test_an_envelope_sender_is_marked_once(address: str, expected: str | None) -> None:
    assert look_up(rewriting.mark_rules(), address) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [("il+x@home.internal.sender.invalid", "il+x@home.internal"), ("il@home.internal", None)],
)
def test_a_mailbox_in_the_house_sees_the_sender_as_it_was(address: str, expected: str | None) -> None:
    assert look_up(rewriting.unmark_rules(), address) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "X-Postfix-Sender: rfc822; il@home.internal.sender.invalid",
            "REPLACE X-Postfix-Sender: rfc822; il@home.internal",
        ),
        ("Return-Path: <il@home.internal.sender.invalid>", "REPLACE Return-Path: <il@home.internal>"),
        ("Final-Recipient: rfc822; friend@elsewhere.org", None),
    ],
)
def test_a_report_quotes_the_sender_as_it_was(line: str, expected: str | None) -> None:
    assert look_up(rewriting.report_rules(), line) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("il@home.internal.sender.invalid", "il@gmail.com"),
        ("root@pve.lan.sender.invalid", "il@gmail.com"),
        ("il@gmail.com.sender.invalid", "il@gmail.com"),
        ("il@example.org.sender.invalid", "il@example.org"),
        # A recipient.
        ("guest@home.internal", None),
        ("friend@elsewhere.org", None),
    ],
)
def test_an_account_sends_as_itself(address: str, expected: str | None) -> None:
    assert look_up(rewriting.account_rules(GMAIL), address) == expected


FROM = [
    # The name of a person stays, however it is written.
    ("From: Il <il@home.internal>", "Il"),
    ('From: "Il, of the house" <il@home.internal>', "Il, of the house"),
    ('From: "Il <il@home.internal>" <info@home.internal>', "Il <il@home.internal>"),
    ("From: =?utf-8?b?66+8?= <min@home.internal>", "민"),
    ("From: Il\n <il@home.internal>", "Il"),
    ("From: guest@home.internal (The guest)", "The guest"),
    ("From: guest@example.net <guest@home.internal>", "guest@example.net"),
    ("FROM: Il <IL@HOME.INTERNAL>", "Il"),
    # Without one, a person has the one of the house, or what stands before the @.
    ("From: il@home.internal", 'Il "the" $1'),
    ("From: <min@home.internal>", "민"),
    ("From: guest@home.internal", "guest"),
    # A machine is named in any case.
    ("From: gitea@home.internal", "gitea"),
    ("From: Gitea <gitea@home.internal>", "Gitea"),
    ('From: "Code of the house" <gitea@home.internal>', "Code of the house (gitea)"),
    ("From: Code <gitea@home.internal>", "Code (gitea)"),
    ("From: gitea@home.internal (Code)", "Code (gitea)"),
    ("From: =?utf-8?b?66+8?= <gitea@home.internal>", "민 (gitea)"),
    ("From: alerts@home.internal", "prometheus"),
    ("From: Alerts <alerts@home.internal>", "Alerts (prometheus)"),
    ("From: printer@home.internal", "printer"),
    ("From: root@pve.lan", "root (pve.lan)"),
    ("From: Cron Daemon <root@pve.lan>", "Cron Daemon"),
    # Mail that is sent on.
    ("From: A friend <friend@elsewhere.org>", "A friend"),
    # What Postfix wrote, for a program that did not.
    ("From: guest@home.internal.sender.invalid", "guest"),
    ("From: root <root@home.internal.sender.invalid>", "root"),
    ("From: gitea@home.internal.sender.invalid", "gitea"),
    ("From: Code <gitea@home.internal.sender.invalid>", "Code (gitea)"),
    ("From: root@pve.lan.sender.invalid", "root (pve.lan)"),
    ("From: il@gmail.com.sender.invalid", ""),
    # What is no address, or several.
    ("From: nobody in particular", ""),
    ("From: Il <il@home.internal>, Guest <guest@home.internal>", ""),
    ("From: il@home.internal, guest@home.internal", ""),
    ("From:", ""),
    # An account's own.
    ("From: il@gmail.com", ""),
    ("From: Il <il@gmail.com>", "Il"),
]


@pytest.mark.parametrize(("header", "name"), FROM, ids=[header for header, _ in FROM])
def test_from_has_the_accounts_address_and_keeps_its_name(header: str, name: str) -> None:
    (address,) = message_from_string(f"{sent(header)}\n\n", policy=default)["From"].addresses
    assert (address.addr_spec, address.display_name) == ("il@gmail.com", name)


def test_another_address_of_the_account_stays() -> None:
    assert sent("From: Il <il@example.org>") == "From: Il <il@example.org>"
    assert sent("From: il@example.org") == "From: <il@example.org>"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("To: guest@home.internal, friend@elsewhere.org", "To: guest@home.internal, friend@elsewhere.org"),
        ("Cc: Guest <guest@home.internal>", "Cc: Guest <guest@home.internal>"),
        ("Reply-To: friend@elsewhere.org", "Reply-To: friend@elsewhere.org"),
        ("Reply-To: Il <il@home.internal>", "Reply-To: Il <il@gmail.com>"),
        ("Reply-To: il@home.internal", "Reply-To: <il@gmail.com>"),
        ("Reply-To: il@home.internal, guest@home.internal", None),
        ("Mail-Followup-To: il@home.internal", None),
        ("Mail-Followup-To: list@elsewhere.org", "Mail-Followup-To: list@elsewhere.org"),
        ("Message-ID: <1@home.internal>", "Message-ID: <1@home.internal>"),
        ("Received: from laptop.home.internal (laptop [192.168.1.7])", None),
        ("received: by mail.home.internal", None),
        ("User-Agent: Mozilla Thunderbird", None),
        ("X-Mailer: a program", None),
        ("X-Originating-IP: 192.168.1.7", None),
        ("Sender: gitea@home.internal", None),
        ("Subject: Received: something", "Subject: Received: something"),
    ],
)
def test_other_headers(header: str, expected: str | None) -> None:
    assert sent(header) == expected


def test_what_returns_finds_an_inbox() -> None:
    table = rewriting.return_addresses(PEOPLE, MACHINES, [GMAIL], DOMAIN, "guest")
    assert table == {
        f"{sender}.sender.invalid": f"{receiver}@home.internal"
        for sender, receiver in {
            "gitea@home.internal": "guest",
            "alerts@home.internal": "guest",
            "il@gmail.com": "il",
            "il@example.org": "il",
            "il@home.internal": "il",
            "info@home.internal": "il",
            "guest@home.internal": "guest",
            "min@home.internal": "min",
        }.items()
    }


def test_no_line_holds_a_delimiter_or_a_line_break_of_its_own() -> None:
    for rule in HEADERS:
        assert "/" not in rule.pattern
        assert "\n" not in str(rule)
