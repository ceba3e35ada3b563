# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Small clients of the mail protocols that trust nothing: verified TLS, deadlines, errors in plain words.

A connection belongs to one thread and one deadline. What a server says comes out as text; what goes
wrong comes out as a CheckError, whose text is written for the person who runs the check.
"""

# ruff: noqa: D102 - the base classes document what the protocols implement
from __future__ import annotations

import base64
import re
import socket
import ssl
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Self

LONGEST_LINE = 65536  # bytes; RFC 9051 and its neighbours ask for far less

# Credentials that are nobody's, for asking whether a server would take any before TLS.
NOBODY = ("mail-check-nobody", "not-a-password")

# X509_V_ERR_* codes of openssl-verification-options(1).
_CERTIFICATE_ERRORS = {
    9: "the certificate is not valid yet",
    10: "the certificate has expired",
    18: "no trusted CA signed the certificate",
    19: "no trusted CA signed the certificate",
    20: "no trusted CA signed the certificate",
    21: "no trusted CA signed the certificate",
    62: "the certificate is for another name than {name}",
    64: "the certificate is for another address than {name}",
}

_HANDSHAKE_ERRORS = {
    "WRONG_VERSION_NUMBER": "the server does not speak TLS here",
    "RECORD_LAYER_FAILURE": "the server does not speak TLS here",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the server speaks no TLS 1.2 or newer",
    "UNSUPPORTED_PROTOCOL": "the server speaks no TLS 1.2 or newer",
}


class CheckError(Exception):
    """Why a check failed, in plain words and without secrets."""


class CannotConnect(CheckError):
    """No TCP connection came about."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"cannot connect: {reason}")


class NoAnswer(CheckError):
    """The deadline passed."""

    def __init__(self, awaited: str, seconds: float) -> None:
        super().__init__(f"the server had not sent {awaited} after {seconds:g} s")


class ConnectionEnded(CheckError):
    """The server hung up."""

    def __init__(self, awaited: str) -> None:
        super().__init__(f"the server closed the connection before {awaited}")


class UnexpectedAnswer(CheckError):
    """The server does not speak the protocol."""

    def __init__(self, awaited: str, answer: str) -> None:
        super().__init__(f"the server sent something else than {awaited}: {answer[:200]}")


class CommandRefused(CheckError):
    """The server said no."""

    def __init__(self, command: str, reply: str) -> None:
        super().__init__(f"{command} refused: {reply}")


class TlsFailed(CheckError):
    """The handshake or the certificate is not good."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"TLS failed: {reason}")


class StarttlsMissing(CheckError):
    """A port that has to offer STARTTLS does not."""

    def __init__(self) -> None:
        super().__init__("STARTTLS is not offered")


class PlaintextInjected(CheckError):
    """Someone slipped text in before the TLS session."""

    def __init__(self) -> None:
        super().__init__(
            "plain text follows the answer to STARTTLS: it would be taken for part of the TLS session"
        )


class LoginRefused(CheckError):
    """The credentials were not accepted."""

    def __init__(self, reply: str) -> None:
        super().__init__(f"login refused: {reply}")


class InvalidCaFile(ValueError):
    """The option ca_file cannot be used."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"ca_file: {path}: {reason}. Name a file of CA certificates in PEM form.")


class Deadline:
    """A moment by which everything has to be done."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._moment = time.monotonic() + seconds

    def remaining(self) -> float:
        """Return the seconds left, never less than zero."""
        return max(0.0, self._moment - time.monotonic())


@dataclass(frozen=True)
class Endpoint:
    """Where a server listens and how it has to prove itself. `tls` is `starttls` or `implicit`; `path` is for HTTP."""

    host: str
    port: int
    tls: str
    server_name: str
    context: ssl.SSLContext
    path: str = "/"


def client_context(ca_file: str | None) -> ssl.SSLContext:
    """Return a context that verifies chain and name and takes TLS 1.2 or newer.

    `ca_file` is a path; None means the system's store. Raises InvalidCaFile.
    The same rules hold on every Python: VERIFY_X509_STRICT, which create_default_context() sets from
    3.13 on, would refuse CAs that mail clients accept.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is None:
        context.load_default_certs()
        return context
    try:
        context.load_verify_locations(ca_file)
    except ssl.SSLError:  # an OSError, so it comes first
        raise InvalidCaFile(ca_file, "holds no certificate") from None
    except OSError as error:
        raise InvalidCaFile(ca_file, error.strerror or str(error)) from None
    return context


