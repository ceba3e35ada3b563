# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the clients of all protocols have in common, and what those of the mail protocols add to it."""

from __future__ import annotations

import base64
import re
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import ClassVar

from ansible_collections.ilnmors.mail.plugins.module_utils._clients.connection import (
    Connection,
    Deadline,
    Endpoint,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.errors import (
    CheckError,
    LoginFails,
    LoginRefused,
    StarttlsMissing,
)

# Credentials that are nobody's, for asking whether a server would take any before TLS.
NOBODY = ("mail-check-nobody", "not-a-password")
# RFC 5321 section 4.2.1, RFC 5530, and what Dovecot says.
_TEMPORARY = re.compile(r"\A4\d\d |\[UNAVAILABLE\]|temporar", re.IGNORECASE)


class Client(Connection, ABC):
    """What all protocols have in common: someone greets, after TLS where TLS is implicit."""

    wants_login: ClassVar[bool] = False

    def greet(self) -> None:
        """Read the greeting, under TLS where TLS is implicit."""
        if self.endpoint.tls == "implicit":
            self.start_tls()
        self.read_greeting()

    @abstractmethod
    def read_greeting(self) -> None:
        """Read what the server says first."""


class MailClient(Client):
    """What the mail protocols have in common: capabilities, STARTTLS, login."""

    wants_login = True
    starttls_capability: ClassVar[str] = "STARTTLS"
    goodbye: ClassVar[str] = "QUIT"

    def __init__(self, endpoint: Endpoint, deadline: Deadline) -> None:
        self.capabilities: dict[str, list[str]] = {}  # names in upper case, each with its words
        super().__init__(endpoint, deadline)

    def __exit__(self, *details: object) -> None:
        with suppress(CheckError):  # politeness, nothing more
            self.send(self.goodbye, "its goodbye")
        super().__exit__(*details)

    def greet(self) -> None:
        """Read the greeting and the capabilities."""
        super().greet()
        self.read_capabilities()

    def upgrade(self) -> None:
        """Take TLS by STARTTLS and read the capabilities anew: those before TLS could be anybody's."""
        if self.starttls_capability not in self.capabilities:
            raise StarttlsMissing
        self.request_starttls()
        self.start_tls()
        self.read_capabilities()

    @abstractmethod
    def read_capabilities(self) -> None:
        """Read what the server can do now."""

    @abstractmethod
    def request_starttls(self) -> None:
        """Ask for TLS; return when the server has agreed."""

    @abstractmethod
    def login_mechanisms(self) -> list[str]:
        """Return the ways to log in that the server offers now."""

    @abstractmethod
    def begin_login(self) -> tuple[bool, str]:
        """Ask to log in with SASL PLAIN, sending no credentials; return whether the server goes on, and its reply."""

    @abstractmethod
    def abort_login(self) -> None:
        """Take back a login that the server has begun."""

    def begin_old_login(self) -> tuple[bool, str]:
        """Do the same, for nobody, with a login command older than SASL, where the protocol has one."""
        return False, ""


class PlainLogin(MailClient):
    """A client that can log in with SASL PLAIN (RFC 4616), or an access token."""

    def login(self, username: str, password: str) -> None:
        """Log in. Raises LoginRefused, or LoginFails where it is nobody's fault, with the server's reply."""
        token = base64.b64encode(f"\0{username}\0{password}".encode()).decode()
        accepted, reply = self.begin_login()
        if accepted:
            self.send(token, "its answer to the login")
            accepted, reply = self.read_login_result()
        if not accepted:
            reply = _without(reply, password, token)
            raise LoginFails(reply) if _TEMPORARY.search(reply) else LoginRefused(reply)

    def login_with_token(self, username: str, token: str) -> None:
        """Log in with an OAuth 2.0 access token (XOAUTH2). Raises LoginRefused or LoginFails, as login() does."""
        # https://developers.google.com/workspace/gmail/imap/xoauth2-protocol
        secret = base64.b64encode(f"user={username}\1auth=Bearer {token}\1\1".encode()).decode()
        accepted, reply = self.begin_token_login()
        if accepted:
            self.send(secret, "its answer to the login")
            accepted, reply = self.read_token_result()
        if not accepted:
            reply = _without(reply, token, secret)
            raise LoginFails(reply) if _TEMPORARY.search(reply) else LoginRefused(reply)

    @abstractmethod
    def read_login_result(self) -> tuple[bool, str]:
        """Read the reply to the credentials; return whether they were accepted, and the reply."""

    @abstractmethod
    def begin_token_login(self) -> tuple[bool, str]:
        """Ask to log in with a token, sending none; return whether the server goes on, and its reply."""

    @abstractmethod
    def read_token_result(self) -> tuple[bool, str]:
        """Do as read_login_result() does; the reason that a server gives before its reply is answered by nothing."""


def _without(reply: str, *secrets: str) -> str:
    """Return a server's reply without credentials that it may repeat."""
    for secret in filter(None, secrets):
        reply = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "(hidden)", reply)
    return reply
