"""Nobody but those who log in, and machines that are trusted, sends mail to the world through the house."""

from __future__ import annotations

import re
import secrets
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients, senders, talker
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.senders import Sender, trusts
from testinfra.host import Host

WORLD = "probe@elsewhere.test"
QUIT = b"QUIT\r\n"

# What relay testers try: senders that a careless relay trusts, and recipients that hide where they are.
FROM = [
    "<spam@stranger.test>",
    "<>",
    "<{name}@{domain}>",
    "<postmaster@localhost>",
    "<root>",
    "<spam@[{address}]>",
    "<spam@{hostname}>",
]
HIDDEN = [
    "<probe%elsewhere.test@{domain}>",
    "<probe%elsewhere.test@[{address}]>",
    "<probe%elsewhere.test@{hostname}>",
    '<"probe@elsewhere.test"@{domain}>',
    '<"probe@elsewhere.test"@[{address}]>',
    '<"probe@elsewhere.test">',
    '<"probe%elsewhere.test">',
    "<elsewhere.test!probe@{domain}>",
    "<elsewhere.test!probe@[{address}]>",
    "<probe@elsewhere.test@{domain}>",
    "<probe@elsewhere.test@[{address}]>",
]
PLAIN = [
    "<probe@elsewhere.test>",
    "probe@elsewhere.test",
    "<@{domain}:probe@elsewhere.test>",
    "<@[{address}]:probe@elsewhere.test>",
    "<elsewhere.test!probe>",
    "<probe@[192.0.2.25]>",
    "<probe@elsewhere.test@[192.0.2.25]>",
]


def fill(template: str, house: House) -> str:
    return template.format(
        domain=house.domain, hostname=house.mail_hostname, address=house.mail_address, name=house.reader
    )


@pytest.fixture(scope="module")
def stranger(house: House, mail: Host) -> House:
    """Return the house that this machine is a stranger to."""
    if trusts(mail, house):
        pytest.skip("needs a machine that the house does not trust")
    return house


@pytest.fixture(scope="module", autouse=True)
def nuisance(house: House) -> Iterator[Future[list[str]]]:
    """Begin what takes ten seconds, for Postfix slows down who errs."""
    with ThreadPoolExecutor(1) as thread:
        yield thread.submit(talker.call, house.mail_address, 25, [b"EHLO a.test\r\n"] + [b"ERR\r\n"] * 30)


@pytest.mark.any_house
@pytest.mark.parametrize("port", [25, 465])
@pytest.mark.parametrize("recipient", PLAIN + HIDDEN)
def test_a_stranger_relays_to_nobody(stranger: House, port: int, recipient: str) -> None:
    steps = [b"", b"EHLO stranger.test\r\n"]
    for sender in FROM:
        lines = (f"MAIL FROM:{sender}\r\n", f"RCPT TO:{recipient}\r\n", "RSET\r\n")
        steps += [fill(line, stranger).encode() for line in lines]
    connection = socket.create_connection((stranger.mail_address, port), clients.TIMEOUT)
    replies = talker.talk(
        senders.encrypt(connection, stranger) if port == 465 else connection, [*steps, QUIT]
    )
    assert len(replies) == len(steps) + 1
    assert [reply for reply in replies[3:-1:3] if not reply.startswith("5")] == []


# Recipients that Postfix or a standard treats on their own, of whom some are taken before any restriction.
OWN = [
    "<postmaster>",
    "<POSTMASTER>",
    "<PostMaster>",
    "postmaster",
    '<"postmaster">',
    '<"post\\master">',
    "<postmaster@{domain}>",
    "<postmaster@[{address}]>",
    "<postmaster@localhost>",
    "<postmaster@{hostname}>",
    "<@a.test:postmaster>",
    "<@{domain}:postmaster>",
    "<@{domain},@[{address}]:postmaster@{domain}>",
    "<postmaster+x>",
    "<postmaster%{domain}>",
    "<{domain}!postmaster>",
    "<postmaster@>",
    "<abuse>",
    "<root>",
    "<mailer-daemon>",
    "<double-bounce>",
    "<double-bounce@{hostname}>",
    "<{name}>",
    "<{name}@{domain}>",
    "<{name}@{domain}.sender.invalid>",
    "<{name}@{domain}.null.sender.invalid>",
    "<>",
]
TEXT = b"From: a@stranger.test\r\nSubject: of a stranger\r\n\r\nText.\r\n"
PORTS = [(25, False), (25, True), (587, False), (587, True), (465, True)]


