# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An IMAP session that waits for what is new in INBOX (IDLE, RFC 2177), and changes nothing there."""

from __future__ import annotations

import binascii
import re  # as json does
import socket
import ssl
import time

TYPE_CHECKING = False
if TYPE_CHECKING:  # this would take another megabyte
    from collections.abc import Callable

TIMEOUT = 30.0
"""Seconds that a connection and a reply may take."""
RENEWAL = 9 * 60.0
"""Seconds of one IDLE; servers may end it after 30 minutes, routers forget silent connections sooner."""
LONGEST_LINE = 65536
"""Bytes; no response to what is asked here comes near."""
DEBIAN = "/etc/ssl/certs", "ca-certificates.crt"
"""Folder and file of Debian's authorities (update-ca-certificates(8))."""

# Whether a login failed for the secret, as remote/answers.py has it (a unit test compares them): the first match.
_SECRET = rb"(?:CREDENTIALS?|PASSWORD|PASSWD|USER ?NAME|USER|LOGIN|TOKEN|AUTHORI[SZ]ATION CODE)"
_BAD = rb"(?:INVALID|INCORRECT|WRONG|BAD|EXPIRED|UNKNOWN|NOT ACCEPTED|ISN'T ANY GOOD|REQUIRED)"
FOR_THE_SECRET = (
    (rb"\s*\[(?:AUTHENTICATIONFAILED|AUTHORIZATIONFAILED|EXPIRED|CONTACTADMIN|WEBALERT|AUTH)[\] ]", True),
    (rb"\s*\[(?:LIMIT|OVERQUOTA|THROTTLED|UNAVAILABLE|INUSE|SERVERBUG|SYS/TEMP)[\] ]", False),
    (rb".*\b%b\W+(?:\w+\W+){0,2}%b" % (_BAD, _SECRET), True),
    (rb".*\b%b\W+(?:\w+\W+){0,3}%b" % (_SECRET, _BAD), True),
    (
        rb".*(?:APP(?:LICATION)?[- ](?:SPECIFIC )?PASSWORD|NOT (?:ENABLED|ALLOWED|AUTHORI[SZ]ED)|IS DISABLED)",
        True,
    ),
    (rb".*(?:WEB (?:BROWSER|LOGIN)|UNSAFE LOGIN)", True),
    (rb".*(?:THROTTL|BANDWIDTH|TOO MANY|RATE LIMIT|EXCEEDED|TOO FREQUENT)", False),
    (rb".*(?:TEMPORAR|TRY AGAIN|LATER|SYSTEM ERROR|UNAVAILABLE|TIMED? ?OUT|BUSY)", False),
    (rb".*(?:LOG-?IN|LOG ?ON|AUTHENTICAT\w*)\W+(?:FAIL|ERROR|REFUSED|DENIED)", True),
)


def is_for_the_secret(answer: bytes) -> bool:
    """Tell whether the answer to a login, in capitals and without NO, says that the secret is not accepted."""
    return next((final for pattern, final in FOR_THE_SECRET if re.match(pattern, answer)), False)


def authorities(ca_file: str) -> dict[str, str]:
    """Return what an SSL context loads its authorities from, the file or a folder that has the same.

    Of Debian's file every authority is kept in memory, almost a megabyte; in their folder the one that is asked for is
    looked up.
    """
    return {"capath": DEBIAN[0]} if ca_file == "/".join(DEBIAN) else {"cafile": ca_file}


class Lost(Exception):
    """The connection is of no use any more; why, without what was sent."""


class Refused(Exception):
    """The provider does not accept the secret."""


class NoIdle(Exception):
    """The provider cannot announce mail."""


