# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A PostgreSQL on loopback that knows one user, and can be told to misbehave."""

from __future__ import annotations

import base64
import hashlib
import hmac
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from ansible_collections.ilnmors.mail.tests.unit.fakes.authority import ADDRESS

SALT = b"sixteen bytes at"
ITERATIONS = 4096


@dataclass
class Database:
    """What the server does; without arguments, what it should."""

    password: str = "secret"
    database: str = "roundcube"
    tls: ssl.SSLContext | None = None
    method: str = "scram"  # scram, md5 or cleartext
    may_create: bool = True
    noise: bytes = b""  # sent instead of an answer
    forges: bool = False  # does not know the password, and says that it does
    port: int = 0
    passwords_seen: int = 0


class _Session:
    def __init__(self, connection: socket.socket, database: Database) -> None:
        self.connection = connection
        self.database = database

    def receive(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            if not (part := self.connection.recv(length - len(data))):
                raise ConnectionError
            data += part
        return data

    def message(self) -> bytes:
        __, length = struct.unpack("!ci", self.receive(5))
        return self.receive(length - 4)

    def say(self, kind: bytes, payload: bytes) -> None:
        self.connection.sendall(kind + struct.pack("!i", len(payload) + 4) + payload)

    def refuse(self, state: str, words: str) -> None:
        self.say(b"E", f"SFATAL\0C{state}\0M{words}\0\0".encode())

    def serve(self) -> None:
        (length,) = struct.unpack("!i", self.receive(4))
        startup = self.receive(length - 4)
        if self.database.noise:
            self.connection.sendall(self.database.noise)
            return
        if startup == struct.pack("!i", 80_877_103):
            self.connection.sendall(b"S" if self.database.tls else b"N")
            if not self.database.tls:
                return
            self.connection = self.database.tls.wrap_socket(self.connection, server_side=True)
            (length,) = struct.unpack("!i", self.receive(4))
            startup = self.receive(length - 4)
        words = startup[4:].split(b"\0")
        wanted = dict(zip(words[::2], words[1::2], strict=False))
        if not self.authenticate(wanted[b"user"].decode()):
            self.refuse("28P01", 'password authentication failed for user "roundcube"')
            return
        if wanted[b"database"].decode() != self.database.database:
            self.refuse("3D000", 'database "other" does not exist')
            return
        self.say(b"R", struct.pack("!i", 0))
        self.say(b"S", b"server_version\x0017\0")
        self.say(b"Z", b"I")
        self.message()
        answer = b"t" if self.database.may_create else b"f"
        self.say(b"T", b"\0\0")
        self.say(b"D", struct.pack("!hi", 1, 1) + answer)
        self.say(b"C", b"SELECT 1\0")
        self.say(b"Z", b"I")

    def authenticate(self, user: str) -> bool:
        if self.database.method == "scram":
            return self.scram()
        salt = b"salt"
        code = {"md5": 5, "cleartext": 3}[self.database.method]
        self.say(b"R", struct.pack("!i", code) + (salt if code == 5 else b""))
        answer = self.message().rstrip(b"\0").decode()
        self.database.passwords_seen += 1
        inner = hashlib.md5((self.database.password + user).encode()).hexdigest()
        digest = "md5" + hashlib.md5(inner.encode() + salt).hexdigest()
        return answer == (digest if code == 5 else self.database.password)

    def scram(self) -> bool:
        self.say(b"R", struct.pack("!i", 10) + b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0")
        first = self.message().split(b"\0", 1)[1][4:].decode()
        self.database.passwords_seen += 1
        bare = first.removeprefix("n,,")
        nonce = bare.partition("r=")[2] + "server"
        challenge = f"r={nonce},s={base64.b64encode(SALT).decode()},i={ITERATIONS}"
        self.say(b"R", struct.pack("!i", 11) + challenge.encode())
        final = self.message().decode()
        without, __, proof = final.rpartition(",p=")
        everything = f"{bare},{challenge},{without}".encode()
        salted = hashlib.pbkdf2_hmac("sha256", self.database.password.encode(), SALT, ITERATIONS)
        key = hmac.digest(salted, b"Client Key", "sha256")
        signed = hmac.digest(hashlib.sha256(key).digest(), everything, "sha256")
        right = bytes(one ^ other for one, other in zip(key, signed, strict=True))
        if not self.database.forges and base64.b64decode(proof) != right:
            return False
        signature = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), everything, "sha256")
        self.say(b"R", struct.pack("!i", 12) + b"v=" + base64.b64encode(signature))
        return True


@contextmanager
def postgresql(database: Database) -> Iterator[Database]:
    """Serve until the block ends; `port` of the database says where."""
    with socket.create_server((ADDRESS, 0)) as server:
        database.port = server.getsockname()[1]

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, __ = server.accept()
                    with connection, suppress(OSError):
                        connection.settimeout(10)
                        _Session(connection, database).serve()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield database
