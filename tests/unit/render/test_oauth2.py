# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is checked of accounts with access tokens, and what their units are given to read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.oauth2_tokens import token_check
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.errors import CheckError
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.oauth2_authorization import Client
from ansible_collections.ilnmors.mail.plugins.module_utils._render.oauth2 import oauth2_accounts
from ansible_collections.ilnmors.mail.tests.unit.programs.oauth2_programs import mail_oauth2, mail_oauth2_smtp

NOW = 1_800_000_000.0

ENTRY = {
    "name": "outlook",
    "profile": "outlook",
    "address": "il@outlook.com",
    "owner": "il",
    "oauth2": {"client_id": "a-client", "refresh_token": "a-token"},
}


def test_the_units_read_what_their_programs_take() -> None:
    other = {"name": "naver", "profile": "naver", "address": "il@naver.com", "password": "x", "owner": "il"}
    only_fetched = {**ENTRY, "name": "work", "relay": False}
    found = oauth2_accounts(
        [other, ENTRY, only_fetched], "/etc/mail-oauth2", "/var/lib/mail-oauth2", "/etc/ca.pem"
    )
    assert (found["names"], found["relays"]) == (["outlook", "work"], ["outlook"])
    assert all((file["mode"], file["secret"]) == ("0600", True) for file in found["files"])
    content = {file["path"]: json.loads(file["content"]) for file in found["files"]}
    account = mail_oauth2.Account(name="outlook", **content["/etc/mail-oauth2/outlook.json"])
    assert (account.host, account.client_secret, account.refresh_token) == (
        "login.microsoftonline.com",
        "",
        "a-token",
    )
    assert account.ca_file == "/etc/ca.pem"
    settings = content["/etc/mail-oauth2/outlook.authorize.json"]
    assert Client(**settings["client"]).device_url.endswith("/devicecode")
    assert (settings["username"], settings["ca_file"]) == ("il@outlook.com", "/etc/ca.pem")
    assert settings["imap"] == {"host": "outlook.office365.com", "port": 993}
    assert settings["smtp"] == {"host": "smtp.office365.com", "port": 587, "tls": "starttls"}
    assert "a-token" not in str(settings)
    assert content["/etc/mail-oauth2/work.authorize.json"]["smtp"] is None
    assert "a-token" not in repr(account)
    logins = content["/etc/mail-oauth2/logins"]
    assert found["proxy"] == "127.0.0.1:10587"
    assert list(logins["accounts"]) == ["outlook"]
    login = mail_oauth2_smtp.Login(name="outlook", **logins["accounts"]["outlook"])
    assert (login.host, login.port, login.implicit_tls) == ("smtp.office365.com", 587, False)
    assert login.username == "il@outlook.com"
    assert logins["user"] == "postfix"


VALID = {"expires": NOW + 3600, "error": "", "refused": False}


@pytest.mark.parametrize(
    ("status", "detail"),
    [
        (VALID, "valid until 2027-01-15 09:00:00 UTC"),
        (
            {**VALID, "error": "it says 503"},
            "valid until 2027-01-15 09:00:00 UTC, but the last attempt at a new one failed: it says 503",
        ),
    ],
    ids=["valid", "valid-after-a-failure"],
)
def test_a_token_passes(tmp_path: Path, status: dict[str, object], detail: str) -> None:
    (tmp_path / "status.json").write_text(json.dumps(status))
    assert token_check(tmp_path, NOW).detail == detail


@pytest.mark.parametrize(
    ("status", "detail"),
    [
        (
            {**VALID, "error": "it is revoked", "refused": True},
            "valid until 2027-01-15 09:00:00 UTC, and then its mail waits: it is revoked",
        ),
        (
            {**VALID, "expires": NOW - 1, "error": "it is revoked", "refused": True},
            "its mail waits, for it has no valid access token: it is revoked",
        ),
        (
            {**VALID, "expires": NOW - 1},
            "its mail waits, for it has no valid access token: the last one has expired",
        ),
        (None, "its unit has not run; look at 'systemctl status mail-oauth2@outlook'"),
    ],
    ids=["refused-but-valid", "refused", "expired", "never-run"],
)
def test_a_token_fails(tmp_path: Path, status: dict[str, object] | None, detail: str) -> None:
    directory = tmp_path / "outlook"
    directory.mkdir()
    if status:
        (directory / "status.json").write_text(json.dumps(status))
    with pytest.raises(CheckError) as caught:
        token_check(directory, NOW)
    assert str(caught.value) == detail
