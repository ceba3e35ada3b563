#!/usr/bin/python3 -I
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Log Postfix in with access tokens: mail-oauth2-smtp.

Run by systemd when the first connection comes to its socket, and ended by itself some time after the last one.

Debian has no SASL mechanism by which Postfix itself could send a token. Postfix connects here instead, names the
account in EHLO, and logs in (AUTH PLAIN). That it is Postfix, the kernel says, which knows whose a connection is; what
it logs in with does not count. The provider is connected to with verified TLS and logged in to with the access token
(XOAUTH2); from then on every byte goes through as it is. Whatever is wrong with the token, Postfix is told to try again
later, and why.

Reads $CREDENTIALS_DIRECTORY/logins (JSON: user, whose connections are taken, ca_file, accounts, the fields of Login by
their names, and state, below which lie access_token and status.json of each account, as mail-oauth2 writes them).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import pwd
import socket
import ssl
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TIMEOUT = 30
"""Seconds to wait for the provider's answer to one command."""

LONGEST_LINE, MOST_LINES = 65536, 100
"""Bytes of a line, and lines of a reply; RFC 5321 section 4.5.3.1 asks for far less."""

IDLE = 300
"""Seconds without any connection after which the process ends."""

# More than asyncio holds back of what has come.
EVERYTHING = 1 << 20


class Refused(Exception):
    """The reply that Postfix gets instead of a login: a code of RFC 5321, and why."""


@dataclass(frozen=True)
class Login:
    """An account: where its provider's SMTP server is, and its name there."""

    name: str
    host: str
    port: int
    implicit_tls: bool
    username: str


def is_of(user: str, peer: tuple[str, int], own: tuple[str, int]) -> bool:
    """Whether the other end of a connection on this host belongs to a user (proc_pid_net(5)).

    peer, own: IPv4 addresses and ports of both ends.
    """
    try:
        uid = pwd.getpwnam(user).pw_uid
    except KeyError:
        return False
    wanted = [in_table(peer), in_table(own)]
    rows = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    return any(row[1:3] == wanted and int(row[7]) == uid for row in rows)


def in_table(end: tuple[str, int]) -> str:
    """Write an address and a port as the kernel's table does."""
    return f"{int.from_bytes(socket.inet_aton(end[0]), sys.byteorder):08X}:{end[1]:04X}"