@contextmanager
def strange(house: House, port: int, tls: bool) -> Iterator[Callable[[bytes], str]]:
    """Connect without a login, and yield what says something and returns the reply."""
    connection = socket.create_connection((house.mail_address, port), clients.TIMEOUT)
    if tls and port != 465:
        for line in (b"", b"EHLO stranger.test\r\n", b"STARTTLS\r\n"):
            connection.sendall(line)
            connection.recv(4096)
    connection = senders.encrypt(connection, house) if tls else connection
    with connection, connection.makefile("rb") as stream:

        def say(text: bytes) -> str:
            connection.sendall(text)
            return talker.reply(stream)

        if not tls or port == 465:
            say(b"")
        say(b"EHLO stranger.test\r\n")
        yield say


def by_data(say: Callable[[bytes], str]) -> str:
    answer = say(b"DATA\r\n")
    return say(TEXT + b".\r\n") if answer.startswith("354") else answer


def by_bdat(say: Callable[[bytes], str]) -> str:
    return say(b"BDAT %d LAST\r\n%b" % (len(TEXT), TEXT))


def by_bdat_in_parts(say: Callable[[bytes], str]) -> str:
    first = say(b"BDAT %d\r\n%b" % (len(TEXT), TEXT))
    return first if first.startswith(("250", "530")) else say(b"BDAT 0 LAST\r\n")


@pytest.mark.any_house
@pytest.mark.parametrize("hand_over", [by_data, by_bdat, by_bdat_in_parts])
@pytest.mark.parametrize(("port", "tls"), PORTS, ids=str)
def test_strangers_are_refused_on_every_port(
    stranger: House, port: int, tls: bool, hand_over: Callable[[Callable[[bytes], str]], str]
) -> None:
    """Nobody of the house is reached either, not even who has an address without a domain (RFC 5321 section 4.5.1)."""

    def attempt(recipients: list[str]) -> dict[str, str]:
        answers = {}
        with strange(stranger, port, tls) as say:
            for recipient in recipients:
                say(b"MAIL FROM:<a@stranger.test>\r\n")
                say(f"RCPT TO:{fill(recipient, stranger)}\r\n".encode())
                answers[recipient] = hand_over(say)
                # Without TLS, what follows BDAT on 587 is taken for commands, and ends the session.
                if answers[recipient].startswith("530"):
                    break
                say(b"RSET\r\n")
        return answers

    # Who errs ten times is slowed down.
    batches = [OWN[begin : begin + 3] for begin in range(0, len(OWN), 3)]
    with ThreadPoolExecutor(len(batches)) as threads:
        answers = {key: value for found in threads.map(attempt, batches) for key, value in found.items()}
    assert len(answers) == (len(batches) if (port, tls) == (587, False) else len(OWN))
    assert {recipient: answer for recipient, answer in answers.items() if answer[:1] != "5"} == {}


@pytest.fixture(params=["login", "trusted", "trusted-ipv6", "trusted-machine"])
def sender(request: pytest.FixtureRequest, house: House, mail: Host) -> Sender:
    """Return each of those who may send mail."""
    if request.param == "login":
        return senders.login(house, "il")
    if request.param == "trusted-machine":
        app = request.getfixturevalue("app")
        return senders.machine(app, house.mail_address)
    return senders.loopback(mail, "::1" if request.param == "trusted-ipv6" else "127.0.0.1")


def test_who_may_send_reaches_the_world_and_no_name_of_the_house_hides_it(
    house: House, sender: Sender
) -> None:
    # In an address of no domain, or of the host's address, Postfix reads the other one: they may write to that anyway.
    in_the_house = [
        recipient for recipient in HIDDEN if "@{domain}" in recipient or "@{hostname}" in recipient
    ]
    steps = [f"MAIL FROM:<{house.login('il')}>\r\nRCPT TO:<{WORLD}>\r\n"]
    steps += [f"RCPT TO:{fill(recipient, house)}\r\n" for recipient in in_the_house]
    mail, *answers = sender([step.encode() for step in steps] + [QUIT])
    world, *hidden, _quit = answers
    if world.startswith("554"):
        pytest.skip("needs a machine that the house trusts")
    assert (mail[:3], world[:3]) == ("250", "250")
    assert [reply[:3] for reply in hidden] == ["550"] * len(in_the_house), hidden


