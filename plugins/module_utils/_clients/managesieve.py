# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A client of ManageSieve that asks what the server offers, and does not log in."""

from __future__ import annotations

import re

from ansible_collections.ilnmors.mail.plugins.module_utils._clients.client import MailClient
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.errors import (
    CommandRefused,
    UnexpectedAnswer,
)


class Sieve(MailClient):
    """ManageSieve (RFC 5804): the greeting is the list of capabilities."""

    goodbye = "LOGOUT"

    def read_answer(self) -> tuple[list[str], str, str]:
        """Read to OK, NO or BYE; return the lines before it, the status, and its line."""
        lines = []
        while not (end := re.match(r"(?i)(OK|NO|BYE)\b", line := self.read_line())):
            if not line.startswith('"'):
                raise UnexpectedAnswer(self.awaited, line)
            lines.append(line)
        return lines, end[1].upper(), line

    def read_greeting(self) -> None:
        """Do nothing: the capabilities that follow are the greeting."""

    def read_capabilities(self) -> None:
        """Read them as they come, unasked: after connecting and again after STARTTLS (RFC 5804, 1.7 and 2.2)."""
        lines, status, reply = self.read_answer()
        if status != "OK":
            raise UnexpectedAnswer(self.awaited, reply)
        strings = [re.findall(r'"((?:[^"\\]|\\.)*)"', line) for line in lines]
        self.capabilities = {name.upper(): " ".join(values).split() for name, *values in strings}

    def request_starttls(self) -> None:
        self.send("STARTTLS", "its answer to STARTTLS")
        __, status, reply = self.read_answer()
        if status != "OK":
            raise CommandRefused("STARTTLS", reply)
        self.awaited = "its capabilities after TLS"

    def login_mechanisms(self) -> list[str]:
        return self.capabilities.get("SASL", [])

    def begin_login(self) -> tuple[bool, str]:
        self.send('AUTHENTICATE "PLAIN"', "its answer to AUTHENTICATE")
        line = self.read_line()  # a string, quoted or literal, asks for the credentials
        return line.startswith(('"', "{", "OK")), line

    def abort_login(self) -> None:
        self.send('"*"', "its answer to the end of the login")  # RFC 5804, 2.1
        self.read_answer()