class Connection:
    """Lines over TCP, later over TLS. Every wait ends at the deadline."""

    def __init__(self, endpoint: Endpoint, deadline: Deadline) -> None:
        self.endpoint = endpoint
        self.deadline = deadline
        self.awaited = "its greeting"
        self._buffer = b""
        self._socket: socket.socket = self._connect()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _connect(self) -> socket.socket:
        address = (self.endpoint.host, self.endpoint.port)
        try:
            connection = socket.create_connection(address, timeout=self.deadline.remaining())
        except TimeoutError:
            raise CannotConnect(f"no answer in {self.deadline.seconds:g} s") from None
        except socket.gaierror:
            raise CannotConnect(f"the name {self.endpoint.host} does not resolve") from None
        except OSError as error:
            raise CannotConnect((error.strerror or str(error)).lower()) from None
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # short lines, each one awaited
        return connection

    @property
    def from_same_machine(self) -> bool:
        """Both ends have one address: Dovecot takes such a connection for secured, with or without TLS."""
        return bool(self._socket.getsockname()[0] == self._socket.getpeername()[0])

    @property
    def own_address(self) -> str:
        """The address of this end as an address literal (RFC 5321, 4.1.3)."""
        address = str(self._socket.getsockname()[0])
        return f"[IPv6:{address}]" if ":" in address else f"[{address}]"

    @property
    def tls(self) -> ssl.SSLSocket:
        """The TLS side, once start_tls() has returned."""
        if not isinstance(self._socket, ssl.SSLSocket):
            raise TypeError("TLS has not been started")
        return self._socket

    def start_tls(self) -> None:
        """Take TLS. Text that came before the handshake ends the connection: nobody vouches for it."""
        if self._buffer:
            raise PlaintextInjected
        name = self.endpoint.server_name
        self.awaited = "its side of the TLS handshake"
        try:
            self._limit_wait()
            self._socket = self.endpoint.context.wrap_socket(self._socket, server_hostname=name)
        except TimeoutError:
            raise NoAnswer(self.awaited, self.deadline.seconds) from None
        except ssl.SSLCertVerificationError as error:
            words = _CERTIFICATE_ERRORS.get(error.verify_code, error.verify_message)
            raise TlsFailed(words.format(name=name)) from None
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionError):
            raise ConnectionEnded("the TLS handshake was done") from None
        except ssl.SSLError as error:
            reason = error.reason or "handshake error"
            raise TlsFailed(_HANDSHAKE_ERRORS.get(reason, reason.lower().replace("_", " "))) from None

    def send(self, text: str, awaited: str) -> None:
        """Send lines and remember, in words, what is awaited next."""
        self.awaited = awaited
        try:
            self._limit_wait()
            self._socket.sendall(f"{text}\r\n".encode())
        except TimeoutError:
            raise NoAnswer(awaited, self.deadline.seconds) from None
        except OSError:
            raise ConnectionEnded(awaited) from None

    def read_line(self) -> str:
        """Return the next line without its end."""
        line = self.read_line_within(self.deadline.remaining())
        if line is None:
            raise NoAnswer(self.awaited, self.deadline.seconds)
        return line

    def read_line_within(self, seconds: float) -> str | None:
        """Return the next line, or None when none has come by then."""
        limit = Deadline(seconds)
        while b"\n" not in self._buffer:
            if len(self._buffer) > LONGEST_LINE:
                raise UnexpectedAnswer(self.awaited, "a line without an end")
            if not self._receive(limit.remaining()):
                return None
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.removesuffix(b"\r").decode(errors="replace")

    def read_bytes(self, count: int) -> str:
        """Return exactly so many bytes, as text."""
        while len(self._buffer) < count:
            if not self._receive(self.deadline.remaining()):
                raise NoAnswer(self.awaited, self.deadline.seconds)
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data.decode(errors="replace")

    def _limit_wait(self) -> None:
        seconds = self.deadline.remaining()
        if not seconds:  # which settimeout() would take for "do not wait at all"
            raise TimeoutError
        self._socket.settimeout(seconds)

    def _receive(self, seconds: float) -> bool:
        if seconds <= 0:
            return False
        self._socket.settimeout(seconds)
        try:
            data = self._socket.recv(65536)
        except TimeoutError:
            return False
        except OSError:
            data = b""
        if not data:
            raise ConnectionEnded(self.awaited)
        self._buffer += data
        return True


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

    def begin_old_login(self) -> tuple[bool, str]:
        """Do the same, for nobody, with a login command older than SASL, where the protocol has one."""
        return False, ""


