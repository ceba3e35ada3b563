"""What the house says of mail that waits or cannot be delivered: to its sender, to the postmaster, and in verify."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.ansible_command import run_ansible
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.reports import reports
from testinfra.host import Host

# What is asked of the world is asked of the lab's stand-ins.
pytestmark = pytest.mark.usefixtures("provider")

VERIFY = Path(__file__).parents[3] / "playbooks" / "verify.yml"
NOBODY = "nobody@gmail.test"
"""What the provider refuses when it hears RCPT."""


def words(report: EmailMessage) -> str:
    """Return what a person reads of a report, with single spaces."""
    notification: Any = next(report.iter_parts())
    assert notification.get_content_type() == "text/plain"
    return " ".join(notification.get_content().split())


def somebody() -> str:
    """Return an address in the world that no other test writes to."""
    return f"somebody_{secrets.token_hex(6)}@elsewhere.test"


# --- what is refused


@pytest.fixture(scope="module")
def refused(house: House) -> dict[str, str]:
    """Let the provider refuse a message of each sender; return their Message-IDs."""
    senders = {
        house.login("il"): "il",
        "il@gmail.test": "il",
        house.login("guest"): "guest",
        house.login("gitea"): "gitea",
    }
    message_ids = {}
    for sender, name in senders.items():
        new = clients.message(sender, NOBODY, "What il wrote.\n")
        with clients.submission(house.mail_hostname, house.ca_file) as client:
            client.login(name, house.password(name))
            client.send_message(new)
        message_ids[sender.removesuffix(f"@{house.domain}")] = str(new["Message-ID"])
    return message_ids


@pytest.mark.parametrize(
    ("sender", "inbox"),
    [("il", "il"), ("il@gmail.test", "il"), ("guest", "guest"), ("gitea", "il")],
    ids=["a-person", "a-persons-address-at-a-provider", "another-person", "a-machine-to-the-postmaster"],
)
def test_what_a_provider_refuses_comes_back(
    house: House, refused: dict[str, str], sender: str, inbox: str
) -> None:
    about = refused[sender]
    (report,) = wait_for(lambda: reports(house, inbox, about), "the report arrives")
    assert report["Subject"] == "Your message was not delivered"
    assert report["From"] == f"Mail server <MAILER-DAEMON@{house.domain}>"
    assert report["To"] == (sender if "@" in sender else house.login(sender))
    assert report["Auto-Submitted"] == "auto-replied"
    said = words(report)
    assert "was not delivered to the addresses at the end of this text" in said
    assert f"<{NOBODY}>: host smtp.gmail.test" in said or f"<{NOBODY}>: host smtp.naver.test" in said
    assert "said: 550 5.1.1" in said
    # The message itself is attached, and the inside of the queue is nobody's concern.
    assert "What il wrote." in report.as_string()
    assert ".sender.invalid" not in report.as_string()


def test_what_a_sender_without_an_inbox_sent_comes_back_to_the_postmaster(house: House, mail: Host) -> None:
    to = f"nobody-{secrets.token_hex(6)}@gmail.test"
    mail.check_output("echo 'Subject: A scan' | sendmail -f scanner@printer.lan %s", to)
    (report,) = wait_for(lambda: reports(house, "il", to), "the report arrives")
    assert report["To"] == "scanner@printer.lan"


def test_what_cannot_even_be_returned_goes_to_the_postmaster(house: House, mail: Host) -> None:
    to = f"nobody-{secrets.token_hex(6)}@gmail.test"
    mail.check_output("echo 'Subject: An answer of a machine' | sendmail -f '' %s", to)
    (report,) = wait_for(lambda: reports(house, "il", to), "the report arrives")
    assert report["Subject"] == "A message could be neither delivered nor returned"


# --- what one asked for


def test_who_asks_is_told_that_a_message_was_delivered(house: House) -> None:
    new = clients.message(house.login("il"), house.login("guest"))
    with clients.submission(house.mail_hostname, house.ca_file) as client:
        client.login("il", house.password("il"))
        client.send_message(new, rcpt_options=["NOTIFY=SUCCESS"])
    (report,) = wait_for(lambda: reports(house, "il", new["Message-ID"]), "the report arrives")
    assert report["Subject"] == "Your message was delivered"
    assert f"<{house.login('guest')}>: delivery via" in words(report)


def test_who_asks_is_told_whether_a_message_would_be_delivered(house: House, mail: Host) -> None:
    to = f"nobody-{secrets.token_hex(6)}@{house.domain}"
    mail.check_output("sendmail -bv -f %s %s", house.login("il"), to)
    (report,) = wait_for(lambda: reports(house, "il", to), "the report arrives")
    assert report["Subject"] == "Whether a message could be delivered"
    assert f"<{to}>: " in words(report)
    assert "said: 550 5.1.1" in words(report)


# --- what waits


def records(sender: str, recipient: str, age: int) -> bytes:
    """Return a message as it lies in Postfix's maildrop (rec_type.h), where it came so many seconds ago."""

    def record(kind: str, data: str = "") -> bytes:
        assert len(data) < 128, "longer ones have a length of two bytes"
        return kind.encode() + bytes([len(data)]) + data.encode()

    lines = (f"From: {sender}", f"To: {recipient}", "Subject: A message of the behaviour tests", "", "Hello.")
    return b"".join(
        [
            record("T", f"{int(time.time()) - age} 0"),
            record("S", sender),
            record("R", recipient),
            record("M"),
            *(record("N", line) for line in lines),
            record("X"),
            record("E"),
        ]
    )


