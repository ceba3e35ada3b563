"""Trash and Junk forget what is older than the house keeps. The account `full` is the tests' own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from testinfra.host import Host

# Asked for, Dovecot writes it down. In a new mailbox it would look at the file instead, whose time faketime shifts too.
SAVED = "(SAVEDATE)"
FOLDERS = ("Trash", "Junk", "Archive")
# Dovecot cleans its environment before it reads its configuration, and keeps only what is named here.
LATER = (
    "runuser -u vmail -- faketime -f %s env "
    "DOVECOT_PRESERVE_ENVS='LD_PRELOAD FAKETIME FAKETIME_SHARED' /usr/lib/dovecot/imap -u %s"
)


@pytest.fixture
def client(house: House) -> Iterator[Any]:
    """Return a mail program of the account `full`, whose folders are empty before and after."""
    with house.imap("full") as client:
        empty(client)
        yield client
        empty(client)


def empty(client: Any) -> None:
    for folder in FOLDERS:
        client.select(folder)
        client.uid("STORE", "1:*", "+FLAGS", r"(\Deleted)")
        client.expunge()
    client.select("INBOX")


def subjects(client: Any, folder: str) -> list[str]:
    """Return the subjects of a folder's messages, in their order."""
    client.select(folder, readonly=True)
    answers = client.uid("FETCH", "1:*", "(BODY.PEEK[HEADER])")[1]
    return [str(clients.parse(answer[1])["Subject"]) for answer in answers if isinstance(answer, tuple)]


def session(house: House, mail: Host, days: float, commands: str = "") -> None:
    """Let `full` log in so many days from now, say a few commands, and log out."""
    said = "".join(f"{line}\r\n" for line in (*commands.splitlines(), "z LOGOUT"))
    done = mail.run(f"printf %s | {LATER}", said, f"+{days:g}d", house.login("full"))
    assert "z OK" in done.stdout, done


@pytest.mark.parametrize("folder", ["Trash", "Junk"])
def test_old_messages_go_and_newer_ones_stay(
    house: House, mail: Host, client: Any, days: dict[str, int], folder: str
) -> None:
    kept = days[folder]
    if not kept:
        pytest.skip(f"needs an expiry of {folder} (dovecot_imap_{folder.lower()}_days)")
    if not mail.exists("faketime"):
        pytest.skip("needs the package faketime on the mail host")
    for where in (folder, "Archive"):
        old = clients.message("friend@elsewhere.test", house.login("full"))
        old.replace_header("Subject", "old")
        # Its own date does not count: what counts is when it came into the folder.
        old.replace_header("Date", "Mon, 01 Jan 2001 00:00:00 +0000")
        client.append(where, "", None, old.as_bytes())
        client.select(where)
        client.fetch("1", SAVED)
    newer = f"a APPEND {folder} {{16+}}\nSubject: newer\n\nb SELECT {folder}\nc FETCH 2 {SAVED}"
    session(house, mail, kept - 1, newer)
    assert subjects(client, folder) == ["old", "newer"]
    session(house, mail, kept + 1)
    assert subjects(client, folder) == ["newer"]
    assert subjects(client, "Archive") == ["old"]
