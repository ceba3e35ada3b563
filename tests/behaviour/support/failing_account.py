"""An account whose provider fails as a test wants it to, and what the house has of it."""

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
from ansible_collections.ilnmors.mail.tests.behaviour.support import provider_mailboxes as at_provider
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.behaviour.support.provider_mailboxes import MOODY
from ansible_collections.ilnmors.mail.tests.behaviour.support.provider_side import quoted
from testinfra.host import Host

NAME, OWNER, FOLDER = "moody", "guest", "Moody"
FILE = f"/etc/mbsync-fetch/accounts/{NAME}.json"
STATUS = f"/var/lib/mbsync-fetch/{NAME}/status.json"
BY_THEMSELVES = f"mbsync-fetch@{NAME}.timer mbsync-fetch@{NAME}.path mbsync-fetch-watch@{NAME}.service"
WHOLE = re.compile(r"(\d+) \(.*BODY\.PEEK\[\]\)?")


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
        pytest.skip(f"needs the account {NAME!r} at the lab's faulty provider")
    mail.check_output(f"systemctl stop {BY_THEMSELVES} mbsync-fetch@{NAME}.service")
    yield
    # What comes next finds an account that works.
    mail.check_output(f"rm -f {STATUS} && systemctl start mbsync-fetch@{NAME}.service {BY_THEMSELVES}")


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
