"""Mail waits for a provider that cannot be trusted, or fails; all other mail goes on."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.providers import (
    answering,
    away,
    cut,
    read_by_the_world,
    waiting,
    why_it_waits,
)
from testinfra.host import Host

pytestmark = pytest.mark.usefixtures("provider")

OWNERS = {"gmail": "il", "naver": "guest"}
SOON = 10
"""Seconds that no other mail takes longer than."""


@dataclass(frozen=True)
class Sent:
    """A message on its way to the world."""

    message_id: str
    recipient: str


Post = Callable[..., Sent]


@pytest.fixture
def post(house: House, mail: Host) -> Iterator[Post]:
    """Return what sends to the world: as whom, from which address. Nothing of it is left in the queue."""
    recipients = []

    def send(name: str, sender: str, **headers: str) -> Sent:
        recipients.append(f"{secrets.token_hex(8)}@elsewhere.test")
        return Sent(submit(house, name, sender, recipients[-1], **headers), recipients[-1])

    yield send
    for recipient in recipients:
        if entry := waiting(mail, recipient):
            mail.check_output("postsuper -d %s", entry["queue_id"])
    # No provider is held to be down any longer.
    mail.check_output("postqueue -f")


@pytest.fixture
def others_go_on(house: House, provider_ca: str, post: Post) -> Callable[[str], None]:
    """Return what sends through the other provider, and inside the house, and sees both arrive."""

    def check(failing: str) -> None:
        (other,) = OWNERS.keys() - {failing}
        to_the_world = post(OWNERS[other], f"il@{other}.test").message_id
        in_the_house = submit(house, OWNERS[failing], house.login(OWNERS[failing]), house.login("guest"))
        wait_for(
            lambda: read_by_the_world(provider_ca, other, to_the_world),
            "the other provider's mail",
            SOON,
        )
        wait_for(lambda: house.received("guest", in_the_house), "mail in the house", SOON)

    return check


@pytest.fixture
def arrives(mail: Host, provider_ca: str) -> Callable[[str, Sent], None]:
    """Return what sees a message arrive that waited."""

    def check(through: str, sent: Sent) -> None:
        mail.check_output("postqueue -f")
        wait_for(lambda: read_by_the_world(provider_ca, through, sent.message_id), "it arrives later", SOON)

    return check


def submit(house: House, name: str, sender: str, recipient: str, **headers: str) -> str:
    """Submit a message as a user of the house, from any address of that user; return its Message-ID."""
    new = clients.message(sender, recipient)
    for header, value in headers.items():
        new[header] = value
    with clients.submission(house.mail_hostname, house.ca_file) as client:
        client.login(name, house.password(name))
        client.send_message(new)
    return str(new["Message-ID"])


def logged(mail: Host, since: float) -> str:
    """Return what Postfix logged since a time."""
    return str(mail.check_output(f"journalctl --quiet --no-pager --unit 'postfix*' --since @{since:.0f}"))


@pytest.mark.parametrize(("kind", "port"), [("starttls", 587), ("implicit", 465)])
@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("wrongname", "hostname mismatch"),
        ("unknownca", "untrusted issuer /CN=Certificate authority that nobody"),
    ],
    ids=["of-another-name", "of-an-unknown-authority"],
)
def test_mail_waits_for_a_certificate_that_can_be_trusted(
    mail: Host, post: Post, name: str, fault: str, kind: str, port: int
) -> None:
    start = time.time() - 1
    sent = post("guest", f"{kind}@{name}.test")
    why = wait_for(lambda: why_it_waits(mail, sent.recipient), "it is deferred")
    assert why == "Server certificate not verified"
    lines = [line for line in logged(mail, start).splitlines() if "certificate verification failed" in line]
    assert any(f"smtp.{name}.test[" in line and f"]:{port}: " in line and fault in line for line in lines)


def test_no_message_makes_a_password_go_to_a_certificate_that_cannot_be_trusted(
    mail: Host, post: Post
) -> None:
    """RFC 8689 section 5. The webmail writes this header."""
    sent = post("guest", "starttls@unknownca.test", **{"TLS-Required": "No"})
    why = wait_for(lambda: why_it_waits(mail, sent.recipient), "it is deferred")
    assert why == "Server certificate not verified"


@pytest.mark.parametrize(
    ("through", "reply"),
    [
        ("naver", "450 4.7.1 Error: too much mail"),
        ("naver", "421 4.3.2 Service shutting down"),
        # Permanent only by its code.
        ("gmail", "550 5.4.5 Daily user sending limit exceeded"),
    ],
    ids=["too-fast", "not-now", "over-its-daily-limit"],
)
def test_mail_waits_for_a_provider_that_takes_none(
    mail: Host,
    provider: Host,
    post: Post,
    others_go_on: Callable[[str], None],
    arrives: Callable[[str, Sent], None],
    through: str,
    reply: str,
) -> None:
    with answering(provider, through, reply):
        sent = post(OWNERS[through], f"il@{through}.test")
        why = wait_for(lambda: why_it_waits(mail, sent.recipient), "it is deferred")
        code, text = reply[:9], reply[10:]
        assert f"said: {code}" in why
        assert text in why
        others_go_on(through)
    arrives(through, sent)


def test_mail_waits_for_a_provider_that_hangs_and_cuts_the_connection(
    mail: Host,
    provider: Host,
    stand_ins: dict[str, str],
    post: Post,
    others_go_on: Callable[[str], None],
    arrives: Callable[[str, Sent], None],
) -> None:
    with answering(provider, "naver", "sleep 60"):
        sent = post("guest", "il@naver.test")
        others_go_on("naver")
        assert waiting(mail, sent.recipient)
        cut(provider, stand_ins["naver"])
        why = wait_for(lambda: why_it_waits(mail, sent.recipient), "it is deferred")
        assert "lost connection" in why
        others_go_on("naver")
    arrives("naver", sent)


def test_mail_waits_for_a_provider_that_is_down(
    mail: Host,
    provider: Host,
    stand_ins: dict[str, str],
    post: Post,
    others_go_on: Callable[[str], None],
    arrives: Callable[[str, Sent], None],
) -> None:
    with away(provider, stand_ins["naver"]):
        sent = post("guest", "il@naver.test")
        others_go_on("naver")
        why = wait_for(lambda: why_it_waits(mail, sent.recipient), "it is deferred")
        assert "smtp.naver.test" in why
    arrives("naver", sent)


def test_mail_that_a_provider_refuses_for_good_does_not_wait(mail: Host, provider: Host, post: Post) -> None:
    start = time.time() - 1
    with answering(provider, "gmail", "554 5.7.1 Not this message"):
        sent = post("il", "il@gmail.test")
        wait_for(lambda: not waiting(mail, sent.recipient), "it has left the queue")
    line = next(line for line in logged(mail, start).splitlines() if f"to=<{sent.recipient}>" in line)
    assert "status=bounced" in line
    assert "Not this message" in line
