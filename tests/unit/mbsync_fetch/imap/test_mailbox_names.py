# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names of mailboxes, and the replies that list them."""

from __future__ import annotations

import pytest
from mbsync_fetch.imap.names import Mailbox, decode, encode, parse_list


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("", ""),
        ("INBOX", "INBOX"),
        # RFC 3501 section 5.1.3
        ("~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"),
        ("[Gmail]/&yATMtLz0rQDVaA-", "[Gmail]/전체보관함"),
        ("&sLSsjMT0-", "내게쓴"),
        ("R&-D", "R&D"),
        ("&-&-", "&&"),
        ("Caf&AOk-", "Café"),
        ("&2D3c5w- mail", "📧 mail"),
        ("tab&AAk-stop", "tab\tstop"),
        ('say "hi" \\ 100%', 'say "hi" \\ 100%'),
    ],
)
def test_a_name_is_the_same_both_ways(raw: str, text: str) -> None:
    assert decode(raw) == text
    assert encode(text) == raw


@pytest.mark.parametrize(
    "broken",
    [
        "받은메일함",  # UTF-8, as some servers list it
        "받은 & 보낸",
        "R&D",  # a shift that never ends
        "R & D-",
        "&yATMtLz0rQDVaA",
        "&y-",  # half a unit
        "&2D0-",  # half a surrogate pair
        "&A===-",
    ],
)
def test_what_is_not_valid_stays_as_it_is(broken: str) -> None:
    assert decode(broken) == broken


@pytest.mark.parametrize("length", range(1, 9))
def test_every_length_of_a_shift_is_read(length: int) -> None:
    assert decode(encode("가" * length)) == "가" * length


@pytest.mark.parametrize(
    ("reply", "mailbox"),
    [
        (b'(\\HasNoChildren) "/" "INBOX"', Mailbox("INBOX", "/", frozenset({"\\hasnochildren"}))),
        (
            b'(\\Marked \\HasNoChildren) "/" Inbox',
            Mailbox("INBOX", "/", frozenset({"\\marked", "\\hasnochildren"})),
        ),
        (
            b'(\\All \\HasNoChildren) "/" "[Gmail]/&yATMtLz0rQDVaA-"',
            Mailbox("[Gmail]/&yATMtLz0rQDVaA-", "/", frozenset({"\\all", "\\hasnochildren"})),
        ),
        (b'() "." INBOX.Sent', Mailbox("INBOX.Sent", ".", frozenset())),
        (b"() NIL Flat", Mailbox("Flat", None, frozenset())),
        (b'() nil "Flat and long"', Mailbox("Flat and long", None, frozenset())),
        (b'() "\\\\" "Outer\\\\Inner"', Mailbox("Outer\\Inner", "\\", frozenset())),
        (b'() "/" "say \\"hi\\""', Mailbox('say "hi"', "/", frozenset())),
        (b'() "/" "a \\\\ b"', Mailbox("a \\ b", "/", frozenset())),
        (b'() "/" "(odd)" ("CHILDINFO" ("SUBSCRIBED"))', Mailbox("(odd)", "/", frozenset())),
        (b'() "/" odd ("OLDNAME" ("old"))', Mailbox("odd", "/", frozenset())),
        (b'(\\Junk) "/" {5}\r\na"b\\c', Mailbox('a"b\\c', "/", frozenset({"\\junk"}))),
        (b'() "/" {5+}\r\ninbox', Mailbox("INBOX", "/", frozenset())),
        ('() "/" "받은메일함"'.encode(), Mailbox("받은메일함", "/", frozenset())),
        (b'() "/" "caf\xe9"', Mailbox("café", "/", frozenset())),
        (b")", None),
        (b"", None),
        (b'() "/" NIL', Mailbox("NIL", "/", frozenset())),
        (b'(\\Junk "/" cut', None),
        (b'() "/" ""', None),
    ],
)
def test_a_list_reply_is_read(reply: bytes, mailbox: Mailbox | None) -> None:
    assert parse_list(reply) == mailbox
