# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is fetched for a house: the accounts, their files and their units."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._render.mbsync_fetches import mbsync_fetches
from mbsync_fetch.account.settings import Account

GMAIL: dict[str, Any] = {
    "name": "gmail",
    "profile": "gmail",
    "address": "il@gmail.com",
    "password": "secret-gmail",
    "owner": "il",
}
GRANT = {"client_id": "client", "client_secret": "secret-client", "refresh_token": "secret-token"}
CA = "/etc/ssl/certs/ca-certificates.crt"


def described(*entries: dict[str, Any], metrics: str = "") -> dict[str, Any]:
    units = {"socket": "the socket", "service": "the service"}
    return mbsync_fetches(entries, "Home.internal", "/etc/fetch", CA, metrics, units)


def content(fetches: dict[str, Any], path: str) -> str:
    (found,) = (file["content"] for file in fetches["files"] if file["path"] == path)
    return str(found)


def account(fetches: dict[str, Any], name: str, folder: Path) -> Account:
    """Read an account as the program that fetches it does."""
    file = folder / f"{name}.json"
    file.write_text(content(fetches, f"/etc/fetch/accounts/{name}.json"), "utf-8")
    return Account.read(file)


def test_the_program_reads_what_is_written_of_an_account(tmp_path: Path) -> None:
    found = account(described(GMAIL), "gmail", tmp_path)
    assert found == Account(
        name="gmail",
        host="imap.gmail.com",
        port=993,
        ca_file=CA,
        username="il@gmail.com",
        mechanism="password",
        owner="il@home.internal",
        folder="Google",
        inbox=False,
        labelled=True,
        labels=False,
        mailboxes=(),
        skip_mailboxes=(),
        mirror=False,
        daily_megabytes=found.daily_megabytes,
        metrics=False,
        timeout=60,
        local_socket="/run/mbsync-fetch-house/gmail",
    )


def test_the_owners_choices_reach_the_program(tmp_path: Path) -> None:
    odd = 'le "vieux" \\ 네이버'
    entry = {
        **GMAIL,
        "owner": "Il",
        "username": odd,
        "folder": odd,
        "inbox": True,
        "labels": True,
        "mailboxes": [odd],
        "skip_mailboxes": ["Junk"],
        "deleted_at_provider": "mirror",
    }
    found = account(described(entry), "gmail", tmp_path)
    assert (found.owner, found.username, found.folder) == ("il@home.internal", odd, odd)
    assert (found.inbox, found.labels, found.mirror) == (True, True, True)
    assert (found.mailboxes, found.skip_mailboxes) == ((odd,), ("Junk",))


def test_an_account_may_be_read_by_its_own_user_alone() -> None:
    files = {file["path"]: file for file in described(GMAIL)["files"]}
    file = files["/etc/fetch/accounts/gmail.json"]
    assert (file["group"], file["mode"]) == ("mbsync-fetch-gmail", "0640")


def test_only_what_is_fetched_is_described() -> None:
    fetches = described(
        GMAIL,
        {**GMAIL, "name": "relay_only", "fetch": False},
        {**GMAIL, "name": "fetch_only", "relay": False},
    )
    assert fetches["names"] == ["gmail", "fetch_only"]
    assert fetches["users"] == [
        {"user": "mbsync-fetch-gmail", "address": "il@gmail.com"},
        {"user": "mbsync-fetch-fetch_only", "address": "il@gmail.com"},
    ]
    assert [secret["path"] for secret in fetches["secrets"]] == [
        "/etc/fetch/credentials/gmail.password",
        "/etc/fetch/credentials/fetch_only.password",
    ]
    assert "relay_only" not in json.dumps(fetches)


