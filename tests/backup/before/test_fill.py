"""Fill a house, and back it up while it is used."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.ilnmors.mail.tests.backup import load, roundcube_book
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.behaviour.support.provider_mailboxes import deliver
from ansible_collections.ilnmors.mail.tests.behaviour.support.providers import fetch_now
from ansible_collections.ilnmors.mail.tests.upgrade import state
from ansible_collections.ilnmors.mail.tests.upgrade.before import test_fill as upgrade
from testinfra.host import Host

# In this order: each needs what the one before it has made.
test_mailboxes = upgrade.test_mailboxes
test_sieve_scripts = upgrade.test_sieve_scripts
test_delivered_mail = upgrade.test_delivered_mail
test_a_limit_of_its_own = upgrade.test_a_limit_of_its_own
test_fetched_mail = upgrade.test_fetched_mail
test_mail_that_waits_for_a_provider = upgrade.test_mail_that_waits_for_a_provider

SEED = 17
CONTACTS = "/var/lib/snappymail/_data_/_default_/storage/contacts.sqlite"
BACKUPS = 3
"""How often Roundcube's database is backed up while it is written."""


def test_a_fetched_message_that_was_deleted(
    house: House, mail: Host, provider: Host, known: dict[str, Any]
) -> None:
    known["unwanted"] = str(deliver(provider, "il@gmail.test")["Message-ID"])
    fetch_now(mail)
    with house.imap("il") as client:
        uid = clients.find(client, known["unwanted"], "Google/INBOX")
        assert uid
        client.select("Google/INBOX")
        client.uid("STORE", uid.decode(), "+FLAGS", r"(\Deleted)")
        client.uid("EXPUNGE", uid.decode())
    fetch_now(mail)


def test_contacts(app: Host) -> None:
    """As SnappyMail keeps them, with a change that has not been written back to the file."""
    program = (
        "import os, sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute('PRAGMA journal_mode=WAL'); "
        "d.execute('CREATE TABLE IF NOT EXISTS contacts (name)'); d.execute('INSERT INTO contacts VALUES (?)', "
        "('guest',)); d.commit(); os._exit(0)"
    )
    app.check_output("runuser -u snappymail -- mkdir -p %s", CONTACTS.rpartition("/")[0])
    app.check_output("runuser -u snappymail -- python3 -c %s %s", program, CONTACTS)
    assert app.file(f"{CONTACTS}-wal").size > 0


def test_what_is_known(house: House, mail: Host, app: Host, known: dict[str, Any]) -> None:
    known["users"] = {user: state.everything(house, user) for user in state.USERS}
    known["secrets"] = state.secrets(mail, app)


def test_a_backup_while_a_mailbox_is_used(house: House, mail: Host, app: Host, known: dict[str, Any]) -> None:
    load.fill(house, "rounds", 200)
    use = load.Load(house, "rounds", SEED)
    use.start()
    try:
        for __ in range(3):
            gone = set(use.deleted)
            there = set(load.message_ids(house, "rounds")) | gone
            mail.check_output("systemctl start mail-backup")
        known["load"] = sorted(there - set(use.deleted))
        known["load_deleted"] = sorted(gone)
    finally:
        use.enough.set()
        use.join(load.PATIENCE)
    # No command took longer than a mail program waits, although messages are added to the search index meanwhile.
    assert use.fault is None
    assert use.steps > 20
    assert len(known["load"]) > 50
    app.check_output("systemctl start mail-backup")


def test_a_backup_while_roundcube_is_used(app: Host, known: dict[str, Any]) -> None:
    """As its users do: each change opens the database and closes it, which makes files beside it and removes them."""
    roundcube_book.start(app)
    try:
        for __ in range(BACKUPS):
            before = roundcube_book.changes(app)
            app.check_output("systemctl start mail-backup")
            assert roundcube_book.changes_of_the_copy(app) >= before
        # All of it was meanwhile.
        assert roundcube_book.changes(app) > before > 0
    finally:
        roundcube_book.stop(app)
    known["roundcube"] = before


def test_the_backup_is_proven(mail: Host, app: Host) -> None:
    for host in (mail, app):
        host.check_output("systemctl start mail-backup-drill")
        drill = json.loads(host.check_output("mail-backup status"))["drill"]
        assert drill["state"] == "ok"
        assert drill["facts"]["opened"] == drill["facts"]["messages"]


def test_what_comes_after_the_backup_is_lost_with_the_disk(house: House, known: dict[str, Any]) -> None:
    with house.imap("guest") as client:
        new = clients.message("late@elsewhere.test", house.login("guest"))
        client.append("INBOX", "", "", new.as_bytes())
        known["late"] = int(clients.find(client, new["Message-ID"]) or 0)
    assert known["late"]
