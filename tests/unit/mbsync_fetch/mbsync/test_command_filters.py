# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What passes the command filters between mbsync and both servers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from mbsync_fetch.imap.sequence_set import in_lines, in_set, uid_set
from mbsync_fetch.imap.stream import Stream
from mbsync_fetch.mbsync.append_batcher import AppendBatcher, without_tuid
from mbsync_fetch.mbsync.command_filter import CommandFilter
from mbsync_fetch.mbsync.remote_filter import RemoteFilter, Shown
from mbsync_fetch.remote.survey import Message

DEADLINE = 5.0


@dataclass
class Ends:
    """Both ends of a command filter in use: mbsync's and the server's."""

    filter_: Any
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


def message(uid: int, *flags: str) -> Message:
    return Message(uid, frozenset(flags), 100 + uid, 0.0, b"")


SHOWN = Shown(
    {
        3: message(3),
        7: message(7, "\\seen", "\\deleted", "$label"),
        8: message(8, "\\flagged"),
        9: message(9),
    },
    77,
)


@contextmanager
def opened(
    *, remote: bool = True, shown: Shown = SHOWN, timeout: float = DEADLINE, patience: float = 0.1
) -> Iterator[Ends]:
    """Serve a command filter, past its greeting."""
    (client, mbsync), (inside, server) = socket.socketpair(), socket.socketpair()
    filter_: CommandFilter = (
        RemoteFilter(server=Stream(inside), timeout=timeout, shown=shown)
        if remote
        else AppendBatcher(server=Stream(inside), timeout=timeout, mailbox=b'"&vPTAtA-/a"', patience=patience)
    )
    thread = threading.Thread(target=filter_.serve, args=(client,))
    for end in (mbsync, server):
        end.settimeout(DEADLINE)
    thread.start()
    with mbsync, server, inside, client:
        assert mbsync.recv(100) == b"* PREAUTH ready\r\n"
        yield Ends(filter_, mbsync, server)
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
        nothing_at_server(ends)
    assert [refusal.command for refusal in ends.filter_.refusals] == ["filter"]


def nothing_at_server(ends: Ends) -> None:
    ends.server.setblocking(False)
    with pytest.raises(BlockingIOError):
        ends.at_server()


def test_the_mailbox_that_mbsync_opens_has_the_wanted_messages_alone() -> None:
    with opened() as ends:
        ends.send(b'1 SELECT "f0001"\r\n')
        said = ends.at_mbsync_until(b"1 OK [READ-ONLY] done\r\n").decode().splitlines()
        assert {"* 4 EXISTS", "* OK [UIDVALIDITY 77] valid", "* OK [UIDNEXT 10] next"} < set(said)
        nothing_at_server(ends)


@pytest.mark.parametrize(
    ("asked", "listed"),
    [
        (b"UID FETCH 1:9 (UID FLAGS)", [3, 7, 8, 9]),
        (b"UID FETCH 8:* (UID)", [8, 9]),
        (b"UID FETCH 3,9 (UID FLAGS RFC822.SIZE)", [3, 9]),
        (b"UID FETCH 10:* (UID)", []),
    ],
)
def test_what_is_known_is_listed_without_the_provider(asked: bytes, listed: list[int]) -> None:
    with opened() as ends:
        ends.send(b"5 " + asked + b"\r\n")
        said = ends.at_mbsync_until(b"5 OK done\r\n").decode().splitlines()[:-1]
        assert [int(line.split("UID ")[1].split()[0]) for line in said] == listed
        nothing_at_server(ends)


def test_flags_are_those_that_mbsync_knows() -> None:
    with opened() as ends:
        ends.send(b"5 UID FETCH 7 (UID FLAGS)\r\n")
        assert ends.at_mbsync() == b"* 2 FETCH (UID 7 FLAGS (\\Seen) RFC822.SIZE 107)\r\n5 OK done\r\n"


