"""A message ends where SMTP says, and nothing that is sent too early is obeyed."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Sequence

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients, senders, talker
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.senders import Sender
from testinfra.host import Host

# What servers have wrongly taken for the end of a message (CVE-2023-51764 and its kin).
ENDS = {
    "LF.LF": b"\n.\n",
    "LF.CRLF": b"\n.\r\n",
    "CRLF.LF": b"\r\n.\n",
    "CR.CR": b"\r.\r",
    "CR.CRLF": b"\r.\r\n",
    "CRLF.CR": b"\r\n.\r",
    "CR.LF": b"\r.\n",
    "LF.CR": b"\n.\r",
    "CRLF.NUL": b"\r\n.\0\r\n",
    "NUL.CRLF": b"\r\n\0.\r\n",
}
SENDERS = ["login", "trusted", "trusted-ipv6"]


@pytest.fixture(params=SENDERS)
def sender(request: pytest.FixtureRequest, house: House, mail: Host) -> Sender:
    """Return each of those who may send mail."""
    if request.param == "login":
        return senders.login(house, "il")
    return senders.loopback(mail, "::1" if request.param == "trusted-ipv6" else "127.0.0.1")


def envelope(house: House, end_of_line: str = "\r\n") -> list[bytes]:
    address = house.login("il")
    lines = [f"MAIL FROM:<{address}>", f"RCPT TO:<{address}>", "DATA"]
    return [f"{line}{end_of_line}".encode() for line in lines]


def header(house: House, token: str) -> bytes:
    return (
        f"From: {house.login('il')}\r\nSubject: {token}\r\nMessage-ID: <{token}@behaviour.test>\r\n\r\n"
    ).encode()


def codes(replies: Sequence[str]) -> list[str]:
    return [reply[:3] for reply in replies]


def arrived(house: House, token: str) -> bytes:
    return wait_for(lambda: house.received("il", f"<{token}@behaviour.test>"), f"the message {token} arrives")


def test_nothing_but_the_end_ends_a_message(house: House, sender: Sender) -> None:
    tokens = {name: secrets.token_hex(8) for name in ENDS}
    for name, end in ENDS.items():
        smuggled = (
            end + b"".join(envelope(house)) + header(house, f"smuggled-{tokens[name]}") + b"Second.\r\n"
        )
        content = header(house, tokens[name]) + b"First." + smuggled + b"\r\n.\r\n"
        replies = sender([*envelope(house), content, b"QUIT\r\n"])
        assert codes(replies) == ["250", "250", "354", "250", "221"], (name, replies)
    for token in tokens.values():
        body = arrived(house, token)
        assert b"\r\nSecond.\r\n" in body
        assert f"Subject: smuggled-{token}\r\n".encode() in body
        assert body.count(b"\n") == body.count(b"\r\n")
    for token in tokens.values():
        assert house.received("il", f"<smuggled-{token}@behaviour.test>") is None


def test_a_script_with_bare_line_feeds_sends_mail(house: House, sender: Sender) -> None:
    token = secrets.token_hex(8)
    content = (header(house, token) + b"The backup is done.\r\n..\r\nReally.\r\n").replace(b"\r\n", b"\n")
    replies = sender([*envelope(house, "\n"), content + b"\r\n.\r\n", b"QUIT\n"])
    assert codes(replies) == ["250", "250", "354", "250", "221"], replies
    assert b"\r\n\r\nThe backup is done.\r\n.\r\nReally.\r\n" in arrived(house, token)


@pytest.mark.parametrize("port", [25, 587])
@pytest.mark.parametrize(
    "step",
    [
        b"EHLO eager.test\r\nMAIL FROM:<a@eager.test>\r\n",
        b"HELO eager.test\r\nQUIT\r\n",
        b"EHLO eager.test\nRSET\n",
        b"NOOP\r\nNOOP\r\n",
    ],
)
def test_who_does_not_wait_for_answers_is_cut_off(house: House, port: int, step: bytes) -> None:
    greeting, *replies = talker.call(house.mail_address, port, [step])
    assert greeting.startswith("220")
    assert codes(replies) == ["554"], replies


@pytest.mark.parametrize(
    ("port", "before", "command", "injected", "probe", "expected"),
    [
        (
            25,
            b"EHLO a.test\r\n",
            b"STARTTLS\r\n",
            b"EHLO b.test\r\nMAIL FROM:<>\r\n",
            b"RCPT TO:<a@b.test>\r\n",
            "503",
        ),
        (
            587,
            b"EHLO a.test\r\n",
            b"STARTTLS\r\n",
            b"EHLO b.test\r\nMAIL FROM:<>\r\n",
            b"RCPT TO:<a@b.test>\r\n",
            "503",
        ),
        (143, b"", b"a STARTTLS\r\n", b"b ID NIL\r\n", b"c NOOP\r\n", "c OK"),
        (110, b"", b"STLS\r\n", b"USER il\r\n", b"NOOP\r\n", "-ERR"),
    ],
    ids=["smtp", "submission", "imap", "pop3"],
)
def test_what_is_sent_in_the_clear_before_tls_is_not_obeyed_in_it(
    house: House, port: int, before: bytes, command: bytes, injected: bytes, probe: bytes, expected: str
) -> None:
    """CVE-2011-0411 and CVE-2021-33515."""
    with socket.create_connection((house.mail_address, port), clients.TIMEOUT) as connection:
        # Unbuffered, or it would read into the handshake.
        with connection.makefile("rb", buffering=0) as clear:
            talker.reply(clear)
            if before:
                connection.sendall(before)
                talker.reply(clear)
            connection.sendall(command + injected)
            talker.reply(clear)
        try:
            with senders.encrypt(connection, house) as encrypted, encrypted.makefile("rb") as stream:
                for step in filter(None, (before, probe)):
                    encrypted.sendall(step)
                    answer = talker.reply(stream)
        except OSError:
            return  # Who hangs up obeys nothing.
    assert answer.startswith(expected), answer
