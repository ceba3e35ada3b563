"""An account that takes access tokens alone: how it gets them, and what its mail does without one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.providers import read_by_the_world, why_it_waits
from ansible_collections.ilnmors.mail.tests.behaviour.support.token_account import (
    ACCOUNT,
    ADDRESS,
    STATE,
    UNIT,
    Endpoint,
    arrives,
    send,
    status,
)
from testinfra.host import Host


def test_mail_leaves_with_an_access_token(
    house: House, provider: Host, provider_ca: str, endpoint: Endpoint
) -> None:
    endpoint()
    arrives(provider_ca, send(house, "someone@elsewhere.test"))
    said = provider.check_output("journalctl --quiet --unit postfix --since -1min --grep sasl_method=")
    assert f"sasl_method=XOAUTH2, sasl_username={ADDRESS}" in said


@pytest.mark.parametrize("user", ["nobody", "root", "mail-oauth2"])
def test_nobody_but_postfix_sends_with_it(mail: Host, user: str) -> None:
    ask = "import socket; print(socket.create_connection(('127.0.0.1', 10587)).makefile().readline())"
    said = mail.check_output(f"runuser -u {user} -- python3 -c %s", ask)
    assert said.strip() == "421 4.7.0 Only postfix is served here"


def test_a_token_is_replaced_before_its_end(
    house: House, mail: Host, provider_ca: str, endpoint: Endpoint
) -> None:
    endpoint(lifetime=6)
    first = status(mail)["expires"]
    wait_for(lambda: time.time() > first, "the first token expires")
    assert status(mail)["expires"] > first
    arrives(provider_ca, send(house, "someone@elsewhere.test"))


def test_mail_waits_until_the_account_is_authorized_again(
    house: House, mail: Host, provider_ca: str, endpoint: Endpoint, verified: Callable[[], dict[str, Any]]
) -> None:
    endpoint(revoked=True)
    recipient = "revoked@elsewhere.test"
    message_id = send(house, recipient)
    why = wait_for(lambda: why_it_waits(mail, recipient), "the queue says why the message waits")
    assert "login.outlook.test says '400 invalid_grant" in why
    assert "authorize the account again" in why
    assert status(mail)["refused"] is True
    assert "invalid_grant" in mail.check_output(f"systemctl show --property StatusText {UNIT}")
    assert "authorize the account again" in mail.check_output(f"journalctl --quiet --unit {UNIT} --lines 9")
    check = verified()
    assert check["ok"] is False
    assert "authorize the account again" in check["detail"]

    # An account with a password goes on beside it.
    arrives(provider_ca, send(house, "someone@elsewhere.test", house.login("il")), "gmail")
    assert not read_by_the_world(provider_ca, ACCOUNT, message_id)

    endpoint()
    mail.check_output("postqueue -f")
    arrives(provider_ca, message_id)
    assert verified()["ok"] is True


SMALL_DISK = f"""set -e
systemctl stop {UNIT}
mount -t tmpfs -o size=256k,mode=0700,uid=$(stat -c %u {STATE}),gid=$(stat -c %g {STATE}) tmpfs {STATE}
cp -a {STATE}.kept/. {STATE}; rm -f {STATE}/access_token
head -c 1M /dev/zero >{STATE}/full || true
systemctl start {UNIT}"""


def test_a_full_disk_costs_no_grant(mail: Host, provider: Host, endpoint: Endpoint) -> None:
    endpoint()
    asked = "journalctl --quiet --unit token-endpoint --grep POST | wc -l"
    begun, before = int(time.time()), provider.check_output(asked)
    mail.check_output(f"rm -rf {STATE}.kept; cp -a {STATE} {STATE}.kept")
    try:
        mail.check_output(SMALL_DISK)
        told = f"systemctl show --property StatusText {UNIT}"
        wait_for(lambda: f"{STATE} cannot be written to" in mail.check_output(told), "the full disk is told")
        assert provider.check_output(asked) == before
        assert "Traceback" not in mail.check_output(f"journalctl --quiet --unit {UNIT} --since @{begun}")
        mail.check_output(f"rm {STATE}/full")
        wait_for(lambda: mail.file(f"{STATE}/access_token").exists, "the token comes when there is room")
    finally:
        mail.check_output(
            f"systemctl stop {UNIT}; cp -a {STATE}/. {STATE}.kept; umount {STATE}; "
            f"rm -rf {STATE}.kept/full {STATE}; mv {STATE}.kept {STATE}; systemctl start {UNIT}"
        )


READ_TOKENS = f"""import json
for file in ("/etc/mail-oauth2/{ACCOUNT}.json", "{STATE}/grant.json"):
    print(json.load(open(file))["refresh_token"])
print(open("{STATE}/access_token").read())"""

ALL_COMMAND_LINES = f"""
while :; do cat /proc/[0-9]*/cmdline; done >/root/argv 2>/dev/null & sampler=$!
systemctl stop {UNIT}; rm -f {STATE}/access_token; systemctl start {UNIT}
kill $sampler"""


@pytest.mark.usefixtures("endpoint")
def test_no_token_is_shown(mail: Host) -> None:
    try:
        mail.check_output(ALL_COMMAND_LINES)
        mail.check_output("umask 077; python3 -c %s > /root/tokens", READ_TOKENS)
        assert "/usr/local/lib/ilnmors-mail/mail-oauth2" in mail.check_output("tr '\\0' ' ' < /root/argv")
        assert mail.run("grep -aFf /root/tokens /root/argv").stdout == ""
        assert mail.run("journalctl --since -5min | grep -Ff /root/tokens").stdout == ""
        # What anybody on the host can read; root finds what there is to find.
        places = "/etc /run /usr/local /var/lib /var/log /var/spool /tmp"
        assert mail.run(f"runuser -u nobody -- grep -rlasFf - {places} < /root/tokens").stdout == ""
        assert f"{STATE}/access_token" in mail.check_output("grep -rlFf /root/tokens /var/lib/mail-oauth2")
    finally:
        mail.check_output("rm -f /root/tokens /root/argv")
