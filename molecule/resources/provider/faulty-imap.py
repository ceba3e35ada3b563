#!/usr/bin/python3
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A faulty IMAP server for the lab alone, in front of a good one: faulty-imap ADDRESS.

Every command is written to /var/log/faulty-imap.log, one JSON object on each line: time (Unix), session (a number),
account, name (such as "UID FETCH") and arguments, without secrets. The faults that a test wants for an account stand
in /run/faulty-imap-ACCOUNT.json:

- answers: {command: reply}, such as {"EXAMINE": "NO [OVERQUOTA] Full"}, where a command may have its arguments. LOGIN
  stands for AUTHENTICATE as well. A reply that begins with BYE ends the connection, and null is none, ever.
- refuse: {mailbox, as a command names it: [UID, ...]}: whole messages that are not handed over; refusal: the reply.
- damaged: {mailbox, as a command names it: [UID, ...]}: what fails every UID FETCH that names it, with refusal.
- rewrite: {command: [[pattern, replacement], ...]}: what is changed in the first lines of its untagged responses; one
  that nothing is left of is not sent.
- cut, hang: after so many bytes to a client its connection is cut, or it gets no more.
- hide: capabilities that are neither announced nor understood.
- delay: seconds before each answer.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import re
import ssl
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

GOOD = ("127.0.0.1", 143)
FAULTS = "/run/faulty-imap-{account}.json"
LOG = Path("/var/log/faulty-imap.log")
LONGEST = 2**24
"""Bytes of a line: every UID of a large mailbox may stand in one."""
LITERAL = re.compile(rb"\{(\d+)(\+?)\}\r?\n$")
WHOLE_MESSAGE = re.compile(r"BODY(\.PEEK)?\[\]|RFC822(?!\.)", re.IGNORECASE)
REFUSAL = "NO [SERVERBUG] This message cannot be handed over"
USES = {
    "ESEARCH": re.compile(r"(UID )?SEARCH RETURN", re.IGNORECASE),
    "IDLE": re.compile(r"IDLE", re.IGNORECASE),
    "LIST-EXTENDED": re.compile(r"LIST (\(|.*\bRETURN \()", re.IGNORECASE),
    "LIST-STATUS": re.compile(r"LIST .*\bRETURN \(.*STATUS", re.IGNORECASE),
    "LITERAL+": re.compile(r".*\{\d+\+\}", re.IGNORECASE),
    "SPECIAL-USE": re.compile(r"LIST .*SPECIAL-USE", re.IGNORECASE),
    "UIDPLUS": re.compile(r"UID EXPUNGE", re.IGNORECASE),
}
"""How a command begins that needs a capability."""
NEVER = ("AUTH=LOGIN", "AUTH=XOAUTH2", "COMPRESS=DEFLATE", "STARTTLS")
"""What would keep the proxy from reading along."""
SPECIAL_USE = re.compile(rb" ?\\(All|Archive|Drafts|Flagged|Important|Junk|Sent|Trash)\b")
ADDRESS = re.compile(r"[\w.+-]+@[\w.-]+\w")
SECRET = re.compile(r"^(LOGIN|AUTHENTICATE \S+) .*", re.IGNORECASE | re.DOTALL)


def faults_of(account: str) -> dict[str, Any]:
    """Return what a test wants otherwise."""
    try:
        found: dict[str, Any] = json.loads(Path(FAULTS.format(account=account)).read_text())
    except FileNotFoundError:
        found = {}
    return found


def login(said: str) -> str:
    """Return the account of a LOGIN, or of an AUTHENTICATE PLAIN (RFC 4616); empty if none is named."""
    text = said
    if said.upper().startswith("AUTHENTICATE"):
        with contextlib.suppress(ValueError):
            text = base64.b64decode(said.split(" ")[-1]).decode().replace("\0", " ")
    found = ADDRESS.search(text)
    return found[0] if found else ""


def without(uids: str, refused: Sequence[int]) -> str:
    """Take numbers out of a set of UIDs (sequence-set of RFC 3501 section 9)."""
    ranges = []
    for part in uids.split(","):
        ends = sorted(sys.maxsize if end == "*" else int(end) for end in part.split(":"))
        low, high = ends[0], ends[-1]
        for number in sorted(number for number in refused if low <= number <= high):
            ranges.append((low, number - 1))
            low = number + 1
        ranges.append((low, high))
    return ",".join(f"{low}:{high}".replace(str(sys.maxsize), "*") for low, high in ranges if low <= high)


class Cut(Exception):
    """The connection ends now, without a word."""


