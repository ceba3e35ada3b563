# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A login to PostgreSQL, to see whether an application can have one: the frontend/backend protocol, version 3.

https://www.postgresql.org/docs/current/protocol-message-formats.html. Only what a login and one question need.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from ansible_collections.ilnmors.mail.plugins.module_utils._clients.connection import (
    InvalidCaFile,
    client_context,
)

_PROTOCOL = 196_608  # 3.0
_SSL_REQUEST = 80_877_103
_LONGEST_MESSAGE = 1 << 20  # bytes; answers to a login are far shorter
_MOST_ITERATIONS = 1_000_000

# What an answer to a login means (appendix A of the manual), each with the option to blame and what to do.
_REFUSALS = {
    "28P01": ("password", "write the one that the server has for this user"),
    "28000": ("user", "let the server's pg_hba.conf take this user from this host, for this database"),
    "3D000": ("name", "create the database there, with this user as its owner"),
    "42501": ("user", "let the user connect to the database, as its owner may"),
    "53300": ("host", "let the server take more connections"),
    "57P03": ("host", "wait until the server has started"),
}


class DatabaseError(Exception):
    """A database that an application cannot use. option: which of the login's fields is to blame."""

    def __init__(self, option: str, fault: str, remedy: str) -> None:
        super().__init__(f"{fault}; {remedy}")
        self.option = option


@dataclass(frozen=True)
class Login:
    """Where the database is, and who asks. tls: whether to talk over TLS alone, verified by ca_file."""

    host: str
    port: int
    name: str
    user: str
    password: str = field(repr=False)
    tls: bool
    ca_file: str
    timeout: float = 10.0


def check_database(login: Login) -> str:
    """Log in, and see that tables can be made; return in words what was seen. Raises DatabaseError.

    Without a CA file, as on a host that is not set up yet, no password is sent: all that is seen is that it answers.
    """
    with _Connection(login) as connection:
        if login.tls and not Path(login.ca_file).exists():
            return f"answers; the password is tried once {login.ca_file} is there"
        if login.tls:
            connection.start_tls()
        connection.log_in()
        if not connection.may_create():
            raise DatabaseError(
                "user",
                f"{login.user!r} may make no tables in the database {login.name!r}",
                "let the user own the database, as ALTER DATABASE … OWNER TO does",
            )
    return "takes the login"