def test_each_account_has_its_units() -> None:
    fetches = described(GMAIL)
    assert fetches["units"] == [
        "mbsync-fetch-house-gmail.socket",
        "mbsync-fetch@gmail.path",
        "mbsync-fetch@gmail.timer",
        "mbsync-fetch-watch@gmail.service",
    ]
    units = "/etc/systemd/system"
    assert content(fetches, f"{units}/mbsync-fetch-house-gmail.socket") == "the socket"
    assert content(fetches, f"{units}/mbsync-fetch-house-gmail@.service") == "the service"
    owner = content(fetches, f"{units}/mbsync-fetch-house-gmail@.service.d/owner.conf")
    assert owner == "[Service]\nEnvironment=OWNER=il@home.internal"
    wanted = {str(Path(file["path"]).parent) for file in fetches["files"]} - {"/etc/fetch/accounts", units}
    assert {directory["path"] for directory in fetches["directories"]} == wanted


def test_no_file_of_an_account_stays_without_it() -> None:
    """Every pattern takes what a listed account has, so that it goes when the account does."""
    fetches = described(GMAIL, {**GMAIL, "name": "other", "password": "", "oauth2": GRANT})
    paths = [Path(file["path"]) for file in fetches["files"]]
    assert [path for path in paths if not any(path.match(pattern) for pattern in fetches["absent"])] == []


@pytest.mark.parametrize(
    ("secret", "source"),
    [
        ({}, "password:/etc/fetch/credentials/gmail.password"),
        ({"password": None, "password_file": "/root/gmail"}, "password:/root/gmail"),
        (
            {"password": None, "oauth2": GRANT},
            "token:/var/lib/mail-oauth2/gmail/access_token\nSetCredential=token:\\n",
        ),
    ],
)
def test_the_secret_is_handed_to_what_logs_in(secret: dict[str, Any], source: str) -> None:
    fetches = described({**GMAIL, **secret})
    for unit in ("mbsync-fetch@gmail", "mbsync-fetch-watch@gmail"):
        credential = content(fetches, f"/etc/systemd/system/{unit}.service.d/credential.conf")
        assert credential.endswith(f"[Service]\nLoadCredential={source}")
        assert ("After=mail-oauth2@gmail.service" in credential) == ("oauth2" in secret)


def test_passwords_stand_in_the_secrets_alone() -> None:
    fetches = described(
        GMAIL,
        {**GMAIL, "name": "other", "password": None, "oauth2": GRANT},
        {**GMAIL, "name": "third", "password": None, "password_file": "/root/third"},
    )
    secrets = fetches.pop("secrets")
    assert "secret-" not in json.dumps(fetches)
    assert secrets == [
        {
            "path": "/etc/fetch/credentials/gmail.password",
            "content": "secret-gmail",
            "mode": "0600",
            "secret": True,
        }
    ]


DEBIANS = "/var/lib/prometheus/node-exporter"


@pytest.mark.parametrize(
    ("directory", "links", "absent"),
    [
        ("", {}, [f"{DEBIANS}/mbsync_fetch_*.prom"]),
        (
            DEBIANS,
            {f"{DEBIANS}/mbsync_fetch_gmail.prom": "/run/mbsync-fetch/gmail/metrics.prom"},
            [f"{DEBIANS}/mbsync_fetch_*.prom"],
        ),
        (
            "/srv/metrics",
            {"/srv/metrics/mbsync_fetch_gmail.prom": "/run/mbsync-fetch/gmail/metrics.prom"},
            [f"{DEBIANS}/mbsync_fetch_*.prom", "/srv/metrics/mbsync_fetch_*.prom"],
        ),
    ],
)
def test_metrics_are_linked_where_they_are_wanted(
    directory: str, links: dict[str, str], absent: list[str], tmp_path: Path
) -> None:
    fetches = described(GMAIL, {**GMAIL, "name": "off", "fetch": False}, metrics=directory)
    assert (fetches["metrics_links"], fetches["metrics_absent"]) == (links, absent)
    assert account(fetches, "gmail", tmp_path).metrics == bool(directory)
