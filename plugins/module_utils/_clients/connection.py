# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lines to and from a server that is not trusted: verified TLS, and a deadline for every wait.

A connection belongs to one thread and one deadline. What a server says comes out as text; what goes wrong comes
out as one of mail_errors.
"""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass
from typing import Self

from ansible_collections.ilnmors.mail.plugins.module_utils._clients.errors import (
    JOURNAL,
    RENEWED,
    CannotConnect,
    ConnectionEnded,
    NoAnswer,
    PlaintextInjected,
    TlsFailed,
    UnexpectedAnswer,
)

LONGEST_LINE = 65536  # bytes; RFC 9051 and its neighbours ask for far less

_UNTRUSTED = (
    "no trusted CA signed the certificate",
    "let mail_tls_ca name the authority that issued it, or run the site playbook",
)
_MISNAMED = "run the site playbook, or bring a certificate that has the name"
# X509_V_ERR_* codes of openssl-verification-options(1), each with what to do.
_CERTIFICATE_ERRORS = {
    9: ("the certificate is not valid yet", "set the clocks of this machine and of the host"),
    10: ("the certificate has expired", RENEWED),
    18: _UNTRUSTED,
    19: _UNTRUSTED,
    20: _UNTRUSTED,
    21: _UNTRUSTED,
    62: ("the certificate is for another name than {name}", _MISNAMED),
    64: ("the certificate is for another address than {name}", _MISNAMED),
}

_HANDSHAKE_ERRORS = {
    "WRONG_VERSION_NUMBER": "the server does not speak TLS here",
    "RECORD_LAYER_FAILURE": "the server does not speak TLS here",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the server speaks no TLS 1.2 or newer",
    "UNSUPPORTED_PROTOCOL": "the server speaks no TLS 1.2 or newer",
}


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

    def __exit__(self, *__: object) -> None:
        self._socket.close()

    def _connect(self) -> socket.socket:
        address = (self.endpoint.host, self.endpoint.port)
        try:
            connection = socket.create_connection(address, timeout=self.deadline.remaining())
        except TimeoutError:
            raise CannotConnect(f"no answer in {self.deadline.seconds:g} s") from None
        except socket.gaierror:
            raise CannotConnect(
                f"the name {self.endpoint.host} does not resolve",
                "add it to your DNS; the playbook ilnmors.mail.dns prints the records",
            ) from None
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
            words, remedy = _CERTIFICATE_ERRORS.get(error.verify_code, (error.verify_message, JOURNAL))
            raise TlsFailed(words.format(name=name), remedy) from None
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
        line, __, self._buffer = self._buffer.partition(b"\n")
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
