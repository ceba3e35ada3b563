# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What servers say is read, in form or out of it."""

from __future__ import annotations

import random

import pytest
from mbsync_fetch.imap.replies import Response, Value, code, pairs, response, uid_of, whole


@pytest.mark.parametrize(
    ("said", "number", "name", "values"),
    [
        (
            b"* 12 FETCH (UID 5 FLAGS (\\Seen $Label1))\r\n",
            12,
            "FETCH",
            [["UID", "5", "FLAGS", ["\\Seen", "$Label1"]]],
        ),
        (b'* status "a b" (messages 3)\r\n', None, "STATUS", [b"a b", ["messages", "3"]]),
        (b"* SEARCH 1 2 3\r\n", None, "SEARCH", ["1", "2", "3"]),
        (b"* SEARCH\r\n", None, "SEARCH", []),
        (b'* ESEARCH (TAG "F5") UID ALL 1:3,5\r\n', None, "ESEARCH", [["TAG", b"F5"], "UID", "ALL", "1:3,5"]),
        (
            b"* 1 FETCH (BODY[HEADER.FIELDS (DATE FROM)] {6}\r\na: b\r\n UID 7)\r\n",
            1,
            "FETCH",
            [["BODY[HEADER.FIELDS (DATE FROM)]", b"a: b\r\n", "UID", "7"]],
        ),
        (
            b'* 1 FETCH (BODY[]<0> "a\\"b" MODSEQ (12121231777))\r\n',
            1,
            "FETCH",
            [["BODY[]<0>", b'a"b', "MODSEQ", ["12121231777"]]],
        ),
        (b"* 1 FETCH (RFC822.SIZE NIL BODY[] nil)\r\n", 1, "FETCH", [["RFC822.SIZE", None, "BODY[]", None]]),
        (b"* 1 FETCH (BINARY[1] ~{3}\r\na\0b)\r\n", 1, "FETCH", [["BINARY[1]", b"a\0b"]]),
        (b'* LIST (\\Noselect) NIL ""\r\n', None, "LIST", [["\\Noselect"], None, b""]),
        # Out of form.
        (b"* 1 FETCH (UID 5\r\n", 1, "FETCH", []),
        (b"* 1 FETCH UID 5)\r\n", 1, "FETCH", []),
        (b"* 1 FETCH ({9}\r\nshort)\r\n", 1, "FETCH", []),
        (b'* 1 FETCH ("no end)\r\n', 1, "FETCH", []),
        (b"* 99999999999999999999999 FETCH (UID 1)\r\n", None, "FETCH", [["UID", "1"]]),
    ],
)
def test_a_response_is_read(said: bytes, number: int | None, name: str, values: list[Value]) -> None:
    read = response(said)
    assert read is not None
    assert (read.number, read.name, read.values()) == (number, name, values)


@pytest.mark.parametrize("said", [b"\r\n", b"*\r\n", b"* \r\n", b"hello\r\n", b"* (x)\r\n", b"+ go\r\n"])
def test_what_is_no_response_is_passed_over(said: bytes) -> None:
    assert response(said) is None


def test_lists_lie_in_lists_to_any_depth() -> None:
    assert Response(None, "X", b"(" * 100_000 + b")" * 100_000).values()


def test_no_garbage_ends_in_anything_but_values() -> None:
    chance = random.Random(1)
    pieces = [
        b"(",
        b")",
        b'"',
        b"{3}\r\n",
        b"[",
        b"]",
        b"\\",
        b" ",
        b"UID",
        b"5",
        b"NIL",
        b"\xff",
        b"\0",
        b"~",
        b"*",
        b"<",
    ]
    for __ in range(5000):
        said = b"* 1 FETCH " + b"".join(chance.choices(pieces, k=chance.randrange(12)))
        if (read := response(said)) is not None:
            for value in read.values():
                pairs(value)


@pytest.mark.parametrize(
    ("value", "number", "uid"),
    [
        ("5", 5, 5),
        ("0", 0, None),
        ("4294967295", 2**32 - 1, 2**32 - 1),
        ("4294967296", 2**32, None),
        ("9223372036854775807", 2**63 - 1, None),
        ("9223372036854775808", None, None),
        ("-1", None, None),
        ("\u0661", None, None),
        ("x", None, None),
        (None, None, None),
        (b"5", None, None),
        ([], None, None),
    ],
)
def test_numbers_are_taken_within_their_bounds(value: Value, number: int | None, uid: int | None) -> None:
    assert (whole(value), uid_of(value)) == (number, uid)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("[UIDNEXT 5] Predicted next UID", ("UIDNEXT", ["5"])),
        ("[nonexistent] no", ("NONEXISTENT", [])),
        ("[CAPABILITY IMAP4rev1 IDLE] hello", ("CAPABILITY", ["IMAP4rev1", "IDLE"])),
        ("no code [LIMIT]", ("", ())),
        ("[", ("", ())),
    ],
)
def test_a_code_is_read(said: str, found: tuple[str, list[str]]) -> None:
    assert code(said) == found
