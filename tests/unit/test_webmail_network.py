"""Where the webmail is reached, and which proxies it believes."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.filter import webmail_network_problems
from ansible_collections.ilnmors.mail.plugins.module_utils.webmail_network import problems

GOOD: dict[str, Any] = {
    "snappymail_https_port": 443,
    "snappymail_http_port": 80,
    "snappymail_reverse_proxies": [],
    "snappymail_listen_addresses": [],
    "snappymail_listen_public": False,
    "snappymail_ban_after": 10,
    "snappymail_ban_find_time": 600,
    "snappymail_ban_time": 3600,
    "snappymail_ban_ignored": [],
}


def facts(*addresses: str) -> dict[str, Any]:
    return {
        "eth0": {
            "device": "eth0",
            "ipv4": {"address": addresses[0]},
            "ipv4_secondaries": [{"address": address} for address in addresses[1:]],
        }
    }


PRIVATE = facts("192.168.1.3")
BOTH = facts("192.168.1.3", "8.8.8.8")


@pytest.mark.parametrize(
    ("change", "host"),
    [
        ({}, PRIVATE),
        ({"snappymail_https_port": 8443, "snappymail_http_port": 0}, PRIVATE),
        ({"snappymail_https_port": 80, "snappymail_http_port": 443}, PRIVATE),
        ({"snappymail_reverse_proxies": ["192.168.1.4", "127.0.0.1", "::1", "fd00:1::/64"]}, PRIVATE),
        ({"snappymail_reverse_proxies": ["fe80::1", "172.18.0.0/16", "100.64.0.7"]}, PRIVATE),
        ({"snappymail_listen_addresses": ["192.168.1.3", "127.0.0.1"]}, BOTH),
        ({"snappymail_listen_public": True}, BOTH),
        ({"snappymail_ban_ignored": ["192.168.1.7", "192.168.2.1/24", "fd00::/8"]}, PRIVATE),
        ({"snappymail_listen_public": True, "snappymail_listen_addresses": ["8.8.8.8"]}, BOTH),
    ],
)
def test_what_can_work_has_no_problem(change: dict[str, Any], host: dict[str, Any]) -> None:
    assert problems({**GOOD, **change}, host) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"snappymail_https_port": 0},
            "snappymail_https_port: 0 is no TCP port; write one from 1 to 65535, such as 8443",
        ),
        (
            {"snappymail_http_port": 65536},
            "snappymail_http_port: 65536 is no TCP port; write one from 1 to 65535, such as 8080, or 0 for none",
        ),
        (
            {"snappymail_http_port": 443},
            "snappymail_http_port: 443 is snappymail_https_port as well; write another port, or 0 for none",
        ),
        *(
            (
                {"snappymail_reverse_proxies": ["192.168.1.4", proxy]},
                f"snappymail_reverse_proxies[1]: {proxy!r} is neither an IP address nor a network in CIDR form; "
                "write one such as '192.168.1.4' or '172.18.0.0/16' (no bits set beyond the prefix)",
            )
            for proxy in ("proxy.home.internal", "192.168.1.5/24", "", "192.168.1.4; deny all")
        ),
        *(
            (
                {"snappymail_reverse_proxies": [proxy]},
                f"snappymail_reverse_proxies[0]: {proxy!r} is not within private address space: strangers could "
                "say that they are anyone, and go on guessing passwords; write the proxy's private address, such "
                "as '192.168.1.4'",
            )
            for proxy in ("8.8.8.8", "0.0.0.0/0", "::/0", "192.0.0.0/8", "100.64.0.0/10", "2a00::1")
        ),
        (
            {"snappymail_ban_after": 0},
            "snappymail_ban_after: 0 is too few; write the number of wrong passwords, 1 or more, such as 10",
        ),
        (
            {"snappymail_ban_find_time": -1},
            "snappymail_ban_find_time: -1 is too few; write a number of seconds, 1 or more, such as 600",
        ),
        (
            {"snappymail_ban_time": 0},
            "snappymail_ban_time: 0 is too few; write a number of seconds, 1 or more, such as 3600",
        ),
        *(
            (
                {"snappymail_ban_ignored": [value]},
                f"snappymail_ban_ignored[0]: {value!r} is neither an IP address nor a network in CIDR form; "
                "write one such as '192.168.1.0/24'",
            )
            for value in ("192.168.1.0/33", "router", "")
        ),
        (
            {"snappymail_listen_addresses": ["192.168.1.9"]},
            "snappymail_listen_addresses[0]: '192.168.1.9' is no address of the host; "
            "write one of its own (192.168.1.3)",
        ),
    ],
)
def test_a_problem_names_variable_value_and_remedy(change: dict[str, Any], problem: str) -> None:
    assert problems({**GOOD, **change}, PRIVATE) == [problem]


def test_public_addresses_need_permission() -> None:
    assert problems(GOOD, BOTH) == [
        "snappymail_listen_addresses: is not set, and the host has public addresses (8.8.8.8): strangers could "
        "reach its web ports; write snappymail_listen_addresses: ['192.168.1.3'], or set "
        "snappymail_listen_public: true if you mean it"
    ]


def test_the_filter_gives_them() -> None:
    assert webmail_network_problems.FilterModule().filters()["webmail_network_problems"] is problems
