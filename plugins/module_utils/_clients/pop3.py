# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A client of POP3 that asks what the server offers, and does not log in."""

from __future__ import annotations

from ansible_collections.ilnmors.mail.plugins.module_utils._clients.client import NOBODY, MailClient
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.errors import (
    CommandRefused,
    UnexpectedAnswer,
)


class Pop3(MailClient):
    """POP3 (RFC 1939, RFC 2449, RFC 2595, RFC 5034)."""

    starttls_capability = "STLS"

    def command(self, text: str) -> tuple[bool, str]:
        """Send a command; return whether the answer is positive, and the answer."""
        self.send(text, f"its answer to {text.partition(' ')[0]}")
        line = self.read_line()
        return line.startswith("+"), line

    def read_greeting(self) -> None:
        line = self.read_line()
        if not line.startswith("+OK"):
            raise UnexpectedAnswer(self.awaited, line)

    def read_capabilities(self) -> None:
        self.capabilities = {}
        known, __ = self.command("CAPA")
        while known and (line := self.read_line()) != ".":
            first, *rest = line.upper().split() or [""]
            self.capabilities[first] = rest

    def request_starttls(self) -> None:
        agreed, reply = self.command("STLS")
        if not agreed:
            raise CommandRefused("STLS", reply)

    def login_mechanisms(self) -> list[str]:
        return self.capabilities.get("SASL", []) + ["USER command"] * ("USER" in self.capabilities)

    def begin_login(self) -> tuple[bool, str]:
        return self.command("AUTH PLAIN")

    def abort_login(self) -> None:
        self.command("*")  # RFC 5034 section 4

    def begin_old_login(self) -> tuple[bool, str]:
        return self.command(f"USER {NOBODY[0]}")
