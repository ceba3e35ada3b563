# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The account at the provider: what is there, read without changing anything (EXAMINE and PEEK alone)."""

from __future__ import annotations

import contextlib
import imaplib
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .account import Account
from .ledger import FINGERPRINTED, fingerprint
from .names import Mailbox, parse_list, quoted
from .sequence_set import expand, uid_set
from .status import Kind, kind_of
from .stream import Stream

# How many messages are asked for at once.
SURVEY_SIZE = 1000
SURVEYED = f"(UID FLAGS RFC822.SIZE {FINGERPRINTED})"

_STATUS = re.compile(rb"(MESSAGES|UIDNEXT|UIDVALIDITY) (\d+)", re.IGNORECASE)
# Flags of a session, and what must not cross.
_NOT_STORED = (r"\recent", r"\deleted")
_UID = re.compile(rb"\bUID (\d+)", re.IGNORECASE)
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d+)", re.IGNORECASE)
_FLAGS = re.compile(rb"\bFLAGS \(([^)]*)\)", re.IGNORECASE)
_DATE = re.compile(rb'\bINTERNALDATE "([^"]*)"', re.IGNORECASE)

# The longest reply line of imaplib is one million bytes; a list of UIDs may be longer.
imaplib._MAXLINE = 50_000_000  # type: ignore[attr-defined]


