"""What a mail program expects of IMAP, over real connections."""

from __future__ import annotations

import base64
import imaplib
import re
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.behaviour.support.letters import Post

pytestmark = pytest.mark.any_house


@pytest.fixture
def client(house: House) -> Iterator[Any]:
    """Return the mail program of a person, logged in."""
    with house.imap(house.reader) as client:
        yield client


@pytest.fixture
def mailbox(client: Any) -> Iterator[str]:
    """Return a mailbox of this test alone, selected and empty."""
    name = f"test-{secrets.token_hex(6)}"
    assert client.create(name)[0] == "OK"
    client.select(name)
    yield name
    clients.leave(client)
    client.delete(name)


def append(client: Any, mailbox: str, subject: str = "One", sender: str = "friend@elsewhere.test") -> None:
    new = clients.message(sender, "reader@elsewhere.test", "The text of the message.\n")
    new.replace_header("Subject", subject)
    new.add_attachment(b"0123456789" * 20, maintype="application", subtype="pdf", filename="bill.pdf")
    assert client.append(mailbox, "", None, new.as_bytes())[0] == "OK"
    client.noop()


def numbers(client: Any, *criteria: str) -> list[bytes]:
    """Return the numbers of the messages that a search finds."""
    status, (found,) = client.search(None, *criteria)
    assert status == "OK"
    return list(found.split())


def flags(client: Any, number: str = "1") -> set[str]:
    (line,) = client.fetch(number, "(FLAGS)")[1]
    return {flag.decode() for flag in imaplib.ParseFlags(line)} - {r"\Recent"}


@pytest.mark.parametrize("name", ["{name}", "{name}@{domain}", "{NAME}"])
@pytest.mark.parametrize("mechanism", ["LOGIN command", "PLAIN", "LOGIN"])
def test_logging_in(house: House, name: str, mechanism: str) -> None:
    password = house.password(house.reader)
    name = name.format(name=house.reader, NAME=house.reader.upper(), domain=house.domain)
    with clients.imap(house.mail_hostname, house.ca_file) as client:
        if mechanism == "LOGIN command":
            if not password.isascii():
                pytest.skip("needs a person whose password is ASCII, for the command takes no other")
            status: str = client.login(name, password)[0]
        elif mechanism == "PLAIN":
            status = client.authenticate("PLAIN", lambda __: f"\0{name}\0{password}".encode())[0]
        else:
            answers = iter([name.encode(), password.encode()])
            status = client.authenticate("LOGIN", lambda __: next(answers))[0]
        assert status == "OK"


@pytest.mark.parametrize(
    "capability",
    [
        "IDLE",
        "SPECIAL-USE",
        "NAMESPACE",
        "ID",
        "CONDSTORE",
        "QRESYNC",
        "MOVE",
        "UIDPLUS",
        "SORT",
        "THREAD=REFS",
    ],
)
def test_what_is_offered(client: Any, capability: str) -> None:
    offered = client.capability()[1][0].decode().split()
    assert capability in offered


@pytest.mark.parametrize("name", ["Drafts", "Sent", "Junk", "Trash", "Archive"])
def test_the_folders_that_people_expect(client: Any, name: str) -> None:
    listed = [line.decode() for line in client.list()[1]]
    (line,) = [line for line in listed if line.endswith(f" {name}")]
    assert f"\\{name}" in line
    assert any(line.decode().endswith(f" {name}") for line in client.lsub()[1])


@pytest.mark.lab_only("subscribes to a folder, and a list of subscriptions, once there is one, stays")
def test_mailboxes_are_made_renamed_subscribed_and_deleted(client: Any) -> None:
    first, second = (f"test-{secrets.token_hex(6)}" for __ in range(2))
    for name in (first, f"{first}/below"):
        assert client.create(name)[0] == "OK"
    assert client.rename(first, second)[0] == "OK"
    assert client.subscribe(second)[0] == "OK"
    assert any(second in line.decode() for line in client.lsub()[1])
    assert client.unsubscribe(second)[0] == "OK"
    for name in (f"{second}/below", second):
        assert client.delete(name)[0] == "OK"
    assert client.select(second)[0] == "NO"


def test_the_parts_of_a_message_are_fetched_alone(client: Any, mailbox: str) -> None:
    append(client, mailbox, subject="Your bill")
    assert b'"Your bill"' in client.fetch("1", "(ENVELOPE)")[1][0]
    assert b'"application" "pdf"' in client.fetch("1", "(BODYSTRUCTURE)")[1][0].lower()
    assert client.fetch("1", "(BODY.PEEK[1])")[1][0][1].strip() == b"The text of the message."
    attachment = client.fetch("1", "(BODY.PEEK[2])")[1][0][1]
    assert base64.b64decode(attachment) == b"0123456789" * 20
    assert client.fetch("1", "(BODY.PEEK[2]<0.8>)")[1][0][1] == attachment[:8]
    assert flags(client) == set()


