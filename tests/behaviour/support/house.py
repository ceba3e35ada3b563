"""The house that the behaviour tests run against."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients

Answer = TypeVar("Answer")

FOLDERS = ("INBOX", "Sent", "Drafts", "Junk", "Trash", "Archive")
"""What everybody has in the house."""


@dataclass(frozen=True)
class House:
    """A house as its clients see it.

    Addresses are what its names resolve to; webmails are the name of each application by its role; users are the people
    whose mailboxes the tests use; ca_file is a local path.
    """

    domain: str
    mail_hostname: str
    webmail_hostname: str
    webmails: dict[str, str]
    mail_address: str
    webmail_address: str
    autoconfig_hostnames: tuple[str, ...]
    ca_file: str
    people: tuple[str, ...]
    passwords: dict[str, str] = field(repr=False)
    users: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()

    @property
    def addresses(self) -> dict[str, str]:
        """Return the address of each of the house's names."""
        names = (self.webmail_hostname, *self.webmails.values(), *self.autoconfig_hostnames)
        return {**dict.fromkeys(names, self.webmail_address), self.mail_hostname: self.mail_address}

    def at(self, role: str) -> House:
        """Return the house as those see it who open one webmail, which may have a name of its own."""
        if role not in self.webmails:
            pytest.skip(f"needs a house with {role} (mail_webmail)")
        return replace(self, webmail_hostname=self.webmails[role])

    @property
    def reader(self) -> str:
        """Return whose mailbox the tests use: guest in the lab."""
        return (
            self.users[-1] if self.users else pytest.skip("needs a person whose password is in the inventory")
        )

    @property
    def writer(self) -> str:
        """Return who writes to the reader: il in the lab. It may be the same person."""
        return self.users[0] if self.users else self.reader

    @property
    def machine(self) -> str:
        """Return a machine that sends: gitea in the lab."""
        known = [name for name in self.machines if self.passwords[name]]
        return known[0] if known else pytest.skip("needs an entry of mail_services with a password")

    def password(self, name: str) -> str:
        """Return the password of a user or service, or skip the test where only its hash is known."""
        if not self.passwords.get(name):
            pytest.skip(f"needs an account {name!r} whose password is in the inventory")
        return self.passwords[name]

    def imap(self, name: str, port: int = 993) -> Any:
        """Connect and log in as a user; untyped, for tests use more of imaplib than is declared."""
        password = self.password(name)
        client = clients.imap(self.mail_hostname, self.ca_file, port)
        client.login(name, password)
        return client

    def received(self, name: str, message_id: str, port: int = 993) -> bytes | None:
        """Return a message of a user's inbox as it is read over IMAP, or None while it is not there."""
        with self.imap(name, port) as client:
            uid = clients.find(client, message_id)
            return clients.fetch(client, uid) if uid else None

    def login(self, name: str) -> str:
        """Return the full login name, which is also the account's address."""
        return f"{name}@{self.domain}"


def wait_for(ask: Callable[[], Answer | None], what: str, seconds: float = 30, every: float = 0.2) -> Answer:
    """Ask again until the answer is true, and return it; fail the test at a deadline in seconds."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not within {seconds:g} s")
        time.sleep(every)
    return answer
