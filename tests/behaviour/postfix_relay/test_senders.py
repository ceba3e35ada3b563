"""Who may send as whom: MAIL FROM, and what a login writes into From and Sender."""

from __future__ import annotations

import smtplib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import make_msgid
from functools import partial

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from testinfra.host import Host

Session = Callable[[str], smtplib.SMTP]

CHECK = "postfix-from-check.socket"


@pytest.fixture(scope="module")
def session(house: House) -> Iterator[Session]:
    """Return a connection on which an account is logged in, the same for each test."""
    opened: dict[str, smtplib.SMTP] = {}

    def session(name: str) -> smtplib.SMTP:
        if name not in opened:
            opened[name] = clients.submission(house.mail_hostname, house.ca_file)
            opened[name].login(name, house.password(name))
        opened[name].rset()
        return opened[name]

    yield session
    for client in opened.values():
        client.close()


def answer(reply: tuple[int, bytes | str]) -> str:
    """Return an SMTP reply as one line."""
    code, text = reply
    return f"{code} {text.decode() if isinstance(text, bytes) else text}"


# --- MAIL FROM


def written(house: House, address: str) -> str:
    """Return an address that names people and a machine by what they are for the tests."""
    names = {"reader": house.reader, "writer": house.writer, "WRITER": house.writer.upper()}
    machine = {"machine": house.machine} if "{machine}" in address else {}
    return address.format(domain=house.domain, **names, **machine)


def mail_from(client: smtplib.SMTP, sender: str, recipient: str) -> str:
    """Begin a message, and return the answer to the first of its commands that is refused, or to the last."""
    reply = client.mail(sender)
    return answer(client.rcpt(recipient) if reply[0] == 250 else reply)


@pytest.mark.any_house
@pytest.mark.parametrize(
    ("name", "sender"),
    [
        ("writer", "{writer}@{domain}"),
        ("writer", "{WRITER}@{domain}"),
        ("writer", "{writer}+shop@{domain}"),
        ("machine", "{machine}@{domain}"),
        ("machine", "{machine}+alerts@{domain}"),
        # Notices that a message was read have no sender (RFC 8098 section 2).
        ("writer", ""),
    ],
)
def test_a_login_sends_as_itself(house: House, session: Session, name: str, sender: str) -> None:
    said = mail_from(session(getattr(house, name)), written(house, sender), house.login(house.reader))
    assert said.startswith("250 ")


@pytest.mark.usefixtures("provider")
@pytest.mark.parametrize(
    ("name", "sender"),
    [
        ("il", "postmaster@{domain}"),
        ("il", "root+cron@{domain}"),
        ("il", "il@gmail.test"),
        ("il", "il+shop@gmail.test"),
        ("il", "house@gmail.test"),
        ("guest", "il@naver.test"),
        ("prometheus", "alerts@{domain}"),
        ("prometheus", "alerts+disk@{domain}"),
    ],
)
def test_a_login_sends_as_its_other_addresses(house: House, session: Session, name: str, sender: str) -> None:
    said = mail_from(session(name), sender.format(domain=house.domain), house.login("guest"))
    assert said.startswith("250 ")


@pytest.mark.any_house
@pytest.mark.parametrize(
    ("name", "sender"),
    [
        ("writer", "{reader}@{domain}"),
        ("writer", "{reader}+{writer}@{domain}"),
        ("writer", "nobody-of-the-house@{domain}"),
        ("writer", "{writer}@elsewhere.test"),
        ("machine", "{writer}@{domain}"),
        ("machine", "nobody-of-the-house@{domain}"),
        ("machine", "il@gmail.test"),
        ("reader", "il@gmail.test"),
        ("reader", "postmaster@{domain}"),
    ],
)
def test_a_login_sends_as_nobody_else(house: House, session: Session, name: str, sender: str) -> None:
    if house.reader == house.writer:
        pytest.skip("needs two people whose passwords are in the inventory")
    name, sender = getattr(house, name), written(house, sender)
    said = mail_from(session(name), sender, house.login(house.reader))
    assert said == (f"553 5.7.1 <{sender}>: Sender address rejected: not owned by user {house.login(name)}")


# --- From and Sender


