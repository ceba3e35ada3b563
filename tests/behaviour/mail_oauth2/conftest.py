# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fixtures of the tests of accounts that take access tokens."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support.token_account import (
    ACCOUNT,
    FAULTS,
    STATE,
    UNIT,
    Endpoint,
)
from testinfra.host import Host


@pytest.fixture
def endpoint(provider: Host, mail: Host) -> Iterator[Endpoint]:
    """Return what tells the token endpoint how to behave, and has the unit ask it at once."""
    if provider.run("systemctl is-active --quiet token-endpoint").failed:
        pytest.skip("needs a provider with a token endpoint, as the lab's")

    def behave(**faults: object) -> None:
        provider.check_output(f"printf %s > {FAULTS}", json.dumps(faults))
        # Without a token that is still valid, it asks for one.
        mail.check_output(f"systemctl stop {UNIT} && rm -f {STATE}/access_token && systemctl start {UNIT}")

    yield behave
    behave()
    mail.check_output("postqueue -f")


@pytest.fixture
def verified(request: pytest.FixtureRequest) -> Callable[[], dict[str, Any]]:
    """Return what tells the check of the playbook verify."""
    inventory = request.config.getoption("--ansible-inventory")

    def check() -> dict[str, Any]:
        command = ["ansible", "mail", "--one-line", "-m", "ilnmors.mail.oauth2_token_info"]
        command += ["-a", f"accounts={ACCOUNT}"] + (["-i", inventory] if inventory else [])
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        # What failed, Ansible may say on either, and more behind it.
        said = done.stdout + done.stderr
        result, __ = json.JSONDecoder().raw_decode(said, said.index("{"))
        found: dict[str, Any] = result["checks"][0]
        return found

    return check
