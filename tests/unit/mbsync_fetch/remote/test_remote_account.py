# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a provider says is taken for what it is: silence is no fact, and one failure is not everybody's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.unit.mbsync_fetch.fakes.imap_server import (
    CutError,
    FakeImap,
    Reply,
)
from ansible_collections.ilnmors.mail.tests.unit.mbsync_fetch.fakes.world import ACCOUNT, Box, boxes
from mbsync_fetch.imap.sequence_set import in_set
from mbsync_fetch.remote.account import (
    Listing,
    MailboxError,
    MailboxStatus,
    Presence,
    RemoteAccount,
    RemoteError,
)
from mbsync_fetch.remote.connection import Connection
from mbsync_fetch.remote.survey import SILENCE

Filter = Callable[[Reply], bool]


@pytest.fixture(name="server")
def fixture_server(monkeypatch: pytest.MonkeyPatch) -> FakeImap:
    server = FakeImap(boxes(INBOX="a b c d e", Work="x"))
    monkeypatch.setattr(Connection, "_connect", lambda _self: server.connect())
    return server


@contextmanager
def logged_in() -> Iterator[RemoteAccount]:
    with RemoteAccount(ACCOUNT, "right horse") as remote:
        yield remote


def dropping(name: str, wanted: Callable[[Reply], bool], times: int = 1) -> Any:
    """Spoil the answers to a command: leave these replies out, so many times."""
    left = [times]

    def spoil(said: str, _arguments: str, replies: list[Reply]) -> list[Reply]:
        if said != name or left[0] <= 0:
            return replies
        left[0] -= 1
        return [*(reply for reply in replies[:-1] if not wanted(reply)), replies[-1]]

    return spoil


def answering(
    name: str, *said: str, times: int = 10**9, wanted: Callable[[str], bool] = lambda __: True
) -> Any:
    """Spoil a command: answer it with this, so many times, where its arguments are wanted."""
    left = [times]

    def spoil(command: str, arguments: str, replies: list[Reply]) -> list[Reply]:
        if command != name or left[0] <= 0 or not wanted(arguments):
            return replies
        left[0] -= 1
        return [Reply(line.encode()) for line in said]

    return spoil


def names(uid: int) -> Callable[[str], bool]:
    """Tell whether the arguments of a UID FETCH name a message."""
    return lambda arguments: in_set(uid, arguments.partition(" ")[0])


def everything(_reply: Reply) -> bool:
    return True


# --- greeting and login


@pytest.mark.parametrize(
    ("greeting", "kind", "reason"),
    [
        (b"* PREAUTH welcome\r\n", "error", "PREAUTH"),
        (b"* BYE [UNAVAILABLE] later\r\n", "error", "later"),
        (b"* BYE Too many connections\r\n", "provider limit", "Too many"),
        (b"HTTP/1.1 400 Bad Request\r\n", "error", "HTTP/1.1"),
        (b"\r\n", "error", "greets"),
    ],
)
def test_a_greeting_that_is_none_is_said(server: FakeImap, greeting: bytes, kind: str, reason: str) -> None:
    server.greeting = greeting
    with pytest.raises(RemoteError, match=reason) as caught, logged_in():
        pass
    assert caught.value.kind == kind


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("NO [AUTHENTICATIONFAILED] no", "refused"),
        ("BAD User is authenticated but not connected.", "error"),
        ("NO Request is throttled. Suggested Backoff Time: 299961 milliseconds", "provider limit"),
    ],
)
def test_a_refused_login_says_why_and_no_secret(server: FakeImap, reply: str, kind: str) -> None:
    server.spoil = answering("AUTHENTICATE", f"{reply} right horse")
    with pytest.raises(RemoteError, match="the login was refused") as caught, logged_in():
        pass
    assert caught.value.kind == kind
    assert "right horse" not in str(caught.value)


def test_any_password_can_be_sent_where_there_is_no_plain(server: FakeImap) -> None:
    server.capabilities = "IMAP4rev1"
    for secret, sent in {'pass"wörd': 'pass"wörd', 'pass"word': r"pass\"word"}.items():
        with RemoteAccount(ACCOUNT, secret):
            assert ("LOGIN", f'"{ACCOUNT.username}" "{sent}"') in server.asked


def test_a_goodbye_at_any_place_is_an_end(server: FakeImap) -> None:
    with logged_in() as remote:
        server.spoil = answering("STATUS", "* BYE Server is going down")
        with pytest.raises(RemoteError, match="Server is going down") as caught:
            remote.status("INBOX")
    assert caught.value.kind == "unreachable"