def send(
    house: House, client: smtplib.SMTP, name: str, header: str, recipient: str = "guest"
) -> tuple[str, str]:
    """Submit a message with this header as an account; return the answer and its Message-ID."""
    message_id = make_msgid(domain=house.domain)
    header = "".join(f"{line}\r\n" for line in header.format(domain=house.domain).split("|") if line)
    text = f"{header}To: {house.login(recipient)}\r\nMessage-ID: {message_id}\r\n\r\nHello.\r\n"
    assert mail_from(client, house.login(name), house.login(recipient)).startswith("250 ")
    return answer(client.data(text.encode("latin-1"))), message_id


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("il", "From: il@{domain}"),
        ("il", 'From: "Lab, Il of the" <IL+shop@{domain}>|Sender: il@{domain}'),
        ("il", "From: =?utf-8?q?guest=40home=2Etest=2C?=| <il@{domain}>"),
        ("il", "From: B\xfcro <il@{domain}>"),
        ("il", "From: il@{domain} (not guest@{domain})"),
        ("il", "From: il@{domain} <il@{domain}>"),
        ("il", "Subject: no From at all"),
        ("gitea", "From: Gitea <gitea@{domain}>|Reply-To: guest@{domain}"),
        # Larger than a packet of Sendmail's own milters.
        ("gitea", "From: gitea@{domain}|X-List:" + "| <someone@elsewhere.test>" * 3000),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_login_writes_its_own_addresses(house: House, session: Session, name: str, header: str) -> None:
    said, __ = send(house, session(name), name, header)
    assert said.startswith("250 ")


@pytest.mark.usefixtures("provider")
@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("il", "From: il@gmail.test|Sender: root@{domain}"),
        ("il", "From: postmaster@{domain}, house@gmail.test"),
        ("guest", "From: Guest <il@naver.test>"),
    ],
)
def test_a_login_writes_its_other_addresses(house: House, session: Session, name: str, header: str) -> None:
    said, __ = send(house, session(name), name, header)
    assert said.startswith("250 ")


FOREIGN = [
    ("gitea", "From: guest@{domain}", "<guest@{domain}>: From address"),
    ("gitea", "FROM:gitea@{domain},| il@{domain}", "<il@{domain}>: From address"),
    ("gitea", "From: gitea@{domain}|Sender: il@{domain}", "<il@{domain}>: Sender address"),
    ("gitea", "From: il@{domain} <gitea@{domain}>", "<il@{domain}>: From address"),
    ("il", "From: Il <someone@elsewhere.test>", "<someone@elsewhere.test>: From address"),
    ("il", "From: team: il@{domain}, guest+x@{domain};", "<guest+x@{domain}>: From address"),
    ("il", "From: 100%d@{domain}", "<100%d@{domain}>: From address"),
    # Postfix adds the domain before.
    ("gitea", "From: root", "<root@{domain}>: From address"),
    ("il", "From: Lab, Il of the <il@{domain}>", "<Lab@{domain}>: From address"),
]


@pytest.mark.parametrize(("name", "header", "reason"), FOREIGN)
def test_a_login_writes_nobody_elses_address(
    house: House, session: Session, name: str, header: str, reason: str
) -> None:
    said, __ = send(house, session(name), name, header)
    reason = reason.format(domain=house.domain)
    assert said == f"553 5.7.1 {reason} not allowed for {house.login(name)}"


@pytest.mark.parametrize(
    "header",
    ["From:", "From: il@{domain} guest@{domain}"],
)
def test_what_cannot_be_read_is_refused(house: House, session: Session, header: str) -> None:
    said, __ = send(house, session("il"), "il", header)
    assert said.startswith(f"553 5.7.1 '{header.format(domain=house.domain)}")
    assert said.endswith("' cannot be read; write 'From: \"Name\" <address>'")


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("From: gitea@{domain}|From: Guest <guest@{domain}>", "From"),
        ("From: gitea@{domain}|FROM: gitea@{domain}", "From"),
        ("From: gitea@{domain}|Sender: gitea@{domain}|Sender: gitea@{domain}", "Sender"),
    ],
)
def test_a_field_that_stands_twice_is_refused(
    house: House, session: Session, header: str, field: str
) -> None:
    said, __ = send(house, session("gitea"), "gitea", header)
    assert said == f"554 5.6.0 There are more than 1 {field} fields; write one (RFC 5322 section 3.6)"


