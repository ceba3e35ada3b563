"""A search finds what it says, and no more: the same where an index answers, and where messages are read."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House

pytestmark = pytest.mark.any_house

LONG_ID = f"CAJ+{'abcdefghijklmnopqrstuvwxyz0123456789=' * 2}_x@mail.gmail.example.test"
LONG_PERSON = f"{'long-name.' * 6}end@{'sub.' * 12}domain.test"
# Who wrote, under what Message-ID, what.
LETTERS = [
    ("Ann <ann@home.test>", "1.20@host.test", "The résumé of 2026. はは"),
    ("Ann <ann1@home.test>", "1.2@host.test", "To resume in 2027: ばば"),
    ("Joann <joann@home.test>", "2.1@host.test", "Write to ann@home.test, or call +82-10-1234-5678."),
    ("Ann <ann@home.test.example>", "1.2@host.test.example", "Write to ann1@home.test; №12 is at 25℃."),
    ("Home <test@home.org>", LONG_ID, "At home, a test of ann."),
    (
        "First <first.last+tag-x@sub-domain.home.test>",
        LONG_ID.replace("_x", "_y"),
        "See https://home.test/ann?x=1",
    ),
    (f"Long <{LONG_PERSON}>", "3@host.test", "Ὀδυσσεύς İstanbul"),
]


@pytest.fixture(scope="module")
def client(house: House) -> Iterator[Any]:
    """Return a client that has opened a mailbox with the letters."""
    name = f"test-{secrets.token_hex(6)}"
    with house.imap(house.reader) as client:
        client.create(name)
        for person, message_id, text in LETTERS:
            new = clients.message("friend@elsewhere.test", "reader@elsewhere.test", text)
            new.replace_header("From", person)
            new.replace_header("Message-ID", f"<{message_id}>")
            assert client.append(name, "", None, new.as_bytes())[0] == "OK"
        client.select(name, readonly=True)
        # So that an index, where there is one, has them all.
        client.search(None, "BODY", "home")
        yield client
        clients.leave(client)
        client.delete(name)


@pytest.mark.parametrize(
    ("criteria", "letters"),
    [
        (("FROM", "ann1@home.test"), [2]),
        # Parts of an address are found as parts of words are.
        (("FROM", "ann@home.test"), [1, 3, 4]),
        (("FROM", "ann@home"), [1, 3, 4]),
        (("FROM", "nn@home.te"), [1, 3, 4]),
        (("FROM", "joann@home.test"), [3]),
        (("FROM", "ann@home.test.example"), [4]),
        (("FROM", "first.last+tag-x@sub-domain.home.test"), [6]),
        (("FROM", "last+tag-x@sub"), [6]),
        (("FROM", LONG_PERSON), [7]),
        (("FROM", LONG_PERSON[20:]), [7]),
        (("FROM", "test@home"), [5]),
        (("NOT", "FROM", "ann@home.test"), [2, 5, 6, 7]),
        (("OR", "FROM", "ann1@home.test", "FROM", "test@home.org"), [2, 5]),
        (("FROM", "ann@home.test", "BODY", "ann@home.test"), [3]),
        (("HEADER", "Message-ID", "<1.20@host.test>"), [1]),
        (("HEADER", "Message-ID", "1.2@host.test"), [2, 4]),
        (("HEADER", "Message-ID", f"<{LONG_ID}>"), [5]),
        (("HEADER", "Message-ID", LONG_ID[4:]), [5]),
        (("HEADER", "Message-ID", "<3@host.test>"), [7]),
        (("HEADER", "From", "ann1@home.test"), [2]),
        (("BODY", "ann@home.test"), [3]),
        (("BODY", "ann1@home.test"), [4]),
        (("TEXT", "ann1@home.test"), [2, 4]),
        (("BODY", "1234-5678"), [3]),
        (("BODY", "résumé"), [1]),
        (("BODY", "RÉSUMÉ"), [1]),
        (("BODY", "resume"), [2]),
        (("BODY", "はは"), [1]),
        (("BODY", "ばば"), [2]),
        (("BODY", "№12"), [4]),
        (("BODY", "25℃"), [4]),
        (("BODY", "ὀδυσσ"), [7]),
    ],
    ids=str,
)
def test_a_search_finds_that_alone(client: Any, criteria: tuple[str, ...], letters: list[int]) -> None:
    *words, client.literal = (*criteria[:-1], criteria[-1].encode())
    status, (numbers,) = client.search("UTF-8", *words)
    assert status == "OK"
    assert [int(number) for number in numbers.split()] == letters