# --- mailboxes


def test_mailboxes_are_listed(server: FakeImap) -> None:
    server.special = {"Work": r"\Sent"}
    with logged_in() as remote:
        assert [(mailbox.raw, sorted(mailbox.flags)) for mailbox in remote.mailboxes()] == [
            ("INBOX", []),
            ("Work", ["\\sent"]),
        ]
        server.spoil = answering("LIST", "BAD no such option", times=1)
        assert len(remote.mailboxes()) == 2


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ('* STATUS "INBOX" (MESSAGES 5 UIDVALIDITY 7)', MailboxStatus(5, 6, 1)),
        ("* STATUS INBOX (UIDNEXT 9)", MailboxStatus(5, 9, 1)),
        ('* STATUS "Other" (MESSAGES 9 UIDNEXT 9 UIDVALIDITY 9)', MailboxStatus(5, 6, 1)),
        ('* STATUS "INBOX" (MESSAGES NIL UIDNEXT -1 UIDVALIDITY x', MailboxStatus(5, 6, 1)),
        ("* STATUS", MailboxStatus(5, 6, 1)),
        ('* STATUS "INBOX" (MESSAGES 9 UIDNEXT 12 UIDVALIDITY 0)', MailboxStatus(9, 12, 1)),
        (
            "* STATUS {5}\r\nINBOX (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 7 HIGHESTMODSEQ 7011231777)",
            MailboxStatus(3, 4, 7),
        ),
    ],
)
def test_half_a_status_is_made_whole_by_opening_the_mailbox(
    server: FakeImap, said: str, status: MailboxStatus
) -> None:
    server.spoil = answering("STATUS", said, "OK done")
    with logged_in() as remote:
        assert remote.status("INBOX") == status


def test_a_provider_that_never_says_uidnext_is_none_of_a_fault(server: FakeImap) -> None:
    server.spoil = dropping("EXAMINE", lambda reply: b"UIDNEXT" in reply.text, times=9)
    with logged_in() as remote:
        assert remote.examine("INBOX") == MailboxStatus(5, None, 1)


@pytest.mark.parametrize(("lost", "said"), [(b"EXISTS", "EXISTS"), (b"UIDVALIDITY", "UIDVALIDITY")])
def test_a_mailbox_that_tells_too_little_is_opened_once_more(
    server: FakeImap, lost: bytes, said: str
) -> None:
    with logged_in() as remote:
        server.spoil = dropping("EXAMINE", lambda reply: lost in reply.text)
        assert remote.examine("INBOX") == MailboxStatus(5, 6, 1)
        server.spoil = dropping("EXAMINE", lambda reply: lost in reply.text, times=9)
        with pytest.raises(RemoteError, match=said):
            remote.examine("INBOX")


@pytest.mark.parametrize("command", ["STATUS", "EXAMINE"])
def test_a_mailbox_that_is_not_opened_says_whether_that_is_final(server: FakeImap, command: str) -> None:
    with logged_in() as remote:
        ask = remote.status if command == "STATUS" else remote.examine
        for answer, fate in (
            ("NO [NOPERM] no", "closed"),
            ("NO [NONEXISTENT] no", "gone"),
            ("NO STATUS failed.", ""),
            ("BAD User is authenticated but not connected.", ""),
            ("NO", ""),
        ):
            server.spoil = answering(command, answer)
            with pytest.raises(MailboxError) as caught:
                ask("Work")
            assert caught.value.fate == fate


# --- listings


@pytest.mark.parametrize("capabilities", ["IMAP4rev1 AUTH=PLAIN", "IMAP4rev1 AUTH=PLAIN ESEARCH"])
def test_a_listing_is_whole_where_it_has_as_many_as_the_mailbox(server: FakeImap, capabilities: str) -> None:
    server.capabilities = capabilities
    with logged_in() as remote:
        remote.examine("INBOX")
        assert remote.uids() == Listing((1, 2, 3, 4, 5), whole=True)
        assert remote.uids(4) == Listing((4, 5), whole=True)
        assert remote.uids(6) == Listing((), whole=True)
        server.boxes["INBOX"].messages.clear()
        remote.examine("INBOX")
        assert remote.uids() == Listing((), whole=True)


