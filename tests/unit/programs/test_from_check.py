"""Which addresses a login may write into From: the milter, without Postfix."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import random
import socket
import sys
import threading
import time
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._formats.sender_marks import NULL_MARK

PROGRAM = Path(__file__).parents[3] / "roles/postfix_relay/files/from_check.py"
TABLE = """\
# Managed by Ansible: the next run overwrites what is changed here.
il@home.internal\til@home.internal
postmaster@home.internal\til@home.internal
both@home.internal\til@home.internal, guest@home.internal
il@gmail.test\til@home.internal
guest@home.internal\tguest@home.internal
alerts@home.internal\tprometheus@home.internal
"""


def load() -> Any:
    """Load the program as a module."""
    loader = SourceFileLoader("from_check", str(PROGRAM))
    spec = importlib.util.spec_from_loader("from_check", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "dont_write_bytecode", True)
        loader.exec_module(module)
    return module


check = load()
OWNED = check.read_owned(TABLE)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("il@home.internal", ["il@home.internal"]),
        ("<il@home.internal>", ["il@home.internal"]),
        ("Il <il@home.internal>", ["il@home.internal"]),
        (" Il\r\n <il@home.internal>", ["il@home.internal"]),
        ("Il\n\t<il@home.internal>", ["il@home.internal"]),
        ("a@x.test, Il <il@home.internal>", ["a@x.test", "il@home.internal"]),
        ('"a@x.test" <il@home.internal>', ["il@home.internal"]),
        ('"Doe, <a@x.test> \\"J\\"" <il@home.internal>', ["il@home.internal"]),
        ("il@home.internal (or <a@x.test>)", ["il@home.internal"]),
        ("Il (or (a@x.test)) <il@home.internal>", ["il@home.internal"]),
        ("=?utf-8?q?a=40x=2Etest=2C_=3C?= <il@home.internal>", ["il@home.internal"]),
        ("=?utf-8?q?a@x.test?= <il@home.internal>", ["il@home.internal"]),
        ("=?utf-8?b?w7w=?=<il@home.internal>", ["il@home.internal"]),
        ('"=?utf-8?b?w7w=?=" <il@home.internal>', ["il@home.internal"]),
        ("Büro <il@home.internal>", ["il@home.internal"]),
        ("B\udcfcro <il@home.internal>", ["il@home.internal"]),
        ("team: il@home.internal, a@x.test;", ["il@home.internal", "a@x.test"]),
        ("a@x.test <il@home.internal>", ["il@home.internal", "a@x.test"]),
        ("[FIRING:1] J. Doe <il@home.internal>", ["il@home.internal"]),
        ('"il"@home.internal', ["il@home.internal"]),
        ('"il 2"@home.internal', ['"il 2"@home.internal']),
        ("<@x.test:il@home.internal>", ["il@home.internal"]),
        ("il@[192.0.2.1]", ["il@[192.0.2.1]"]),
    ],
)
def test_every_address_that_one_may_read_is_found(value: str, found: list[str]) -> None:
    assert list(check.addresses(value)) == found


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "<>",
        "il",
        "Il <il>",
        "nobody:;",
        "(il@home.internal)",
        "a@x.test il@home.internal",
        "<a@x.test> <il@home.internal>",
        "Il <il@home.internal> <a@x.test>",
        "il@home.internal <a@x.test",
        '"Il <il@home.internal>',
        "Doe, John <il@home.internal>",
        "a@x@home.internal",
        "a@x.test; il@home.internal",
        "=?utf-8?q?il?=@home.internal",
        "=?utf-8?q?il=40home=2Einternal?=",
        "il@home.internal\x00, a@x.test",
        "il@home.internal\rFrom: a@x.test",
        "il@home.internal\nFrom: a@x.test",
        "(" * 1000,
        ";<x.test(il@home.internal<",
        "x" * 5000 + " <il@home.internal>",
    ],
)
def test_what_may_be_read_in_two_ways_is_refused(value: str) -> None:
    with pytest.raises(check.UnreadableError):
        check.addresses(value)


@pytest.mark.parametrize(
    ("login", "address", "own"),
    [
        ("il", "il@home.internal", True),
        ("il", "IL@Home.Internal", True),
        ("il", "postmaster@home.internal", True),
        ("il", "il+shop@home.internal", True),
        ("il", "postmaster+a+b@home.internal", True),
        ("il", "il@gmail.test", True),
        ("il", "il+shop@gmail.test", True),
        ("il", "both@home.internal", True),
        ("guest", "both@home.internal", True),
        ("il", "guest@home.internal", False),
        ("il", "guest+il@home.internal", False),
        ("il", "+il@home.internal", False),
        ("il", "il@home.internal.test", False),
        ("il", "il@gmail.com", False),
        # Written by Postfix, where there was no From.
        ("il", "il@home.internal.sender.invalid", True),
        ("il", "guest@home.internal.sender.invalid", False),
        ("guest", "il@gmail.test", False),
        ("prometheus", "alerts@home.internal", True),
        ("prometheus", "prometheus@home.internal", False),
        ("anna", "anna@home.internal", True),
        ("anna", "anna+shop@home.internal", True),
        ("anna", "il@home.internal", False),
    ],
)
def test_who_owns_an_address(login: str, address: str, own: bool) -> None:
    assert check.owns(OWNED, f"{login}@home.internal", address) is own


def test_nobody_owns_an_address_without_a_login() -> None:
    assert not check.owns(OWNED, "", "il@home.internal")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ([], None),
        ([("From", "Il <il@home.internal>"), ("Sender", "postmaster@home.internal")], None),
        (
            [("From", "guest@home.internal")],
            "553 5.7.1 <guest@home.internal>: From address not allowed for il@home.internal",
        ),
        (
            [("From", "il@home.internal"), ("Sender", "Guest <guest@home.internal>")],
            "553 5.7.1 <guest@home.internal>: Sender address not allowed for il@home.internal",
        ),
        (
            [("From", "il@home.internal"), ("From", "il@home.internal")],
            "554 5.6.0 There are more than 1 From fields; write one (RFC 5322 section 3.6)",
        ),
        (
            [("From", "il@home.internal"), *[("Sender", "il@home.internal")] * 2],
            "554 5.6.0 There are more than 1 Sender fields; write one (RFC 5322 section 3.6)",
        ),
        ([("Resent-From", "il@home.internal")] * 3, None),
        (
            [("Resent-From", "il@home.internal")] * 4,
            "554 5.6.0 There are more than 3 Resent-From fields; write one (RFC 5322 section 3.6)",
        ),
        (
            [("From", "il@home.internal, a@x.test")],
            "553 5.7.1 <a@x.test>: From address not allowed for il@home.internal",
        ),
        (
            [("From", "Doe, John <il@home.internal>")],
            "553 5.7.1 'From: Doe, John <il@home.internal>' cannot be read; write 'From: \"Name\" <address>'",
        ),
    ],
)
def test_what_is_said_to_a_login(fields: list[tuple[str, str]], reason: str | None) -> None:
    assert check.refusal(OWNED, "il@home.internal", fields) == reason


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("<a@x.test>: no", "<a@x.test>: no"),
        ("100%", "100%%"),
        ("two\r\n\tlines", "two lines"),
        ("B\udcfcro\x00ü", "B?ro??"),
        ("x" * 500, "x" * 400),
    ],
)
def test_a_reply_is_one_printable_line(reason: str, text: str) -> None:
    assert check.reply_text(reason) == text


def test_the_table_is_read_again_when_it_is_another(tmp_path: Path) -> None:
    path = tmp_path / "sender_logins"
    path.write_text(TABLE)
    table = check.Table(path)
    assert table.read() is table.read()
    assert table.read() == OWNED
    new = tmp_path / "new"
    new.write_text("guest@home.internal\til@home.internal\n")
    os.utime(new, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    new.replace(path)
    assert table.read() == {"il@home.internal": {"guest@home.internal"}}


def test_without_a_table_nothing_is_decided(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        check.Table(tmp_path / "none").read()


# --- the milter protocol


class Postfix:
    """Postfix's side of a session: what it sends, and the answers."""

    def __init__(self, table: Path) -> None:
        self.socket, other = socket.socketpair()
        other.setblocking(False)
        self.session = check.Session(other, check.Table(table))
        self.goes_on = True

    def send(self, *packets: bytes, at_once: int = 1 << 16) -> list[bytes]:
        """Send packets, so many bytes at once, and return what is answered to them."""
        return self.send_bytes(
            b"".join(len(packet).to_bytes(4, "big") + packet for packet in packets), at_once
        )

    def send_bytes(self, sent: bytes, at_once: int = 1 << 16) -> list[bytes]:
        """Send so many bytes at once, and return what is answered to all of them."""
        for begin in range(0, len(sent), at_once):
            self.socket.sendall(sent[begin : begin + at_once])
            self.goes_on = self.session.proceed()
        return self.answers()

    def answers(self) -> list[bytes]:
        """Read every answer there is."""
        found, received = [], b""
        with contextlib.suppress(BlockingIOError):
            received = self.socket.recv(1 << 16, socket.MSG_DONTWAIT)
        while received:
            length = int.from_bytes(received[:4], "big")
            assert len(received) >= length + 4
            found.append(received[4 : length + 4])
            received = received[length + 4 :]
        return found


