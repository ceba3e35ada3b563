# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A machine that cannot run the house is refused, with what to do."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._preflight.machine import (
    machine_problems,
    name_problems,
    read_machine,
    role_problems,
)
from ansible_collections.ilnmors.mail.tests.unit.fakes.good_machine import GOOD

BANS = ["postfix_relay_ban"]


@pytest.mark.parametrize(
    "change",
    [{}, {"release": "12"}, {"system": "raspbian"}, {"bare": False, "room": {"/usr": 21, "/var": 400}}],
    ids=str,
)
def test_a_machine_that_can_run_the_house(change: dict[str, Any]) -> None:
    assert list(machine_problems(replace(GOOD, **change), BANS)) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"system": "ubuntu", "release": "24.04", "called": "Ubuntu 24.04.1 LTS", "is_root": False},
            "the host runs Ubuntu 24.04.1 LTS; use one with Debian 12 or 13",
        ),
        ({"release": "11", "called": "Debian 11"}, "the host runs Debian 11; use one with Debian 12 or 13"),
        (
            {"is_root": False, "has_firewall": False},
            "the tasks do not run as root; set 'ansible_become: true' for the host in the inventory, or run "
            "ansible-playbook with --become (and --ask-become-pass)",
        ),
        (
            {"programs": []},
            "the host has no 'ss', which tells who listens on its ports; run 'apt-get install iproute2' there",
        ),
        (
            {"room": {"/usr": 9_000, "/var": 499}},
            "the host has less than 500 MB left for /var (499 MB); make room there",
        ),
        (
            {"bare": False, "room": {"/usr": 3, "/var": 3}},
            "the host has less than 20 MB left for /usr (3 MB), /var (3 MB); make room there",
        ),
        (
            {"has_firewall": False},
            "postfix_relay_ban: the kernel does not let this host ban addresses (nftables, CAP_NET_ADMIN); let the "
            "container have its own network with that right, or write 'false'",
        ),
    ],
    ids=str,
)
def test_a_machine_that_cannot(change: dict[str, Any], problem: str) -> None:
    assert list(machine_problems(replace(GOOD, **change), BANS)) == [problem]


def test_a_host_that_bans_nobody_needs_no_firewall() -> None:
    assert list(machine_problems(replace(GOOD, has_firewall=False))) == []


def test_this_machine_is_read() -> None:
    machine = read_machine()
    assert machine.called
    assert all(free >= 0 for free in machine.room.values())


def test_names_have_to_resolve() -> None:
    assert list(name_problems([("mail_hostname", "localhost")])) == []
    (problem,) = name_problems([("mail_hostname", "mail.nowhere.invalid")])
    assert problem.startswith("mail_hostname: 'mail.nowhere.invalid' does not resolve on this host; add it")


def test_what_another_role_installs_has_to_be_there() -> None:
    assert list(role_problems({"postfix_relay": sys.executable})) == []
    assert list(role_problems({"postfix_relay": "/nowhere/postfix"})) == [
        "the host has no /nowhere/postfix, without which nothing works that this role sets up; give the host the role "
        "postfix_relay before this one"
    ]