class PlainLogin(MailClient):
    """A client that can log in with SASL PLAIN (RFC 4616)."""

    def login(self, username: str, password: str) -> None:
        """Log in. Raises LoginRefused with the server's reply."""
        token = base64.b64encode(f"\0{username}\0{password}".encode()).decode()
        accepted, reply = self.begin_login()
        if accepted:
            self.send(token, "its answer to the login")
            accepted, reply = self.read_login_result()
        if not accepted:
            raise LoginRefused(_without(reply, password, token))

    @abstractmethod
    def read_login_result(self) -> tuple[bool, str]:
        """Read the reply to the credentials; return whether they were accepted, and the reply."""


class SmtpReply(NamedTuple):
    """A reply of RFC 5321, 4.2: its code and the text of its lines."""

    code: int
    lines: list[str]

    def __str__(self) -> str:
        return f"{self.code} {' '.join(self.lines)}"


class Smtp(PlainLogin):
    """SMTP between machines (RFC 5321, RFC 3207): no login is expected."""

    wants_login = False

    def read_reply(self) -> SmtpReply:
        """Return one reply."""
        lines = []
        while True:
            line = self.read_line()
            if not re.match(r"[2-5]\d\d([ -]|$)", line):
                raise UnexpectedAnswer(self.awaited, line)
            lines.append(line[4:])
            if line[3:4] != "-":
                return SmtpReply(int(line[:3]), lines)

    def command(self, text: str) -> SmtpReply:
        """Send a command and return its reply."""
        self.send(text, f"its answer to {text.partition(':')[0].partition('[')[0].strip()}")
        return self.read_reply()

    def read_greeting(self) -> None:
        reply = self.read_reply()
        if reply.code != 220:
            raise UnexpectedAnswer(self.awaited, str(reply))

    def read_capabilities(self) -> None:
        reply = self.command(f"EHLO {self.own_address}")
        if reply.code != 250:
            raise CommandRefused("EHLO", str(reply))
        # Some servers write AUTH=PLAIN, for clients older than RFC 2554.
        words = [line.upper().replace("AUTH=", "AUTH ").split() for line in reply.lines[1:]]
        self.capabilities = {first: rest for first, *rest in filter(None, words)}

    def request_starttls(self) -> None:
        reply = self.command("STARTTLS")
        if reply.code != 220:
            raise CommandRefused("STARTTLS", str(reply))

    def login_mechanisms(self) -> list[str]:
        return self.capabilities.get("AUTH", [])

    def begin_login(self) -> tuple[bool, str]:
        reply = self.command("AUTH PLAIN")
        return reply.code < 400, str(reply)

    def read_login_result(self) -> tuple[bool, str]:
        reply = self.read_reply()
        return reply.code == 235, str(reply)


class Submission(Smtp):
    """Message submission (RFC 6409): SMTP with a login."""

    wants_login = True


