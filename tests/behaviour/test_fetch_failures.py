"""A fetch goes on where it can when a provider refuses, cuts, hangs or changes its mailboxes, and loses nothing."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour import provider_mailboxes as at_provider
from ansible_collections.ilnmors.mail.tests.behaviour.house import House
from ansible_collections.ilnmors.mail.tests.behaviour.provider_mailboxes import MOODY, moody
from ansible_collections.ilnmors.mail.tests.behaviour.provider_side import quoted
from testinfra.host import Host

pytestmark = pytest.mark.usefixtures("provider")

NAME, OWNER, FOLDER = "moody", "guest", "Moody"
FILE = f"/etc/mbsync-fetch/accounts/{NAME}.json"
STATUS = f"/var/lib/mbsync-fetch/{NAME}/status.json"
BY_THEMSELVES = f"mbsync-fetch@{NAME}.timer mbsync-fetch@{NAME}.path mbsync-fetch-watch@{NAME}.service"
WHOLE = re.compile(r"(\d+) \(.*BODY\.PEEK\[\]\)?")
HOUR = 3600


def ids(template: EmailMessage, numbers: Sequence[int]) -> Counter[str]:
    """Return the Message-IDs of some of the messages that were delivered at once, each once."""
    return Counter(str(template["Message-ID"]).replace("%d", str(number)) for number in numbers)


@dataclass
class Fetched:
    """The account that fails, and what the house has of it."""

    house: House
    mail: Host
    provider: Host
    mailbox: str
    """One that is for the test alone, at the provider; the house has it below the account's folder."""

    def fetch(self) -> dict[str, Any]:
        """Run a fetch, whenever the next one was to be; return what is kept of it."""
        self.mail.run(f'sed -i \'s/"next_try": [0-9.]*/"next_try": 0/\' {STATUS}')
        return self.start()

    def start(self) -> dict[str, Any]:
        """Start a fetch as the timer does; return what is kept of it."""
        self.mail.run(f"systemctl start mbsync-fetch@{NAME}.service")
        found: dict[str, Any] = json.loads(self.mail.check_output(f"cat {STATUS}"))
        return found

    def in_house(self, mailbox: str = "") -> Counter[str] | None:
        """Return the Message-IDs of a folder; None if there is no such folder."""
        with self.house.imap(OWNER) as client:
            if (
                client.select(quoted(f"{FOLDER}/{mailbox or self.mailbox}").decode(), readonly=True)[0]
                != "OK"
            ):
                return None
            answers = client.uid("FETCH", "1:*", "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")[1]
        headers = [answer[1].decode() for answer in answers if isinstance(answer, tuple)]
        return Counter(header.split(":", 1)[1].strip() for header in headers)

    def delete_in_house(self, mailbox: str) -> None:
        """Delete a folder of the house."""
        with self.house.imap(OWNER) as client:
            client.delete(quoted(f"{FOLDER}/{mailbox}").decode())

    def deliver(self, count: int, size: int = 0, mailbox: str = "") -> EmailMessage:
        """Let messages be in the mailbox, the first one's number being 1."""
        return at_provider.deliver(self.provider, MOODY, mailbox or self.mailbox, count=count, size=size)

    def asked(self, since: float) -> list[int]:
        """Return the UIDs of the messages that were asked for since a Unix time."""
        commands = at_provider.commands(self.provider, MOODY, since)
        found = [WHOLE.fullmatch(command.arguments) for command in commands if command.name == "UID FETCH"]
        return [int(match[1]) for match in found if match]

    def report(self, status: dict[str, Any], mailbox: str = "") -> dict[str, Any]:
        """Return what is kept of the mailbox."""
        (found,) = [entry for entry in status["folders"] if entry["name"] == (mailbox or self.mailbox)]
        return dict(found)


@pytest.fixture(scope="module")
def _nothing_else_fetches(mail: Host) -> Iterator[None]:
    if not mail.file(FILE).exists:
        pytest.skip(f"needs the account {NAME!r} at the lab's moody provider")
    mail.check_output(f"systemctl stop {BY_THEMSELVES} mbsync-fetch@{NAME}.service")
    yield
    mail.check_output(f"rm -f {STATUS} && systemctl start {BY_THEMSELVES.rpartition(' ')[0]}")
    mail.check_output(f"systemctl start {BY_THEMSELVES.rpartition(' ')[2]}")


