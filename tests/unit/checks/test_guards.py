# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Limits and bans that are not in the kernel are told of, with what to do."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._checks import guards
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.checks import Check, run_checks
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.guards import guard_jobs, run

UNIT = "postfix-connection-limits.service"
RUNS = "ActiveState=active\nStatusText=Each address has 20 connections to each port.\n"
REFUSED = "ActiveState=active\nStatusText=No limits by nftables: Operation not permitted\n"
DEAD = "ActiveState=failed\nStatusText=\n"
LIMITS = (
    "table inet ilnmors_mail { # progname connection-limi\n\tflags owner\n"
    "\tchain count {\n\t\tadd @connections4 { ip saddr . tcp dport ct count over 20 } counter name refused reject\n"
)
JAILED = "Status for the jail: ilnmors-mail\n`- Actions\n   `- Banned IP list:\t{}\n"
SETS = (
    "table inet f2b-table {\n\tset addr-set-other {\n\t\ttype ipv4_addr\n\t\telements = { 192.0.2.9 }\n\t}\n\n"
    "\tset addr-set-ilnmors-mail {\n\t\ttype ipv4_addr\n\t\telements = { 192.0.2.7, 192.0.2.8 }\n\t}\n\n"
    "\tset addr6-set-ilnmors-mail {\n\t\ttype ipv6_addr\n\t\telements = { 2001:db8::1 }\n\t}\n}\n"
)


def checked(answers: dict[str, str | None], connections: int = 0, jail: str = "") -> list[Check]:
    """Make the checks on a host that answers so to systemctl, fail2ban-client and to nft for each table."""

    def ask(command: Sequence[str]) -> str | None:
        return answers[command[-1] if command[0] == "nft" else command[0]]

    return run_checks(guard_jobs(connections, jail, ask, probe=False))


class Jail:
    """A host whose jail has banned nobody. obeys: fail2ban does; bans: what gets into the kernel."""

    def __init__(self, *, obeys: bool = True, bans: bool = True) -> None:
        self.obeys, self.bans = obeys, bans
        self.banned: list[str] = []
        self.ever: list[str] = []

    def __call__(self, command: Sequence[str]) -> str | None:
        match list(command):
            case ["fail2ban-client", "status", "ilnmors-mail"]:
                return JAILED.format("")
            case ["fail2ban-client", "set", "ilnmors-mail", "banip", address]:
                self.ever.append(address)
                self.banned += [address] if self.bans else []
                return "1\n" if self.obeys else None
            case ["fail2ban-client", "set", "ilnmors-mail", "unbanip", address]:
                self.banned = [one for one in self.banned if one != address]
                return "1\n"
            case ["nft", "list", "table", "inet", "f2b-table"]:
                return SETS.replace("192.0.2.7, 192.0.2.8", self.banned[0]) if self.banned else None
        raise AssertionError(command)


@pytest.mark.parametrize(
    ("unit", "table", "ok"),
    [
        (RUNS, LIMITS, True),
        (RUNS, None, False),
        (RUNS, LIMITS.replace("over 20 ", "over 10 "), False),
        (RUNS, LIMITS.replace("over 20 ", "over 200 "), False),
        (DEAD, None, False),
        (None, None, False),
        # A container without rights for that: nothing to mend there.
        (REFUSED, None, None),
    ],
)
def test_limits_are_where_they_count(unit: str | None, table: str | None, ok: bool | None) -> None:
    (check,) = checked({"systemctl": unit, "ilnmors_mail": table}, connections=20)
    assert (check.name, check.ok) == ("connection limits", ok)
    assert ("systemctl restart postfix-connection-limits" in check.detail) is (ok is False)


def test_a_kernel_without_limits_says_why() -> None:
    (check,) = checked({"systemctl": REFUSED, "ilnmors_mail": None}, connections=20)
    assert "this kernel takes none (Operation not permitted)" in check.detail


@pytest.mark.parametrize(
    ("banned", "table", "ok", "detail"),
    [
        ("", None, True, "nobody is banned now"),
        ("192.0.2.7", SETS, True, "banned addresses: 1"),
        ("192.0.2.7 192.0.2.8 2001:db8::1", SETS, True, "banned addresses: 3"),
        (
            "192.0.2.7",
            None,
            False,
            "the kernel lets in 192.0.2.7, which fail2ban has banned; "
            "run 'fail2ban-client reload --restart ilnmors-mail' there",
        ),
        # In another jail's set.
        (
            "192.0.2.9 192.0.2.7 2001:db8::2",
            SETS,
            False,
            "the kernel lets in 192.0.2.9, 2001:db8::2, which fail2ban has banned; "
            "run 'fail2ban-client reload --restart ilnmors-mail' there",
        ),
    ],
)
def test_who_is_banned_is_kept_out(banned: str, table: str | None, ok: bool, detail: str) -> None:
    answers = {"fail2ban-client": JAILED.format(banned), "f2b-table": table}
    (check,) = checked(answers, jail="ilnmors-mail")
    assert (check.name, check.ok, check.detail) == ("bans (ilnmors-mail)", ok, detail)


def test_where_nobody_is_banned_a_ban_is_tried_and_taken_back() -> None:
    jail = Jail()
    (check,) = run_checks(guard_jobs(0, "ilnmors-mail", jail))
    assert (check.ok, check.detail) == (True, "nobody is banned now, and a ban works")
    assert len(jail.ever) == 1
    assert not jail.banned
    assert ipaddress.ip_address(jail.ever[0]) in ipaddress.ip_network("192.0.2.0/24")


@pytest.mark.parametrize("jail", [Jail(bans=False), Jail(obeys=False, bans=False)])
def test_a_ban_that_does_not_work_is_told_of(jail: Jail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "IN_KERNEL_WITHIN", 0.3)
    (check,) = run_checks(guard_jobs(0, "ilnmors-mail", jail))
    assert check.ok is False
    assert f"({jail.ever[0]}, nobody's) did not get into the kernel" in check.detail
    assert not jail.banned


def test_a_jail_that_is_off_fails() -> None:
    (check,) = checked({"fail2ban-client": None}, jail="ilnmors-mail")
    assert check.ok is False
    assert "run 'systemctl restart fail2ban' there" in check.detail


def test_what_is_not_wanted_is_not_asked() -> None:
    assert checked({}) == []


def test_a_command_that_is_not_there_says_nothing() -> None:
    assert run(["no-such-command-here"]) is None
    assert run(["false"]) is None
    assert run(["echo", "yes"]) == "yes\n"
