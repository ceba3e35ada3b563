# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a fetch talks to the house: a session with a server that answers by a script."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mbsync_fetch.local.mailbox import FolderStatus, LocalMailbox
from mbsync_fetch.local.scripts import Filtered
from mbsync_fetch.local.session import LocalError

STATUS = "* STATUS x (UIDVALIDITY 7 UIDNEXT 5 MESSAGES 3)\r\n{tag} OK done\r\n"


class Dovecot:
    """Answers each command by the first pattern that matches it, with OK where none does.

    An answer is used once if it is in a list. {tag} in it stands for the command's tag.
    """

    def __init__(self, path: str) -> None:
        self.greeting = "* PREAUTH [CAPABILITY IMAP4rev1 UIDPLUS MOVE QUOTA] ready"
        self.answers: dict[str, str | list[str]] = {}
        self.asked: list[str] = []
        self.literals: list[bytes] = []
        self.sessions = 0
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(path)
        self._socket.listen()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._socket.close()

    def _listen(self) -> None:
        while True:
            try:
                connection, __ = self._socket.accept()
            except OSError:
                return
            self.sessions += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(ConnectionError), connection, connection.makefile("rwb") as file:
            file.write(f"{self.greeting}\r\n".encode())
            file.flush()
            for line in iter(file.readline, b""):
                tag, __, command = line.decode().strip().partition(" ")
                if literal := re.search(r"\{(\d+)\}$", command):
                    file.write(b"+ go on\r\n")
                    file.flush()
                    self.literals.append(file.read(int(literal[1])))
                    file.readline()
                file.write(self._answer(command).replace("{tag}", tag).encode())
                file.flush()

    def _answer(self, command: str) -> str:
        if command == "CAPABILITY":
            return f"{self.greeting.replace('PREAUTH [', '').partition(']')[0]}\r\n{{tag}} OK done\r\n"
        if command == "LOGOUT":
            return "* BYE\r\n{tag} OK done\r\n"
        self.asked.append(command)
        for pattern, answer in self.answers.items():
            if re.match(pattern, command):
                return answer if isinstance(answer, str) else answer.pop(0)
        return "{tag} OK done\r\n"


@pytest.fixture
def dovecot(tmp_path: Path) -> Iterator[Dovecot]:
    server = Dovecot(str(tmp_path / "socket"))
    yield server
    server.close()


@pytest.fixture
def local(dovecot: Dovecot, tmp_path: Path) -> Iterator[LocalMailbox]:
    assert dovecot
    with LocalMailbox(str(tmp_path / "socket")) as session:
        yield session


def test_a_folders_state_is_asked_by_its_encoded_name(dovecot: Dovecot, local: LocalMailbox) -> None:
    dovecot.answers = {"STATUS": STATUS}
    assert local.status('Google/"청구서" & \\') == FolderStatus(uidvalidity=7, uidnext=5, messages=3)
    assert dovecot.asked == [
        r'STATUS "Google/\"&zK2tbMEc-\" &- \\" (UIDVALIDITY UIDNEXT MESSAGES)',
    ]


@pytest.mark.parametrize(
    "said", ["[NONEXISTENT] Mailbox doesn't exist: New", "Mailbox doesn't exist: New (0.001 secs)."]
)
def test_a_folder_is_made_once(dovecot: Dovecot, local: LocalMailbox, said: str) -> None:
    dovecot.answers = {"STATUS": [f"{{tag}} NO {said}\r\n", STATUS, STATUS]}
    assert local.ensure("New") == local.ensure("New")
    assert [command.split()[0] for command in dovecot.asked] == [
        *("STATUS", "CREATE", "SUBSCRIBE", "STATUS"),
        "STATUS",
    ]


def test_a_refusal_is_told_as_it_is(dovecot: Dovecot, local: LocalMailbox) -> None:
    dovecot.answers = {
        "STATUS": "{tag} NO [SERVERBUG] Internal error\r\n",
        "CREATE": "{tag} NO [NOPERM] no\r\n",
    }
    with pytest.raises(LocalError, match=r"^New: STATUS: \[SERVERBUG\] Internal error$"):
        local.status("New")


