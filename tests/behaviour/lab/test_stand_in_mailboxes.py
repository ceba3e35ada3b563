"""The lab's IMAP servers have the mailboxes of real ones, and one fails as tests want it to, or no fetch is proven."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support import provider_mailboxes as at_provider
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.provider_mailboxes import MOODY, Command, faults
from ansible_collections.ilnmors.mail.tests.behaviour.support.provider_side import quoted
from testinfra.host import Host

pytestmark = pytest.mark.usefixtures("provider")

BOX = "&rADIcQ-/&wKzJxA-"
"""가족/사진, in modified UTF-7."""


def connect(provider_ca: str, account: str) -> Any:
    """Log in to an account."""
    name = account.split("@")[1].removesuffix(".test")
    client = clients.imap(f"imap.{name}.test", provider_ca)
    client.login(account, f"{name}-lab-password")
    return client


def ask(client: Any, command: str) -> str:
    """Send a command as it is; return all that is answered, as far as it goes."""
    client.send(f"t {command}\r\n".encode())
    said = b""
    while line := client.readline():
        said += line
        if line.startswith(b"t "):
            break
    return said.decode()


@pytest.fixture
def client(provider: Host, provider_ca: str) -> Iterator[Any]:
    """Return a client of the faulty server, whose mailbox for it has three messages."""
    at_provider.expunge(provider, MOODY, "가족/사진")
    at_provider.renumber(provider, MOODY, "가족/사진")
    at_provider.deliver(provider, MOODY, "가족/사진", count=3, size=2000)
    client = connect(provider_ca, MOODY)
    yield client
    client.shutdown()
    at_provider.expunge(provider, MOODY, "가족/사진")


@pytest.mark.parametrize(
    ("account", "lines"),
    [
        (
            "il@gmail.test",
            [
                r'(\Noselect \HasChildren) "/" [Gmail]',
                r'(\HasNoChildren \All) "/" "[Gmail]/All Mail"',
                r'(\HasNoChildren \Important) "/" [Gmail]/Important',
                r'(\HasNoChildren) "/" &rADIcQ-/&wKzJxA-',
            ],
        ),
        ("hangul@gmail.test", [r'(\HasNoChildren \All) "/" [Gmail]/&yATMtLz0rQDVaA-']),
        ("il@naver.test", [r'(\HasNoChildren \Sent) "/" "Sent Messages"']),
        (
            "odd@naver.test",
            [
                r'(\HasNoChildren) "." &ulS6qA-.&rADIcQ-/&wKzJxA-',
                r'(\HasNoChildren) "." in/out',
                r'(\HasNoChildren) "." "back\\slash"',
                r'(\HasNoChildren) "." "He said \"no\""',
                r'(\HasNoChildren) "." AT&-T',
            ],
        ),
    ],
    ids=["gmail", "gmail-in-korean", "naver", "odd"],
)
def test_their_mailboxes_are_those_of_real_ones(provider_ca: str, account: str, lines: list[str]) -> None:
    with connect(provider_ca, account) as reader:
        said = ask(reader, 'LIST "" "*"')
    assert {f"* LIST {line}" for line in lines} <= set(re.sub(r" \\(Un)?Marked", "", said).split("\r\n"))


def test_a_message_has_the_same_bytes_and_date_under_each_label(provider: Host, provider_ca: str) -> None:
    date = datetime(2020, 2, 29, 23, 59, 59, tzinfo=UTC)
    account = "hangul@gmail.test"
    new = at_provider.gmail_deliver(
        provider, account, ["INBOX", "가족/사진"], ["\\Seen"], date, all_mail="[Gmail]/전체보관함"
    )
    found = []
    with connect(provider_ca, account) as reader:
        for mailbox in ("INBOX", "&rADIcQ-/&wKzJxA-", "[Gmail]/&yATMtLz0rQDVaA-"):
            uid = clients.find(reader, str(new["Message-ID"]), mailbox)
            assert uid
            found.append(reader.uid("FETCH", uid.decode(), "(FLAGS INTERNALDATE BODY.PEEK[])")[1][0])
    for mailbox in ("INBOX", "가족/사진", "[Gmail]/전체보관함"):
        at_provider.expunge(provider, account, mailbox, str(new["Message-ID"]))
    assert len({content for __, content in found}) == 1
    for said, __ in found:
        assert b'INTERNALDATE "29-Feb-2020 23:59:59 +0000"' in said
        assert b"\\Seen" in said


def test_ten_thousand_messages_come_in_seconds(provider: Host) -> None:
    at_provider.create(provider, MOODY, "many")
    start = time.monotonic()
    at_provider.deliver(provider, MOODY, "many", count=10_000, size=2000)
    took = time.monotonic() - start
    found = provider.check_output("doveadm mailbox status -u %s messages many", MOODY)
    at_provider.delete(provider, MOODY, "many")
    assert found == "many messages=10000"
    assert took < 30


@pytest.mark.usefixtures("client")
def test_a_renumbered_mailbox_has_the_same_messages(provider: Host, provider_ca: str) -> None:
    def look() -> tuple[str, dict[str, int], list[str]]:
        with connect(provider_ca, MOODY) as reader:
            reader.select(BOX, readonly=True)
            (validity,) = reader.response("UIDVALIDITY")[1]
            lines = ask(reader, "UID FETCH 1:* (UID FLAGS INTERNALDATE BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        found = re.findall(r"UID (\d+) (FLAGS.*?\r\nSubject: .*?)\r\n", lines, re.DOTALL)
        uids = {said.replace("\\Recent ", "").replace("\\Recent", ""): int(uid) for uid, said in found}
        return validity.decode(), uids, sorted(uids)

    at_provider.deliver(provider, MOODY, "가족/사진", ["\\Flagged", "$Forwarded"], count=5)
    first, uids, messages = look()
    assert len(messages) == 8
    given = at_provider.renumber(provider, MOODY, "가족/사진")
    assert look()[0] == str(given) != first
    assert look()[2] == messages
    assert look()[1] != uids


def test_mailboxes_and_messages_are_moved(provider: Host, client: Any) -> None:
    once, twice = "한 번", 'twice & "두 번"'
    name = quoted(twice).decode()
    at_provider.create(provider, MOODY, once)
    at_provider.rename(provider, MOODY, once, twice)
    new = at_provider.deliver(provider, MOODY, twice)
    at_provider.move(provider, MOODY, twice, "가족/사진", str(new["Message-ID"]))
    assert "(MESSAGES 0)" in ask(client, f"STATUS {name} (MESSAGES)")
    assert "(MESSAGES 4)" in ask(client, f'STATUS "{BOX}" (MESSAGES)')
    assert name in ask(client, 'LSUB "" "*"')
    at_provider.delete(provider, MOODY, twice)
    assert "NO [NONEXISTENT]" in ask(client, f"STATUS {name} (MESSAGES)")
    assert name not in ask(client, 'LSUB "" "*"')


@pytest.mark.parametrize(
    ("uids", "handed_over"),
    [("2", []), ("1:3", [1, 3]), ("3,2:*", [3]), ("1,3", [1, 3])],
)
def test_it_refuses_messages(provider: Host, client: Any, uids: str, handed_over: list[int]) -> None:
    ask(client, f'EXAMINE "{BOX}"')
    with faults(provider, refuse={BOX: [2]}):
        said = ask(client, f"UID FETCH {uids} (UID BODY.PEEK[])")
        assert [int(uid) for uid in re.findall(r"FETCH \(UID (\d+)", said)] == handed_over
        refused = "t NO [SERVERBUG] This message cannot be handed over\r\n"
        assert said.endswith(refused) is (uids != "1,3")
        assert "t OK" in ask(client, f"UID FETCH {uids} (FLAGS RFC822.SIZE BODY.PEEK[HEADER])")
    assert "t OK" in ask(client, f"UID FETCH {uids} (BODY.PEEK[])")


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        (f'EXAMINE "{BOX}"', "NO [OVERQUOTA] Full"),
        (f'SELECT "{BOX}"', "NO [LIMIT] Not now"),
        ("UID FETCH 1 (FLAGS)", "NO [LIMIT] Too much"),
        (f"LOGIN {MOODY} wrong", "NO [AUTHENTICATIONFAILED] Invalid credentials"),
        # moody@moody.test and a password (RFC 4616).
        ("AUTHENTICATE PLAIN AG1vb2R5QG1vb2R5LnRlc3QAd3Jvbmc=", "NO [AUTHENTICATIONFAILED] No"),
    ],
)
def test_it_answers_as_it_is_told(provider: Host, client: Any, command: str, reply: str) -> None:
    name = command.partition(" 1")[0].partition(" ")[0] if "UID" not in command else "UID FETCH"
    with faults(provider, answers={"LOGIN" if name == "AUTHENTICATE" else name: reply}):
        assert ask(client, command) == f"t {reply}\r\n"
        assert "t OK" in ask(client, "NOOP")


def test_it_says_goodbye(provider: Host, client: Any) -> None:
    with faults(provider, answers={"NOOP": "BYE Too many connections"}):
        assert ask(client, "NOOP") == "* BYE Too many connections\r\n"


def test_it_cuts_the_connection(provider: Host, client: Any, provider_ca: str) -> None:
    ask(client, f'EXAMINE "{BOX}"')
    with faults(provider, cut=3000):
        said = ask(client, "UID FETCH 1:3 (BODY.PEEK[])")
        assert 0 < len(said) < 3000
        assert "t OK" not in said
        # So it does with each connection, from its beginning.
        assert "t OK" in ask(connect(provider_ca, MOODY), "NOOP")


@pytest.mark.parametrize(
    "mood", [{"hang": 3000}, {"answers": {"UID FETCH": None}}], ids=["midway", "at-once"]
)
def test_it_hangs(provider: Host, client: Any, mood: dict[str, Any]) -> None:
    ask(client, f'EXAMINE "{BOX}"')
    client.sock.settimeout(1)
    with faults(provider, **mood), pytest.raises(TimeoutError):
        ask(client, "UID FETCH 1:3 (BODY.PEEK[])")


@pytest.mark.parametrize(
    ("capability", "command"),
    [
        ("IDLE", "IDLE"),
        ("UIDPLUS", "UID EXPUNGE 999"),
        ("SPECIAL-USE", 'LIST (SPECIAL-USE) "" "*"'),
        ("ESEARCH", "UID SEARCH RETURN (ALL) ALL"),
        ("LITERAL+", "STATUS {5+}\r\nINBOX (MESSAGES)"),
    ],
)
def test_it_hides_what_it_can(provider: Host, client: Any, capability: str, command: str) -> None:
    ask(client, f'EXAMINE "{BOX}"')
    assert f" {capability}" in ask(client, "CAPABILITY")
    with faults(provider, hide=[capability]):
        assert f" {capability}" not in ask(client, "CAPABILITY")
        assert "t BAD" in ask(client, command)
        assert ("\\Sent" in ask(client, 'LIST "" "*"')) is (capability != "SPECIAL-USE")


def test_it_takes_its_time(provider: Host, client: Any) -> None:
    start = time.monotonic()
    with faults(provider, delay=0.5):
        assert "t OK" in ask(client, "NOOP")
    assert time.monotonic() - start > 0.5


@pytest.mark.parametrize("account", [MOODY, "odd@naver.test"])
def test_every_command_is_written_down(provider: Host, provider_ca: str, account: str) -> None:
    harmless = ["EXAMINE INBOX", "UID FETCH 1:* (FLAGS BODY.PEEK[])", "UID SEARCH ALL"]
    changing = ["UID STORE 1 +FLAGS (\\Seen)", "UID FETCH 1:* (BODY[])", "SELECT INBOX", "EXPUNGE"]
    start = time.time()
    with connect(provider_ca, account) as reader:
        for command in harmless + changing:
            ask(reader, command)

    def said() -> list[Command]:
        return at_provider.commands(provider, account, start)

    wait_for(lambda: "EXPUNGE" in [command.name for command in said()], "they are written down")
    assert [
        f"{command.name} {command.arguments}".strip() for command in said() if command.changes
    ] == changing
    assert set(harmless) < {f"{command.name} {command.arguments}" for command in said()}
    logs = provider.check_output("cat /var/log/faulty-imap.log /var/log/imap-commands.log")
    assert "-lab-password" not in logs