@pytest.mark.parametrize(
    "flag", [r"\Seen", r"\Flagged", r"\Answered", r"\Deleted", "$Forwarded", "a-keyword"]
)
def test_flags_are_set_and_cleared(house: House, client: Any, mailbox: str, flag: str) -> None:
    append(client, mailbox)
    client.store("1", "+FLAGS", f"({flag})")
    with house.imap(house.reader) as other:
        other.select(mailbox, readonly=True)
        assert flags(other) == {flag}
    client.store("1", "-FLAGS", f"({flag})")
    assert flags(client) == set()


def test_only_what_is_marked_is_expunged(client: Any, mailbox: str) -> None:
    for subject in ("One", "Two", "Three"):
        append(client, mailbox, subject)
    client.store("2", "+FLAGS", r"(\Deleted)")
    assert client.expunge()[1] == [b"2"]
    assert len(numbers(client, "ALL")) == 2
    assert numbers(client, "SUBJECT", "Two") == []


def test_a_message_is_moved(client: Any, mailbox: str) -> None:
    elsewhere = f"{mailbox}/elsewhere"
    client.create(elsewhere)
    append(client, mailbox, subject="Moved")
    assert client.uid("MOVE", "1:*", elsewhere)[0] == "OK"
    assert numbers(client, "ALL") == []
    client.select(elsewhere)
    assert numbers(client, "SUBJECT", "Moved") == [b"1"]
    clients.leave(client)
    client.delete(elsewhere)


@pytest.mark.parametrize(
    ("criteria", "found"),
    [
        (("FROM", "friend"), True),
        (("FROM", "stranger"), False),
        (("SUBJECT", "invoice"), True),
        (("SUBJECT", "nvoic"), True),
        (("TEXT", '"text of the"'), True),
        (("BODY", "elsewhere"), False),
        (("SINCE", "01-Jan-2020"), True),
        (("BEFORE", "01-Jan-2020"), False),
        (("LARGER", "300"), True),
        (("SMALLER", "300"), False),
        (("UNSEEN", "NOT", "DELETED"), True),
    ],
    ids=str,
)
def test_searching(client: Any, mailbox: str, criteria: tuple[str, ...], found: bool) -> None:
    append(client, mailbox, subject="Invoice of March")
    assert bool(numbers(client, *criteria)) == found


class Idle:
    """A client that waits for news of its selected mailbox (RFC 2177)."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def __enter__(self) -> Idle:
        self.client.send(b"x IDLE\r\n")
        assert self.client.readline().startswith(b"+")
        return self

    def news(self, pattern: bytes) -> bytes:
        """Return the first line that matches; the connection's time-out is the deadline."""
        while not re.search(pattern, line := self.client.readline()):
            assert line, "the connection was closed"
        return bytes(line)

    def __exit__(self, *__: object) -> None:
        self.client.send(b"DONE\r\n")
        self.news(rb"^x OK")


def test_two_clients_see_each_others_changes_at_once(house: House, client: Any, mailbox: str) -> None:
    append(client, mailbox)
    with house.imap(house.reader) as other:
        other.select(mailbox)
        with Idle(other) as waiting:
            client.store("1", "+FLAGS", r"(\Flagged)")
            assert rb"\Flagged" in waiting.news(rb"^\* 1 FETCH")
            append(client, mailbox)
            waiting.news(rb"^\* 2 EXISTS")
            client.store("1", "+FLAGS", r"(\Deleted)")
            client.expunge()
            waiting.news(rb"^\* 1 EXPUNGE")
        with Idle(client) as waiting:
            other.store("1", "+FLAGS", r"(\Answered)")
            assert rb"\Answered" in waiting.news(rb"^\* 1 FETCH")


def test_new_mail_wakes_a_waiting_client(client: Any, post: Post) -> None:
    client.select("INBOX", readonly=True)
    with Idle(client) as waiting:
        post()
        waiting.news(rb"^\* \d+ EXISTS")


def test_a_client_carries_on_where_it_was(house: House, client: Any, mailbox: str) -> None:
    """CONDSTORE and QRESYNC (RFC 7162): only what changed meanwhile is told."""
    append(client, mailbox)
    append(client, mailbox)
    status = client.status(mailbox, "(UIDVALIDITY HIGHESTMODSEQ)")[1][0].decode()
    validity, modseq = re.findall(r"\d+", status.split("(")[1])
    client.store("1", "+FLAGS", r"(\Seen)")
    client.store("2", "+FLAGS", r"(\Deleted)")
    client.expunge()
    with house.imap(house.reader) as other:
        other._simple_command("ENABLE", "QRESYNC")
        other.untagged_responses.clear()
        other._simple_command("SELECT", mailbox, f"(QRESYNC ({validity} {modseq}))")
        assert b"EARLIER" in other.untagged_responses["VANISHED"][0]
        (change,) = other.untagged_responses["FETCH"]
        assert rb"\Seen" in change


def test_id_and_namespace_are_answered(client: Any) -> None:
    imaplib.Commands.setdefault("ID", ("AUTH",))
    client._simple_command("ID", '("name" "test")')
    assert b"Dovecot" in client.untagged_responses["ID"][0]
    assert client.namespace()[1] == [b'(("" "/")) NIL NIL']
