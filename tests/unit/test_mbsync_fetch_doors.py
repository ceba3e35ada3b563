# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What passes the doors between mbsync, the provider and the house."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from mbsync_fetch.doors import (
    FAR_CAPABILITIES,
    FAR_COMMANDS,
    NEAR_CAPABILITIES,
    NEAR_COMMANDS,
    Door,
)
from mbsync_fetch.near_door import NearDoor
from mbsync_fetch.sequence_set import in_lines, in_set, uid_set
from mbsync_fetch.stream import Stream

DEADLINE = 5.0


@dataclass
class Ends:
    """Both ends of a door in use: mbsync's and the server's."""

    door: Any
    mbsync: socket.socket
    server: socket.socket

    def send(self, text: bytes) -> None:
        self.mbsync.sendall(text)

    def at_server(self) -> bytes:
        return self.server.recv(65536)

    def at_mbsync(self) -> bytes:
        return self.mbsync.recv(65536)

    def at_server_until(self, end: bytes) -> bytes:
        return _until(self.server, end)

    def at_mbsync_until(self, end: bytes) -> bytes:
        return _until(self.mbsync, end)


def _until(sock: socket.socket, end: bytes) -> bytes:
    received = b""
    while not received.endswith(end):
        received += sock.recv(65536)
    return received


@contextmanager
def opened(
    *, far: bool = True, wanted: frozenset[int] | None = None, timeout: float = DEADLINE
) -> Iterator[Ends]:
    """Serve a door, past its greeting."""
    (client, mbsync), (inside, server) = socket.socketpair(), socket.socketpair()
    commands, capabilities = (FAR_COMMANDS, FAR_CAPABILITIES) if far else (NEAR_COMMANDS, NEAR_CAPABILITIES)
    kind = Door if far else NearDoor
    door = kind(Stream(inside), b'"&vPTAtA-/a"', commands, capabilities, wanted, timeout)
    thread = threading.Thread(target=door.serve, args=(client,))
    for end in (mbsync, server):
        end.settimeout(DEADLINE)
    thread.start()
    with mbsync, server, inside, client:
        assert mbsync.recv(100) == b"* PREAUTH ready\r\n"
        yield Ends(door, mbsync, server)
        mbsync.close()
        thread.join(DEADLINE)
        assert not thread.is_alive()


# What changes a mailbox, a message or an account (RFC 9051 section 6, RFC 3501, RFC 5464, RFC 4314), and what could
# begin to speak in another way.
REFUSED = [
    "STORE 1 +FLAGS (\\Seen)",
    "UID STORE 1 +FLAGS (\\Deleted)",
    "EXPUNGE",
    "UID EXPUNGE 1",
    "CLOSE",
    "UNSELECT",
    "COPY 1 Trash",
    "UID COPY 1 Trash",
    "MOVE 1 Trash",
    "UID MOVE 1 Trash",
    "APPEND f0001 {5+}",
    "CREATE x",
    "DELETE x",
    "RENAME x y",
    "SUBSCRIBE x",
    "UNSUBSCRIBE x",
    'SETMETADATA x (/private/comment "y")',
    "SETACL x anyone lrs",
    "SETQUOTA x ()",
    "ENABLE UTF8=ACCEPT",
    "COMPRESS DEFLATE",
    "STARTTLS",
    "LOGIN a b",
    "AUTHENTICATE PLAIN",
    "IDLE",
    "REPLACE 1 INBOX {5+}",
    "UID REPLACE 1 INBOX {5+}",
    "FETCH 1 (BODY[])",
    "UID FETCH 1 (BODY[])",
    "UID FETCH 1 (FLAGS RFC822)",
    "UID FETCH 1 (RFC822.TEXT)",
    "UID FETCH 1 BODY[]",
    "UID FETCH {1+}",
    "SELECT {5+}",
    "nonsense",
]


@pytest.mark.parametrize("command", REFUSED)
def test_no_other_command_reaches_the_provider(command: str) -> None:
    with opened() as ends:
        ends.send(f"1 {command}\r\n".encode())
        assert b" BAD not allowed here\r\n" in ends.at_mbsync()
        ends.server.setblocking(False)
        with pytest.raises(BlockingIOError):
            ends.at_server()
    assert [refusal.command for refusal in ends.door.refusals] == ["door"]


