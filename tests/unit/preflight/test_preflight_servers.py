# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A provider that is the mail host under another name is told of before the host fetches itself into itself."""

from __future__ import annotations

import ipaddress
import threading
import time
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._preflight.ports import (
    Address,
    Taken,
    read_listening,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._preflight.servers import (
    Server,
    addresses_of,
    is_own_address,
    server_problems,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._render.providers import provider_servers

OPTION = "mail_providers (club).imap_host"
NAMES = {
    "alias.example.org": ["127.0.0.1"],
    "both.example.org": ["192.0.2.1", "127.0.0.2"],
    "imap.example.org": ["192.0.2.1", "2001:db8::1"],
    "nowhere.example.org": [],
}


def resolve(name: str) -> list[Address]:
    return [ipaddress.ip_address(address) for address in NAMES[name]]


def problems(host: str, port: int = 993, service: str = "dovecot", taken: str = "") -> list[str]:
    return list(server_problems([Server(OPTION, service, host, port)], read_listening(taken), resolve))


def listening(address: str, process: str) -> str:
    return f'LISTEN 0 511 {address} 0.0.0.0:* users:(("{process}",pid=7,fd=5)) cgroup:/system.slice/{process}.service\n'


@pytest.mark.parametrize(
    ("host", "port", "service", "own"),
    [
        ("imap.example.org", 993, "dovecot", False),
        ("nowhere.example.org", 993, "dovecot", False),
        ("alias.example.org", 993, "dovecot", True),
        ("both.example.org", 993, "dovecot", True),
        ("alias.example.org", 587, "postfix", True),
        ("alias.example.org", 465, "postfix", True),
        ("alias.example.org", 25, "postfix", True),
        # A gateway to a provider, on a port of its own.
        ("alias.example.org", 1993, "dovecot", False),
        ("alias.example.org", 10587, "postfix", False),
    ],
)
def test_which_server_is_the_host_itself(host: str, port: int, service: str, own: bool) -> None:
    assert bool(problems(host, port, service)) is own


@pytest.mark.parametrize(
    ("address", "process", "own"),
    [
        ("127.0.0.1:993", "stunnel", False),
        ("0.0.0.0:993", "dovecot", True),
        ("127.0.0.1:993", "dovecot", True),
        ("192.0.2.9:993", "stunnel", True),
    ],
)
def test_another_program_may_have_the_port_of_an_address(address: str, process: str, own: bool) -> None:
    assert bool(problems("alias.example.org", taken=listening(address, process))) is own


def test_what_is_wrong_is_said() -> None:
    assert problems("both.example.org") == [
        f"{OPTION}: 'both.example.org' is this host itself (127.0.0.2), which would be fetched into itself without "
        "end; write the provider's"
    ]


def test_a_resolver_that_does_not_answer_holds_up_no_run() -> None:
    never = threading.Event()

    def hang(name: str) -> list[Address]:
        if name == "slow.example.org":
            never.wait()
        return [ipaddress.ip_address("127.0.0.1")]

    servers = [Server(OPTION, "dovecot", f"{name}.example.org", 993) for name in ("slow", "quick")]
    started = time.monotonic()
    none: list[Taken] = []
    assert len(list(server_problems(servers, none, hang, patience=0.3))) == 1
    assert time.monotonic() - started < 3


def test_addresses_are_those_of_this_machine() -> None:
    assert ipaddress.ip_address("127.0.0.1") in addresses_of("localhost")
    assert addresses_of("no-such-name.invalid") == []
    assert is_own_address(ipaddress.ip_address("127.0.0.1"))
    assert not is_own_address(ipaddress.ip_address("192.0.2.1"))


ACCOUNT: dict[str, Any] = {"name": "club", "address": "il@example.org", "owner": "il", "password": "secret"}


@pytest.mark.parametrize(
    ("entry", "imap", "smtp"),
    [
        (
            {"imap_host": "i.example.org", "smtp_host": "s.example.org"},
            ("i.example.org", 993),
            ("s.example.org", 587),
        ),
        (
            {"imap_host": "i.example.org", "imap_port": 1993, "smtp_host": "s.example.org", "smtp_port": 465},
            ("i.example.org", 1993),
            ("s.example.org", 465),
        ),
        (
            {"imap_host": "i.example.org", "smtp_host": "s.example.org", "fetch": False, "relay": False},
            None,
            None,
        ),
        # The hosts of a profile are known.
        ({"profile": "gmail"}, None, None),
    ],
)
def test_servers_are_those_that_entries_name(
    entry: dict[str, Any], imap: tuple[str, int] | None, smtp: tuple[str, int] | None
) -> None:
    for protocol, expected in (("imap", imap), ("smtp", smtp)):
        found = provider_servers([{**ACCOUNT, **entry}], protocol)  # type: ignore[arg-type]
        assert [(server["host"], server["port"]) for server in found] == ([expected] if expected else [])
        assert all(server["option"] == f"mail_providers (club).{protocol}_host" for server in found)