class Connection:
    """One end of a session, read and written by lines. What has come and is not read yet stands in `rest`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.rest = b""

    async def send(self, *lines: str) -> None:
        """Write whole lines."""
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode())
        await self.writer.drain()

    async def read(self) -> bytes:
        """Return what comes next; at the end of the connection nothing."""
        rest, self.rest = self.rest, b""
        return rest or await self.reader.read(EVERYTHING)

    async def line(self) -> str:
        """Read a line; at the end of the connection it is empty."""
        received = b""
        while b"\n" not in received and (data := await self.read()):
            received += data
            if b"\n" not in data and len(received) > LONGEST_LINE:
                raise ValueError("it sends a line without an end")
        line, __, self.rest = received.partition(b"\n")
        return line.decode("ascii", "replace").rstrip("\r")

    async def reply(self) -> list[str]:
        """Read one reply of a server (RFC 5321 section 4.2.1)."""
        lines = [await self.line()]
        while lines[-1][3:4] == "-":
            lines.append(await self.line())
            if len(lines) > MOST_LINES:
                raise ValueError("it sends a reply without an end")
        return lines

    async def start_tls(self, context: ssl.SSLContext, name: str) -> None:
        """Take TLS, unless something came before it: nobody vouches for that (RFC 3207 section 6)."""
        if self.rest:
            raise ValueError("it sends text in the clear where TLS begins")
        await self.writer.start_tls(context, server_hostname=name)

    async def ask(self, command: str) -> list[str]:
        """Send a command, and read the reply."""
        await self.send(command)
        return await self.reply()


class Session:
    """One connection of Postfix, and the one to the provider that it leads to."""

    def __init__(
        self, postfix: Connection, logins: dict[str, Login], state: Path, context: ssl.SSLContext
    ) -> None:
        self.postfix, self.logins, self.state, self.context = postfix, logins, state, context
        self.login: Login | None = None
        self.provider: Connection | None = None

    async def run(self) -> None:
        """Serve Postfix until one of the two ends it."""
        await self.postfix.send("220 mail-oauth2 ESMTP")
        while command := await self.postfix.line():
            verb, __, argument = command.partition(" ")
            try:
                if await self.answer(verb.upper(), argument):
                    break
            except Refused as why:
                await self.postfix.send(str(why)[:500])
                if str(why).startswith("421"):
                    break
            except (OSError, TimeoutError, ValueError) as error:
                await self.postfix.send(
                    f"421 4.4.1 {self.host} cannot be reached: {error or 'it does not answer'}"
                )
                break

    async def answer(self, verb: str, argument: str) -> bool:
        """Answer one command before the login; tell whether the session is over."""
        if verb == "EHLO":
            await self.postfix.send(*await self.connect(argument))
        elif verb == "AUTH":
            if not (self.login and self.provider):
                raise Refused("450 4.7.0 Say EHLO first")
            await self.authenticate(self.login, self.provider)
            await self.tunnel(self.provider)
            return True
        elif verb == "QUIT":
            await self.postfix.send("221 2.0.0 Bye")
            return True
        else:
            raise Refused("450 4.7.0 Log in first")
        return False

    async def connect(self, name: str) -> list[str]:
        """Connect to the provider of an account; return what it offers, with this proxy's own way to log in."""
        self.login = self.logins.get(name)
        if not self.login:
            raise Refused("421 4.7.0 There is no such account")
        async with asyncio.timeout(TIMEOUT):
            offers = await self.open(self.login)
        kept = [line[4:] for line in offers[1:] if line[4:8].upper() not in ("AUTH", "STAR")]
        lines = ["mail-oauth2", *kept, "AUTH PLAIN"]
        return [f"250-{line}" for line in lines[:-1]] + [f"250 {lines[-1]}"]

    async def open(self, login: Login) -> list[str]:
        """Connect with verified TLS; return the reply to EHLO."""
        tls: dict[str, Any] = (
            {"ssl": self.context, "server_hostname": login.host} if login.implicit_tls else {}
        )
        self.provider = provider = Connection(*await asyncio.open_connection(login.host, login.port, **tls))
        self.expect("220", await provider.reply())
        # As mail programs greet that keep their own name to themselves.
        offers = await provider.ask("EHLO [127.0.0.1]")
        if not login.implicit_tls:
            self.expect("220", await provider.ask("STARTTLS"))
            await provider.start_tls(self.context, login.host)
            offers = await provider.ask("EHLO [127.0.0.1]")
        self.expect("250", offers)
        return offers

    def expect(self, code: str, reply: list[str]) -> None:
        """Refuse for now what the provider refuses."""
        if reply[-1][:3] != code:
            raise Refused(f"421 4.7.0 {self.host} said: {' '.join(reply)}")

    @property
    def host(self) -> str:
        """The provider's, for people."""
        return self.login.host if self.login else ""

    async def authenticate(self, login: Login, provider: Connection) -> None:
        """Log in with the access token."""
        # https://developers.google.com/workspace/gmail/imap/xoauth2-protocol
        secret = f"user={login.username}\1auth=Bearer {self.token(login.name)}\1\1"
        async with asyncio.timeout(TIMEOUT):
            # A token is too long for the same line (RFC 4954 section 4).
            self.expect("334", await provider.ask("AUTH XOAUTH2"))
            reply = await provider.ask(base64.b64encode(secret.encode()).decode())
            if reply[-1].startswith("334"):  # the reason, which is answered by an empty line
                reply = await provider.ask("")
        if not reply[-1].startswith("235"):
            raise Refused(f"454 4.7.8 {login.host} refuses the access token: {' '.join(reply)}")
        await self.postfix.send("235 2.7.0 Authentication successful")

    def token(self, name: str) -> str:
        """Return the access token of an account, or refuse with the reason why there is none."""
        directory = self.state / name
        status: dict[str, Any] = {}
        with contextlib.suppress(OSError, ValueError):
            status = json.loads((directory / "status.json").read_bytes())
            if float(status["expires"]) > time.time():
                return (directory / "access_token").read_text()
        why = status.get("error") or f"look at 'systemctl status mail-oauth2@{name}'"
        raise Refused(f"454 4.7.0 {name} has no valid access token: {why}")

    async def tunnel(self, provider: Connection) -> None:
        """Pass everything on, in both directions, until one side ends; how long to wait, Postfix knows."""
        ways = [
            asyncio.create_task(copy(self.postfix, provider)),
            asyncio.create_task(copy(provider, self.postfix)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)

    def close(self) -> None:
        """Close both connections."""
        self.postfix.writer.close()
        if self.provider:
            self.provider.writer.close()


async def copy(source: Connection, target: Connection) -> None:
    """Pass bytes on until there are no more."""
    while data := await source.read():
        target.writer.write(data)
        await target.writer.drain()


async def serve(given: dict[str, Any], listening: socket.socket, idle: float) -> None:
    """Serve whoever connects to a socket, until there has been no connection for so many seconds."""
    logins = {name: Login(name=name, **login) for name, login in given["accounts"].items()}
    context = ssl.create_default_context(cafile=given["ca_file"])

    async def handle(connection: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=connection)
        session = Session(Connection(reader, writer), logins, Path(given["state"]), context)
        ends = [writer.get_extra_info(end)[:2] for end in ("peername", "sockname")]
        # Whoever hangs up has nothing more to be told.
        with contextlib.suppress(OSError):
            if is_of(given["user"], *ends):
                await session.run()
            else:
                await session.postfix.send(f"421 4.7.0 Only {given['user']} is served here")
        session.close()

    # asyncio's own server may have taken a connection, and not told of it, when the time is up.
    listening.setblocking(False)
    loop, woken = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(listening, woken.set)
    sessions: set[asyncio.Task[None]] = set()
    with contextlib.suppress(TimeoutError):
        while True:
            async with asyncio.timeout(None if sessions else idle):
                await woken.wait()
            woken.clear()
            sessions = {session for session in sessions if not session.done()}
            with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
                connection, __ = listening.accept()
                session = asyncio.create_task(handle(connection))
                session.add_done_callback(lambda __: woken.set())
                sessions.add(session)


def main() -> None:
    """Serve on the socket that systemd hands over (sd_listen_fds(3)), and keeps when this process ends."""
    given = json.loads((Path(os.environ["CREDENTIALS_DIRECTORY"]) / "logins").read_bytes())
    asyncio.run(serve(given, socket.socket(fileno=3), IDLE))


if __name__ == "__main__":
    main()