def test_a_mailbox_is_opened_read_only_and_by_its_own_name() -> None:
    with opened() as ends:
        ends.send(b'1 SELECT "f0001"\r\n')
        assert ends.at_server() == b'1 EXAMINE "&vPTAtA-/a"\r\n'


@pytest.mark.parametrize(
    ("asked", "passed"),
    [
        (b"UID FETCH 1:* (UID FLAGS)", b"UID FETCH 3,7:9 (UID FLAGS)"),
        (b"UID FETCH 8:* (UID)", b"UID FETCH 8:9 (UID)"),
        (b"UID FETCH 7 (BODY.PEEK[])", b"UID FETCH 7 (BODY.PEEK[])"),
        (b"UID FETCH 10:* (UID)", None),
        (b"UID FETCH 4 (BODY.PEEK[])", None),
    ],
)
def test_only_wanted_messages_are_seen(asked: bytes, passed: bytes | None) -> None:
    with opened(wanted=frozenset({3, 7, 8, 9})) as ends:
        ends.send(b"5 " + asked + b"\r\n")
        if passed is None:
            assert ends.at_mbsync() == b"5 OK nothing there\r\n"
        else:
            assert ends.at_server() == b"5 " + passed + b"\r\n"


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_a_message_passes_to_the_house_as_it_is(size: int) -> None:
    message = b"Subject: x\r\n\r\n5 EXPUNGE\r\n{3+}\r\n\r\n"
    sent = b'2 APPEND "f0001" (\\Seen) "23-Nov-2026 10:00:00 +0000" {%d+}\r\n%s\r\n' % (len(message), message)
    with opened(far=False) as ends:
        for start in range(0, len(sent), size):
            ends.send(sent[start : start + size])
        assert ends.at_server_until(b"\r\n\r\n\r\n") == sent.replace(b'"f0001"', b'"&vPTAtA-/a"')
        ends.server.sendall(b"* 1 EXISTS\r\n2 OK [APPENDUID 1 9] done\r\n")
        assert ends.at_mbsync_until(b"stored\r\n") == b"* 1 EXISTS\r\n2 OK [APPENDUID 1 9] stored\r\n"
        ends.send(b"3 CHECK\r\n")
        assert ends.at_server() == b"3 CHECK\r\n"
    assert ends.door.stored == 1


def test_a_large_message_is_asked_for() -> None:
    with opened(far=False) as ends:
        ends.send(b'1 APPEND "f0001" (\\Seen) {1}\r\n')
        assert ends.at_mbsync() == b"+ go on\r\n"
        ends.send(b"a\r\n")
        assert ends.at_server_until(b"a\r\n") == b'1 APPEND "&vPTAtA-/a" (\\Seen) {1+}\r\na\r\n'


def test_what_comes_while_the_house_is_at_work_goes_on_as_one_command() -> None:
    with opened(far=False) as ends:
        ends.send(b'1 APPEND "f0001" {1+}\r\na\r\n')
        ends.at_server_until(b"a\r\n")
        ends.send(b'2 APPEND "f0001" (\\Seen) {1+}\r\nb\r\n3 APPEND "f0001" {1+}\r\nc\r\n')
        ends.server.sendall(b"1 OK [APPENDUID 7 4] done\r\n")
        assert ends.at_mbsync_until(b"stored\r\n") == b"1 OK [APPENDUID 7 4] stored\r\n"
        assert ends.at_server_until(b"c\r\n") == b'2 APPEND "&vPTAtA-/a" (\\Seen) {1+}\r\nb {1+}\r\nc\r\n'
        ends.server.sendall(b"2 OK [APPENDUID 7 5:6] done\r\n")
        assert (
            ends.at_mbsync_until(b"6] stored\r\n")
            == b"2 OK [APPENDUID 7 5] stored\r\n3 OK [APPENDUID 7 6] stored\r\n"
        )
    assert ends.door.stored == 3