class Session:
    """One client, and the good server behind it."""

    numbers = itertools.count(1)

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = next(self.numbers)
        self.reader, self.writer = reader, writer
        self.account = self.mailbox = ""
        self.sent = 0
        self.replies: dict[bytes, str] = {}
        """What is said at the end of a command, where it is not what the good server says."""
        self.hung = False
        self.name = ""
        """The command that is being answered."""

    async def run(self) -> None:
        """Pass on what both say until one leaves."""
        # Nothing waits in a buffer when the connection is cut.
        self.writer.transport.set_write_buffer_limits(high=1, low=0)
        self.good_reader, self.good_writer = await asyncio.open_connection(*GOOD, limit=LONGEST)
        both = [asyncio.create_task(self.take_commands()), asyncio.create_task(self.pass_answers())]
        try:
            done, __ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                with contextlib.suppress(Cut, ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
                    task.result()
        finally:
            for task in both:
                task.cancel()
            self.good_writer.close()
            self.writer.transport.abort()

    # --- from the client

    async def take_commands(self) -> None:
        """Take command after command, and do what a test wants with each."""
        while command := await self.command():
            await asyncio.sleep(faults_of(self.account).get("delay", 0))
            if not self.hung:
                await self.obey(command)

    async def command(self) -> bytes:
        """Read a whole command, with its literals (RFC 7888) or its initial response (RFC 4959)."""
        command = line = await self.reader.readline()
        while literal := LITERAL.search(line):
            if not literal[2]:
                await self.send(b"+ OK\r\n")
                command = command[: -len(literal[0])] + b"{%s+}\r\n" % literal[1]
            command += await self.reader.readexactly(int(literal[1]))
            line = await self.reader.readline()
            command += line
        if re.fullmatch(rb"\S+ AUTHENTICATE PLAIN\r\n", command, re.IGNORECASE):
            await self.send(b"+ \r\n")
            command = command[:-2] + b" " + await self.reader.readline()
        return command

    async def obey(self, command: bytes) -> None:
        """Answer a command, or let the good server do so."""
        tag, __, text = command.rstrip(b"\r\n").partition(b" ")
        said = text.decode(errors="replace")
        words = said.split(" ", 2)
        name = " ".join(words[: 2 if words[0].upper() == "UID" else 1]).upper()
        if name in {"LOGIN", "AUTHENTICATE"}:
            self.account = login(said)
        self.log(name or tag.decode(), said)
        wanted = faults_of(self.account)
        if any(USES[hidden].match(said) for hidden in wanted.get("hide", ()) if hidden in USES):
            await self.send(tag + b" BAD Unknown command\r\n")
            return
        answers = wanted.get("answers", {})
        for known in (said, name, "LOGIN" if name == "AUTHENTICATE" else name):
            if known in answers:
                await self.answer(tag, answers[known])
                return
        self.name = name
        if name in {"SELECT", "EXAMINE"}:
            self.mailbox = said[len(name) + 1 :].strip('"')
        damaged = wanted.get("damaged", {}).get(self.mailbox, ())
        if name == "UID FETCH" and without(words[2].split()[0], damaged) != without(words[2].split()[0], ()):
            await self.answer(tag, wanted.get("refusal", REFUSAL))
            return
        refused = wanted.get("refuse", {}).get(self.mailbox)
        if refused and name == "UID FETCH" and WHOLE_MESSAGE.search(said):
            uids, __, items = words[2].partition(" ")
            left = without(uids, refused)
            if left != without(uids, ()):
                reply = wanted.get("refusal", REFUSAL)
                if not left:
                    await self.answer(tag, reply)
                    return
                self.replies[tag] = reply
                command = tag + f" UID FETCH {left} {items}\r\n".encode()
        await self.forward(command)

    async def answer(self, tag: bytes, reply: str | None) -> None:
        """Say what a test wants said."""
        if reply is None:
            self.hung = True
        elif reply.startswith("BYE"):
            await self.send(f"* {reply}\r\n".encode())
            raise Cut
        else:
            await self.send(tag + f" {reply}\r\n".encode())

    async def forward(self, command: bytes) -> None:
        """Let the good server see a command."""
        self.good_writer.write(command)
        await self.good_writer.drain()

    def log(self, name: str, said: str) -> None:
        """Write a command down, without secrets."""
        arguments = SECRET.sub(r"\1 ***", said)[len(name) :].strip()
        entry = {"time": time.time(), "session": self.number, "account": self.account}
        with LOG.open("a") as log:
            print(json.dumps(entry | {"name": name, "arguments": arguments}), file=log)

    # --- to the client

    async def pass_answers(self) -> None:
        """Pass on what the good server says."""
        while line := await self.good_reader.readline():
            changed = self.changed(line)
            if changed:
                await self.send(changed)
            while literal := LITERAL.search(line):
                left = int(literal[1])
                while left:
                    part = await self.good_reader.read(min(left, 65536))
                    if not part:
                        raise Cut
                    if changed:
                        await self.send(part)
                    left -= len(part)
                line = await self.good_reader.readline()
                if changed:
                    await self.send(line)

    def changed(self, line: bytes) -> bytes:
        """Return the first line of an answer as a test wants it."""
        wanted = faults_of(self.account)
        hidden = wanted.get("hide", [])
        if line.startswith(b"* "):
            for pattern, replacement in wanted.get("rewrite", {}).get(self.name, ()):
                line = re.sub(pattern.encode(), replacement.encode(), line)
        tag = line.partition(b" ")[0]
        if (reply := self.replies.pop(tag, None)) is not None:
            return tag + f" {reply}\r\n".encode()
        if b"CAPABILITY " in line:
            names = b"|".join(re.escape(name.encode()) for name in [*hidden, *NEVER])
            return re.sub(rb" (%s)(?=[ \]\r])" % names, b"", line)
        if "SPECIAL-USE" in hidden and line.startswith(b"* LIST "):
            attributes, end, rest = line.partition(b")")
            return SPECIAL_USE.sub(b"", attributes) + end + rest
        return line

    async def send(self, data: bytes) -> None:
        """Send something to the client, as far as a test lets it."""
        wanted = faults_of(self.account)
        for fault in ("cut", "hang"):
            if fault in wanted and self.sent + len(data) > wanted[fault]:
                data = data[: max(0, wanted[fault] - self.sent)]
                break
        else:
            fault = ""
        if self.hung:
            return
        self.sent += len(data)
        self.writer.write(data)
        await self.writer.drain()
        if fault == "cut":
            raise Cut
        if fault == "hang":
            self.hung = True


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one client."""
    await Session(reader, writer).run()


async def main() -> None:
    """Serve until the unit is stopped."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("/etc/ssl/provider/provider.pem", "/etc/ssl/provider/provider.key")
    server = await asyncio.start_server(serve, sys.argv[1], 993, ssl=context, limit=LONGEST)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
