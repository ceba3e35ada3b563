# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What verify hands to cron: its status, a line for each failure, and a report in a file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support.ansible_command import run_ansible
from testinfra.host import Host

ROOT = Path(__file__).parents[3]
VERIFY = ROOT / "playbooks" / "verify.yml"
TYPES: dict[str, Any] = {
    "version": int,
    "house": str,
    "at": str,
    "ok": bool,
    "failures": list,
    "checks": list,
}
CHECK: dict[str, Any] = {"name": str, "ok": bool | None, "seconds": float, "detail": str}


class Verify:
    """Runs verify with a report, in a folder."""

    def __init__(self, inventory: str | None, folder: Path) -> None:
        self.inventory, self.file = inventory, folder / "report.json"

    def __call__(self, *options: str) -> tuple[int, list[str], dict[str, Any]]:
        """Return the status, the lines that were printed, and the report; none if there is no file."""
        command = ("ansible-playbook", str(VERIFY), "-e", f"report={self.file}", *options)
        done = run_ansible(*command, inventory=self.inventory)
        found = json.loads(self.file.read_text()) if self.file.exists() else {}
        return done.returncode, [" ".join(line.split()) for line in done.stdout.splitlines()], found


@pytest.fixture
def verify(request: pytest.FixtureRequest, tmp_path: Path) -> Verify:
    return Verify(request.config.getoption("--ansible-inventory"), tmp_path)


@pytest.fixture
def _without_bans(mail: Host, provider: Host) -> Iterator[None]:
    """Stop fail2ban, in the lab alone."""
    assert provider
    mail.check_output("systemctl stop fail2ban.service")
    yield
    mail.check_output("systemctl start fail2ban.service")


def test_a_report_says_what_was_checked(verify: Verify) -> None:
    status, __, report = verify("--tags", "ports,queue")
    assert (status, report["ok"], report["failures"]) == (0, True, [])
    assert {key: type(value) for key, value in report.items()} == TYPES
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", report["at"])
    assert {"queue", "993 imap (TLS)"} <= {check["name"] for check in report["checks"]}
    for check in report["checks"]:
        assert all(isinstance(check[key], kind) for key, kind in CHECK.items())
    assert verify.file.stat().st_mode & 0o777 == 0o600


@pytest.mark.usefixtures("_without_bans")
def test_each_failure_is_a_line_that_says_what_to_do(verify: Verify) -> None:
    status, lines, report = verify("--tags", "guards")
    assert status == 2
    (failure,) = report["failures"]
    assert failure.startswith("bans (ilnmors-mail): ")
    assert "systemctl" in failure
    assert any(failure in line for line in lines)


def test_a_host_that_cannot_be_reached_is_a_failure(
    verify: Verify, inventory: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    host = next(iter(inventory.values()))["groups"]["mail"][0]
    elsewhere = tmp_path / "elsewhere.yml"
    # A port where nothing answers.
    unreachable = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 9}
    elsewhere.write_text(json.dumps({"all": {"hosts": {host: unreachable}}}))
    house = verify.inventory or str(ROOT / "inventories" / "lab")
    # The last one named is right.
    status, __, report = Verify(str(elsewhere), tmp_path)("--inventory", house, "--tags", "queue")
    assert status == 2
    (failure,) = report["failures"]
    assert failure.startswith("queue: ")
    assert failure.endswith("; see that the host runs, and that Ansible can log in to it")


def test_a_misspelt_tag_checks_nothing_and_fails(verify: Verify) -> None:
    status, lines, report = verify("--tags", "port")
    assert status == 2
    assert (report["ok"], report["checks"]) == (False, [])
    assert any("Nothing was checked; write one of the tags ports, guards" in line for line in lines)


def test_no_report_of_before_is_left_where_checks_could_not_begin(verify: Verify) -> None:
    verify.file.write_text("{}")
    status, __, report = verify("--tags", "queue", "-e", "mail_domain=home")
    assert (status, report) == (2, {})
    assert not verify.file.exists()


def test_the_script_for_cron_says_nothing_while_the_house_works(
    verify: Verify, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """As docs/operations.md has it."""
    page = (ROOT / "docs" / "operations.md").read_text()
    (script,) = re.findall(r"```sh\n(#!/bin/sh\n# Says nothing.*?)```", page, re.DOTALL)
    inventory = request.config.getoption("--ansible-inventory")
    given = script.replace("-i hosts.yml", f"-i {inventory}" if inventory else "").replace(
        "cd ~/house", f"cd {tmp_path}"
    )
    path = tmp_path / "script"
    path.write_text(given.replace("ilnmors.mail.verify", f"{VERIFY} --tags ${{TAGS}}"))
    assert verify.inventory == inventory
    for tags, status, said in (("queue", 0, ""), ("port", 1, "Nothing was checked")):
        done = run_ansible("sh", str(path), inventory=None, TAGS=tags)
        assert (done.returncode, said in done.stdout) == (status, True), done.stdout
        assert bool(done.stdout) is bool(status)
