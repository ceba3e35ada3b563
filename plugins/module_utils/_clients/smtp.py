# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A client of SMTP, between machines and for submission."""

from __future__ import annotations

import re
from typing import NamedTuple

from ansible_collections.ilnmors.mail.plugins.module_utils._clients.client import PlainLogin
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.errors import (
    CommandRefused,
    UnexpectedAnswer,
)


class SmtpReply(NamedTuple):
    """A reply of RFC 5321, 4.2: its code and the text of its lines."""

    code: int
    lines: list[str]

    def __str__(self) -> str:
        return f"{self.code} {' '.join(self.lines)}"


class Smtp(PlainLogin):
    """SMTP between machines (RFC 5321, RFC 3207): no login is expected."""

    wants_login = False

    def read_reply(self) -> SmtpReply:
        """Return one reply."""
        lines = []
        while True:
            line = self.read_line()
            if not re.match(r"[2-5]\d\d([ -]|$)", line):
                raise UnexpectedAnswer(self.awaited, line)
            lines.append(line[4:])
            if line[3:4] != "-":
                return SmtpReply(int(line[:3]), lines)

    def command(self, text: str) -> SmtpReply:
        """Send a command and return its reply."""
        self.send(text, f"its answer to {text.partition(':')[0].partition('[')[0].strip()}")
        return self.read_reply()

    def read_greeting(self) -> None:
        reply = self.read_reply()
        if reply.code != 220:
            raise UnexpectedAnswer(self.awaited, str(reply))

    def read_capabilities(self) -> None:
        reply = self.command(f"EHLO {self.own_address}")
        if reply.code != 250:
            raise CommandRefused("EHLO", str(reply))
        # Some servers write AUTH=PLAIN, for clients older than RFC 2554.
        words = [line.upper().replace("AUTH=", "AUTH ").split() for line in reply.lines[1:]]
        self.capabilities = {first: rest for first, *rest in filter(None, words)}

    def request_starttls(self) -> None:
        reply = self.command("STARTTLS")
        if reply.code != 220:
            raise CommandRefused("STARTTLS", str(reply))

    def login_mechanisms(self) -> list[str]:
        return self.capabilities.get("AUTH", [])

    def begin_login(self) -> tuple[bool, str]:
        reply = self.command("AUTH PLAIN")
        return reply.code < 400, str(reply)

    def begin_token_login(self) -> tuple[bool, str]:
        # A token is too long for the same line (RFC 4954 section 4).
        reply = self.command("AUTH XOAUTH2")
        return reply.code == 334, str(reply)

    def abort_login(self) -> None:
        self.command("*")  # RFC 4954 section 4

    def read_login_result(self) -> tuple[bool, str]:
        reply = self.read_reply()
        return reply.code == 235, str(reply)

    def read_token_result(self) -> tuple[bool, str]:
        reply = self.read_reply()
        if reply.code == 334:
            reply = self.command("")
        return reply.code == 235, str(reply)


class Submission(Smtp):
    """Message submission (RFC 6409): SMTP with a login."""

    wants_login = True