@pytest.mark.parametrize(
    "header",
    [
        "From: " + "a@b.test (x) " * 70 + "\r\n",
        "Resent-Sender: " + "a," * 480 + "\r\n",
        "From: a@b.test\r\n" * 3000,
    ],
    ids=["one-slow-field", "another-slow-field", "many-fields"],
)
def test_one_login_does_not_starve_the_others(house: House, header: str) -> None:
    """Whoever sends as fast as can be what takes longest to read: another login's message is judged within seconds."""
    slow = clients.message(house.login("gitea"), house.login("guest"))
    text = (header * (3 if "Resent" in header else 1)).encode() + slow.as_bytes()
    begun, ended = threading.Event(), threading.Event()

    def attack() -> int:
        count = 0
        while not ended.is_set():
            with clients.submission(house.mail_hostname, house.ca_file, 465) as client:
                client.login("gitea", house.password("gitea"))
                # Postfix slows down who errs ten times.
                for __ in range(8):
                    client.mail(house.login("gitea"))
                    client.rcpt(house.login("guest"))
                    assert client.data(text)[0] in (553, 554)
                    begun.set()
                    count += 1
        return count

    with ThreadPoolExecutor(4) as threads:
        attacks = [threads.submit(attack) for __ in range(4)]
        try:
            assert begun.wait(clients.TIMEOUT)
            for __ in range(3):
                begin = time.monotonic()
                said = attempt(house, 587)
                assert said.startswith("250 "), said
                assert time.monotonic() - begin < 10
        finally:
            ended.set()
    assert all(found.result() for found in attacks)


@pytest.mark.parametrize("port", [587, 465])
def test_nothing_of_what_is_refused_arrives(house: House, port: int) -> None:
    with clients.submission(house.mail_hostname, house.ca_file, port) as client:
        client.login("gitea", house.password("gitea"))
        refused = [send(house, client, "gitea", header) for name, header, __ in FOREIGN if name == "gitea"]
        assert {said[:4] for said, __ in refused} == {"553 "}
        said, allowed = send(house, client, "gitea", "From: gitea@{domain}")
        assert said.startswith("250 ")
    wait_for(lambda: house.received("guest", allowed), "what is allowed arrives")
    assert not [message_id for __, message_id in refused if house.received("guest", message_id)]


def test_what_the_mail_host_sends_is_not_checked(house: House, mail: Host) -> None:
    """Neither with sendmail, nor on port 25 of a trusted machine."""
    by_sendmail = clients.message("someone@elsewhere.test", house.login("guest"))
    mail.check_output("printf %%s %s | sendmail -t", by_sendmail.as_string())
    by_smtp = clients.message("someone@elsewhere.test", house.login("guest"))
    clients.send_from(mail, "localhost", by_smtp)
    for sent in (by_sendmail, by_smtp):
        wait_for(partial(house.received, "guest", sent["Message-ID"]), "the message arrives")


# --- a check that does not serve


def attempt(house: House, port: int) -> str:
    """Send a message that is allowed, and return the last answer."""
    try:
        with clients.submission(house.mail_hostname, house.ca_file, port) as client:
            client.login("gitea", house.password("gitea"))
            return send(house, client, "gitea", "From: gitea@{domain}")[0]
    except smtplib.SMTPResponseException as error:
        return answer((error.smtp_code, error.smtp_error))


@pytest.mark.usefixtures("provider")
@pytest.mark.parametrize("port", [587, 465])
def test_without_the_check_mail_waits(house: House, mail: Host, port: int) -> None:
    mail.check_output(f"systemctl stop {CHECK}")
    try:
        assert attempt(house, port).startswith("4")
    finally:
        mail.check_output(f"systemctl start {CHECK}")
    assert attempt(house, port).startswith("250 ")


@pytest.mark.usefixtures("provider")
def test_a_check_that_crashes_is_back_at_once(house: House, mail: Host) -> None:
    assert attempt(house, 587).startswith("250 ")
    mail.check_output("systemctl kill --signal KILL postfix-from-check.service")
    assert attempt(house, 587).startswith("250 ")