def test_a_message_that_the_house_refuses_does_not_keep_those_beside_it_out() -> None:
    messages = [b"a", b"b", b"c", b"d"]
    first, *others = [
        b'%d APPEND "f0001" {1+}\r\n%s\r\n' % (tag, message) for tag, message in enumerate(messages, 1)
    ]
    with opened(far=False) as ends:
        ends.send(first)
        ends.at_server_until(b"a\r\n")
        # At once, or the door might see the house's answer between them.
        ends.send(b"".join(others))
        ends.server.sendall(b"1 OK [APPENDUID 7 4] done\r\n")
        ends.at_server_until(b"d\r\n")
        ends.server.sendall(b"2 NO [OVERQUOTA] full\r\n")
        answers = {
            b"b": b"OK [APPENDUID 7 5] done",
            b"c": b"NO [OVERQUOTA] full",
            b"d": b"OK [APPENDUID 7 6] done",
        }
        for tag, message in enumerate(messages[1:], 2):
            assert ends.at_server_until(message + b"\r\n") == b'%d APPEND "&vPTAtA-/a" {1+}\r\n%s\r\n' % (
                tag,
                message,
            )
            ends.server.sendall(b"%d %s\r\n" % (tag, answers[message]))
        assert ends.at_mbsync_until(b"4 OK [APPENDUID 7 6] stored\r\n").count(b"OK") == 3
    assert ends.door.stored == 3
    assert [refusal.text for refusal in ends.door.refusals] == ["NO [OVERQUOTA] full"]


@pytest.mark.parametrize("size", [1, 10, 4096])
def test_a_refused_message_is_told_from_what_a_message_says(size: int) -> None:
    said = b"* 1 FETCH (UID 7 BODY[] {14}\r\n2 NO hello\r\n\r\n)\r\n1 OK done\r\n2 NO [SERVERBUG] cannot\r\n"
    with opened() as ends:
        ends.send(
            b"1 UID FETCH 7 (BODY.PEEK[])\r\n2 UID FETCH 8 (BODY.PEEK[])\r\n3 UID FETCH 9 (BODY.PEEK[])\r\n"
        )
        ends.at_server()
        for start in range(0, len(said), size):
            ends.server.sendall(said[start : start + size])
        received = b""
        while len(received) < len(said):
            received += ends.at_mbsync()
        assert received == said
    assert [(refusal.uid, refusal.text) for refusal in ends.door.refusals] == [(8, "NO [SERVERBUG] cannot")]
    assert ends.door.unanswered == [("UID FETCH", 9)]


def test_the_server_may_not_owe_an_answer_for_ever() -> None:
    with opened(timeout=0.1) as ends:
        ends.send(b"1 UID FETCH 7 (BODY.PEEK[])\r\n")
        assert ends.at_mbsync() == b""
    assert str(ends.door.error) == "no answer for 0 s"


def test_a_connection_that_ends_is_told() -> None:
    with opened() as ends:
        ends.server.close()
        assert ends.at_mbsync() == b""
    assert str(ends.door.error) == "the connection was closed"


def test_what_mbsync_asks_of_the_server_itself_is_answered_here() -> None:
    with opened() as ends:
        ends.send(b"1 CAPABILITY\r\n")
        assert ends.at_mbsync() == b"* CAPABILITY IMAP4rev1\r\n1 OK done\r\n"
        ends.send(b"2 NOOP\r\n")
        assert ends.at_mbsync() == b"2 OK done\r\n"
        ends.send(b"3 LOGOUT\r\n")
        assert ends.at_mbsync() == b"* BYE\r\n3 OK done\r\n"


@pytest.mark.parametrize(
    ("uids", "text"),
    [([1], "1"), ([1, 2, 3], "1:3"), ([9, 1, 3, 2], "1:3,9"), ([4, 6, 8], "4,6,8"), ([], "")],
)
def test_sets_of_uids(uids: list[int], text: str) -> None:
    assert uid_set(uids) == text
    assert all(in_set(uid, text) for uid in uids)


@pytest.mark.parametrize(
    ("uids", "count"), [(range(1, 100_001), 1), (range(1, 100_001, 2), 86), (range(5, 6), 1), (range(0), 0)]
)
def test_many_uids_are_divided_into_lines(uids: range, count: int) -> None:
    parts = in_lines(uids)
    assert [uid for part in parts for uid in part] == list(uids)
    assert all(len(uid_set(part)) <= 8000 for part in parts)
    assert len(parts) == count


@pytest.mark.parametrize(
    ("uid", "text", "expected"),
    [
        (5, "1:*", True),
        (5, "*:3", True),
        (5, "6:*", False),
        (5, "1,5", True),
        (5, "1:4,6", False),
        (5, "9:2", True),
    ],
)
def test_whether_a_uid_is_in_a_set(uid: int, text: str, expected: bool) -> None:
    assert in_set(uid, text) is expected
