"""The verify playbook tells of limits and bans that the kernel does not have, and what it says to do puts them back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support.ansible_command import run_ansible
from testinfra.host import Host

VERIFY = Path(__file__).parents[3] / "playbooks" / "verify.yml"
LIMITS = "postfix-connection-limits.service"
BANNED = ("192.0.2.77", "2001:db8::77")
"""Of documentation's networks (RFC 5737, RFC 3849): nobody's."""


def verify(request: pytest.FixtureRequest) -> tuple[int, dict[str, str]]:
    """Check what keeps strangers off; return the status, and how each check ended."""
    path = request.config.getoption("--ansible-inventory")
    done = run_ansible("ansible-playbook", str(VERIFY), "--tags", "guards", inventory=path)
    lines = re.findall(
        r"^\W*((?:ok|FAILED|note) +(?:connection limits|bans).*?)\W*$", done.stdout, re.MULTILINE
    )
    found = [" ".join(line.split()) for line in lines]
    return done.returncode, {"limits" if " limits " in line else "bans": line for line in found}


@pytest.fixture
def _guarded(mail: Host, provider: Host) -> Iterator[None]:
    """Ban addresses in the lab, and have everything as it was in the end."""
    assert provider
    if mail.run("nft list table inet ilnmors_mail").failed:
        pytest.skip("needs a kernel with nf_tables, and limits (postfix_relay_limit)")
    for address in BANNED:
        mail.check_output(f"fail2ban-client set ilnmors-mail banip {address}")
    yield
    mail.check_output(f"systemctl start {LIMITS}")
    mail.check_output("fail2ban-client reload --restart ilnmors-mail")
    for address in BANNED:
        mail.check_output(f"fail2ban-client set ilnmors-mail unbanip {address}")


@pytest.mark.usefixtures("_guarded")
def test_tables_that_are_gone_are_told_of_and_put_back(request: pytest.FixtureRequest, mail: Host) -> None:
    status, lines = verify(request)
    assert status == 0, lines
    assert lines["limits"].startswith("ok "), lines
    assert lines["bans"].startswith("ok "), lines

    # Nobody else may take away the limits: they go with their program.
    mail.check_output(f"systemctl stop {LIMITS}")
    mail.check_output("nft delete table inet f2b-table")
    status, lines = verify(request)
    assert status != 0
    assert lines["limits"].startswith("FAILED "), lines
    assert lines["bans"].startswith("FAILED "), lines
    assert all(address in lines["bans"] for address in BANNED)

    for line in lines.values():
        remedy = re.search(r"run '([^']+)' there", line)
        assert remedy
        mail.check_output(remedy[1])
    status, lines = verify(request)
    assert status == 0, lines


def test_a_ban_is_tried_where_nobody_is_banned(
    request: pytest.FixtureRequest, mail: Host, provider: Host
) -> None:
    assert provider
    if mail.run("nft list tables").failed:
        pytest.skip("needs a kernel with nf_tables")
    status, lines = verify(request)
    assert status == 0, lines
    assert re.search(r"nobody is banned now, and a ban works|banned addresses: \d", lines["bans"]), lines
    # It is let go.
    assert " 192.0.2." not in mail.check_output("fail2ban-client status ilnmors-mail")
