"""What happens in the mailboxes of the lab's providers, and what their clients do there.

Mailboxes have the names that people read ("가족/사진"), accounts their addresses ("il@gmail.test").
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from imaplib import Time2Internaldate
from pathlib import Path
from typing import Any

from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from testinfra.host import Host

HERE = Path(__file__).with_name("provider_side.py")
FAULTS = "/run/faulty-imap-{account}.json"
MOODY = "moody@moody.test"
ALL_MAIL = "[Gmail]/All Mail"
ARGUMENT = 120_000
"""Bytes of one argument: the kernel takes 128 KiB."""

HARMLESS = {
    "AUTHENTICATE",
    "CAPABILITY",
    "CHECK",
    "COMPRESS",
    "DONE",
    "ENABLE",
    "EXAMINE",
    "ID",
    "IDLE",
    "LIST",
    "LOGIN",
    "LOGOUT",
    "LSUB",
    "NAMESPACE",
    "NOOP",
    "SEARCH",
    "STATUS",
    "UID SEARCH",
    "UNSELECT",
}
"""Commands that change nothing, whatever their arguments. SELECT is none of them: it takes \\Recent away."""


@dataclass(frozen=True)
class Command:
    """What a client sent over the network. time: Unix; session: the connection; name: such as "UID FETCH"."""

    time: float
    session: str
    name: str
    arguments: str

    @property
    def changes(self) -> bool:
        """Whether it may change something: a fetch without PEEK marks messages as read."""
        if self.name in {"FETCH", "UID FETCH"}:
            said = self.arguments.upper()
            return "BODY[" in said or "RFC822" in said.replace("RFC822.SIZE", "").replace("RFC822.HEADER", "")
        return self.name not in HARMLESS


def do(provider: Host, **request: object) -> Any:
    """Have something done on the providers' machine."""
    text = json.dumps(request)
    assert len(text) < ARGUMENT, "a message is padded to its size there"
    return json.loads(provider.check_output("python3 -c %s %s", HERE.read_text(), text))


def deliver(
    provider: Host,
    account: str,
    mailbox: str | Sequence[str] = "INBOX",
    flags: Sequence[str] = (),
    date: datetime | None = None,
    message: EmailMessage | None = None,
    *,
    size: int = 0,
    count: int = 1,
) -> EmailMessage:
    """Let a message be in mailboxes of an account, the same bytes in each, and return it.

    date: its INTERNALDATE, now unless given. size: bytes that it is padded to. count: so many, which differ where the
    message has %d, their number from 1 on; without a message of one's own, that is in Message-ID and Subject.
    """
    if message is None:
        message = clients.message("friend@elsewhere.test", account, "From the world.\n")
        if count > 1:
            message.replace_header("Message-ID", str(message["Message-ID"]).replace("<", "<%d."))
            message.replace_header("Subject", "Number %d")
    do(
        provider,
        do="append",
        account=account,
        mailboxes=[mailbox] if isinstance(mailbox, str) else list(mailbox),
        flags=list(flags),
        date=Time2Internaldate(date.astimezone()).strip('"') if date else "",
        message=base64.b64encode(message.as_bytes(policy=SMTP)).decode(),
        size=size,
        count=count,
    )
    return message


def gmail_deliver(
    provider: Host,
    account: str,
    labels: Sequence[str] = ("INBOX",),
    flags: Sequence[str] = (),
    date: datetime | None = None,
    message: EmailMessage | None = None,
    *,
    all_mail: str = ALL_MAIL,
    count: int = 1,
) -> EmailMessage:
    """Let a message arrive as at Gmail: in All Mail, and under each of its labels, with the same date."""
    when = date or datetime.now().astimezone()
    return deliver(provider, account, [all_mail, *labels], flags, when, message, count=count)


def renumber(provider: Host, account: str, mailbox: str = "INBOX") -> int:
    """Give a mailbox another UIDVALIDITY, which is returned, and its messages other UIDs; all else stays."""
    return int(do(provider, do="renumber", account=account, mailbox=mailbox))


def create(provider: Host, account: str, mailbox: str) -> None:
    """Create and subscribe a mailbox."""
    provider.check_output("doveadm mailbox create -s -u %s %s", account, mailbox)


def rename(provider: Host, account: str, mailbox: str, new: str) -> None:
    """Rename a mailbox."""
    provider.check_output("doveadm mailbox rename -s -u %s %s %s", account, mailbox, new)


def delete(provider: Host, account: str, mailbox: str) -> None:
    """Delete a mailbox with all that is in it."""
    provider.check_output("doveadm mailbox delete -s -u %s %s", account, mailbox)


def expunge(provider: Host, account: str, mailbox: str, message_id: str | None = None) -> None:
    """Delete a message, or all messages, of a mailbox."""
    which = ("header", "Message-ID", message_id) if message_id else ("all",)
    words = " ".join(["%s"] * len(which))
    provider.check_output(f"doveadm expunge -u %s mailbox %s {words}", account, mailbox, *which)


def move(provider: Host, account: str, mailbox: str, to: str, message_id: str) -> None:
    """Move a message to another mailbox."""
    provider.check_output(
        "doveadm move -u %s %s mailbox %s header Message-ID %s", account, to, mailbox, message_id
    )


@contextmanager
def faults(provider: Host, account: str = MOODY, **faults: object) -> Iterator[None]:
    """Let the faulty server fail an account in these ways (see faulty-imap.py of the providers), and no others."""
    file = FAULTS.format(account=account)
    provider.check_output(
        "printf %s %s > %s && mv %s %s", "%s", json.dumps(faults), f"{file}.new", f"{file}.new", file
    )
    try:
        yield
    finally:
        provider.check_output("rm -f %s", file)


def commands(provider: Host, account: str, since: float = 0) -> list[Command]:
    """Return what clients of an account sent over the network since a Unix time. Secrets are left out."""
    if account.endswith("@moody.test"):
        lines = provider.run("grep -F %s /var/log/faulty-imap.log", f'"account": "{account}"').stdout
        entries = map(json.loads, lines.splitlines())
        found = [Command(e["time"], str(e["session"]), e["name"], e["arguments"]) for e in entries]
    else:
        lines = provider.run("grep -F %s /var/log/imap-commands.log", f'"user":"{account}"').stdout
        found = [finished(json.loads(line)) for line in lines.splitlines() if '"remote_ip"' in line]
    return [command for command in found if command.time >= since]


def finished(event: dict[str, Any]) -> Command:
    """Return a command from Dovecot's event of its end.

    https://doc.dovecot.org/2.4.1/core/admin/list_of_events.html#imap-command-finished
    """
    fields = event["fields"]
    name, arguments = fields["cmd_name"], fields.get("cmd_args", "")
    return Command(event["start_time"], fields["session"], name, arguments)