def message(
    *fields: bytes, login: bytes = b"guest@home.internal", sender: bytes = b"<x@x.test>"
) -> list[bytes]:
    """All packets of one message up to the end of its header; fields: name, zero, value."""
    macros = b"DMi\0ABC\0{auth_authen}\0" + login + b"\0{mail_addr}\0x@x.test\0"
    return [macros, b"M" + sender + b"\0", *(b"L" + field + b"\0" for field in fields), b"N"]


@pytest.fixture
def postfix(tmp_path: Path) -> Postfix:
    (tmp_path / "sender_logins").write_text(TABLE)
    return Postfix(tmp_path / "sender_logins")


REFUSED = b"y553 5.7.1 <il@home.internal>: From address not allowed for guest@home.internal\0"


def test_postfix_is_told_what_to_leave_out(postfix: Postfix) -> None:
    offered = bytes.fromhex("00000006 000001ff 001fffff")
    assert postfix.send(b"O" + offered) == [b"O" + bytes.fromhex("00000006 00000040 0000439b")]


@pytest.mark.parametrize("at_once", [1, 7, 1 << 16])
def test_one_answer_to_each_message(postfix: Postfix, at_once: int) -> None:
    own = message(b"From\0guest@home.internal", b"To\0il@home.internal", b"X\0" + b"x" * 70_000)
    foreign = message(b"FROM\0 il@home.internal", b"To\0guest@home.internal")
    assert postfix.send(*own, *foreign, *own, b"A", b"Q", at_once=at_once) == [b"a", REFUSED, b"a"]