@pytest.mark.parametrize(
    ("asked", "passes"),
    [
        (b"UID FETCH 7 (BODY.PEEK[])", True),
        (b"UID FETCH 7 (INTERNALDATE BODY.PEEK[])", True),
        (b"UID FETCH 7 (FLAGS INTERNALDATE BODY.PEEK[])", True),
        (b"UID FETCH 4 (BODY.PEEK[])", False),
        (b"UID FETCH 7:8 (BODY.PEEK[])", False),
        (b"UID FETCH 7 (UID BODY.PEEK[HEADER.FIELDS (X-TUID)])", False),
    ],
)
def test_only_the_texts_of_wanted_messages_are_asked_for(asked: bytes, passes: bool) -> None:
    with opened() as ends:
        ends.send(b"5 " + asked + b"\r\n")
        if passes:
            assert ends.at_server() == b"5 " + asked + b"\r\n"
        else:
            assert b"BAD" in ends.at_mbsync()
            nothing_at_server(ends)


@pytest.mark.parametrize("size", [1, 11, 4096])
def test_mbsync_hears_only_the_texts_that_it_has_asked_for(size: int) -> None:
    text = b"* 9 FETCH (INTERNALDATE {3}\r\nx\r\n BODY[] {9}\r\n* BYE 7\r\n UID 7)\r\n1 OK done\r\n"
    said = (
        b"* 3 EXISTS\r\n* 2 EXPUNGE\r\n* 4 FETCH (FLAGS (\\Seen))\r\n* OK Still here\r\ngarbage\r\n\r\n* \r\n"
        b"* 4 FETCH (UID 8 BODY[] {3}\r\na\r\n)\r\n* 4 FETCH (UID 7 BODY[HEADER] {3}\r\na\r\n)\r\n"
        b"* SEARCH 1 {3}\r\nabc\r\n"
    )
    with opened() as ends:
        ends.send(b"1 UID FETCH 7 (BODY.PEEK[])\r\n")
        ends.at_server()
        for start in range(0, len(said + text), size):
            ends.server.sendall((said + text)[start : start + size])
        heard = ends.at_mbsync_until(b"1 OK done\r\n")
    assert heard == text


def test_a_goodbye_ends_the_run() -> None:
    with opened() as ends:
        ends.send(b"1 UID FETCH 7 (BODY.PEEK[])\r\n")
        ends.at_server()
        ends.server.sendall(b"* BYE Server is going down\r\n")
        assert ends.at_mbsync() == b""
    assert str(ends.filter_.error) == "it says goodbye: Server is going down"
    assert ends.filter_.unanswered == [("UID FETCH", 7)]


TUID = b"X-TUID: abcdefghijkl\r\n"


@pytest.mark.parametrize(
    ("stored", "left"),
    [
        (b"Subject: x\r\n" + TUID + b"\r\nText\r\n", b"Subject: x\r\n\r\nText\r\n"),
        (TUID + b"\r\nText\r\n", b"\r\nText\r\n"),
        (b"Subject: x\n" + TUID.replace(b"\r", b"") + b"\nText\n", b"Subject: x\n\nText\n"),
        (b"Subject: x\r\n" + TUID, b"Subject: x\r\n"),
        # What a message says is its own.
        (b"Subject: x\r\n\r\n" + TUID, b"Subject: x\r\n\r\n" + TUID),
        (b"Subject: x\r\n " + TUID + b"\r\n", b"Subject: x\r\n " + TUID + b"\r\n"),
        (b"X-TUID: another kind of thing\r\n\r\n", b"X-TUID: another kind of thing\r\n\r\n"),
        (b"", b""),
    ],
)
def test_what_mbsync_adds_is_taken_off(stored: bytes, left: bytes) -> None:
    assert without_tuid(stored) == left


