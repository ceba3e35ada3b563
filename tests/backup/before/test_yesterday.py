"""People find the mail of the last days alone, copy it back, and can change nothing of it."""

from __future__ import annotations

import hashlib
import imaplib
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.upgrade import state
from testinfra.host import Host

KEPT = "/var/vmail/.yesterday"
# Dovecot may write the list of UIDs anew, and takes locks.
FILES = (
    f"find {KEPT} -path {KEPT}/.locks -prune -o -name dovecot-uidlist -o -printf '%p %i %m %u %s\\n' | sort"
)
ITEMS = "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])"
LIVE = "Projects/2026/Invoices"


@pytest.fixture(scope="module", autouse=True)
def _no_errors(mail: Host) -> Iterator[None]:
    """See that Dovecot takes what is refused for no error of its own."""
    began = time.time()
    yield
    said = mail.check_output(f"journalctl -o cat --since @{began:.0f} --unit dovecot")
    assert [line for line in said.splitlines() if "yesterday" in line or "Error" in line] == []


@pytest.fixture
def guest(house: House) -> Iterator[Any]:
    with house.imap("guest") as client:
        yield client


@pytest.fixture
def day(guest: Any) -> str:
    """Return the day of the house's first backup."""
    return min(state.listed(guest.list('""', '"Backup/%"')[1]))


def answer(client: Any, command: str) -> str:
    """Give any command, and return the last line of the answer, which begins by OK, NO or BAD."""
    tag = client._new_tag()
    client.send(tag + b" " + command.encode() + b"\r\n")
    while not (line := client.readline()).startswith(tag):
        assert line, f"the connection ended after {command}"
        if line.startswith(b"+ "):
            client.send(b"Subject: no\r\n\r\n\r\n")
    return str(line.removeprefix(tag).strip().decode())


def obeyed(client: Any, command: str) -> str:
    """Give any command, and return whether it was obeyed: OK, NO or BAD."""
    return answer(client, command).split()[0]


def select(client: Any, folder: str) -> bool:
    """Select a folder, and return whether it can be written to."""
    client.select(f'"{folder}"', readonly=True)
    assert client.state == "SELECTED", folder
    return answer(client, f'SELECT "{folder}"').startswith("OK [READ-WRITE]")


def messages(client: Any) -> dict[str, list[Any]]:
    """Return flags, date, size and hash of each message of the selected folder, by UID."""
    found = {}
    for part in client.uid("FETCH", "1:*", ITEMS)[1]:
        if isinstance(part, tuple):
            said = re.search(rb'UID (\d+) .*INTERNALDATE (".*") RFC822.SIZE (\d+)', part[0]).groups()  # type: ignore[union-attr]
            flags = sorted(flag.decode() for flag in imaplib.ParseFlags(part[0]) if flag != rb"\Recent")
            content = hashlib.sha256(part[1]).hexdigest()
            found[said[0].decode()] = [flags, said[1].decode(), int(said[2]), content]
    return found


@pytest.mark.parametrize("user", state.USERS)
def test_a_day_holds_what_was_there(house: House, known: dict[str, Any], day: str, user: str) -> None:
    before = known["users"][user]
    with house.imap(user) as client:
        listed = state.listed(client.list('""', f'"{day}/*"')[1])
        folders = {
            name.removeprefix(f"{day}/") for name, flags in listed.items() if r"\Noselect" not in flags
        }
        assert folders == set(before["mailboxes"])
        for name in folders:
            client.select(f'"{day}/{name}"', readonly=True)
            wanted = {uid: message[:4] for uid, message in before["mailboxes"][name]["messages"].items()}
            assert messages(client) == wanted, name


def test_clients_show_the_folders_and_take_none_for_another(
    guest: Any, known: dict[str, Any], day: str
) -> None:
    uses = {r"\Archive", r"\Drafts", r"\Junk", r"\Sent", r"\Trash"}
    assert [
        name for name, flags in state.listed(guest.list('""', '"Backup*"')[1]).items() if uses & set(flags)
    ] == []
    assert guest.namespace()[1] == [b'(("" "/")) NIL NIL']
    subscribed = set(state.listed(guest.lsub('""', f'"{day}/*"')[1]))
    assert subscribed == {f"{day}/{name}" for name in {"INBOX", *known["users"]["guest"]["subscribed"]}}