class ProviderError(Exception):
    """The provider cannot be used now. kind: one of status.py's kinds of failure."""

    def __init__(self, kind: Kind, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


@dataclass(frozen=True)
class MailboxStatus:
    """What a mailbox has now (RFC 9051 section 6.3.11)."""

    messages: int
    uidnext: int
    uidvalidity: int


@dataclass(frozen=True)
class Message:
    """A message at the provider.

    flags: in lower case. size: in bytes. arrived: its INTERNALDATE, in seconds since 1970, 0 if unknown.
    """

    uid: int
    flags: frozenset[str]
    size: int
    arrived: float
    fingerprint: bytes


@dataclass(frozen=True)
class Content:
    """A message as it is: its text, its system flags, and its INTERNALDATE as IMAP writes it."""

    text: bytes
    flags: tuple[str, ...]
    date: str


class _Connection(imaplib.IMAP4):
    """imaplib's client, over TLS with our own stream."""

    def __init__(self, account: Account) -> None:
        self._account = account
        super().__init__(account.host, account.port, account.timeout)

    def open(self, host: str = "", port: int = 0, timeout: float | None = None) -> None:
        context = ssl.create_default_context(cafile=self._account.ca_file)
        with contextlib.ExitStack() as undo:
            plain = undo.enter_context(socket.create_connection((host, port), timeout))
            self.sock = context.wrap_socket(plain, server_hostname=host)
            undo.pop_all()
        self.stream = Stream(self.sock)
        self.file: Any = self.stream


def askable(raw: str) -> bool:
    """Tell whether a command can name a mailbox: in ASCII, without control characters (RFC 3501 section 5.1)."""
    return raw.isascii() and raw.isprintable()


class Provider:
    """A connection to the account, logged in. Every method raises ProviderError."""

    def __init__(self, account: Account, secret: str) -> None:
        self.account = account
        with _failures():
            self._client = _Connection(account)
        self._login(secret)
        # Servers tell more of themselves after the login.
        with _failures():
            self._client._get_capabilities()

    @property
    def stream(self) -> Stream:
        """The connection itself, for a door; only between two methods."""
        return self._client.stream

    def __enter__(self) -> Provider:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(imaplib.IMAP4.error, OSError):
            self._client.sock.settimeout(2)
            self._client.logout()

    def _login(self, secret: str) -> None:
        username = self.account.username
        with _failures():
            try:
                if self.account.mechanism == "xoauth2":
                    first = f"user={username}\x01auth=Bearer {secret}\x01\x01".encode()
                    self._client.authenticate("XOAUTH2", _once(first))
                elif "AUTH=PLAIN" in self._client.capabilities:
                    self._client.authenticate("PLAIN", _once(f"\0{username}\0{secret}".encode()))
                else:
                    self._client.login(quoted(username).decode("ascii"), secret)
            except imaplib.IMAP4.abort:
                raise
            except UnicodeEncodeError:
                reason = "the login was refused: this provider takes only ASCII characters in a password"
                raise ProviderError("refused", reason) from None
            except imaplib.IMAP4.error as error:
                raise _refused_login(str(error), secret) from None

    def mailboxes(self) -> list[Mailbox]:
        """Ask for all mailboxes, with what each is for (RFC 6154)."""
        extended = {"SPECIAL-USE", "LIST-EXTENDED"} <= set(self._client.capabilities)
        arguments = ('""', '"*"', *(("RETURN", "(SPECIAL-USE)") if extended else ()))
        with _failures():
            kind, answer = self._client.xatom("LIST", *arguments)
            _check(kind, answer)
            lines = self._client.response("LIST")[1]
        mailboxes = (parse_list(line) for line in lines if line)
        return [mailbox for mailbox in mailboxes if mailbox is not None]

    def status(self, raw: str) -> MailboxStatus | None:
        """Ask what a mailbox has; None where the server does not open it, or no command can name it."""
        if not askable(raw):
            return None
        with _failures():
            kind, answer = self._client.status(quoted(raw).decode("ascii"), "(MESSAGES UIDNEXT UIDVALIDITY)")
        if kind != "OK":
            text = _text(answer)
            if (kind_of_no := kind_of(text, "refused")) != "refused":
                raise ProviderError(kind_of_no, text)
            return None
        # A name may come as a literal, and so the line in parts.
        whole = b" ".join(part if isinstance(part, bytes) else b" ".join(part) for part in answer if part)
        found = {name.upper(): int(number) for name, number in _STATUS.findall(whole)}
        return MailboxStatus(found[b"MESSAGES"], found[b"UIDNEXT"], found[b"UIDVALIDITY"])

    def examine(self, raw: str) -> MailboxStatus:
        """Open a mailbox read-only."""
        with _failures():
            kind, answer = self._client.select(quoted(raw).decode("ascii"), readonly=True)
            _check(kind, answer)
            numbers = {
                name: int((self._client.response(name)[1] or [b"0"])[-1] or 0)
                for name in ("UIDNEXT", "UIDVALIDITY")
            }
        return MailboxStatus(int(answer[0] or 0), numbers["UIDNEXT"], numbers["UIDVALIDITY"])

    def uids(self, first: int = 1) -> list[int]:
        """List the UIDs of the open mailbox from this one on."""
        with _failures():
            if "ESEARCH" in self._client.capabilities:
                kind, answer = self._client.uid("SEARCH", "RETURN", "(ALL)", "UID", f"{first}:*")
                _check(kind, answer)
                found = b" ".join(line for line in self._client.response("ESEARCH")[1] if line)
                match = re.search(rb"\bALL ([0-9:,]+)", found)
                uids = expand(match[1].decode("ascii")) if match else []
            else:
                kind, answer = self._client.uid("SEARCH", "UID", f"{first}:*")
                _check(kind, answer)
                uids = [int(uid) for line in answer if line for uid in line.split()]
        # "n:*" names the last message also where its UID is below n (RFC 9051 section 9, seq-range).
        return sorted(uid for uid in uids if uid >= first)

    def present(self, uids: Iterable[int]) -> set[int]:
        """Tell which of these UIDs the open mailbox still has."""
        rest, found = sorted(uid for uid in uids if uid > 0), set[int]()
        for start in range(0, len(rest), SURVEY_SIZE):
            with _failures():
                kind, answer = self._client.uid("SEARCH", "UID", uid_set(rest[start : start + SURVEY_SIZE]))
                _check(kind, answer)
            found |= {int(uid) for line in answer if line for uid in line.split()}
        return found

    def survey(self, uids: Sequence[int]) -> list[Message]:
        """Ask for the flags, size and fingerprint of these messages of the open mailbox; some may be gone."""
        messages = []
        for start in range(0, len(uids), SURVEY_SIZE):
            with _failures():
                kind, answer = self._client.uid("FETCH", uid_set(uids[start : start + SURVEY_SIZE]), SURVEYED)
                _check(kind, answer)
            messages += [message for part in _fetched(answer) if (message := _message(*part)) is not None]
        return messages

    def content(self, uid: int) -> Content | None:
        """Read a message of the open mailbox; None if it is gone."""
        with _failures():
            kind, answer = self._client.uid("FETCH", str(uid), "(UID FLAGS INTERNALDATE BODY.PEEK[])")
            _check(kind, answer)
        for attributes, text in _fetched(answer):
            flags, date = _FLAGS.search(attributes), _DATE.search(attributes)
            names = flags[1].decode("ascii", "replace").split() if flags else []
            return Content(
                text,
                tuple(name for name in names if name.startswith("\\") and name.lower() not in _NOT_STORED),
                date[1].decode("ascii", "replace") if date else "",
            )
        return None


def _fetched(answer: Sequence[Any]) -> Iterator[tuple[bytes, bytes]]:
    """Join imaplib's parts of a FETCH reply: what stood around the header, and the header."""
    for number, part in enumerate(answer):
        if isinstance(part, tuple):
            after = answer[number + 1] if number + 1 < len(answer) else b""
            yield part[0] + (after if isinstance(after, bytes) else b""), part[1]


def _message(attributes: bytes, header: bytes) -> Message | None:
    uid, size, flags, date = (part.search(attributes) for part in (_UID, _SIZE, _FLAGS, _DATE))
    if uid is None:
        return None
    return Message(
        uid=int(uid[1]),
        flags=frozenset(flags[1].decode("utf-8", "replace").lower().split()) if flags else frozenset(),
        size=int(size[1]) if size else 0,
        arrived=_moment(date[0]) if date else 0.0,
        fingerprint=fingerprint(header, date[1].decode("ascii", "replace") if date else ""),
    )


def _moment(internaldate: bytes) -> float:
    moment = imaplib.Internaldate2tuple(internaldate)
    return time.mktime(moment) if moment else 0.0


def _once(first: bytes) -> Callable[[bytes], bytes]:
    """Answer a challenge of SASL once; any further one is the server's explanation of a refusal."""
    answers = iter([first])
    return lambda _challenge: next(answers, b"")


def _text(answer: Sequence[Any]) -> str:
    return b" ".join(part for part in answer if isinstance(part, bytes)).decode("utf-8", "replace")


def _check(kind: str, answer: Sequence[Any]) -> None:
    if kind != "OK":
        text = _text(answer)
        raise ProviderError(kind_of(text, "error"), text)


def _refused_login(text: str, secret: str) -> ProviderError:
    reason = text.replace(secret, "***") if secret else text
    return ProviderError(kind_of(reason, "refused"), f"the login was refused: {reason}")


@contextlib.contextmanager
def _failures() -> Iterator[None]:
    """Turn what goes wrong on the way to the provider into a ProviderError."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise ProviderError("tls", f"its certificate is not accepted: {error.verify_message}") from error
    except ssl.SSLError as error:
        raise ProviderError("tls", f"TLS fails: {error.reason or error}") from error
    except imaplib.IMAP4.abort as error:
        text = str(error)
        raise ProviderError(kind_of(text, "unreachable"), text) from error
    except imaplib.IMAP4.error as error:
        text = str(error)
        raise ProviderError(kind_of(text, "error"), text) from error
    except OSError as error:
        raise ProviderError("unreachable", f"it cannot be reached: {error}") from error