@pytest.mark.parametrize("first", [1, 3])
@pytest.mark.parametrize("capabilities", ["IMAP4rev1 AUTH=PLAIN", "IMAP4rev1 AUTH=PLAIN ESEARCH"])
@pytest.mark.parametrize(
    "said",
    [
        [],
        ["* SEARCH"],
        ["* SEARCH 3 4"],
        ["* ESEARCH"],
        ['* ESEARCH (TAG "x") UID ALL 3:4'],
        ['* ESEARCH (TAG "x") UID ALL 1:4294967295'],
        ['* ESEARCH (TAG "x") UID ALL 1:*,x'],
        ["* SEARCH 3 4 5 4294967296 0 x"],
    ],
)
def test_a_search_that_lacks_something_is_made_once_more_in_another_way(
    server: FakeImap, first: int, capabilities: str, said: list[str]
) -> None:
    server.capabilities = capabilities
    with logged_in() as remote:
        remote.examine("INBOX")
        server.spoil = answering("UID SEARCH", *said, "OK done", times=1)
        assert remote.uids(first) == Listing(tuple(range(first, 6)), whole=True)
        # Where no search ever is whole, another command names the messages.
        server.spoil = answering("UID SEARCH", *said, "OK done")
        assert remote.uids(first) == Listing(tuple(range(first, 6)), whole=True)


def test_a_refused_search_is_made_in_another_way(server: FakeImap) -> None:
    with logged_in() as remote:
        remote.examine("INBOX")
        server.spoil = answering("UID SEARCH", "NO [SERVERBUG] no")
        assert remote.uids() == Listing((1, 2, 3, 4, 5), whole=True)


def test_what_is_never_listed_is_known_to_be_lacking(server: FakeImap) -> None:
    def spoil(name: str, _arguments: str, replies: list[Reply]) -> list[Reply]:
        if name == "UID FETCH":
            return [reply for reply in replies if not reply.text.startswith(b"* 5 ")]
        return [Reply(b"* SEARCH 1 2 3 4"), replies[-1]] if name == "UID SEARCH" else replies

    server.spoil = spoil
    with logged_in() as remote:
        remote.examine("INBOX")
        assert remote.uids() == Listing((1, 2, 3, 4), whole=False, lacking=1)
        assert remote.uids(3).whole is False
        assert remote.settled() is None
        assert remote.present([2, 5]) == Presence(frozenset({2}), frozenset())


def test_a_message_is_gone_where_two_whole_listings_lack_it(server: FakeImap) -> None:
    with logged_in() as remote:
        del server.boxes["INBOX"].messages[3]
        remote.examine("INBOX")
        assert remote.settled() == frozenset({1, 2, 4, 5})
        assert remote.present([2, 3, 9, -1]) == Presence(frozenset({2}), frozenset({3, 9, -1}))
        # An answer that lacks a message says nothing of it.
        server.spoil = answering("UID SEARCH", "OK done", times=1)
        assert remote.present([2, 4]) == Presence(frozenset({2, 4}), frozenset())


# --- messages


@pytest.mark.usefixtures("server")
def test_messages_are_surveyed() -> None:
    with logged_in() as remote:
        remote.examine("INBOX")
        seen = remote.survey(range(1, 6))
    assert sorted(seen.messages) == [1, 2, 3, 4, 5]
    assert not seen.unanswered
    assert seen.messages[1].arrived > 0


def test_no_command_is_longer_than_a_server_must_take(server: FakeImap) -> None:
    """8,192 bytes (RFC 7162 section 4), whatever is asked about very many messages far apart."""
    box = Box(messages={uid: f"m{uid}" for uid in range(4_000_000_001, 4_000_006_001, 2)})
    server.boxes = {"INBOX": box}
    with logged_in() as remote:
        remote.examine("INBOX")
        assert len(remote.survey(box.messages).messages) == 3000
        assert remote.present(box.messages).present == box.messages.keys()
        assert len(remote.message_ids(box.messages)) == 3000
    assert max(len(f"F99 {name} {arguments}") for name, arguments in server.asked) < 8192


def test_what_an_answer_lacks_is_asked_for_again(server: FakeImap) -> None:
    with logged_in() as remote:
        remote.examine("INBOX")
        server.spoil = dropping("UID FETCH", everything)
        assert sorted(remote.survey([1, 2, 3]).messages) == [1, 2, 3]
        server.spoil = dropping("UID FETCH", lambda reply: reply.text.startswith(b"* 2 "))
        assert sorted(remote.survey([1, 2, 3]).messages) == [1, 2, 3]


