"""What a mail program expects of POP3 (RFC 1939), over real connections."""

from __future__ import annotations

import poplib
import secrets
from collections.abc import Iterator

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House


def log_in(house: House) -> poplib.POP3:
    client = clients.pop3(house.mail_hostname, house.ca_file)
    client.user("guest")
    client.pass_(house.password("guest"))
    return client


@pytest.fixture
def tag(house: House) -> Iterator[str]:
    """Put three messages into guest's inbox; return what their subjects begin with. Other mail stays as it is."""
    tag = f"test-{secrets.token_hex(6)}"
    with house.imap("guest") as client:
        for word in ("first", "second", "third"):
            new = clients.message("friend@elsewhere.test", house.login("guest"), "One\nTwo\nThree\n")
            new.replace_header("Subject", f"{tag} {word}")
            client.append("INBOX", "", None, new.as_bytes())
        yield tag
        client.select("INBOX")
        (found,) = client.uid("SEARCH", "SUBJECT", tag)[1]
        for uid in found.split():
            client.uid("STORE", uid.decode(), "+FLAGS", r"(\Deleted)")
            client.uid("EXPUNGE", uid.decode())


def mine(client: poplib.POP3, tag: str) -> dict[str, int]:
    """Return the numbers of this test's messages in a session, by the last word of their subjects."""
    total = client.stat()[0]
    found = {}
    for number in range(max(1, total - 20), total + 1):
        subject = str(clients.parse(b"\r\n".join(client.top(number, 0)[1]))["Subject"])
        if subject.startswith(tag):
            found[subject.split()[-1]] = number
    return found


def left(house: House, tag: str) -> set[str]:
    """Return which of this test's messages a new session sees."""
    client = log_in(house)
    try:
        return set(mine(client, tag))
    finally:
        client.quit()


def test_a_session(house: House, tag: str) -> None:
    client = log_in(house)
    count, size = client.stat()
    sizes = [int(line.split()[1]) for line in client.list()[1]]
    assert (count, size) == (len(sizes), sum(sizes))
    numbers = mine(client, tag)
    assert list(numbers) == ["first", "second", "third"]
    lines = client.retr(numbers["first"])[1]
    assert lines[-3:] == [b"One", b"Two", b"Three"]
    assert len(b"\r\n".join(lines)) + 2 == sizes[numbers["first"] - 1]
    client.quit()


def test_top_gives_the_header_and_so_many_lines(house: House, tag: str) -> None:
    client = log_in(house)
    lines = client.top(mine(client, tag)["second"], 1)[1]
    assert f"Subject: {tag} second".encode() in lines
    assert lines[-2:] == [b"", b"One"]
    client.quit()


@pytest.mark.usefixtures("tag")
def test_identifiers_are_unique_and_stay(house: House) -> None:
    seen = []
    for __ in range(2):
        client = log_in(house)
        seen.append([line.split()[1] for line in client.uidl()[1]])
        client.quit()
    assert seen[0] == seen[1]
    assert len(set(seen[0])) == len(seen[0]) >= 3


def test_quit_deletes_what_was_marked_and_nothing_else(house: House, tag: str) -> None:
    client = log_in(house)
    before = client.stat()[0]
    client.dele(mine(client, tag)["second"])
    client.quit()
    assert left(house, tag) == {"first", "third"}
    client = log_in(house)
    assert client.stat()[0] == before - 1
    client.quit()


def test_reset_takes_the_marks_back(house: House, tag: str) -> None:
    client = log_in(house)
    client.dele(mine(client, tag)["first"])
    client.rset()
    client.quit()
    assert left(house, tag) == {"first", "second", "third"}


def test_a_dropped_connection_deletes_nothing(house: House, tag: str) -> None:
    client = log_in(house)
    client.dele(mine(client, tag)["first"])
    client.close()
    assert left(house, tag) == {"first", "second", "third"}
