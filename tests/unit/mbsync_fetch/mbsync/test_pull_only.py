# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Nothing that could change a provider's mailbox reaches it: neither from mbsync nor from the fetch itself."""

from __future__ import annotations

import ast
import re
import socket
from pathlib import Path

import pytest
from mbsync_fetch.imap.names import Mailbox, parse_list
from mbsync_fetch.imap.stream import Stream
from mbsync_fetch.mbsync.remote_filter import RemoteFilter, Shown
from mbsync_fetch.remote import account as remote
from mbsync_fetch.remote import connection, listing
from mbsync_fetch.remote.survey import Message
from mbsync_fetch.watch import connection as watch

# RFC 3501 and RFC 9051, section 6, with arguments that they take.
COMMANDS = {
    "CAPABILITY": "",
    "NOOP": "",
    "LOGOUT": "",
    "STARTTLS": "",
    "AUTHENTICATE": " PLAIN",
    "LOGIN": ' "il" "password"',
    "ENABLE": " UTF8=ACCEPT",
    "SELECT": ' "f0001"',
    "EXAMINE": ' "f0001"',
    "CREATE": ' "f0001"',
    "DELETE": ' "f0001"',
    "RENAME": ' "f0001" "f0002"',
    "SUBSCRIBE": ' "f0001"',
    "UNSUBSCRIBE": ' "f0001"',
    "LIST": ' "" "*"',
    "LSUB": ' "" "*"',
    "NAMESPACE": "",
    "STATUS": ' "f0001" (MESSAGES)',
    "APPEND": ' "f0001" {4+}',
    "IDLE": "",
    "CHECK": "",
    "CLOSE": "",
    "UNSELECT": "",
    "EXPUNGE": "",
    "SEARCH": " ALL",
    "FETCH": " 1 (FLAGS)",
    "STORE": r" 1 +FLAGS (\Deleted)",
    "COPY": ' 1 "Trash"',
    "MOVE": ' 1 "Trash"',
    "UID FETCH": " 1 (FLAGS)",
    "UID STORE": r" 1 +FLAGS (\Deleted)",
    "UID COPY": ' 1 "Trash"',
    "UID MOVE": ' 1 "Trash"',
    "UID EXPUNGE": " 1",
    "UID SEARCH": " ALL",
}
# What extensions add, as far as it changes something.
EXTENSIONS = {
    "SETACL": ' "f0001" il lrs',
    "DELETEACL": ' "f0001" il',
    "SETQUOTA": ' "" (STORAGE 1)',
    "SETMETADATA": ' "f0001" (/private/comment "x")',
    "SETANNOTATION": ' "f0001" "/comment" ("value.priv" "x")',
    "REPLACE": ' 1 "f0001" {4+}',
    "UID REPLACE": ' 1 "f0001" {4+}',
    "COMPRESS": " DEFLATE",
    "NOTIFY": " NONE",
    "UNAUTHENTICATE": "",
    "XDELETE": "",
}
TEXT = b"a UID FETCH 1 (FLAGS INTERNALDATE BODY.PEEK[])\r\n"
"""The only command that passes: for the text of a message that is wanted."""


def passed(said: bytes) -> bytes:
    """Return what reaches the provider of what mbsync says."""
    ours, servers = socket.socketpair()
    mbsync, client = socket.socketpair()
    with ours, servers, mbsync:
        mbsync.sendall(said)
        mbsync.shutdown(socket.SHUT_WR)
        shown = Shown({1: Message(1, frozenset(), 1, 0.0, b"")}, 1)
        RemoteFilter(server=Stream(servers), timeout=5, shown=shown).serve(client)
        servers.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: ours.recv(65536), b""))


@pytest.mark.parametrize("command", [*COMMANDS, *EXTENSIONS])
def test_of_all_commands_none_passes(command: str) -> None:
    arguments = {**COMMANDS, **EXTENSIONS}[command]
    text = "text\r\n" if arguments.endswith("{4+}") else ""
    for name in (command, command.lower()):
        assert passed(f"a {name}{arguments}\r\n{text}".encode()) == b""


def test_the_text_of_a_wanted_message_is_asked_for() -> None:
    assert passed(TEXT) == TEXT
    assert passed(TEXT.replace(b"FETCH 1", b"FETCH 2")) == b""