def test_what_is_never_answered_is_named(server: FakeImap) -> None:
    server.spoil = dropping("UID FETCH", lambda reply: reply.text.startswith((b"* 2 ", b"* 4 ")), times=99)
    with logged_in() as remote:
        remote.examine("INBOX")
        seen = remote.survey(range(1, 6))
    assert sorted(seen.messages) == [1, 3, 5]
    assert seen.refused == {2: SILENCE, 4: SILENCE}


@pytest.mark.parametrize("uid", range(1, 6))
def test_the_one_that_is_refused_is_found(server: FakeImap, uid: int) -> None:
    server.spoil = answering("UID FETCH", "NO [UNAVAILABLE] It is damaged", wanted=names(uid))
    with logged_in() as remote:
        remote.examine("INBOX")
        seen = remote.survey(range(1, 6))
    assert seen.messages.keys() == set(range(1, 6)) - {uid}
    assert seen.refused == {uid: "[UNAVAILABLE] It is damaged"}


def test_a_few_of_very_many_are_found_with_few_commands(server: FakeImap) -> None:
    box = Box()
    for number in range(3000):
        box.add(f"m{number}")
    server.boxes = {"INBOX": box}
    bad = {7, 1500, 2999}
    server.spoil = answering(
        "UID FETCH", "NO it is damaged", wanted=lambda said: any(names(uid)(said) for uid in bad)
    )
    with logged_in() as remote:
        remote.examine("INBOX")
        seen = remote.survey(range(1, 3001))
    assert seen.refused.keys() == bad
    assert len(seen.messages) == 2997
    assert len([name for name, __ in server.asked if name == "UID FETCH"]) < 70


def test_where_nothing_comes_it_is_the_mailbox_that_fails(server: FakeImap) -> None:
    box = Box()
    for number in range(100):
        box.add(f"m{number}")
    server.boxes = {"INBOX": box}
    server.spoil = answering("UID FETCH", "NO [SERVERBUG] down")
    with logged_in() as remote:
        remote.examine("INBOX")
        with pytest.raises(RemoteError, match="down") as caught:
            remote.survey(range(1, 101))
    assert caught.value.kind == "error"
    assert len([name for name, __ in server.asked if name == "UID FETCH"]) < 20


def test_where_very_much_is_refused_the_rest_waits(server: FakeImap) -> None:
    box = Box()
    for number in range(600):
        box.add(f"m{number}")
    server.boxes = {"INBOX": box}
    server.spoil = answering(
        "UID FETCH", "NO no", wanted=lambda said: any(names(uid)(said) for uid in range(1, 601, 3))
    )
    with logged_in() as remote:
        remote.examine("INBOX")
        seen = remote.survey(range(1, 601))
        # What it was not asked about alone is refused by nobody.
        assert seen.open
        assert all(uid % 3 == 1 for uid in seen.refused)
        assert len(seen.messages) + len(seen.unanswered) == 600


def test_a_provider_that_has_had_enough_is_not_asked_on(server: FakeImap) -> None:
    server.spoil = answering("UID FETCH", "NO [LIMIT] enough")
    with logged_in() as remote:
        remote.examine("INBOX")
        with pytest.raises(RemoteError, match="enough") as caught:
            remote.survey(range(1, 6))
    assert caught.value.kind == "provider limit"
    assert len([name for name, __ in server.asked if name == "UID FETCH"]) == 1


def test_a_message_that_ends_the_connection_is_found(server: FakeImap) -> None:
    def spoil(name: str, arguments: str, replies: list[Reply]) -> list[Reply]:
        if name == "UID FETCH" and names(3)(arguments):
            return [*(reply for reply in replies[:-1] if reply.text < b"* 3"), Reply(b"* BYE crashed")]
        return replies

    server.spoil = spoil
    with logged_in() as remote:
        remote.examine("INBOX")
        seen = remote.survey(range(1, 6))
        assert sorted(seen.messages) == [1, 2, 4, 5]
        assert "crashed" in seen.refused[3]
        assert server.logins == 2


def test_a_connection_that_ends_each_time_is_not_made_for_ever(server: FakeImap) -> None:
    def spoil(name: str, _arguments: str, replies: list[Reply]) -> list[Reply]:
        if name == "UID FETCH":
            raise CutError
        return replies

    server.spoil = spoil
    with logged_in() as remote:
        remote.examine("INBOX")
        with pytest.raises(RemoteError, match="closed"):
            remote.survey(range(1, 6))
    assert server.logins < 10


