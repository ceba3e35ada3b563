"""Mail clients that verify what they connect to, from Python's standard library."""

from __future__ import annotations

import imaplib
import poplib
import smtplib
import ssl
import subprocess
from base64 import b64encode
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Any

from testinfra.host import Host

TIMEOUT = 30
"""Seconds."""


def tls(ca_file: str) -> ssl.SSLContext:
    """Return a client's TLS settings: chain and name are verified."""
    return ssl.create_default_context(cafile=ca_file)


def certificate_database(folder: Path, ca_file: str | None) -> None:
    """Make what Chromium and Thunderbird keep certificates in; one CA, or none, joins those that they bring."""
    command = ["certutil", "-d", f"sql:{folder}"]
    subprocess.run([*command, "-N", "--empty-password"], check=True, timeout=TIMEOUT)
    if ca_file:
        subprocess.run(
            [*command, "-A", "-n", "house", "-t", "C,,", "-i", ca_file], check=True, timeout=TIMEOUT
        )


class Smtp(smtplib.SMTP):
    """Passwords may have any letters (RFC 4616); the standard library takes ASCII alone."""

    def login(self, user: str, password: str, *, initial_response_ok: bool = True) -> tuple[int, bytes]:
        if password.isascii():
            return super().login(user, password, initial_response_ok=initial_response_ok)
        self.ehlo_or_helo_if_needed()
        plain = b64encode(f"\0{user}\0{password}".encode()).decode()
        code, text = self.docmd("AUTH", f"PLAIN {plain}")
        if code != 235:
            raise smtplib.SMTPAuthenticationError(code, text)
        return code, text


class SmtpTls(smtplib.SMTP_SSL, Smtp):
    """The same, with TLS before anything else."""


class Imap(imaplib.IMAP4):
    """Passwords may have any letters, which LOGIN does not take (RFC 3501 section 6.2.3)."""

    def login(self, user: str, password: str) -> Any:
        if password.isascii():
            return super().login(user, password)
        return self.authenticate("PLAIN", lambda __: f"\0{user}\0{password}".encode())


class ImapTls(imaplib.IMAP4_SSL, Imap):
    """The same, with TLS before anything else."""


def submission(host: str, ca_file: str, port: int = 587) -> smtplib.SMTP:
    """Connect as a mail program does: STARTTLS on 587, TLS on 465."""
    if port == 465:
        return SmtpTls(host, port, timeout=TIMEOUT, context=tls(ca_file))
    client = Smtp(host, port, timeout=TIMEOUT)
    client.starttls(context=tls(ca_file))
    return client


def imap(host: str, ca_file: str, port: int = 993) -> imaplib.IMAP4:
    """Connect with TLS on 993, STARTTLS on 143."""
    if port == 993:
        return ImapTls(host, port, ssl_context=tls(ca_file), timeout=TIMEOUT)
    client = Imap(host, port, timeout=TIMEOUT)
    client.starttls(tls(ca_file))
    return client


def pop3(host: str, ca_file: str, port: int = 995) -> poplib.POP3:
    """Connect with TLS on 995, STLS on 110."""
    if port == 995:
        return poplib.POP3_SSL(host, port, context=tls(ca_file), timeout=TIMEOUT)
    client = poplib.POP3(host, port, timeout=TIMEOUT)
    client.stls(tls(ca_file))
    return client


def message(sender: str, recipient: str, text: str = "Hello.\n") -> EmailMessage:
    """Return a message that can be told from any other by its Message-ID."""
    new = EmailMessage()
    new["From"] = sender
    new["To"] = recipient
    new["Subject"] = "A message of the behaviour tests"
    new["Date"] = formatdate()
    new["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    new.set_content(text)
    return new


def find(client: imaplib.IMAP4, message_id: str, mailbox: str = "INBOX") -> bytes | None:
    """Return the UID of a message in a mailbox, or None."""
    status, __ = client.select(f'"{mailbox}"', readonly=True)
    if status != "OK":
        return None
    found = client.uid("SEARCH", "HEADER", "Message-ID", f'"{message_id}"')[1][0]
    return bytes(found.split()[0]) if found else None


def fetch(client: imaplib.IMAP4, uid: bytes) -> bytes:
    """Return a whole message of the selected mailbox, without marking it as read."""
    return bytes(client.uid("FETCH", uid.decode(), "(BODY.PEEK[])")[1][0][1])


def leave(client: imaplib.IMAP4) -> None:
    """Close the mailbox that is open, as it is; to open another one instead would take its marks of what is new."""
    if client.state == "SELECTED":
        client.unselect()


def parse(message_bytes: bytes) -> EmailMessage:
    """Return a message that was read."""
    return message_from_bytes(message_bytes, policy=default)


def send_from(machine: Host, host: str, new: EmailMessage) -> None:
    """Send a message from another machine to port 25, without a login."""
    code = (
        "import smtplib, sys; client = smtplib.SMTP(sys.argv[1], 25, timeout=30); "
        "client.sendmail(sys.argv[2], sys.argv[3], sys.argv[4])"
    )
    machine.check_output("python3 -c %s %s %s %s %s", code, host, new["From"], new["To"], new.as_string())