@pytest.fixture
def account(house: House, mail: Host, provider: Host, _nothing_else_fetches: None) -> Iterator[Fetched]:
    """Return the account with a new mailbox; no fetch may change anything at the provider."""
    fetched = Fetched(house, mail, provider, f"실패 {secrets.token_hex(4)}")
    mail.check_output(f"rm -f {STATUS}")
    at_provider.create(provider, MOODY, fetched.mailbox)
    start = time.time()
    yield fetched
    changing = [command for command in at_provider.commands(provider, MOODY, start) if command.changes]
    for mailbox in provider.check_output("doveadm mailbox list -u %s '실패*'", MOODY).splitlines():
        at_provider.delete(provider, MOODY, mailbox)
        fetched.delete_in_house(mailbox)
    fetched.delete_in_house(fetched.mailbox)
    assert not changing


@pytest.mark.parametrize(
    "refusal",
    ["NO [SERVERBUG] This message cannot be handed over", "NO Some messages could not be fetched (Failure)"],
    ids=["with-a-code", "without"],
)
def test_a_message_that_is_refused_holds_up_no_other(account: Fetched, provider: Host, refusal: str) -> None:
    after = f"{account.mailbox} after"
    at_provider.create(provider, MOODY, after)
    sent, others = account.deliver(5), account.deliver(2, mailbox=after)
    with moody(provider, refuse={quoted(account.mailbox).decode().strip('"'): [3]}, refusal=refusal):
        status = account.fetch()
        assert account.in_house() == ids(sent, [1, 2, 4, 5])
        assert account.in_house(after) == ids(others, [1, 2])
        assert status["state"] == "ok"
        (refused,) = account.report(status)["refused"]
        assert refused["uid"] == 3
        assert refusal.partition(" ")[2] in refused["reason"]
        more = account.deliver(1)
        account.fetch()
        assert account.in_house() == ids(sent, [1, 2, 4, 5]) + ids(more, [1])
    status = account.fetch()
    assert account.in_house() == ids(sent, range(1, 6)) + ids(more, [1])
    assert not account.report(status)["refused"]


def test_a_mailbox_that_cannot_be_opened_holds_up_no_other(account: Fetched, provider: Host) -> None:
    after = f"{account.mailbox} after"
    at_provider.create(provider, MOODY, after)
    sent, others = account.deliver(2), account.deliver(2, mailbox=after)
    with moody(provider, answers={f"EXAMINE {quoted(account.mailbox).decode()}": "NO It is damaged"}):
        status = account.fetch()
    assert status["state"] == "retrying"
    assert status["reason"] == f"{account.mailbox}: It is damaged"
    assert account.in_house(after) == ids(others, [1, 2])
    assert account.fetch()["state"] == "ok"
    assert account.in_house() == ids(sent, [1, 2])


def test_a_fetch_that_was_cut_goes_on_where_it_stopped(account: Fetched, provider: Host) -> None:
    sent = account.deliver(20, size=20_000)
    with moody(provider, cut=150_000):
        assert account.fetch()["state"] == "retrying"
    arrived = account.in_house()
    assert arrived
    assert 0 < arrived.total() < 20
    start = time.time()
    assert account.fetch()["state"] == "ok"
    assert account.in_house() == ids(sent, range(1, 21))
    assert len(account.asked(start)) == 20 - arrived.total()


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("STATUS", "NO [LIMIT] Too many requests"),
        ("UID FETCH", "NO [OVERQUOTA] Account exceeded command or bandwidth limits"),
        ("LOGIN", "NO [ALERT] Too many simultaneous connections. (Failure)"),
    ],
    ids=["status", "fetch", "login"],
)
def test_it_waits_when_the_provider_has_had_enough(
    account: Fetched, provider: Host, command: str, reply: str
) -> None:
    sent = account.deliver(2)
    with moody(provider, answers={command: reply}):
        status = account.fetch()
    assert status["state"] == "limit"
    assert reply.partition(" ")[2] in status["reason"]
    assert status["next_try"] - status["last_try"] >= HOUR
    start = time.time()
    assert account.start()["last_try"] == status["last_try"]
    assert not at_provider.commands(provider, MOODY, start)
    assert account.fetch()["state"] == "ok"
    assert account.in_house() == ids(sent, [1, 2])