@pytest.mark.parametrize(
    "said",
    [
        [
            r"* 2 FETCH (UID 2 FLAGS (\Seen))",
            r"* 9 FETCH (FLAGS (\Seen) UID 9)",
            "* 2 FETCH (UID 2 RFC822.SIZE NIL INTERNALDATE NIL)",
            '* 2 FETCH (UID 2 BODY[HEADER.FIELDS ("DATE")] {19}\r\nMessage-ID: <2@x>\r\n)',
        ],
        ['* 2 FETCH (UID 2 FLAGS NIL RFC822.SIZE 5 INTERNALDATE {3}\r\nxyz BODY[HEADER.FIELDS (X)] "a: b")']
        * 2,
        [
            "* 2 FETCH (MODSEQ (92233720368547758) BODY[HEADER] NIL FLAGS () RFC822.SIZE 99999999999999999999 "
            'INTERNALDATE "31-Feb-2026 99:99:99 +0000" UID 2)'
        ],
        [
            *("garbage", "", "* 2 FETCH", "* FETCH (UID 2)", "* 2 FETCH (UID)", "A9 OK another tag's"),
            r'* 2 FETCH (UID 2 FLAGS (\Seen) RFC822.SIZE 1 INTERNALDATE "" BODY[HEADER.FIELDS (X)] "")',
        ],
    ],
    ids=["split", "twice", "beyond-32-bits", "among-garbage"],
)
def test_answers_out_of_form_are_read_as_far_as_they_can_be(server: FakeImap, said: list[str]) -> None:
    server.spoil = answering("UID FETCH", *said, "OK done")
    with logged_in() as remote:
        remote.examine("INBOX")
        seen = remote.survey([2])
    assert seen.messages.keys() == {2}


def test_a_message_whose_flags_are_left_out_is_asked_about_once_more(server: FakeImap) -> None:
    server.boxes["INBOX"].flags[2] = frozenset({r"\Seen", "$Label1"})

    left = [1]

    def spoil(name: str, _arguments: str, replies: list[Reply]) -> list[Reply]:
        for reply in replies:
            if name == "UID FETCH" and reply.items and left[0] > 0:
                reply.items = [item for item in reply.items if not item.startswith(b"FLAGS")]
        left[0] -= name == "UID FETCH"
        return replies

    server.spoil = spoil
    with logged_in() as remote:
        remote.examine("INBOX")
        message = remote.survey([1, 2, 3]).messages[2]
    assert message.flags == {r"\seen", "$label1"}
    assert message.keywords == {"$Label1"}


def test_message_ids_are_read_and_silence_is_none(server: FakeImap) -> None:
    with logged_in() as remote:
        remote.examine("INBOX")
        found = remote.message_ids(range(1, 6))
        assert sorted(found) == [1, 2, 3, 4, 5]
        assert found[2] == b"<b@elsewhere.test>"
        server.spoil = dropping("UID FETCH", lambda reply: reply.text.startswith(b"* 2 "))
        assert remote.message_ids([1, 2, 3]) == {uid: found[uid] for uid in (1, 2, 3)}
        server.spoil = dropping("UID FETCH", lambda reply: reply.text.startswith(b"* 2 "), times=99)
        assert sorted(remote.message_ids([1, 2, 3])) == [1, 3]


def test_a_message_is_read(server: FakeImap) -> None:
    server.boxes["INBOX"].flags[2] = frozenset({r"\Seen", r"\Deleted", "$Label1"})
    with logged_in() as remote:
        remote.examine("INBOX")
        content = remote.content(2)
        assert content is not None
        assert content.text.endswith(b"\r\n\r\nb\r\n")
        assert content.flags == ("$Label1", r"\Seen")
        server.spoil = answering("UID FETCH", "* 9 FETCH (UID 9 BODY[] NIL)", "OK done", times=1)
        assert remote.content(2) == content
        server.spoil = answering("UID FETCH", "OK done")
        assert remote.content(2) is None


@pytest.mark.parametrize(
    "said", ["(1" * 100_000, "{999999999999}", "x" * 1_000_000, "* 5 FETCH (" + '"' * 100_001]
)
def test_garbage_ends_in_a_provider_error_or_in_nothing(server: FakeImap, said: str) -> None:
    with logged_in() as remote:
        asking: dict[str, Callable[[], object]] = {
            "LIST": remote.mailboxes,
            "STATUS": lambda: remote.status("INBOX"),
            "EXAMINE": lambda: remote.examine("INBOX"),
        }
        for name, ask in asking.items():
            server.spoil = answering(name, f"* {name} {said}", said, "OK done", times=1)
            try:
                ask()
            except RemoteError:
                assert remote.reconnect()