def test_a_message_has_so_many_recipients_and_no_more(house: House) -> None:
    sender = senders.login(house, "il")
    many = "".join(f"RCPT TO:<probe{number}@elsewhere.test>\r\n" for number in range(1001))
    replies = sender([f"MAIL FROM:<{house.login('il')}>\r\n{many}QUIT\r\n".encode()])
    found = [reply[:3] for reply in replies]
    assert found == ["250"] * 1001 + ["452", "221"]


@pytest.mark.any_house
@pytest.mark.parametrize("port", [25, 587])
@pytest.mark.parametrize(
    "command",
    [
        "VRFY {name}",
        "EXPN staff",
        "ETRN {domain}",
        "XCLIENT ADDR=127.0.0.1",
        "XFORWARD ADDR=127.0.0.1",
        "TURN",
        "DEBUG",
    ],
)
def test_what_tells_of_people_or_trusts_words_is_refused(stranger: House, port: int, command: str) -> None:
    steps = [b"EHLO stranger.test\r\n", f"{fill(command, stranger)}\r\n".encode(), QUIT]
    _greeting, ehlo, answer, *_rest = talker.call(stranger.mail_address, port, steps)
    assert answer.startswith("5"), answer
    assert not {"XCLIENT", "XFORWARD", "VRFY"} & set(ehlo.split())


@pytest.mark.any_house
@pytest.mark.parametrize(
    "command",
    [
        b"NOOP " + b"x" * 5000,
        b"HELO " + b"x" * 100_000,
        b"MAIL FROM:<" + b"x" * 5000 + b"@stranger.test>",
        b"NOOP " + b"x" * 2043 + b"MAIL FROM:<a@stranger.test>",
        b"x" * 1_000_000,
        b"GET / HTTP/1.1",
        b"\x16\x03\x01\x02\x00\x01",
    ],
    ids=["noop", "helo", "mail", "tail", "no-end", "http", "tls"],
)
def test_commands_that_are_too_long_or_none_end_the_connection(house: House, command: bytes) -> None:
    replies = talker.call(
        house.mail_address, 25, [b"EHLO stranger.test\r\n", command + b"\r\nMAIL FROM:<>\r\n"]
    )
    assert replies[2:] in ([], ["221 2.7.0 Error: I can break rules, too. Goodbye."]), replies


@pytest.mark.any_house
def test_who_errs_too_often_is_cut_off(nuisance: Future[list[str]]) -> None:
    replies = nuisance.result()
    assert [reply[:3] for reply in replies[2:]] == ["500"] * 20 + ["421"], replies


@pytest.mark.parametrize(
    "header",
    [b"X-Long: " + b"x" * 300_000, b"\r\n".join(b"X-%d: " % number + b"x" * 1000 for number in range(300))],
    ids=["one-line", "many-lines"],
)
def test_a_header_has_bounds(house: House, header: bytes) -> None:
    """Postfix cuts a field at header_size_limit; all of them count for the size of the message."""
    token = secrets.token_hex(8)
    address = house.login("il").encode()
    message = b"Message-ID: <%b@behaviour.test>\r\n%b\r\n\r\nText.\r\n.\r\n" % (token.encode(), header)
    steps = [b"MAIL FROM:<%b>\r\n" % address, b"RCPT TO:<%b>\r\n" % address, b"DATA\r\n", message, QUIT]
    replies = senders.login(house, "il")(steps)
    assert replies[3][:3] == "250", replies
    received = wait_for(lambda: house.received("il", f"<{token}@behaviour.test>"), "the message arrives")
    longest = max(map(len, re.split(rb"\r\n(?![ \t])", received)))
    assert received.rstrip().endswith(b"Text.")
    assert longest < 110_000
