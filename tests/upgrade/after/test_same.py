"""The house on Debian 13 is the house that it was: whatever a client remembers is still true."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.providers import fetch_now, read_by_the_world
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmail_client import Webmail
from ansible_collections.ilnmors.mail.tests.upgrade import state
from testinfra.host import Host

INVOICES = "Projects/2026/Invoices"


@pytest.fixture(scope="module")
def now(house: House) -> dict[str, Any]:
    """Return what the users have now."""
    return {user: state.everything(house, user) for user in state.USERS}


def test_the_hosts_are_whole(mail: Host, app: Host) -> None:
    # Its timer comes each half an hour, also while packages are replaced. By now it works.
    app.check_output("systemctl start roundcube-gc.service")
    for host in (mail, app):
        assert host.file("/etc/debian_version").content_string.startswith("13")
        assert host.check_output("dpkg --audit") == ""
        assert host.check_output("systemctl list-units --failed --plain --no-legend") == ""
    assert (
        mail.check_output("systemctl is-active postfix dovecot mbsync-fetch.target").split() == ["active"] * 3
    )
    assert mail.check_output("systemctl show --property SubState --value postfix") == "running"


@pytest.mark.parametrize("what", ["folders", "subscribed", "scripts"])
@pytest.mark.parametrize("user", state.USERS)
def test_the_same(now: dict[str, Any], known: dict[str, Any], user: str, what: str) -> None:
    assert now[user][what] == known["users"][user][what]


@pytest.mark.parametrize("user", state.USERS)
def test_every_message_with_its_uid_and_flags(now: dict[str, Any], known: dict[str, Any], user: str) -> None:
    for name, before in known["users"][user]["mailboxes"].items():
        after = now[user]["mailboxes"][name]
        assert after["validity"] == before["validity"], name
        assert after["modseq"] >= before["modseq"], name
        assert after["next"] >= before["next"], name
        old = {uid: content for uid, content in after["messages"].items() if int(uid) < before["next"]}
        assert old == before["messages"], name


def test_old_mail_is_found(house: House, known: dict[str, Any]) -> None:
    """By its text, which a full-text index of the new series answers."""
    name = state.encode("받은 편지/영수증")
    with state.imap(house, "guest") as client:
        client.select(f'"{name}"', readonly=True)
        found = client.uid("SEARCH", "TEXT", "needle")[1][0].decode().split()
    assert found == list(known["users"]["guest"]["mailboxes"][name]["messages"])


@pytest.mark.parametrize("user", state.USERS)
def test_pop3_shows_nothing_twice(now: dict[str, Any], known: dict[str, Any], user: str) -> None:
    before = known["users"][user]["pop3"]
    assert now[user]["pop3"][: len(before)] == before


def test_the_quota_counts_the_same(now: dict[str, Any], known: dict[str, Any]) -> None:
    assert now["full"]["quota"] == known["users"]["full"]["quota"]


@pytest.mark.parametrize("user", state.USERS)
def test_a_client_carries_on(house: House, known: dict[str, Any], user: str) -> None:
    """With the UIDVALIDITY and modification sequence it remembers (QRESYNC), nothing vanished or changed."""
    with state.imap(house, user) as client:
        client._simple_command("ENABLE", "QRESYNC")
        for name, before in known["users"][user]["mailboxes"].items():
            client.untagged_responses.clear()
            numbers = f"(QRESYNC ({before['validity']} {before['modseq']}))"
            assert client._simple_command("SELECT", f'"{name}"', numbers)[0] == "OK"
            assert "VANISHED" not in client.untagged_responses, name
            for change in client.untagged_responses.get("FETCH", []):
                (uid,) = re.findall(rb"UID (\d+)", change)
                assert int(uid) >= before["next"], (name, change)


def test_secrets_are_the_same(mail: Host, app: Host, known: dict[str, Any]) -> None:
    assert state.secrets(mail, app) == known["secrets"]


def test_what_came_during_the_outage_is_filtered_now(house: House, mail: Host, known: dict[str, Any]) -> None:
    mail.check_output("postqueue -f")
    with state.imap(house, "guest") as client:
        uid = wait_for(
            lambda: clients.find(client, known["outage"], INVOICES), "the message of the outage", 60
        )
        assert int(uid) >= known["users"]["guest"]["mailboxes"][INVOICES]["next"]
        assert b"$Filed" in client.uid("FETCH", uid.decode(), "(FLAGS)")[1][0]


def test_what_waited_for_a_provider_leaves(
    mail: Host, provider: Host, provider_ca: str, known: dict[str, Any]
) -> None:
    provider.check_output("systemctl start postfix")
    mail.check_output("postqueue -f")
    wait_for(
        lambda: read_by_the_world(provider_ca, "gmail", known["waiting"]), "the message at the provider", 60
    )


def test_the_queue_is_empty(mail: Host) -> None:
    wait_for(lambda: not mail.check_output("postqueue -j"), "an empty queue")


def test_nothing_is_fetched_twice(house: House, mail: Host, known: dict[str, Any]) -> None:
    fetch_now(mail)
    before = known["users"]["il"]["mailboxes"]["Google/INBOX"]
    with state.imap(house, "il") as client:
        uid = clients.find(client, known["arrived"], "Google/INBOX")
        assert uid
        new = [number for number in state.messages(client) if int(number) >= before["next"]]
    assert new == [uid.decode()]


def test_the_webmail_runs_beside_an_old_php(webmail: Webmail, app: Host) -> None:
    assert webmail.start()["System"]["version"]
    assert len(app.check_output(f"ls {state.POOLS}").splitlines()) == 1
    app.check_output("systemctl is-active old-php && systemctl stop old-php")


def test_the_webmail_knows_who_was_logged_in(webmail: Webmail, known: dict[str, Any]) -> None:
    webmail.session.cookies.update(known["cookies"])
    assert webmail.start()["Auth"]