@pytest.mark.parametrize(
    "items",
    [
        "(BODY[])",
        "(FLAGS BODY[TEXT])",
        "(body[])",
        "(RFC822)",
        "(RFC822.TEXT)",
        "(RFC822 FLAGS)",
        "(BINARY[1])",
    ],
)
def test_nothing_is_read_that_marks_it_as_read(items: str) -> None:
    r"""RFC 3501 section 6.4.5, RFC 9051 section 6.4.5: these set \Seen."""
    assert passed(f"a UID FETCH 1 {items}\r\n".encode()) == b""


@pytest.mark.parametrize(
    "said",
    [
        b"a UID  STORE 1 +FLAGS (\\Deleted)\r\n",
        b"a UID STORE 1 +FLAGS (\\Deleted)\n",
        b"a UID FETCH 1 (FLAGS)\rb UID STORE 1 +FLAGS (\\Deleted)\r\n",
        b'a SELECT "f0001"\rb DELETE "f0001"\r\n',
        b'a SELECT {10+}\r\nb EXPUNGE\r\n\r\nc CREATE "x"\r\n',
        b"a UID FETCH {9+}\r\n1 (FLAGS)\r\n",
        b"a UID FETCH 1 (BODY.PEEK[{4+}\r\nTEXT])\r\n",
        b"a UID FETCH 1 (FLAGS)\0\r\n",
        b"a\rb EXPUNGE NOOP\r\n",
        b"EXPUNGE\r\n",
        b"\r \r\n",
    ],
)
def test_nothing_slips_through(said: bytes) -> None:
    assert passed(said).strip() == b""


def test_what_follows_a_command_is_looked_at_as_well() -> None:
    assert passed(TEXT + b'b EXPUNGE\r\nc DELETE "f0001"\r\n') == TEXT


@pytest.mark.parametrize("name", [b'"x\r\nb DELETE y"', b"x\x00"])
def test_a_name_that_no_command_can_hold_is_not_asked_for(name: bytes) -> None:
    found = parse_list(b'(\\HasNoChildren) "/" {%d}\r\n%s' % (len(name), name))
    assert found is None or remote.askable(found.raw) is False
    assert remote.askable(Mailbox("&wqTTMA-/a b", "/", frozenset()).raw)


# --- what the fetch itself says


def calls(module: Path, of: str) -> list[ast.Call]:
    """Return the calls of an attribute's methods in a module, such as self._client.select(...)."""
    return [
        node
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func.value) == of
    ]


def test_the_fetch_only_reads() -> None:
    """Whatever is sent to the provider begins with a literal text in one of these modules."""
    found = {
        command
        for module in (remote, listing, connection)
        for of in ("self", "self._connection")
        for call in calls(Path(str(module.__file__)), of)
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("_ask", "command")
        for command in commands(call)
    }
    assert found == {
        *("CAPABILITY", "LOGIN ", "LOGIN {", "AUTHENTICATE ", "LOGOUT"),
        *('LIST "" ', "STATUS ", "EXAMINE ", "UID SEARCH UID ", "UID SEARCH RETURN (ALL) UID "),
        *("UID FETCH ", "FETCH "),
    }
    fetches = re.findall(r'UID FETCH [^"]*|"FETCH [^"]*', Path(remote.__file__).read_text())
    assert not any(re.search(r"BODY\[|RFC822(?!\.SIZE)", text) for text in (*fetches, remote.SURVEYED))


def commands(call: ast.Call) -> set[str]:
    """Return how the command of a call begins; a variable stands for those that are assigned to it."""
    text = call.args[0]
    if isinstance(text, ast.Constant):
        return {str(text.value)}
    if isinstance(text, ast.JoinedStr) and isinstance(text.values[0], ast.Constant):
        return {str(text.values[0].value)}
    # Provider.mailboxes() and Provider._ask().
    assert ast.unparse(text) in ("asked", "command", "f'{asked} RETURN (SPECIAL-USE)' if extended else asked")
    return {'LIST "" '} if "asked" in ast.unparse(text) else set()


def test_whoever_waits_for_news_only_reads() -> None:
    found = [
        call
        for name in ("_ask", "_command")
        for call in calls(Path(watch.__file__), "self")
        if isinstance(call.func, ast.Attribute) and call.func.attr == name
    ]
    commands = {ast.unparse(call.args[0]) for call in found} - {"command"}
    assert commands == {
        "b'AUTHENTICATE XOAUTH2'",
        "b'AUTHENTICATE PLAIN'",
        "b'LOGIN {%d}' % len(user)",
        "b'EXAMINE INBOX'",
        "b'IDLE'",
        "b'CAPABILITY'",
    }
