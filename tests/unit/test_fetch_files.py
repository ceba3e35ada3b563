# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files on the mail host that options name are refused for what they are, and what is in them is never said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.ilnmors.mail.plugins.module_utils.fetch_files import (
    PACKAGED_CA,
    ca_problems,
    password_file_problems,
)
from ansible_collections.ilnmors.mail.plugins.modules import fetch_files
from ansible_collections.ilnmors.mail.tests.unit.fake_authority import Authority


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "gmail"
    path.write_text("secret-password\n")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_of_its_owner_alone_is_taken(file: Path, mode: int) -> None:
    file.chmod(mode)
    assert list(password_file_problems({"gmail": file})) == []


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o620, 0o601])
def test_a_file_of_others_as_well_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    assert list(password_file_problems({"gmail": file})) == [
        f"mail_providers (gmail).password_file: {file} has mode {mode:04o}, so that others can read it; "
        f"run 'chmod 600 {file}'"
    ]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "is empty; write the password into it"),
        ("\n", "is empty; write the password into it"),
        ("secret-1\nsecret-2\n", "has more than one line; write the password into it, and nothing else"),
    ],
)
def test_a_file_holds_a_password_alone(file: Path, content: str, fault: str) -> None:
    file.write_text(content)
    assert list(password_file_problems({"gmail": file})) == [
        f"mail_providers (gmail).password_file: {file} {fault}"
    ]


def test_each_account_is_named(file: Path) -> None:
    missing = file.with_name("missing")
    assert list(password_file_problems({"gmail": file, "naver": missing, "club": file.parent})) == [
        f"mail_providers (naver).password_file: {missing} is not there; put it on the mail host",
        f"mail_providers (club).password_file: {file.parent} is not a file; "
        "write the path of the one that holds the password",
    ]


def test_authorities_are_certificates(file: Path, authority: Authority) -> None:
    missing = file.with_name("missing")
    remedy = "or leave it out for those of Debian"
    assert list(ca_problems(PACKAGED_CA)) == list(ca_problems(authority.file)) == []
    assert list(ca_problems(missing)) == [
        f"mbsync_fetch_provider_ca: {missing} is not there; put it on the mail host, {remedy}"
    ]
    assert list(ca_problems(file)) == [
        f"mbsync_fetch_provider_ca: {file} holds no certificate in PEM form; write the path of a file that does, "
        f"{remedy}"
    ]


@pytest.mark.parametrize(("mode", "status"), [(0o600, 0), (0o644, 1)])
def test_the_module_says_what_is_wrong(
    file: Path, mode: int, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    file.chmod(mode)
    options = {"password_files": {"gmail": str(file)}, "provider_ca": str(PACKAGED_CA)}
    with patch_module_args(options), pytest.raises(SystemExit) as ended:
        fetch_files.main()
    assert ended.value.code == status
    result = json.loads(capsys.readouterr().out)
    assert ("chmod 600" in result.get("msg", "")) == bool(status)
    assert "secret" not in str(result)
