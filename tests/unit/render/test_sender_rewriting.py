# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What becomes of senders."""

from __future__ import annotations

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._render import sender_rewriting as rewriting
from ansible_collections.ilnmors.mail.tests.unit.render.pcre_table import (
    DOMAIN,
    GMAIL,
    MACHINES,
    PEOPLE,
    look_up,
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
    [
        ("il+x@home.internal.sender.invalid", "il+x@home.internal"),
        ("il@home.internal", None),
        ("il@home.internal.null.sender.invalid", "<>"),
    ],
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
        ("Return-Path: <il@home.internal.null.sender.invalid>", "REPLACE Return-Path: <il@home.internal>"),
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
        ("guest@home.internal.null.sender.invalid", "<>"),
        # A recipient.
        ("guest@home.internal", None),
        ("friend@elsewhere.org", None),
    ],
)
def test_an_account_sends_as_itself(address: str, expected: str | None) -> None:
    assert look_up(rewriting.account_rules(GMAIL), address) == expected


def test_what_returns_finds_an_inbox() -> None:
    table = rewriting.return_addresses(PEOPLE, MACHINES, [GMAIL], DOMAIN, "guest")
    assert table == {
        f"{sender}.sender.invalid": f"{receiver}@home.internal"
        for sender, receiver in {
            "gitea@home.internal": "guest",
            "nas@home.internal": "guest",
            "alerts@home.internal": "guest",
            "il@gmail.com": "il",
            "il@example.org": "il",
            "il@home.internal": "il",
            "info@home.internal": "il",
            "guest@home.internal": "guest",
            "min@home.internal": "min",
            # Of what was sent without a sender.
            "gitea@home.internal.null": "guest",
            "nas@home.internal.null": "guest",
            "prometheus@home.internal.null": "guest",
            "il@home.internal.null": "il",
            "guest@home.internal.null": "guest",
            "min@home.internal.null": "min",
        }.items()
    }