class _Connection:
    """One connection with one deadline. Whatever goes wrong with it is a DatabaseError."""

    def __init__(self, login: Login) -> None:
        self.login = login
        self._deadline = time.monotonic() + login.timeout
        try:
            self._socket: socket.socket = socket.create_connection(
                (login.host, login.port), timeout=login.timeout
            )
        except OSError as error:
            raise self._unreachable(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *__: object) -> None:
        self._socket.close()

    def _unreachable(self, error: OSError) -> DatabaseError:
        where = f"{self.login.host} port {self.login.port}"
        why = (
            "it does not answer in time" if isinstance(error, TimeoutError) else error.strerror or str(error)
        )
        return DatabaseError(
            "host",
            f"no PostgreSQL can be reached at {where} from this host: {why}",
            "start it, let it listen for this host, or correct the name",
        )

    def _no_postgresql(self) -> DatabaseError:
        return DatabaseError(
            "host",
            f"what answers at {self.login.host} port {self.login.port} is no PostgreSQL",
            "correct the name or the port",
        )

    def start_tls(self) -> None:
        """Go on over TLS, and verify the server's certificate and name."""
        self._send(struct.pack("!ii", 8, _SSL_REQUEST))
        answer = self._receive(1)
        if answer == b"N":
            raise DatabaseError(
                "tls",
                f"the server at {self.login.host} speaks no TLS, and the password would cross the network in the clear",
                "turn on ssl there, or set it to false if nobody else can read the network between",
            )
        if answer != b"S":
            raise self._no_postgresql()
        try:
            context = client_context(self.login.ca_file)
            self._socket = context.wrap_socket(self._socket, server_hostname=self.login.host)
        except InvalidCaFile as error:
            raise DatabaseError(
                "tls_ca",
                f"{self.login.ca_file!r} cannot be read as certificates",
                "write a file of CA certificates in PEM form",
            ) from error
        except ssl.SSLError as error:
            why = getattr(error, "verify_message", "") or error.reason or str(error)
            raise DatabaseError(
                "tls_ca",
                f"{self.login.ca_file!r} does not verify {self.login.host}: {why}",
                "write the authority that issued the server's certificate, and in the host's name one that it carries",
            ) from error
        except OSError as error:
            raise self._unreachable(error) from error

    def log_in(self) -> None:
        """Say who asks, and prove it."""
        words = ("user", self.login.user, "database", self.login.name, "application_name", "ilnmors.mail")
        body = struct.pack("!i", _PROTOCOL) + b"".join(word.encode() + b"\0" for word in words) + b"\0"
        self._send(struct.pack("!i", len(body) + 4) + body)
        proof: _Scram | None = None
        for kind, payload in self._messages():
            if kind == b"Z":
                return
            if kind == b"R":
                proof = self._authenticate(payload, proof)

    def _authenticate(self, payload: bytes, proof: _Scram | None) -> _Scram | None:
        """Answer one question for a proof; return how far a SCRAM exchange is."""
        (code,) = struct.unpack_from("!i", payload)
        if code == 0:
            return None
        if code == 3 and self.login.tls:
            self._tell(self.login.password.encode() + b"\0")
        elif code == 5:
            self._tell(_md5(self.login, payload[4:8]) + b"\0")
        elif code == 10 and b"SCRAM-SHA-256" in payload[4:].split(b"\0"):
            proof = _Scram(self.login.password)
            first = proof.first()
            self._tell(b"SCRAM-SHA-256\0" + struct.pack("!i", len(first)) + first)
        elif code == 11 and proof:
            self._tell(self._trusted(lambda: proof.final(payload[4:])))
        elif code == 12 and proof:
            self._trusted(lambda: proof.verify(payload[4:]))
        else:
            raise DatabaseError(
                "user",
                "the server asks for the password in a way that is not supported, or would have it in the clear",
                "let its pg_hba.conf say scram-sha-256 for this user",
            )
        return proof

    def _trusted(self, answer: Callable[[], bytes]) -> bytes:
        try:
            return answer()
        except ValueError:
            raise self._no_postgresql() from None

    def may_create(self) -> bool:
        """Ask whether the user may make tables where they will be made."""
        question = b"SELECT has_schema_privilege(coalesce(current_schema(), 'public'), 'CREATE')\0"
        self._send(b"Q" + struct.pack("!i", len(question) + 4) + question)
        found = False
        for kind, payload in self._messages():
            if kind == b"D":
                found = payload.endswith(b"t")
            if kind == b"Z":
                return found
        return found

    def _tell(self, payload: bytes) -> None:
        self._send(b"p" + struct.pack("!i", len(payload) + 4) + payload)

    def _messages(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield what the server says; what it refuses is raised."""
        while True:
            kind, length = struct.unpack("!ci", self._receive(5))
            if not 4 <= length <= _LONGEST_MESSAGE:
                raise self._no_postgresql()
            payload = self._receive(length - 4)
            if kind == b"E":
                raise self._refusal(payload)
            yield kind, payload

    def _refusal(self, payload: bytes) -> DatabaseError:
        fields = {part[:1]: part[1:].decode(errors="replace") for part in payload.split(b"\0") if part}
        option, remedy = _REFUSALS.get(fields.get(b"C", ""), ("host", "see the server's log"))
        words = " ".join(fields.get(b"M", "it gives no reason").split())[:200]
        return DatabaseError(option, f"PostgreSQL at {self.login.host} refuses the login: {words}", remedy)

    def _send(self, data: bytes) -> None:
        try:
            self._socket.settimeout(max(0.001, self._deadline - time.monotonic()))
            self._socket.sendall(data)
        except OSError as error:
            raise self._unreachable(error) from error

    def _receive(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            try:
                self._socket.settimeout(max(0.001, self._deadline - time.monotonic()))
                part = self._socket.recv(length - len(data))
            except OSError as error:
                raise self._unreachable(error) from error
            if not part:
                raise self._no_postgresql()
            data += part
        return data


def _md5(login: Login, salt: bytes) -> bytes:
    """Answer as PostgreSQL did before SCRAM; some servers still ask so."""
    inner = hashlib.md5(f"{login.password}{login.user}".encode(), usedforsecurity=False).hexdigest()
    return b"md5" + hashlib.md5(inner.encode() + salt, usedforsecurity=False).hexdigest().encode()


class _Scram:
    """The client's side of SCRAM-SHA-256 without channel binding (RFC 5802, RFC 7677). Raises ValueError."""

    def __init__(self, password: str) -> None:
        self._password = password.encode()
        self._nonce = base64.b64encode(secrets.token_bytes(18)).decode()
        self._signature = b""

    def first(self) -> bytes:
        """Return the first message. The server knows the user by the startup message."""
        return f"n,,n=,r={self._nonce}".encode()

    def final(self, challenge: bytes) -> bytes:
        """Answer the challenge."""
        found = dict(part.split("=", 1) for part in challenge.decode().split(","))
        iterations = int(found.get("i", "0"))
        if not found.get("r", "").startswith(self._nonce) or not 1 <= iterations <= _MOST_ITERATIONS:
            raise ValueError("no challenge")
        salt = base64.b64decode(found.get("s", ""))
        salted = hashlib.pbkdf2_hmac("sha256", self._password, salt, iterations)
        key = _hmac(salted, b"Client Key")
        bare = f"c=biws,r={found['r']}"
        everything = f"n=,r={self._nonce},{challenge.decode()},{bare}".encode()
        signed = _hmac(hashlib.sha256(key).digest(), everything)
        self._signature = _hmac(_hmac(salted, b"Server Key"), everything)
        proof = bytes(one ^ other for one, other in zip(key, signed, strict=True))
        return f"{bare},p={base64.b64encode(proof).decode()}".encode()

    def verify(self, answer: bytes) -> bytes:
        """See that the server knows the password as well."""
        if not hmac.compare_digest(answer, b"v=" + base64.b64encode(self._signature)):
            raise ValueError("no signature")
        return b""


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()
