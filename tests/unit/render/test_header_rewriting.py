# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What becomes of a message's header on its way to the world."""

from __future__ import annotations

import re
import time
from email import message_from_string
from email.policy import default

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._render.header_rewriting import header_rules
from ansible_collections.ilnmors.mail.plugins.module_utils._render.sender_rewriting import account_rules
from ansible_collections.ilnmors.mail.tests.unit.render.pcre_table import (
    DOMAIN,
    GMAIL,
    MACHINES,
    PEOPLE,
    look_up,
)

HEADERS = header_rules(PEOPLE, MACHINES, [GMAIL], DOMAIN)


def sent(header: str) -> str | None:
    """Return a header as the world gets it through the account, or None where it does not."""
    action = look_up(HEADERS, header)
    if action == "IGNORE":
        return None
    changed = action.removeprefix("REPLACE ") if action else header
    # generic(5) replaces each address by itself.
    return re.sub(r"[^\s<>,]+\.sender\.invalid", lambda a: look_up(account_rules(GMAIL), a[0]) or "", changed)


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
    # However it is written.
    (r'From: "5\" disk" <nas@home.internal>', '5" disk (nas)'),
    (r'From: "C:\\" <nas@home.internal>', "C:\\ (nas)"),
    (r'From: "5\" disk" <il@home.internal>', '5" disk'),
    ('From: A "5\\" disk" full <nas@home.internal>', 'A 5" disk full (nas)'),
    ("From: Disk <nas@home.internal> (in the attic)", "Disk (nas)"),
    ("From: (in the attic) Disk <nas@home.internal>", "Disk (nas)"),
    ("From: nas@home.internal (Disk (in the (cold) attic))", "nas"),
    (r'From: nas@home.internal (5" disk\))', "nas"),
    ("From: <nas@home.internal> (Disk)", "Disk (nas)"),
    ("From: Disk\n\t<nas@home.internal>", "Disk (nas)"),
    ('From: "Disk,\n full" <nas@home.internal>', "Disk, full (nas)"),
    ('From: "" <nas@home.internal>', "nas"),
    ('From: "" <guest@home.internal>', "guest"),
    ('From: "(" ( <nas@home.internal>', "nas"),
    ("From: =?utf-8?q?=28WARN=3A5=29?= J. <nas@home.internal>", "(WARN:5) J. (nas)"),
    ("From: disk@attic <nas@home.internal>", "disk@attic (nas)"),
    ("From: [WARN:5] disk; full, again <nas@home.internal>", "[WARN:5] disk; full, again (nas)"),
    ('From: "Disk <nas@home.internal>', "Disk (nas)"),
    ('From: Disk 5" <nas@home.internal>', "Disk 5 (nas)"),
    ("From: Disk (attic <nas@home.internal>", "Disk (nas)"),
    ("From: Disk) attic <nas@home.internal>", "Disk (nas)"),
    ("From: Disk (a) @ attic <nas@home.internal>", "Disk (nas)"),
    ("From: C:\\ <nas@home.internal>", "C: (nas)"),
    ('From: "Friend <friend@elsewhere.org>', "Friend"),
    ("From: nas 2 <nas@home.internal>", "nas 2"),
    ('From: "the \\"nas\\"" <nas@home.internal>', 'the "nas"'),
    # What Postfix wrote, for a program that did not.
    ("From: guest@home.internal.sender.invalid", "guest"),
    ("From: root <root@home.internal.sender.invalid>", "root"),
    ("From: gitea@home.internal.sender.invalid", "gitea"),
    ("From: Code <gitea@home.internal.sender.invalid>", "Code (gitea)"),
    ("From: root@pve.lan.sender.invalid", "root (pve.lan)"),
    ("From: il@gmail.com.sender.invalid", ""),
    # What is no address, or several.
    ("From: nobody in particular", ""),
    ("From: Il <il@home.internal>, Guest <guest@home.internal>", "Il"),
    ("From: il@home.internal, guest@home.internal", ""),
    ("From:", ""),
    # An account's own.
    ("From: il@gmail.com", ""),
    ("From: Il <il@gmail.com>", "Il"),
]


@pytest.mark.parametrize(("header", "name"), FROM, ids=[header for header, __ in FROM])
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
        ("Reply-To: il@home.internal", "Reply-To: il@gmail.com"),
        ("Reply-To: il@home.internal, guest@home.internal", "Reply-To: il@gmail.com, il@gmail.com"),
        (
            "Reply-To: il@home.internal, colleague@elsewhere.org",
            "Reply-To: il@gmail.com, colleague@elsewhere.org",
        ),
        (
            'Reply-To: "A, colleague" <colleague@elsewhere.org>,\n "Il, @home.internal" <il+x@home.internal>',
            'Reply-To: "A, colleague" <colleague@elsewhere.org>,\n "Il, @home.internal" <il@gmail.com>',
        ),
        (
            r'Reply-To: "5\" il@home.internal" <a@elsewhere.org> (il@home.internal (\))), il@home.internal (Il)',
            r'Reply-To: "5\" il@home.internal" <a@elsewhere.org> (il@home.internal (\))), il@gmail.com (Il)',
        ),
        (
            "Errors-To: Team: =?utf-8?b?66+8?= <min@home.internal>, a@elsewhere.org, <guest@home.internal>;",
            "Errors-To: Team: =?utf-8?b?66+8?= <il@gmail.com>, a@elsewhere.org, <il@gmail.com>;",
        ),
        (
            "Mail-Followup-To: il@home.internal, l@elsewhere.org",
            "Mail-Followup-To: il@gmail.com, l@elsewhere.org",
        ),
        ("Disposition-Notification-To: <IL@Home.Internal>", "Disposition-Notification-To: <il@gmail.com>"),
        # Another domain that begins or ends alike.
        ("Reply-To: a@home.internal.example", "Reply-To: a@home.internal.example"),
        ("Reply-To: a@my.home.internal", "Reply-To: a@my.home.internal"),
        # What cannot be read.
        ('Reply-To: "Il <il@home.internal>', None),
        (
            'Reply-To: "Il <il@home.internal>, a@elsewhere.org',
            'Reply-To: "Il <il@home.internal>, a@elsewhere.org',
        ),
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


def test_no_line_holds_a_delimiter_or_a_line_break_of_its_own() -> None:
    for rule in HEADERS:
        assert "/" not in rule.pattern
        assert "\n" not in str(rule)


@pytest.mark.parametrize(
    "text",
    [
        '"',
        "(",
        '"\\',
        "(\\",
        "a@home.internal,",
        "<a@home.internal>",
        "()",
        '""',
        "\\",
        "@",
        "a ",
        "(((",
        "<",
        "=?utf-8?q?",
        " ",
        ">",
        ".",
        ",",
        ";",
    ],
)
def test_no_field_takes_long(text: str) -> None:
    """A stranger may have written it, of up to the 100 KB that Postfix takes (header_size_limit)."""
    begin = time.process_time()
    for name in ("From", "Reply-To"):
        for end in ("<nas@home.internal", "nas@home.internal>", "x"):
            sent(f"{name}: x{text * (4_000 // len(text))}{end}")
    assert time.process_time() - begin < 3


def test_more_addresses_than_are_replaced_stay() -> None:
    header = "Reply-To: " + ", ".join(["il@home.internal"] * 21 + ["a@elsewhere.org"])
    assert sent(header) == header