def test_a_message_is_stored_without_what_mbsync_adds() -> None:
    with opened(remote=False) as ends:
        message = b"Subject: x\r\n" + TUID + b"\r\nText\r\n"
        ends.send(b'1 APPEND "f0001" (\\Seen) {%d+}\r\n%s\r\n' % (len(message), message))
        assert ends.at_server_until(b"Text\r\n\r\n") == (
            b'1 APPEND "&vPTAtA-/a" (\\Seen) {20+}\r\nSubject: x\r\n\r\nText\r\n\r\n'
        )


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_a_message_passes_to_the_house_as_it_is(size: int) -> None:
    message = b"Subject: x\r\n\r\n5 EXPUNGE\r\n{3+}\r\n\r\n"
    sent = b'2 APPEND "f0001" (\\Seen) "23-Nov-2026 10:00:00 +0000" {%d+}\r\n%s\r\n' % (len(message), message)
    with opened(remote=False) as ends:
        for start in range(0, len(sent), size):
            ends.send(sent[start : start + size])
        assert ends.at_server_until(b"\r\n\r\n\r\n") == sent.replace(b'"f0001"', b'"&vPTAtA-/a"')
        ends.server.sendall(b"* 1 EXISTS\r\n2 OK [APPENDUID 1 9] done\r\n")
        assert ends.at_mbsync_until(b"stored\r\n") == b"* 1 EXISTS\r\n2 OK [APPENDUID 1 9] stored\r\n"
        ends.send(b"3 CHECK\r\n")
        assert ends.at_server() == b"3 CHECK\r\n"
    assert ends.filter_.stored == 1


def test_a_large_message_is_asked_for() -> None:
    with opened(remote=False) as ends:
        ends.send(b'1 APPEND "f0001" (\\Seen) {1}\r\n')
        assert ends.at_mbsync() == b"+ go on\r\n"
        ends.send(b"a\r\n")
        assert ends.at_server_until(b"a\r\n") == b'1 APPEND "&vPTAtA-/a" (\\Seen) {1+}\r\na\r\n'


def test_what_comes_while_the_house_is_at_work_goes_on_as_one_command() -> None:
    with opened(remote=False) as ends:
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
    assert ends.filter_.stored == 3


def test_a_message_that_the_house_refuses_does_not_keep_those_beside_it_out() -> None:
    messages = [b"a", b"b", b"c", b"d"]
    first, *others = [
        b'%d APPEND "f0001" {1+}\r\n%s\r\n' % (tag, message) for tag, message in enumerate(messages, 1)
    ]
    with opened(remote=False) as ends:
        ends.send(first)
        ends.at_server_until(b"a\r\n")
        # At once, or the filter might see the house's answer between them.
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
    assert ends.filter_.stored == 3
    assert [refusal.text for refusal in ends.filter_.refusals] == ["NO [OVERQUOTA] full"]


STORING = [
    (b"1 OK [APPENDUID 7 4:5] done\r\n", 2, []),
    # One of them is refused: they are not offered once more one by one, since nobody asks for them any more.
    (b"1 NO [OVERQUOTA] full\r\n", 0, []),
    (b"", 0, [("APPEND", 0)]),
]


@pytest.mark.parametrize(("answer", "stored", "unanswered"), STORING, ids=["stored", "refused", "silent"])
def test_what_is_being_stored_as_mbsync_leaves_is_waited_for(
    answer: bytes, stored: int, unanswered: list[tuple[str, int]]
) -> None:
    with opened(remote=False, patience=2.0 if answer else 0.1) as ends:
        ends.send(b'1 APPEND "f0001" {1+}\r\na\r\n2 APPEND "f0001" {1+}\r\nb\r\n')
        assert ends.at_server_until(b"b\r\n").count(b"APPEND") == 1
        ends.send(b'3 APPEND "f0001" {1+}\r\nc\r\n')
        ends.mbsync.close()
        time.sleep(0.05)
        if answer:
            ends.server.sendall(answer)
    assert (ends.filter_.stored, ends.filter_.unanswered, ends.filter_.error) == (stored, unanswered, None)


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
    assert [(refusal.uid, refusal.text) for refusal in ends.filter_.refusals] == [
        (8, "NO [SERVERBUG] cannot")
    ]
    assert ends.filter_.unanswered == [("UID FETCH", 9)]


def test_the_server_may_not_owe_an_answer_for_ever() -> None:
    with opened(timeout=0.1) as ends:
        ends.send(b"1 UID FETCH 7 (BODY.PEEK[])\r\n")
        assert ends.at_mbsync() == b""
    assert str(ends.filter_.error) == "no answer for 0 s"


def test_a_connection_that_ends_is_told() -> None:
    with opened() as ends:
        ends.server.close()
        assert ends.at_mbsync() == b""
    assert str(ends.filter_.error) == "the connection was closed"


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
