# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is kept on a host of an account that a person authorizes."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._host import oauth2_grant
from ansible_collections.ilnmors.mail.plugins.module_utils._host.oauth2_grant import (
    GrantError,
    keep_grant,
    keep_request,
    read_settings,
    take_request,
)


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Return what systemctl is told."""
    told: list[tuple[str, ...]] = []

    def systemctl(*words: str) -> str:
        told.append(words)
        return "the access token is valid\n"

    monkeypatch.setattr(oauth2_grant, "systemctl", systemctl)
    return told


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """Return a directory with what the role wrote, which is that of the unit's state as well."""
    (tmp_path / "outlook.json").write_text(json.dumps({"refresh_token": ""}))
    (tmp_path / "outlook.authorize.json").write_text(json.dumps({"username": "il@outlook.com"}))
    (tmp_path / "outlook").mkdir()
    return tmp_path


def test_an_account_is_known_by_its_name(house: Path) -> None:
    assert read_settings(house, "outlook") == {"username": "il@outlook.com"}


SITE = "give the account an oauth2 in mail_providers and run the site playbook"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", f"account: is missing; write one of outlook, or {SITE}"),
        ("gmail", f"account: 'gmail' is not on this host; write one of outlook, or {SITE}"),
        ("../outlook", f"account: '../outlook' is not on this host; write one of outlook, or {SITE}"),
    ],
)
def test_another_name_is_refused(house: Path, name: str, message: str) -> None:
    with pytest.raises(GrantError) as caught:
        read_settings(house, name)
    assert str(caught.value) == message


def test_a_host_without_accounts_is_told(tmp_path: Path) -> None:
    with pytest.raises(GrantError, match=f"^account: 'outlook' is not on this host; {SITE}$"):
        read_settings(tmp_path / "missing", "outlook")


def test_what_is_asked_for_is_good_for_one_use(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    keep_request(directory, "outlook", {"device_code": "secret"})
    keep_request(directory, "outlook", {"device_code": "another"})
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((directory / "outlook.json").stat().st_mode) == 0o600
    assert take_request(directory, "outlook") == {"device_code": "another"}
    assert list(directory.iterdir()) == []
    with pytest.raises(GrantError, match="nothing was asked for outlook yet"):
        take_request(directory, "outlook")


def test_the_unit_gets_the_token_while_it_is_stopped(house: Path, commands: list[tuple[str, ...]]) -> None:
    assert keep_grant(house, house, "outlook", "secret-refresh") == "the access token is valid"
    grant = house / "outlook" / "grant.json"
    assert json.loads(grant.read_text())["refresh_token"] == "secret-refresh"
    assert stat.S_IMODE(grant.stat().st_mode) == 0o600
    assert [path.name for path in (house / "outlook").iterdir()] == ["grant.json"]
    unit = "mail-oauth2@outlook.service"
    assert commands == [
        ("stop", unit),
        ("start", unit),
        ("show", "--property", "StatusText", "--value", unit),
    ]


def test_a_full_disk_changes_nothing(
    house: Path, commands: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (house / "outlook" / "grant.json").write_text("before")

    def full(__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        GrantError, match="No space left on device; make room on this host's disk, and run this again"
    ):
        keep_grant(house, house, "outlook", "secret-refresh")
    assert (house / "outlook" / "grant.json").read_text() == "before"
    assert [path.name for path in (house / "outlook").iterdir()] == ["grant.json"]
    assert commands[-1] == ("start", "mail-oauth2@outlook.service")
