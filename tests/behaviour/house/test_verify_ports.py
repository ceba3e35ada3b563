"""The verify playbook says where nobody can log in, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support.ansible_command import run_ansible
from testinfra.host import Host

VERIFY = Path(__file__).parents[3] / "playbooks" / "verify.yml"


def verify(request: pytest.FixtureRequest, *options: str) -> tuple[int, list[str]]:
    """Check the ports; return the status, and the lines of the checks with single spaces."""
    path = request.config.getoption("--ansible-inventory")
    done = run_ansible("ansible-playbook", str(VERIFY), "--tags", "ports", *options, inventory=path)
    return done.returncode, [" ".join(line.split()) for line in done.stdout.splitlines()]


@pytest.fixture
def _without_accounts(mail: Host, provider: Host) -> Iterator[None]:
    """Stop Dovecot, in the lab alone."""
    assert provider
    mail.check_output("systemctl stop dovecot.service")
    yield
    mail.check_output("systemctl start dovecot.service")


@pytest.mark.any_house
def test_every_port_is_as_it_should_be(request: pytest.FixtureRequest, mail: Host) -> None:
    status, lines = verify(request)
    assert status == 0, lines
    assert mail.service("postfix").is_running


@pytest.mark.any_house
def test_a_limit_that_leaves_nothing_to_check_fails(
    request: pytest.FixtureRequest, inventory: dict[str, dict[str, Any]]
) -> None:
    groups = next(iter(inventory.values()))["groups"]
    others = set(groups["all"]) - {groups["mail"][0]}
    if not others:
        pytest.skip("needs a house of more than one host")
    status, lines = verify(request, "--limit", sorted(others)[0])
    assert status != 0
    assert f"--limit leaves out {groups['mail'][0]}" in " ".join(lines)


@pytest.mark.usefixtures("_without_accounts")
def test_a_port_where_nobody_can_log_in_fails(request: pytest.FixtureRequest) -> None:
    """Postfix announces logins for as long as a process lives that knew of them."""
    status, lines = verify(request)
    assert status != 0
    failed = [line for line in lines if line.startswith("FAILED")]
    for port in ("587", "465", "143", "993", "110", "995", "4190"):
        (line,) = [line for line in failed if line.startswith(f"FAILED {port} ")]
        assert "'systemctl status dovecot' on " in line
    assert [line for line in lines if line.startswith("ok 25 smtp")]
