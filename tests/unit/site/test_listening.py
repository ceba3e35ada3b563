# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A service listens on addresses of the host, and on public ones if that is meant."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._site.options import Context
from ansible_collections.ilnmors.mail.tests.unit.site.description import SITE, literal, read, variables
from ansible_collections.ilnmors.mail.tests.unit.site.test_host_network import HOME, RENTED, interface


def problems(facts: dict[str, Any], wanted: list[str], allow_public: bool = False) -> list[str]:
    site = {**SITE, "mail_listen_addresses": wanted, "mail_listen_public": allow_public}
    given = variables("dovecot_imap", literal("dovecot_imap"), site)
    return read("dovecot_imap", given, context=Context(facts=facts)).problems


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        (HOME, []),
        (HOME, ["192.168.1.2", "fd00:1::2", "127.0.0.1"]),
        (RENTED, ["10.9.0.1", "100.100.1.2"]),
        ({}, []),
    ],
    ids=["house", "some", "rented", "nothing-known"],
)
def test_private_addresses_need_no_permission(facts: dict[str, Any], wanted: list[str]) -> None:
    assert problems(facts, wanted) == []


@pytest.mark.parametrize(
    ("facts", "wanted", "problem"),
    [
        (
            RENTED,
            [],
            "mail_listen_addresses: is not set, and the host has public addresses (8.8.8.8, 2a00::8): strangers could "
            "reach its mail ports; write mail_listen_addresses: ['100.100.1.2', '10.9.0.1'], "
            "or set mail_listen_public: true if you mean it",
        ),
        (
            interface("eth0", "2a00::8"),
            [],
            "mail_listen_addresses: is not set, and the host has public addresses (2a00::8): strangers could reach its "
            "mail ports; give the host a private address, or set mail_listen_public: true if you mean it",
        ),
        (
            RENTED,
            ["10.9.0.1", "8.8.8.8"],
            "mail_listen_addresses[1]: '8.8.8.8' is a public address: strangers could reach the mail ports; remove it "
            "(100.100.1.2, 10.9.0.1 of the host's are private), or set mail_listen_public: true if you mean it",
        ),
    ],
    ids=["everywhere", "nothing-private", "listed"],
)
def test_public_addresses_need_permission(facts: dict[str, Any], wanted: list[str], problem: str) -> None:
    assert problems(facts, wanted) == [problem]
    assert problems(facts, wanted, True) == []


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("eth0", "'eth0' is not an IP address; write one such as '192.168.1.2'"),
        ("0.0.0.0", "'0.0.0.0' is no address of the host; write one of its own (192.168.1.2)"),
        ("192.168.1.3", "'192.168.1.3' is no address of the host; write one of its own (192.168.1.2)"),
    ],
)
@pytest.mark.parametrize("allow_public", [False, True])
def test_the_host_listens_on_its_own_addresses(value: str, problem: str, allow_public: bool) -> None:
    facts = interface("eth0", "192.168.1.2")
    assert problems(facts, [value], allow_public) == [f"mail_listen_addresses[0]: {problem}"]


def test_metrics_are_offered_on_an_address_of_the_host() -> None:
    """Another one ends Dovecot at its reload."""
    given = variables("dovecot_imap", literal("dovecot_imap"), SITE)
    given["dovecot_imap_metrics_address"] = "192.168.1.3"
    context = Context(facts=interface("eth0", "192.168.1.2"))
    assert read("dovecot_imap", given, context=context).problems == [
        "mail_monitoring_address: '192.168.1.3' is no address of the host, and Dovecot would stop; "
        "write one of its own (127.0.0.1, 192.168.1.2)"
    ]
