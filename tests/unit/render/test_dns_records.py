"""The DNS records of a house."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.filter.dns_records import FilterModule
from ansible_collections.ilnmors.mail.plugins.filter.host_addresses import FilterModule as HostFilterModule

HOUSE = {
    "domain": "home.internal",
    "mail": {"name": "mail.home.internal", "addresses": ["192.168.1.2", "fd00::2"]},
    "webmail": {"name": "webmail.home.internal", "addresses": ["192.168.1.3"]},
    "aliases": ["autoconfig.home.internal"],
}


def records(resolver: str, **change: Any) -> list[str]:
    """Return the lines without what is said about them all."""
    lines = FilterModule().filters()["dns_records"]({**HOUSE, **change}, resolver)
    assert isinstance(lines, list)
    return [line.strip() for line in lines if not line.strip().startswith("#")]


def test_unbound_is_given_addresses_and_services() -> None:
    assert records("unbound") == [
        "server:",
        'local-data: "mail.home.internal. A 192.168.1.2"',
        'local-data: "mail.home.internal. AAAA fd00::2"',
        'local-data: "webmail.home.internal. A 192.168.1.3"',
        'local-data: "autoconfig.home.internal. A 192.168.1.3"',
        'local-data: "_imaps._tcp.home.internal. SRV 0 0 993 mail.home.internal."',
        'local-data: "_imap._tcp.home.internal. SRV 10 0 143 mail.home.internal."',
        'local-data: "_pop3s._tcp.home.internal. SRV 20 0 995 mail.home.internal."',
        'local-data: "_pop3._tcp.home.internal. SRV 30 0 110 mail.home.internal."',
        'local-data: "_submissions._tcp.home.internal. SRV 0 0 465 mail.home.internal."',
        'local-data: "_submission._tcp.home.internal. SRV 10 0 587 mail.home.internal."',
        'local-data: "_sieve._tcp.home.internal. SRV 0 0 4190 mail.home.internal."',
        'local-data: "_autodiscover._tcp.home.internal. SRV 0 0 443 webmail.home.internal."',
    ]


def test_dnsmasq_is_given_hosts_aliases_and_services() -> None:
    assert records("dnsmasq") == [
        "host-record=mail.home.internal,192.168.1.2",
        "host-record=mail.home.internal,fd00::2",
        "host-record=webmail.home.internal,192.168.1.3",
        "cname=autoconfig.home.internal,webmail.home.internal",
        "srv-host=_imaps._tcp.home.internal,mail.home.internal,993,0,0",
        "srv-host=_imap._tcp.home.internal,mail.home.internal,143,10,0",
        "srv-host=_pop3s._tcp.home.internal,mail.home.internal,995,20,0",
        "srv-host=_pop3._tcp.home.internal,mail.home.internal,110,30,0",
        "srv-host=_submissions._tcp.home.internal,mail.home.internal,465,0,0",
        "srv-host=_submission._tcp.home.internal,mail.home.internal,587,10,0",
        "srv-host=_sieve._tcp.home.internal,mail.home.internal,4190,0,0",
        "srv-host=_autodiscover._tcp.home.internal,webmail.home.internal,443,0,0",
    ]


def test_a_machine_without_dns_is_given_addresses_with_all_their_names() -> None:
    assert records("hosts") == [
        "192.168.1.2 mail.home.internal",
        "fd00::2 mail.home.internal",
        "192.168.1.3 webmail.home.internal autoconfig.home.internal",
    ]


@pytest.mark.parametrize(
    ("resolver", "change", "expected"),
    [
        ("unbound", {"https_port": 8443}, {'local-data: "_autodiscover._tcp.home.internal. SRV 0 0 8443'}),
        (
            "dnsmasq",
            {"https_port": 8443},
            {"srv-host=_autodiscover._tcp.home.internal,webmail.home.internal,8443"},
        ),
        # The domain itself cannot be an alias.
        ("unbound", {"aliases": ["home.internal"]}, {'local-data: "home.internal. A 192.168.1.3"'}),
        ("dnsmasq", {"aliases": ["home.internal"]}, {"host-record=home.internal,192.168.1.3"}),
    ],
)
def test_what_an_option_changes(resolver: str, change: dict[str, Any], expected: set[str]) -> None:
    lines = records(resolver, **change)
    assert {start for start in expected if any(line.startswith(start) for line in lines)} == expected
    assert not [line for line in lines if line.startswith("cname=home.internal,")]


@pytest.mark.parametrize("resolver", ["unbound", "dnsmasq"])
def test_without_a_webmail_there_is_nothing_that_leads_to_it(resolver: str) -> None:
    text = "\n".join(records(resolver, webmail=None))
    assert "mail.home.internal" in text
    assert "webmail" not in text
    assert "autoconfig" not in text
    assert "autodiscover" not in text


@pytest.mark.parametrize(
    ("resolver", "expected"),
    [
        (
            "unbound",
            [
                '# local-data: "webmail.home.internal. A ADDRESS"',
                '# local-data: "autoconfig.home.internal. A ADDRESS"',
            ],
        ),
        ("dnsmasq", ["# host-record=webmail.home.internal,ADDRESS"]),
    ],
)
def test_an_address_that_is_not_known_is_left_to_the_reader(resolver: str, expected: list[str]) -> None:
    webmail = {"name": "webmail.home.internal", "addresses": []}
    lines = FilterModule().filters()["dns_records"]({**HOUSE, "webmail": webmail}, resolver)
    assert isinstance(lines, list)
    missing = [line.strip() for line in lines if "ADDRESS" in line]
    assert missing == [
        "# ADDRESS is not known here: write it, or that of a reverse proxy before it, and remove the #.",
        *expected,
    ]


@pytest.mark.parametrize("resolver", ["unbound", "dnsmasq"])
def test_an_alias_that_is_a_hosts_own_name_is_none(resolver: str) -> None:
    assert records(resolver, aliases=["webmail.home.internal", "mail.home.internal"]) == records(
        resolver, aliases=[]
    )


FACTS = {"default_ipv4": {"address": "192.168.1.2"}, "default_ipv6": {"address": "fd00::2"}}


@pytest.mark.parametrize(
    ("variables", "listen", "expected"),
    [
        ({"ansible_facts": FACTS}, ["127.0.0.1", "10.0.0.1", "fd00::1"], ["10.0.0.1", "fd00::1"]),
        ({"ansible_facts": FACTS, "ansible_host": "10.0.0.9"}, [], ["192.168.1.2"]),
        ({"ansible_facts": {**FACTS, "default_ipv4": {}}}, ["::1"], ["fd00::2"]),
        ({"ansible_host": "10.0.0.9"}, [], ["10.0.0.9"]),
        ({"ansible_host": "127.0.0.1"}, [], []),
        ({"ansible_facts": {}, "ansible_host": "nas.lan"}, [], []),
        ({}, [], []),
    ],
    ids=["told", "facts", "ipv6-alone", "unreachable", "tunnel", "unreachable-by-name", "nothing"],
)
def test_where_clients_reach_a_host(
    variables: dict[str, Any], listen: list[str], expected: list[str]
) -> None:
    assert HostFilterModule().filters()["host_addresses"](variables, listen) == expected
