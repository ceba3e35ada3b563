"""Mail that people of the house send each other."""

from __future__ import annotations

from typing import Protocol

from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for


class Post(Protocol):
    """Lets somebody of the house, by default the writer, write to the reader, and returns the Message-ID.

    to: another address of the reader.
    """

    def __call__(self, text: str = ..., *, sender: str = ..., to: str = ...) -> str: ...


def post(
    house: House,
    sender: str,
    recipient: str,
    subject: str = "A message of the behaviour tests",
    text: str = "We eat at noon.",
    to: str = "",
) -> str:
    """Send a message to somebody, or to another address of theirs, and return its Message-ID."""
    new = clients.message(house.login(sender), house.login(recipient), f"{text}\n")
    new.replace_header("Subject", subject)
    with clients.submission(house.mail_hostname, house.ca_file) as client:
        client.login(sender, house.password(sender))
        client.send_message(new, to_addrs=to or None)
    return str(new["Message-ID"])


def post_to_inbox(
    house: House, sender: str, recipient: str, subject: str, text: str = "We eat at noon."
) -> None:
    """Send a message to somebody, and wait until it is in their inbox."""
    sent = post(house, sender, recipient, subject, text)
    wait_for(lambda: house.received(recipient, sent), f"{subject!r} in the inbox of {recipient}")