@pytest.fixture
def impatient(mail: Host) -> Iterator[None]:
    """Let the account's fetch wait for an answer for two seconds."""
    before = mail.file(FILE).content_string
    mail.check_output(f'sed -i \'s/"timeout": [0-9]*/"timeout": 2/\' {FILE}')
    yield
    mail.check_output(f"printf %s > {FILE}", before)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "mood",
    [{"answers": {"LOGIN": None}}, {"answers": {"EXAMINE": None}}, {"hang": 30_000}],
    ids=["login", "examine", "within-a-message"],
)
def test_it_gives_up_a_provider_that_hangs(account: Fetched, provider: Host, mood: dict[str, Any]) -> None:
    sent = account.deliver(3, size=20_000)
    start = time.monotonic()
    with moody(provider, **mood):
        status = account.fetch()
    assert time.monotonic() - start < 20
    assert status["state"] == "retrying"
    assert account.fetch()["state"] == "ok"
    assert account.in_house() == ids(sent, [1, 2, 3])


def test_a_mailbox_that_is_numbered_anew_is_recognised(account: Fetched, provider: Host) -> None:
    sent = account.deliver(6)
    account.fetch()
    with account.house.imap(OWNER) as client:
        client.select(quoted(f"{FOLDER}/{account.mailbox}").decode())
        client.store("2", "+FLAGS", r"(\Deleted)")
        client.expunge()
    new = account.deliver(1)
    validity = at_provider.renumber(provider, MOODY, account.mailbox)
    start = time.time()
    status = account.fetch()
    assert status["state"] == "ok"
    assert account.in_house() == ids(sent, [1, 3, 4, 5, 6]) + ids(new, [1])
    assert len(account.asked(start)) == 1
    (note,) = [note["text"] for note in status["notes"] if account.mailbox in note["text"]]
    assert f"was renumbered by the provider (UIDVALIDITY {validity - 1}, now {validity})" in note
    assert "6 of 7 messages are known" in note

    # It goes on as before.
    later = account.deliver(1)
    account.fetch()
    assert account.in_house() == ids(sent, [1, 3, 4, 5, 6]) + ids(new, [1]) + ids(later, [1])


def test_what_was_fetched_outlives_its_mailbox(account: Fetched, provider: Host) -> None:
    sent = account.deliver(2)
    account.fetch()
    at_provider.delete(provider, MOODY, account.mailbox)
    status = account.fetch()
    assert status["state"] == "ok"
    assert account.report(status)["gone"] is True
    assert any(f"{account.mailbox} is no longer there" in note["text"] for note in status["notes"])
    assert account.in_house() == ids(sent, [1, 2])

    # It comes back with other messages.
    at_provider.create(provider, MOODY, account.mailbox)
    new = account.deliver(1)
    status = account.fetch()
    assert account.report(status)["gone"] is False
    assert account.in_house() == ids(sent, [1, 2]) + ids(new, [1])


def test_a_mailbox_that_is_renamed_is_recognised(account: Fetched, provider: Host) -> None:
    sent = account.deliver(3)
    account.fetch()
    renamed = f"{account.mailbox} neu"
    at_provider.rename(provider, MOODY, account.mailbox, renamed)
    new = account.deliver(1, mailbox=renamed)
    start = time.time()
    status = account.fetch()
    assert any(f"{account.mailbox} is called {renamed}" in note["text"] for note in status["notes"])
    assert account.in_house() is None
    assert account.in_house(renamed) == ids(sent, [1, 2, 3]) + ids(new, [1])
    assert len(account.asked(start)) == 1


def test_a_message_that_is_moved_is_in_the_house_once(account: Fetched, provider: Host) -> None:
    other = f"{account.mailbox} 2"
    at_provider.create(provider, MOODY, other)
    sent = account.deliver(3)
    account.fetch()
    at_provider.move(provider, MOODY, account.mailbox, other, next(iter(ids(sent, [2]))))
    start = time.time()
    assert account.fetch()["state"] == "ok"
    assert account.in_house() == ids(sent, [1, 3])
    assert account.in_house(other) == ids(sent, [2])
    assert not account.asked(start)