class Connection:
    """An IMAP session within verified TLS, and what its server says of INBOX.

    messages: how many there are. came, went: whether messages came and went since these were last set to false.
    codes: numbers from response codes: UIDVALIDITY, UIDNEXT.
    """

    def __init__(self, host: str, port: int, ca_file: str) -> None:
        self.messages = 0
        self.came = self.went = False
        self.codes: dict[bytes, int] = {}
        self._capabilities: list[bytes] = []
        self._unread = b""
        self._number = 0
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies the chain and the name
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_verify_locations(**authorities(ca_file))
        # As text a name would be encoded for foreign languages (IDNA), by a module that takes 150 KiB.
        name = host.encode("ascii" if host.isascii() else "idna")
        plain = socket.create_connection((name, port), TIMEOUT)  # type: ignore[arg-type]
        try:
            # A peer that went away without a word is noticed after three minutes, or one of unanswered data.
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 120)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 60_000)
            self._wire = context.wrap_socket(plain, server_hostname=name)
        except OSError:
            plain.close()
            raise

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *__: object) -> None:
        self._wire.close()

    def log_in(self, username: str, mechanism: str, secret: str) -> None:
        """Log in with a password, or an access token (xoauth2)."""
        user, key = username.encode(), secret.encode()
        if not self._reply().startswith(b"* OK"):
            raise Lost("the server lets nobody log in")
        if mechanism == "xoauth2":
            # A token is refused by a challenge, which wants an empty line.
            token = _base64(b"user=%b\1auth=Bearer %b\1\1" % (user, key))
            answer = self._ask(b"AUTHENTICATE XOAUTH2", token, b"")
        elif self._can(b"AUTH=PLAIN"):
            answer = self._ask(b"AUTHENTICATE PLAIN", _base64(b"\0%b\0%b" % (user, key)))
        else:  # with literals, which may hold any character
            answer = self._ask(b"LOGIN {%d}" % len(user), b"%b {%d}" % (user, len(key)), key)
        if answer.startswith(b"NO") and is_for_the_secret(answer[2:]):
            raise Refused
        if not answer.startswith(b"OK"):
            raise Lost("the server can log nobody in now")

    def examine(self) -> None:
        """Open INBOX for reading alone, on a server that can announce what comes."""
        if not self._can(b"IDLE"):
            raise NoIdle
        if not self._ask(b"EXAMINE INBOX").startswith(b"OK"):
            raise Lost("the server does not open INBOX")
        self.came = self.went = False

    def extent(self, mirror: bool) -> tuple[int | None, ...]:
        """Return what differs when messages have come or, for a mirror, gone."""
        next_uid = self.codes.get(b"[UIDNEXT")
        counted = self.messages if mirror or next_uid is None else None
        return self.codes.get(b"[UIDVALIDITY"), next_uid, counted

    def idle(self, told: Callable[[], None]) -> None:
        """Wait for as long as one IDLE lasts; call each time something was said."""
        self._command(b"IDLE")
        if not self._reply().startswith(b"+"):
            raise Lost("the server refuses IDLE")
        told()  # what came while nobody was waiting
        end = time.monotonic() + RENEWAL
        while lines := self._receive(end):
            if any(line.startswith(self._tag) for line in lines):
                raise Lost("the server ended IDLE")
            told()
        self._wire.sendall(b"DONE\r\n")
        self._reply()

    def _can(self, capability: bytes) -> bool:
        """Ask for a capability; more may be offered after the login."""
        self._ask(b"CAPABILITY")
        return capability in self._capabilities

    def _ask(self, command: bytes, *rest: bytes) -> bytes:
        """Send a command, and each further line when it is asked for; return the answer without tag, in capitals."""
        self._command(command)
        answer = self._reply()
        for line in rest:
            if answer.startswith(b"+"):
                self._wire.sendall(line + b"\r\n")
                answer = self._reply()
        return answer.removeprefix(self._tag)

    def _command(self, command: bytes) -> None:
        self._number += 1
        self._wire.settimeout(TIMEOUT)
        self._wire.sendall(self._tag + command + b"\r\n")

    @property
    def _tag(self) -> bytes:
        return b"W%d " % self._number

    def _reply(self) -> bytes:
        """Return the next line, in capitals, that answers the command, asks for more, or is the greeting."""
        end = time.monotonic() + TIMEOUT
        awaited = (self._tag, b"+") if self._number else (b"* ",)
        while lines := self._receive(end):
            for line in lines:
                if line.startswith(awaited):
                    return line
        raise Lost(f"no answer within {TIMEOUT:g} s")

    def _receive(self, end: float) -> list[bytes]:
        """Return the lines that come next, in capitals and without their ends; none when time is up."""
        while b"\n" not in self._unread:
            if len(self._unread) > LONGEST_LINE:
                raise Lost("the server sends a line without an end")
            # An end in the past still reads what is there.
            self._wire.settimeout(max(end - time.monotonic(), 0.001))
            try:
                data = self._wire.recv(16384)
            except TimeoutError:
                return []
            if not data:
                raise Lost("the server closed the connection")
            self._unread += data
        whole, __, self._unread = self._unread.rpartition(b"\n")
        lines = whole.upper().replace(b"\r", b"").split(b"\n")
        for line in lines:
            self._note(line)
        return lines

    def _note(self, line: bytes) -> None:
        """Remember what an untagged response says (RFC 3501 section 7)."""
        match line.replace(b"]", b" ").split():
            case [b"*", number, b"EXISTS"] if number.isdigit():
                self.came |= int(number) > self.messages
                self.messages = int(number)
            case [b"*", _, b"EXPUNGE"]:
                self.went = True
                self.messages -= 1
            case [b"*", b"OK", (b"[UIDNEXT" | b"[UIDVALIDITY") as code, number, *__] if number.isdigit():
                self.codes[code] = int(number)
            case [b"*", b"CAPABILITY", *capabilities]:
                self._capabilities = capabilities
            case [b"*", b"BYE", *__]:
                raise Lost("the server says goodbye")


def _base64(data: bytes) -> bytes:
    return binascii.b2a_base64(data, newline=False)
