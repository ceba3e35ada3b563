# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A house that cannot be tried is told of in one sentence, whatever its inventory says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("testinfra")

ROOT = Path(__file__).parents[3]
HOSTS = """
all:
  children:
    mail:
      hosts:
        hub: {ansible_host: 127.0.0.1, ansible_port: 1, ansible_connection: ssh, ansible_timeout: 5}
"""
SITE = """
mail_domain: rowan.internal
mail_users:
  - {name: alex, password: "{{ vault_alex_password }}"}
"""


def attempt(folder: Path, *options: str, **environment: str) -> list[str]:
    """Run a test against an inventory, and return what is said after the count of tests."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--ansible-inventory",
        str(folder),
    ]
    known = {name: value for name, value in os.environ.items() if name != "ANSIBLE_VAULT_PASSWORD_FILE"}
    done = subprocess.run(
        [*command, *options, "tests/behaviour/dovecot_imap/test_imap.py"],
        cwd=ROOT,
        env={**known, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout + done.stderr
    assert "passed" not in done.stdout
    return [line for line in done.stderr.splitlines() if line.strip()]


@pytest.fixture
def vault(tmp_path: Path) -> str:
    """Make an inventory whose passwords are in a vault, and return the file with the vault's password."""
    variables = tmp_path / "house" / "group_vars" / "all"
    variables.mkdir(parents=True)
    (tmp_path / "house" / "hosts.yml").write_text(HOSTS)
    (variables / "main.yml").write_text(SITE)
    secrets = variables / "vault.yml"
    secrets.write_text("vault_alex_password: quiet-otter-41\n")
    password = tmp_path / "vault-password"
    password.write_text("a vault's password\n")
    command = ["ansible-vault", "encrypt", "--vault-password-file", str(password), str(secrets)]
    subprocess.run(command, capture_output=True, check=True, timeout=60)
    return str(password)


def test_a_vault_that_is_not_opened(tmp_path: Path, vault: str) -> None:
    assert vault
    (line,) = attempt(tmp_path / "house")
    assert line.startswith("ERROR: the inventory of the house cannot be read: ")
    assert "no vault secrets" in line


def test_a_house_that_is_down(tmp_path: Path, vault: str) -> None:
    (line,) = attempt(tmp_path / "house", ANSIBLE_VAULT_PASSWORD_FILE=vault)
    assert line.startswith("ERROR: the house cannot be reached: hub | UNREACHABLE!")
    assert "otter" not in line


def test_a_person_who_is_none(tmp_path: Path, vault: str) -> None:
    (line,) = attempt(tmp_path / "house", "--as-user", "il", ANSIBLE_VAULT_PASSWORD_FILE=vault)
    assert line == "ERROR: --as-user: 'il' is nobody in mail_users; write one of alex"