class Queue:
    """Postfix's queue on the mail host."""

    def __init__(self, house: House, mail: Host) -> None:
        self.sender, self.mail = house.login("il"), mail
        self.recipients: list[str] = []

    def add(self, age: int) -> str:
        """Put in a message that came so many seconds ago; return its recipient, once it is known why it waits."""
        recipient = somebody()
        self.recipients.append(recipient)
        file = f"/var/spool/postfix/maildrop/{recipient.partition('@')[0]}"
        content = base64.b64encode(records(self.sender, recipient, age)).decode()
        # Only when it may be executed is it taken.
        self.mail.check_output("echo %s | base64 -d > %s && chmod 744 %s", content, file, file)
        self.mail.check_output("postkick public pickup W")
        wait_for(lambda: "delay_reason" in str(self.find(recipient)), "it is known why the message waits")
        return recipient

    def find(self, recipient: str) -> dict[str, Any] | None:
        """Return a message to someone, as `postqueue -j` lists it."""
        for line in self.mail.check_output("postqueue -j").splitlines():
            if recipient in line:
                found: dict[str, Any] = json.loads(line)
                return found
        return None

    def clear(self) -> None:
        """Remove what was put in."""
        for message in filter(None, map(self.find, self.recipients)):
            self.mail.check_output("postsuper -d %s", message["queue_id"])


@pytest.fixture
def queue(house: House, mail: Host) -> Iterator[Queue]:
    """Return the queue of a mail host that has no way to its providers; it has one again after the test in any case."""
    names = "smtp.gmail.test smtp.naver.test"
    addresses = {line.split()[0] for line in mail.check_output(f"getent ahostsv4 {names}").splitlines()}
    for address in addresses:
        mail.check_output("ip route replace unreachable %s", address)
    queue = Queue(house, mail)
    try:
        yield queue
    finally:
        for address in addresses:
            mail.check_output("ip route del unreachable %s", address)
        queue.clear()
        # Providers that were out of reach are tried again at once.
        mail.check_output("postqueue -f")


HOUR = 3600


def test_a_message_that_waits_warns_its_sender_after_4_hours(house: House, queue: Queue) -> None:
    young, old = queue.add(3 * HOUR), queue.add(5 * HOUR)
    (report,) = wait_for(lambda: reports(house, "il", old), "the warning arrives")
    assert report["Subject"] == "Your message is still waiting"
    assert report["To"] == house.login("il")
    said = words(report)
    assert "has waited for more than 4 hours" in said
    assert "until the message is 5 days old" in said
    assert f"<{old}>: " in said
    assert "connect to smtp.gmail.test" in said
    assert ".sender.invalid" not in report.as_string()
    # It waits on; a younger one has warned nobody.
    assert queue.find(old)
    assert queue.find(young)
    assert reports(house, "il", young) == []


def test_a_message_that_has_waited_for_5_days_comes_back(house: House, queue: Queue) -> None:
    recipient = queue.add(0)
    message = queue.find(recipient)
    assert message is not None
    # Postfix takes it for one that is too old, on the next attempt.
    queue.mail.check_output("postsuper -e %s && postqueue -i %s", message["queue_id"], message["queue_id"])
    (report,) = wait_for(lambda: reports(house, "il", recipient), "the report arrives")
    assert report["Subject"] == "Your message was not delivered"
    assert f"<{recipient}>: " in words(report)
    assert "connect to smtp.gmail.test" in words(report)
    assert "delivery has been tried for 5 days" in words(report)


def test_verify_lists_what_waits_and_why(request: pytest.FixtureRequest, house: House, queue: Queue) -> None:
    young, old = queue.add(10 * 60), queue.add(5 * HOUR)
    path = request.config.getoption("--ansible-inventory")
    done = run_ansible("ansible-playbook", str(VERIFY), "--tags", "queue", inventory=path)
    output = " ".join(f"{done.stdout} {done.stderr}".split())
    for recipient, ending, age in ((old, "FAILED", "5 hours"), (young, "note", "10 minutes")):
        message = queue.find(recipient)
        assert message is not None
        assert (
            f"{ending} queue {message['queue_id']} 0.00 s waits for {age}, from {house.login('il')}, to {recipient}: "
            in (output)
        )
    assert "No route to host" in output
    assert done.returncode != 0
    assert "queue" in output.partition("checks failed:")[2]
