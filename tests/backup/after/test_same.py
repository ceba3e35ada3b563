"""The restored house is the house that it was, for every client."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.backup import load, roundcube_book
from ansible_collections.ilnmors.mail.tests.backup.before.test_fill import CONTACTS
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.providers import fetch_now, read_by_the_world
from ansible_collections.ilnmors.mail.tests.upgrade import state
from testinfra.host import Host


@pytest.fixture(scope="module")
def now(house: House) -> dict[str, Any]:
    """Return what the users have now."""
    return {user: state.everything(house, user) for user in state.USERS}


@pytest.mark.parametrize("what", ["folders", "subscribed", "scripts", "quota", "pop3"])
@pytest.mark.parametrize("user", state.USERS)
def test_the_same(now: dict[str, Any], known: dict[str, Any], user: str, what: str) -> None:
    assert now[user][what] == known["users"][user][what]


@pytest.mark.parametrize("user", state.USERS)
def test_every_message_with_its_uid_flags_and_date(
    now: dict[str, Any], known: dict[str, Any], user: str
) -> None:
    for name, before in known["users"][user]["mailboxes"].items():
        after = now[user]["mailboxes"][name]
        assert after["validity"] == before["validity"], name
        # The last is a number of changes, which is not of the message.
        assert {uid: message[:4] for uid, message in after["messages"].items()} == {
            uid: message[:4] for uid, message in before["messages"].items()
        }, name
        # A client that remembers changes asks for those after the last that it knows of.
        assert after["modseq"] > before["modseq"], name


def test_no_uid_that_a_client_has_seen_is_given_again(now: dict[str, Any], known: dict[str, Any]) -> None:
    assert now["guest"]["mailboxes"]["INBOX"]["next"] > known["late"]


def test_nothing_is_missing_of_what_was_used_meanwhile(house: House, known: dict[str, Any]) -> None:
    found = load.message_ids(house, "rounds")
    assert set(known["load"]) - set(found) == set()
    assert set(known["load_deleted"]) & set(found) == set()


def test_secrets_are_the_same(mail: Host, app: Host, known: dict[str, Any]) -> None:
    found = state.secrets(mail, app)
    assert (found["authority"], found["webmail"]) == (
        known["secrets"]["authority"],
        known["secrets"]["webmail"],
    )


def test_contacts_are_there(app: Host) -> None:
    program = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT name FROM contacts').fetchall())"
    assert app.check_output("runuser -u snappymail -- python3 -c %s %s", program, CONTACTS) == "[('guest',)]"


def test_roundcubes_contacts_and_identities_are_there(app: Host, known: dict[str, Any]) -> None:
    assert roundcube_book.changes(app) >= known["roundcube"]


def test_nothing_is_fetched_twice_and_nothing_deleted_comes_back(
    house: House, mail: Host, known: dict[str, Any]
) -> None:
    fetch_now(mail)
    with house.imap("il") as client:
        assert clients.find(client, known["fetched"], "Google/INBOX")
        assert not clients.find(client, known["unwanted"], "Google/INBOX")
    again = state.everything(house, "il")["mailboxes"]
    for name in ("Google/INBOX", "Google/Sent", "Google/Archive"):
        assert again[name]["messages"].keys() == known["users"]["il"]["mailboxes"][name]["messages"].keys()


def test_what_waited_for_a_provider_leaves(
    mail: Host, provider: Host, provider_ca: str, known: dict[str, Any]
) -> None:
    provider.check_output("systemctl start postfix")
    mail.check_output("postqueue -f")
    wait_for(
        lambda: read_by_the_world(provider_ca, "gmail", known["waiting"]), "the message at the provider", 60
    )


def test_the_units_run(mail: Host, app: Host) -> None:
    for host in (mail, app):
        assert host.check_output("systemctl list-units --failed --plain --no-legend") == ""
        assert host.check_output("systemctl is-active mail-backup.timer mail-backup-drill.timer").split() == [
            "active",
            "active",
        ]