class Imap(PlainLogin):
    """IMAP4rev1 and rev2 (RFC 3501, RFC 9051)."""

    goodbye = "bye LOGOUT"

    def __init__(self, endpoint: Endpoint, deadline: Deadline) -> None:
        self.arrivals = 0  # how often the server has told of new messages
        self._commands = 0
        self._tag = ""
        super().__init__(endpoint, deadline)

    def send_command(self, text: str) -> None:
        """Send a command under a new tag."""
        self._commands += 1
        self._tag = f"c{self._commands}"
        self.send(f"{self._tag} {text}", f"its answer to {_imap_name(text)}")

    def command(self, text: str) -> list[str]:
        """Send a command and return its untagged answers. Raises CommandRefused."""
        self.send_command(text)
        answers, status, reply = self.read_answers()
        if status != "OK":
            raise CommandRefused(_imap_name(text), reply)
        return answers

    def read_answers(self) -> tuple[list[str], str, str]:
        """Read to the end of the command; return the untagged answers, the status (OK, NO, BAD), and its text."""
        answers = []
        while not (answer := self.read_answer()).startswith(f"{self._tag} "):
            answers.append(answer)
        status, _, reply = answer.removeprefix(f"{self._tag} ").partition(" ")
        return answers, status.upper(), reply

    def read_answer(self) -> str:
        """Return one answer; its literals (RFC 9051, 4.3) stand in it as they came."""
        answer = self.read_answer_within(self.deadline.remaining())
        if answer is None:
            raise NoAnswer(self.awaited, self.deadline.seconds)
        return answer

    def read_answer_within(self, seconds: float) -> str | None:
        """Return one answer, or None when none has begun by then."""
        answer = self.read_line_within(seconds)
        while answer and (literal := re.search(r"\{(\d+)\}$", answer)):
            answer = answer[: literal.start()] + self.read_bytes(int(literal[1])) + self.read_line()
        if answer and re.match(r"\* \d+ EXISTS\b", answer):
            self.arrivals += 1
        return answer

    def read_greeting(self) -> None:
        line = self.read_line()
        if not line.startswith("* OK"):  # PREAUTH would be a login before TLS
            raise UnexpectedAnswer(self.awaited, line)

    def read_capabilities(self) -> None:
        for answer in self.command("CAPABILITY"):
            if answer.startswith("* CAPABILITY "):
                self.capabilities = {word.upper(): [] for word in answer.split()[2:]}

    def request_starttls(self) -> None:
        self.command("STARTTLS")

    def login_mechanisms(self) -> list[str]:
        mechanisms = [word.removeprefix("AUTH=") for word in self.capabilities if word.startswith("AUTH=")]
        return mechanisms if "LOGINDISABLED" in self.capabilities else [*mechanisms, "LOGIN command"]

    def begin_login(self) -> tuple[bool, str]:
        self.send_command("AUTHENTICATE PLAIN")
        while not (answer := self.read_answer()).startswith((f"{self._tag} ", "+")):
            pass
        status, _, reply = answer.removeprefix(f"{self._tag} ").partition(" ")
        return status in ("+", "OK"), reply or status

    def read_login_result(self) -> tuple[bool, str]:
        _, status, reply = self.read_answers()
        return status == "OK", reply

    def begin_old_login(self) -> tuple[bool, str]:
        self.send_command(f"LOGIN {' '.join(NOBODY)}")
        _, status, reply = self.read_answers()
        # The server has looked at the password where it says that it is wrong (RFC 5530).
        return status == "OK" or "AUTHENTICATIONFAILED" in reply, reply


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
        known, _ = self.command("CAPA")
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

    def begin_old_login(self) -> tuple[bool, str]:
        return self.command(f"USER {NOBODY[0]}")


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
        _, status, reply = self.read_answer()
        if status != "OK":
            raise CommandRefused("STARTTLS", reply)
        self.awaited = "its capabilities after TLS"

    def login_mechanisms(self) -> list[str]:
        return self.capabilities.get("SASL", [])

    def begin_login(self) -> tuple[bool, str]:
        self.send('AUTHENTICATE "PLAIN"', "its answer to AUTHENTICATE")
        line = self.read_line()  # a string, quoted or literal, asks for the credentials
        return line.startswith(('"', "{", "OK")), line


class Https(Client):
    """HTTP/1.1 over TLS (RFC 9112): one request for the endpoint's page."""

    def read_greeting(self) -> None:
        name, request = self.endpoint.server_name, f"GET {self.endpoint.path}"
        self.send(f"{request} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n", f"its answer to {request}")
        line = self.read_line()
        if not re.match(r"HTTP/1\.\d [1-5]\d\d\b", line):
            raise UnexpectedAnswer(self.awaited, line)
        status = line.partition(" ")[2]
        if status[0] in "45":
            raise CommandRefused(request, status)


def _imap_name(command: str) -> str:
    """Return a command's name without its arguments."""
    return " ".join(re.findall(r"^(?:UID )?\w+", command))


def _without(reply: str, *secrets: str) -> str:
    """Return a server's reply without credentials that it may repeat."""
    for secret in filter(None, secrets):
        reply = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "(hidden)", reply)
    return reply
