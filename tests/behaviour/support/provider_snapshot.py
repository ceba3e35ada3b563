# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""All that an IMAP account holds, read without changing it, and how it differs from what it held before."""

from __future__ import annotations

import calendar
import hashlib
import imaplib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

OF_A_SESSION = frozenset({"\\recent", "\\marked", "\\unmarked"})
"""What tells a session of news, and is no property of a message or a mailbox (RFC 3501 sections 2.3.2, 7.2.2)."""
LISTED = re.compile(rb'\((?P<attributes>[^)]*)\) (?:"(?:[^"\\]|\\.)"|NIL) (?P<name>.*)', re.DOTALL)
FETCHED = re.compile(
    rb'UID (?P<uid>\d+) FLAGS \((?P<flags>[^)]*)\) INTERNALDATE "(?P<date>[^"]+)" BODY\[\] \{\d+\}$'
)


@dataclass(frozen=True)
class Message:
    """A message of a mailbox: its system flags and keywords, its INTERNALDATE (epoch seconds), its bytes' SHA-256."""

    flags: frozenset[str]
    date: int
    digest: str


@dataclass
class Mailbox:
    """A mailbox, its messages by UID. One that cannot be selected has a UIDVALIDITY of 0."""

    attributes: frozenset[str]
    subscribed: bool
    uidvalidity: int
    uidnext: int
    messages: dict[int, Message] = field(default_factory=dict)


Snapshot = dict[str, Mailbox]
"""Mailboxes by their names as the server writes them."""
Content = Callable[[bytes], bytes]


def exact(message: bytes) -> bytes:
    return message


def digest(message: bytes) -> str:
    """Return what tells a message from any other."""
    return hashlib.sha256(message).hexdigest()


def quoted(name: str) -> str:
    r"""Return a mailbox's name as an IMAP quoted string.

    >>> quoted('a"b')
    '"a\\"b"'
    """
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def words(line: bytes) -> frozenset[str]:
    return frozenset(word for word in line.decode().split() if word.lower() not in OF_A_SESSION)


def listed(answer: Iterable[Any]) -> dict[str, frozenset[str]]:
    """Return the mailboxes of an answer to LIST or LSUB, each with its attributes."""
    found = {}
    for line in answer:
        # A name that cannot be quoted comes as a literal; what follows it is an empty line.
        text, literal = line if isinstance(line, tuple) else (line, None)
        if not text:
            continue
        parts = LISTED.fullmatch(text)
        assert parts, f"no answer to LIST: {text!r}"
        name = parts["name"] if literal is None else literal
        if name.startswith(b'"') and literal is None:
            name = re.sub(rb"\\(.)", rb"\1", name[1:-1])
        found[name.decode()] = words(parts["attributes"])
    return found


def epoch(internaldate: str) -> int:
    """Return the seconds since 1970 of an INTERNALDATE, such as ' 1-Feb-2003 04:05:06 +0900'."""
    return calendar.timegm(datetime.strptime(internaldate.strip(), "%d-%b-%Y %H:%M:%S %z").utctimetuple())


def messages(client: imaplib.IMAP4, content: Content) -> dict[int, Message]:
    """Return the messages of the selected mailbox, none of which is marked as read by that."""
    answer = client.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])")[1]
    found = {}
    for part in answer:
        if isinstance(part, tuple):
            seen = FETCHED.search(part[0])
            assert seen, f"no answer to FETCH: {part[0]!r}"
            found[int(seen["uid"])] = Message(
                words(seen["flags"]), epoch(seen["date"].decode()), digest(content(part[1]))
            )
    return found


def mailbox(
    client: imaplib.IMAP4, name: str, attributes: frozenset[str], subscribed: bool, content: Content
) -> Mailbox:
    """Return a mailbox as EXAMINE shows it, which changes nothing (RFC 3501 section 6.3.2)."""
    if {"\\noselect", "\\nonexistent"} & {attribute.lower() for attribute in attributes}:
        return Mailbox(attributes, subscribed, 0, 0)
    status, said = client.select(quoted(name), readonly=True)
    assert status == "OK", f"{name}: {said!r}"
    validity, following = (int(client.response(item)[1][0] or 0) for item in ("UIDVALIDITY", "UIDNEXT"))
    exists = said[0] not in {b"0", None}
    return Mailbox(attributes, subscribed, validity, following, messages(client, content) if exists else {})


def snapshot(client: imaplib.IMAP4, content: Content = exact) -> Snapshot:
    """Return all that the account of a logged-in client holds; of each message, the content is what counts."""
    subscribed = listed(client.lsub()[1])
    found = {
        name: mailbox(client, name, attributes, name in subscribed, content)
        for name, attributes in sorted(listed(client.list()[1]).items())
    }
    # What is subscribed need not exist (RFC 3501 section 6.3.9).
    for name in subscribed.keys() - found.keys():
        found[name] = Mailbox(frozenset({"\\NonExistent"}), True, 0, 0)
    return found


def differences(expected: Mapping[str, Mailbox], found: Mapping[str, Mailbox]) -> list[str]:
    """Return a line for each thing that is not as expected."""
    lines = [f"mailbox {name!r} is gone" for name in expected.keys() - found.keys()]
    lines += [f"mailbox {name!r} is new" for name in found.keys() - expected.keys()]
    for name in expected.keys() & found.keys():
        lines += [f"{name!r}: {line}" for line in mailbox_differences(expected[name], found[name])]
    return sorted(lines)


def mailbox_differences(expected: Mailbox, found: Mailbox) -> list[str]:
    lines = [
        f"{what} was {shown(was)}, is {shown(now)}"
        for what in ("attributes", "subscribed", "uidvalidity", "uidnext")
        if (was := getattr(expected, what)) != (now := getattr(found, what))
    ]
    lines += [f"UID {uid} is gone" for uid in expected.messages.keys() - found.messages.keys()]
    lines += [f"UID {uid} is new" for uid in found.messages.keys() - expected.messages.keys()]
    for uid in expected.messages.keys() & found.messages.keys():
        lines += [
            f"UID {uid}: {what} was {shown(was)}, is {shown(now)}"
            for what in ("flags", "date", "digest")
            if (was := getattr(expected.messages[uid], what)) != (now := getattr(found.messages[uid], what))
        ]
    return lines


def shown(value: object) -> str:
    """Return a value as a person reads it."""
    return f"({' '.join(sorted(value))})" if isinstance(value, frozenset) else str(value)