def test_a_renamed_folder_is_not_open_meanwhile(dovecot: Dovecot, local: LocalMailbox) -> None:
    local.add_flags("Old", [1], [r"\Seen"])
    local.rename("Old", "New")
    local.add_flags("New", [1], [r"\Seen"])
    assert dovecot.asked == [
        *('SELECT "Old"', r"UID STORE 1 +FLAGS.SILENT (\Seen)"),
        *("UNSELECT", 'RENAME "Old" "New"', 'SUBSCRIBE "New"', 'UNSUBSCRIBE "Old"'),
        *('SELECT "New"', r"UID STORE 1 +FLAGS.SILENT (\Seen)"),
    ]


def test_a_message_is_stored_with_its_date_and_flags(dovecot: Dovecot, local: LocalMailbox) -> None:
    dovecot.answers = {"APPEND": "{tag} OK [APPENDUID 7 42] done\r\n"}
    uid = local.append("INBOX", b"Subject: x\r\n\r\nx\r\n", [r"\Seen"], "01-Jan-2001 10:00:00 +0900")
    assert uid == 42
    assert dovecot.asked == [r'APPEND "INBOX" (\Seen) "01-Jan-2001 10:00:00 +0900" {17}']
    assert dovecot.literals == [b"Subject: x\r\n\r\nx\r\n"]


def test_moved_messages_are_followed(dovecot: Dovecot, local: LocalMailbox) -> None:
    dovecot.answers = {
        "UID MOVE": "* OK [COPYUID 7 1:2,5 11:13] Moved UIDs.\r\n* 1 EXPUNGE\r\n{tag} OK done\r\n"
    }
    assert local.move("INBOX", [1, 2, 3, 5], "Filed") == {1: 11, 2: 12, 5: 13}
    assert dovecot.asked[-1] == 'UID MOVE 1:3,5 "Filed"'


def test_only_the_named_messages_are_expunged(dovecot: Dovecot, local: LocalMailbox) -> None:
    local.remove("INBOX", [3, 1, 2])
    assert dovecot.asked == ['SELECT "INBOX"', r"UID STORE 1:3 +FLAGS.SILENT (\Deleted)", "UID EXPUNGE 1:3"]


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ('* QUOTA "User quota" (STORAGE 10 1024)', 1014 * 1024),
        ('* QUOTA "User quota" (MESSAGE 1 5 STORAGE 2000 1024)', 0),
        ('* QUOTA "User quota" ()', None),
    ],
)
def test_what_is_left_of_the_quota(
    dovecot: Dovecot, local: LocalMailbox, said: str, left: int | None
) -> None:
    dovecot.answers = {"GETQUOTAROOT": f'* QUOTAROOT INBOX "User quota"\r\n{said}\r\n{{tag}} OK done\r\n'}
    assert local.quota_left() == left


def test_a_house_without_quotas_is_not_asked(dovecot: Dovecot, tmp_path: Path) -> None:
    dovecot.greeting = "* PREAUTH [CAPABILITY IMAP4rev1] ready"
    with LocalMailbox(str(tmp_path / "socket")) as local:
        assert local.quota_left() is None
    assert dovecot.asked == []


def test_uids_are_listed_without_changing_what_is_recent(dovecot: Dovecot, local: LocalMailbox) -> None:
    dovecot.answers = {
        "UID SEARCH": [
            '* ESEARCH (TAG "x") UID ALL 2:4,9\r\n{tag} OK done\r\n',
            '* ESEARCH (TAG "x") UID\r\n{tag} OK done\r\n',
        ]
    }
    assert local.uids("Google/INBOX") == [2, 3, 4, 9]
    assert local.uids("Google/INBOX") == []
    local.remove("Google/INBOX", [2])
    assert dovecot.asked[:2] == ['EXAMINE "Google/INBOX"', "UID SEARCH RETURN (ALL) ALL"]
    assert 'SELECT "Google/INBOX"' in dovecot.asked


def test_message_ids_are_read(dovecot: Dovecot, local: LocalMailbox) -> None:
    field = "Message-ID:\r\n <a@x.test> \r\n\r\n"
    dovecot.answers = {
        "UID FETCH": f"* 1 FETCH (UID 7 BODY[HEADER.FIELDS (MESSAGE-ID)] {{{len(field)}}}\r\n{field})\r\n"
        "* 2 FETCH (UID 8 BODY[HEADER.FIELDS (MESSAGE-ID)] {2}\r\n\r\n)\r\n{tag} OK done\r\n"
    }
    assert local.message_ids("INBOX", [7, 8, 9]) == {7: b"<a@x.test>", 8: b""}
    assert local.message_ids("INBOX", []) == {}


