"""What the mail server writes to people of mail that waits or cannot be delivered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House


def reports(house: House, name: str, about: str) -> list[EmailMessage]:
    """Return the mail server's latest reports in a user's inbox that are about an address or a Message-ID."""
    yesterday = (datetime.now(UTC) - timedelta(days=1)).strftime("%d-%b-%Y")
    with house.imap(name) as client:
        client.select("INBOX", readonly=True)
        found = client.uid("SEARCH", "FROM", "MAILER-DAEMON", "SINCE", yesterday)[1][0].split()
        fetched = [clients.fetch(client, uid) for uid in found[:-20:-1]]
    return [clients.parse(message) for message in fetched if about.encode() in message]