@pytest.mark.parametrize("sender", [b"<>", b""])
def test_what_has_no_sender_gets_its_logins(postfix: Postfix, sender: bytes) -> None:
    """The login's account carries it then, and not the default one; without a sender again."""
    assert postfix.send(*message(b"From\0guest@home.internal", sender=sender)) == [b"c"]
    assert postfix.send(b"DE", b"E") == [b"e<guest@home.internal.null.sender.invalid>\0", b"a"]
    assert check.NULL_MARK == NULL_MARK
    assert postfix.send(*message(b"From\0il@home.internal", sender=sender)) == [REFUSED]


def test_a_message_that_is_given_up_leaves_nothing(postfix: Postfix) -> None:
    assert postfix.send(*message(b"From\0il@home.internal")[:-1], b"A") == []
    assert postfix.send(*message(b"From\0guest@home.internal")) == [b"a"]


def test_logins_are_looked_up_in_lower_case(postfix: Postfix) -> None:
    assert postfix.send(*message(b"From\0guest@home.internal", login=b"Guest@home.internal")) == [b"a"]


@pytest.mark.parametrize("macros", [b"DM", b"DMi\0ABC\0", b"DM{auth_authen}\0\0", b"DC{daemon_name}\0x\0"])
def test_without_a_login_nothing_is_taken(postfix: Postfix, macros: bytes) -> None:
    packets = message(b"From\0il@home.internal")[1:]
    assert postfix.send(macros, *packets) == [b"y530 5.7.0 Log in first\0"]
    assert postfix.send(*packets) == [b"y530 5.7.0 Log in first\0"]


@pytest.mark.parametrize(
    ("field", "refused"),
    [
        (b"Subject\0x\rFrom: il@home.internal", True),
        (b"Subject\0x\r from\t: il@home.internal", True),
        (b"X-A\0x\r\rSENDER:\r\n il@home.internal", True),
        (b"Subject\0x\rFrom here to there", False),
        (b"Subject\0x\r\n From: il@home.internal", False),
        (b"Subject\0x\rTo: il@home.internal\r", False),
    ],
)
def test_a_field_behind_a_stray_carriage_return_is_judged(
    postfix: Postfix, field: bytes, refused: bool
) -> None:
    (answer,) = postfix.send(*message(b"From\0guest@home.internal", field))
    assert answer.startswith(b"y") is refused