def test_what_was_deleted_is_copied_back(guest: Any, day: str) -> None:
    guest.select(f'"{day}/{LIVE}"', readonly=True)
    kept, lost = next((uid, message) for uid, message in messages(guest).items() if "$Work" in message[0])
    guest.select(f'"{LIVE}"')
    before = messages(guest)
    uid = next(uid for uid, message in before.items() if message == lost)
    guest.uid("STORE", uid, "+FLAGS", r"(\Deleted)")
    guest.uid("EXPUNGE", uid)
    assert lost not in messages(guest).values()
    guest.select(f'"{day}/{LIVE}"', readonly=True)
    assert guest.uid("COPY", kept, f'"{LIVE}"')[0] == "OK"
    guest.select(f'"{LIVE}"')
    assert sorted(messages(guest).values()) == sorted(before.values())


def test_nothing_can_be_changed(mail: Host, guest: Any, day: str) -> None:
    folder = f"{day}/{LIVE}"
    kept = mail.check_output(FILES)
    guest.select("INBOX", readonly=True)
    inbox = messages(guest)
    assert not select(guest, folder)
    there = messages(guest)
    first = min(there, key=int)
    for command in (
        # A copy is there then: Dovecot is told only afterwards that the message has to stay.
        f"UID MOVE {first} Trash",
        f'UID MOVE {first} "{day}/INBOX"',
        f'UID COPY {first} "{day}/INBOX"',
    ):
        assert obeyed(guest, command) == "NO", command
    # Dovecot obeys these, and does nothing.
    for flags in (r"+FLAGS (\Deleted)", r"FLAGS (\Answered Mine)", r"-FLAGS (\Seen)"):
        obeyed(guest, f"UID STORE 1:* {flags}")
        assert messages(guest) == there
    for command in ("EXPUNGE", "UID EXPUNGE 1:*", "CLOSE"):
        obeyed(guest, command)
    for command in (
        f'APPEND "{folder}" {{15}}',
        f'CREATE "{day}/New"',
        'CREATE "Backup/New"',
        f'DELETE "{folder}"',
        f'DELETE "{day}"',
        f'RENAME "{folder}" Mine',
        f'RENAME "{folder}" "{day}/Other"',
        f'RENAME "Left behind" "{day}/Other"',
        f'UNSUBSCRIBE "{folder}"',
    ):
        assert obeyed(guest, command) == "NO", command
    assert obeyed(guest, f'SETACL "{folder}" guest lrswipkxtea') == "BAD"
    assert not select(guest, folder)
    assert messages(guest) == there
    # What another folder has cannot be put in either.
    assert select(guest, "INBOX")
    for command in ("COPY", "MOVE"):
        assert obeyed(guest, f'UID {command} 1:* "{folder}"') == "NO"
    assert messages(guest) == inbox
    assert mail.check_output(FILES) == kept


def number(pattern: str, line: bytes) -> int:
    """Return the number that a line of an answer has after a word."""
    found = re.search(pattern, line.decode())
    assert found, line
    return int(found[1])


def test_no_quota_counts_them(guest: Any) -> None:
    counted = number(r"MESSAGE (\d+) ", guest.getquotaroot("INBOX")[1][1][0])
    folders = state.listed(guest.list()[1])
    live = [
        name for name, flags in folders.items() if not name.startswith("Backup") and r"\Noselect" not in flags
    ]
    found = [guest.status(f'"{name}"', "(MESSAGES)")[1][0] for name in live]
    assert counted == sum(number(r"MESSAGES (\d+)", line) for line in found)


def test_they_can_be_searched(guest: Any, day: str) -> None:
    guest.select(f'"{day}/{LIVE}"', readonly=True)
    uids = ",".join(messages(guest))
    found = []
    for folder in (f"{day}/{LIVE}", LIVE):
        guest.select(f'"{folder}"', readonly=True)
        found.append([guest.uid("SEARCH", "UID", uids, key, "needle")[1] for key in ("TEXT", "SUBJECT")])
    # The live folder has the message that was copied back under another UID.
    assert set(found[1][0][0].split()) < set(found[0][0][0].split())
    assert found[0][1] == found[1][1] == [b""]


def test_pop3_shows_the_inbox_alone(house: House, guest: Any) -> None:
    guest.select("INBOX", readonly=True)
    assert len(state.pop3(house, "guest")) == len(messages(guest))