def test_folders_are_listed(dovecot: Dovecot, local: LocalMailbox) -> None:
    dovecot.answers = {
        "LIST": '* LIST (\\HasChildren) "/" Google\r\n* LIST (\\Noselect) "/" Lists\r\n'
        '* LIST (\\HasNoChildren) "/" {12}\r\nGoogle/a "b"\r\n'
        '* LIST () "/" "&zK2tbMEc-"\r\n{tag} OK done\r\n'
    }
    assert local.folders() == ["Google", 'Google/a "b"', "청구서"]


def search(*found: str) -> list[str]:
    return [f"* SEARCH {uids}\r\n{{tag}} OK done\r\n" for uids in found]


def test_what_scripts_file_away_leaves_the_folder(dovecot: Dovecot, local: LocalMailbox) -> None:
    # Message 2 was marked by somebody else, 3 is filed by the scripts.
    dovecot.answers = {
        "UID SEARCH": search("2", "2 3"),
        "UID FILTER SIEVE DELIVERY": "* 3 FILTERED (TAG x) UID 3 OK\r\n{tag} OK done\r\n",
    }
    assert local.sieve("INBOX", [1, 2, 3]) == Filtered(frozenset({3}), ())
    assert dovecot.asked == [
        'SELECT "INBOX"',
        "UID SEARCH UID 1:3 DELETED",
        "UID FILTER SIEVE GLOBAL before UID 1:3 UNDELETED",
        "UID FILTER SIEVE DELIVERY UID 1:3 UNDELETED",
        "UID SEARCH UID 1:3 DELETED",
        "UID EXPUNGE 3",
    ]


def test_no_session_takes_many_messages_through_the_scripts(dovecot: Dovecot, local: LocalMailbox) -> None:
    uids = range(4_000_000_000, 4_000_000_400, 2)
    assert not local.sieve("INBOX", uids).gone
    assert dovecot.sessions == 1 + 4
    # Five commands with each set, in a buffer of 8 KiB.
    longest = max(map(len, dovecot.asked))
    assert 5 * longest < 8192


@pytest.mark.parametrize(
    ("answer", "complaints"),
    [
        ("{tag} NO Sieve script storage not accessible\r\n", []),
        (
            "* FILTER (TAG x) ERRORS {15}\r\nline 1: error.\n\r\n{tag} NO Failed to compile\r\n",
            ["line 1: error."],
        ),
        (
            "* 1 FILTERED (TAG x) UID 1 ERRORS {6}\r\nfull\r\n\r\n"
            "* 2 FILTERED (TAG x) UID 2 WARNINGS {6}\r\nodd.\r\n\r\n{tag} OK done\r\n",
            ["full", "odd."],
        ),
    ],
)
def test_messages_stay_where_a_script_fails(
    dovecot: Dovecot, local: LocalMailbox, answer: str, complaints: list[str]
) -> None:
    dovecot.answers = {"UID SEARCH": search("", ""), "UID FILTER SIEVE DELIVERY": answer}
    assert local.sieve("INBOX", [1, 2]) == Filtered(frozenset(), tuple(complaints))
    assert not any(command.startswith("UID EXPUNGE") for command in dovecot.asked)


def nobody(__: Dovecot, path: Path) -> None:
    path.unlink()


def another_host(dovecot: Dovecot, __: Path) -> None:
    dovecot.greeting = "* BYE [UNAVAILABLE] gmail is fetched by the host other"


@pytest.mark.parametrize(
    ("fault", "said"),
    [(nobody, r"socket: .*No such file"), (another_host, r"gmail is fetched by the host other")],
)
def test_a_socket_that_is_shut_says_why(
    dovecot: Dovecot, tmp_path: Path, fault: Callable[[Dovecot, Path], None], said: str
) -> None:
    path = tmp_path / "socket"
    fault(dovecot, path)
    with pytest.raises(LocalError, match=said), LocalMailbox(str(path)):
        pass


def test_a_session_that_breaks_is_no_answer(dovecot: Dovecot, local: LocalMailbox) -> None:
    dovecot.answers = {"STATUS": "* BYE shutting down\r\n"}
    with pytest.raises(LocalError, match="shutting down"):
        local.status("INBOX")
