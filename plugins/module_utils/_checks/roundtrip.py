# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Send a message to oneself by submission, see it arrive over IMAP, and remove just that message again."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid

from ansible_collections.ilnmors.mail.plugins.module_utils._checks.checks import (
    Check,
    Job,
    NotTried,
    Passed,
    run_checks,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.client import PlainLogin
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.connection import Deadline, Endpoint
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.errors import (
    CheckError,
    CommandRefused,
    NoAnswer,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.imap import Imap
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.smtp import Submission

INBOX = "INBOX"
POLL_SECONDS = 0.1  # between two looks, where the server has no IDLE
LAST_SHARE = 0.2  # of the time, kept for looking into the other folders
LAST_UIDS = 50  # how far back another folder is searched: the message is among its newest


class InvalidAddress(ValueError):
    """The option accounts holds an address that no message can be sent to."""

    def __init__(self, address: str) -> None:
        super().__init__(f"accounts: {address!r} is not a mail address. Write it as name@domain, in ASCII.")


class NotArrived(CheckError):
    """The message is in no folder."""

    def __init__(self, seconds: float, searched: int, folders: int) -> None:
        super().__init__(
            f"the message that submission accepted did not arrive in {seconds:g} s; "
            f"INBOX and {searched} of {folders} other folders do not have it",
            "see what waits: 'mailq' on the mail host, and why: 'journalctl --unit \"postfix*\" --unit dovecot'",
        )


class NotRemoved(CheckError):
    """The message is left behind."""

    def __init__(self, folder: str, reason: CheckError) -> None:
        super().__init__(f"the message arrived in {folder} and is still there: {reason}", reason.remedy)


@dataclass(frozen=True)
class Account:
    """Who logs in, and the address that the message is from and to. Without a password it cannot be tried."""

    username: str
    address: str
    password: str | None = field(repr=False)


@dataclass(frozen=True)
class Place:
    """A message: the folder as the server writes it, and its UID there."""

    folder: str
    uid: int


def check_accounts(
    accounts: list[Account], smtp: Endpoint, imap: Endpoint, timeout: float, *, dry_run: bool
) -> list[Check]:
    """Check the accounts side by side; `timeout` is each one's, in seconds. Raises InvalidAddress before it begins.

    Accounts without a password, and all of them in a dry run, are reported as not checked.
    """
    for account in accounts:
        if not re.fullmatch(r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w.-]+", account.address, re.ASCII):
            raise InvalidAddress(account.address)

    def job(account: Account) -> Job:
        return f"roundtrip {account.address}", lambda: roundtrip(
            account, smtp, imap, timeout, dry_run=dry_run
        )

    return run_checks([job(account) for account in accounts])


def roundtrip(account: Account, smtp: Endpoint, imap: Endpoint, timeout: float, *, dry_run: bool) -> Passed:
    """Send, wait and remove; the seconds are those from handing the message over to seeing it.

    Raises CheckError, and NotTried in a dry run or without a password.
    """
    if account.password is None:
        raise NotTried("logging in needs the password, and none is given")
    if dry_run:
        raise NotTried("check mode sends nothing")
    deadline = Deadline(timeout)
    message = compose(account.address)
    with ExitStack() as stack:
        with _step(f"IMAP on port {imap.port}", "dovecot"):
            mailbox = stack.enter_context(Imap(imap, deadline))
            _log_in(mailbox, account.username, account.password)
            mailbox.read_capabilities()  # a server tells more of them after login
            first_uid = _examine(mailbox, INBOX)
        with _step(f"submission on port {smtp.port}", "postfix"):
            sender = stack.enter_context(Submission(smtp, deadline))
            _log_in(sender, account.username, account.password)
            started = time.monotonic()
            _submit(sender, account.address, message)
        with _step(f"IMAP on port {imap.port}", "dovecot"):
            place = _await_message(mailbox, str(message["Message-ID"]), first_uid)
            seconds = time.monotonic() - started
            return Passed(_remove(mailbox, place), seconds)


def compose(address: str) -> EmailMessage:
    """Return a message to oneself that nobody's machine answers (RFC 3834)."""
    message = EmailMessage(policy=SMTP.clone(max_line_length=998))  # no folding of long addresses
    message["Date"] = formatdate(localtime=True)
    message["Message-ID"] = make_msgid("mail-check", domain=address.rpartition("@")[2])
    message["From"] = message["To"] = address
    message["Subject"] = "Mail check: submission to mailbox"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(
        "This message checks that mail arrives. Whoever sent it removes it again by itself.\n"
    )
    return message


@contextmanager
def _step(name: str, service: str) -> Iterator[None]:
    """Say in an error at which step it happened, and what to do about the service that was asked."""
    try:
        yield
    except CheckError as error:
        raise CheckError(f"{name}: {error.explain(service)}") from error


def _log_in(client: PlainLogin, username: str, password: str) -> None:
    client.greet()
    if client.endpoint.tls == "starttls":
        client.upgrade()
    client.login(username, password)


def _submit(sender: Submission, address: str, message: EmailMessage) -> None:
    for command in (f"MAIL FROM:<{address}>", f"RCPT TO:<{address}>", "DATA"):
        reply = sender.command(command)
        if reply.code >= 400:
            raise CommandRefused(command.partition(":")[0], str(reply))
    # No line of this message starts with a dot, so none needs another one (RFC 5321, 4.5.2).
    sender.send(f"{message.as_string()}.", "its answer to the message")
    reply = sender.read_reply()
    if reply.code >= 400:
        raise CommandRefused("message", str(reply))


def _examine(mailbox: Imap, folder: str) -> int:
    """Open a folder, changing nothing in it, not even what is recent; return the UID that its next message gets."""
    for answer in mailbox.command(f"EXAMINE {folder}"):
        if found := re.search(r"\[UIDNEXT (\d+)\]", answer):
            return int(found[1])
    return 1


def _find(mailbox: Imap, message_id: str, first_uid: int) -> int | None:
    """Return the UID of the message among those from first_uid on.

    FETCH, not SEARCH: a search of headers may make the server index a whole folder first.
    """
    for answer in mailbox.command(f"UID FETCH {first_uid}:* (BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"):
        if message_id in answer and (uid := re.search(r"\bUID (\d+)", answer)):
            return int(uid[1])
    return None


def _await_message(mailbox: Imap, message_id: str, first_uid: int) -> Place:
    """Wait in INBOX for most of the time; then look into every folder, once. Raises NotArrived."""
    deadline = mailbox.deadline
    kept = deadline.seconds * LAST_SHARE
    while deadline.remaining() > kept:
        arrivals = mailbox.arrivals
        if uid := _find(mailbox, message_id, first_uid):
            return Place(INBOX, uid)
        if mailbox.arrivals == arrivals:  # else one came after the look, and nothing will tell of it again
            _await_arrival(mailbox, deadline.remaining() - kept)
    folders = [INBOX, *_other_folders(mailbox)]
    searched = -1  # INBOX is no other folder
    with suppress(NoAnswer):  # the time is up
        for folder in folders:
            next_uid = _examine(mailbox, folder)
            if uid := _find(mailbox, message_id, max(1, next_uid - LAST_UIDS)):
                return Place(folder, uid)
            searched += 1
    raise NotArrived(deadline.seconds, max(0, searched), len(folders) - 1)


def _await_arrival(mailbox: Imap, seconds: float) -> None:
    """Return when the server tells of a new message, or after so many seconds: by IDLE (RFC 2177) or by polling."""
    if "IDLE" not in mailbox.capabilities:
        time.sleep(POLL_SECONDS)
        mailbox.command("NOOP")
        return
    limit = Deadline(seconds)
    arrivals = mailbox.arrivals
    mailbox.send_command("IDLE")
    while mailbox.arrivals == arrivals and mailbox.read_answer_within(limit.remaining()) is not None:
        pass
    mailbox.send("DONE", "its answer to DONE")
    mailbox.read_answers()


def _other_folders(mailbox: Imap) -> list[str]:
    """Return the folders beside INBOX that can be opened, as the server writes them: they go back as they came."""
    names = []
    for answer in mailbox.command('LIST "" "*"'):
        found = re.fullmatch(
            r'\* LIST \(([^)]*)\) (?:NIL|"(?:\\.|[^"])*") ("(?:\\.|[^"\\])*"|[^\s"]+)', answer
        )
        if found and "\\noselect" not in found[1].lower() and found[2].upper().strip('"') != INBOX:
            names.append(found[2])
    return names


def _remove(mailbox: Imap, place: Place) -> str:
    """Remove this one message: EXPUNGE alone would also take what its owner has marked as deleted."""
    folder = place.folder.strip('"')
    try:
        mailbox.command(f"SELECT {place.folder}")
        mailbox.command(f"UID STORE {place.uid} +FLAGS.SILENT (\\Deleted)")
        if "UIDPLUS" not in mailbox.capabilities:
            return f"arrived in {folder}, marked as deleted there (the server has no UIDPLUS)"
        mailbox.command(f"UID EXPUNGE {place.uid}")  # RFC 4315
    except CheckError as error:
        raise NotRemoved(folder, error) from error
    return f"arrived in {folder}, removed again"