def test_the_work_for_one_message_is_bounded(postfix: Postfix) -> None:
    """However many fields there are, and however long, few characters of few of them are kept and read."""
    worst = b"a@b.test (x) " * 5000
    fields = [b"From\0" + worst, b"Resent-Sender\0" + worst, b"Sender\0" + worst] * 300
    begin = time.process_time()
    (answer,) = postfix.send(*message(*fields))
    assert answer.startswith(b"y554 5.6.0 There are more than 1 From fields")
    assert sum(len(value) for __, value in postfix.session.fields) < 10 * check.LONGEST
    # Half of it is what the test itself does.
    assert time.process_time() - begin < 5


@pytest.mark.parametrize("text", ["a@b.test,", "()a", "\\", '"\\"', ",", "a.", "<", "a:", "=?utf-8?q?a", "@"])
def test_the_worst_field_is_read_soon(text: str) -> None:
    begin = time.process_time()
    with contextlib.suppress(check.UnreadableError):
        check.addresses.__wrapped__((text * check.LONGEST)[: check.LONGEST])
    assert time.process_time() - begin < 0.5


def test_a_field_that_is_cut_is_never_judged_by_what_is_left(postfix: Postfix) -> None:
    """Folds are left out before a field is read; what they hide at its end counts."""
    folded = b"From\0guest@home.internal" + b"\n " * 400 + b"," + b"\n " * 400 + b"il@home.internal"
    (answer,) = postfix.send(*message(folded))
    assert answer.startswith(b"y553 5.7.1 'From: guest@home.internal")


@pytest.mark.parametrize(
    "packets",
    [
        b"\0\0\0\0",
        b"\xff\xff\xff\xffN",
        b"\0\x20\0\0N",
        b"\0\0\0\x05LFrom",
        b"\0\0\0\x01L",
        b"\0\0\0\x14DM{auth_authen}\0\xff\xfe\0\0\0",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
)
def test_what_is_no_packet_ends_the_session_in_one_line(
    postfix: Postfix, capsys: pytest.CaptureFixture[str], packets: bytes
) -> None:
    assert postfix.send_bytes(packets) == []
    assert not postfix.goes_on
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("seed", range(20))
def test_noise_ends_in_no_traceback(postfix: Postfix, seed: int) -> None:
    noise = random.Random(seed)
    for __ in range(200):
        postfix.session.received.clear()
        postfix.send(bytes(noise.choices(b"ODMLNEAQ\0{}<>" + noise.randbytes(4), k=noise.randint(0, 40))))


def test_what_fails_is_not_answered(postfix: Postfix, capsys: pytest.CaptureFixture[str]) -> None:
    postfix.session.table.path.unlink()
    assert postfix.send(*message(b"From\0guest@home.internal")) == []
    assert not postfix.goes_on
    assert "its mail waits: [Errno 2] No such file or directory" in capsys.readouterr().err


# --- the service


class Service:
    """The milter on a socket in a folder, which ends once it has had no session for half a second."""

    def __init__(self, folder: Path) -> None:
        (folder / "sender_logins").write_text(TABLE)
        self.path = str(folder / "socket")
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(self.path)
        self.listening.listen()
        table = check.Table(folder / "sender_logins")
        self.thread = threading.Thread(target=check.serve, args=(self.listening, table, 0.5), daemon=True)
        self.thread.start()

    def session(self) -> socket.socket:
        """Connect as Postfix does, and wait for the answer to the first packet."""
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(10)
        client.connect(self.path)
        client.sendall(b"\0\0\0\x0dO" + bytes.fromhex("00000006 000001ff 001fffff"))
        assert client.recv(100).startswith(b"\0\0\0\x0dO")
        return client


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    one = Service(tmp_path)
    yield one
    one.listening.close()


def test_sessions_have_their_turns_and_the_last_one_ends_the_service(service: Service) -> None:
    silent, other = service.session(), service.session()
    silent.sendall(b"\0\0\0\x05")
    packets = message(b"From\0il@home.internal")
    for __ in range(3):
        other.sendall(b"".join(len(packet).to_bytes(4, "big") + packet for packet in packets))
        assert other.recv(200)[4:] == REFUSED
    other.close()
    service.thread.join(1)
    assert service.thread.is_alive(), "a session that says nothing keeps it"
    silent.close()
    service.thread.join(10)
    assert not service.thread.is_alive()


def test_a_session_that_fails_leaves_the_others_alone(service: Service) -> None:
    broken, other = service.session(), service.session()
    broken.sendall(b"\0\0\0\0")
    assert broken.recv(1) == b""
    other.sendall(b"\0\0\0\x01N")
    assert other.recv(100)[4:] == b"y530 5.7.0 Log in first\0"
    other.close()
