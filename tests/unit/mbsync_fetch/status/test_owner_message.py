# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the owner of an account is told when its fetch has stopped."""

from __future__ import annotations

import email
from dataclasses import fields
from email import policy

import pytest
from mbsync_fetch.account.settings import Account
from mbsync_fetch.status.owner_message import owner_message
from mbsync_fetch.status.status import Status

NOW = 1_800_000_000.0  # 2027-01-15 08:00:00 UTC
SECRET = "right horse"


def account(mechanism: str) -> Account:
    said = {
        "name": "gmail",
        "host": "imap.gmail.test",
        "username": "il@gmail.test",
        "mechanism": mechanism,
        "owner": "il@ilnmors.internal",
    }
    return Account(**{**dict.fromkeys(entry.name for entry in fields(Account)), **said})  # type: ignore[arg-type]


STEPS = {"password": "Many providers want an app password", "xoauth2": "apps with access"}
REMEDIES = {"password": "write the right (app) password", "xoauth2": "authorize the account again"}


@pytest.mark.parametrize("mechanism", ["password", "xoauth2"])
def test_the_owner_is_told_what_happened_and_what_to_do(mechanism: str) -> None:
    status = Status()
    for __ in range(3):
        status = status.failed(NOW, "refused", "it said no", SECRET, token=mechanism == "xoauth2")
    raw = owner_message(account(mechanism), status, NOW)
    assert SECRET.encode() not in raw
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    message = email.message_from_bytes(raw, policy=policy.default)
    assert dict(message.items()) | {"Message-ID": ""} == {
        "From": '"Mail at ilnmors.internal" <postmaster@ilnmors.internal>',
        "To": "il@ilnmors.internal",
        "Subject": "Mail of il@gmail.test is no longer fetched",
        "Date": "Fri, 15 Jan 2027 08:00:00 +0000",
        "Message-ID": "",
        "Auto-Submitted": "auto-generated",
        "Content-Type": 'text/plain; charset="utf-8"',
        "Content-Transfer-Encoding": "7bit",
        "MIME-Version": "1.0",
    }
    assert message["Message-ID"].endswith("@ilnmors.internal>")
    body = " ".join(message.get_content().split())
    for said in (
        "imap.gmail.test",
        "3 times",
        "it said no",
        '"gmail"',
        STEPS[mechanism],
        REMEDIES[mechanism],
    ):
        assert said in body
