# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Mail servers on loopback that can be told to misbehave."""

from __future__ import annotations

import base64
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from ansible_collections.ilnmors.mail.tests.unit.fakes.authority import ADDRESS


@dataclass
class Behaviour:
    """What a server does; without arguments, what it should."""

    offers_starttls: bool = True
    refuses_starttls: bool = False
    offers_login_early: bool = False
    takes_login_early: str = ""  # the command before TLS that begins a login
    offers_login: bool = True
    injects: str = ""  # sent behind the answer to STARTTLS, before TLS
    hangs_up_at: str = ""  # a command, "greeting" or "handshake"
    silent_at: str = ""
    greeting: str = ""
    login_fails: str = ""  # the reply to a login under TLS, where what knows the accounts is gone
    refuses_recipient: bool = False
    repeats_password: bool = False
    has_idle: bool = True
    has_uidplus: bool = True
    page: str = "/"
    status: str = "200 OK"


@dataclass
class Message:
    uid: int
    text: str
    deleted: bool = False


@dataclass
class House:
    """One user's password and folders, which the servers share."""

    password: str = "secret"
    folders: dict[str, list[Message]] = field(
        default_factory=lambda: {"INBOX": [], "Sent": [], '"To do"': []}
    )
    delivers_to: str = "INBOX"  # empty: to nowhere
    delay: float = 0.0
    waits_for: int = 1  # messages come into the folders when so many have been sent
    sent: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)  # passwords that came
    commands: set[str] = field(default_factory=set)  # IMAP commands that came
    _uids: Iterator[int] = field(default_factory=lambda: iter(range(7, 10_000)))

    def put(self, folder: str, text: str, deleted: bool = False) -> None:
        self.folders[folder].append(Message(next(self._uids), text, deleted))

    def accept(self, text: str) -> None:
        """Take a message from submission."""
        self.sent.append(text)
        if self.delivers_to and len(self.sent) == self.waits_for:
            threading.Timer(self.delay, self._deliver).start()

    def _deliver(self) -> None:
        for text in self.sent:
            self.put(self.delivers_to, text)


class HangUp(Exception):
    """The server has had enough."""


class Session:
    """One connection to a server; a subclass speaks the protocol."""

    def __init__(
        self, wire: socket.socket, context: ssl.SSLContext, behaviour: Behaviour, house: House
    ) -> None:
        self.wire = wire
        self.context = context
        self.behaviour = behaviour
        self.house = house
        self._unread = b""

    def __call__(self, implicit: bool) -> None:
        if implicit:
            self.start_tls()
        self.reach("greeting")
        self.say(self.behaviour.greeting or self.greeting())
        while line := self.read():
            self.answer(line)

    @property
    def secure(self) -> bool:
        return isinstance(self.wire, ssl.SSLSocket)

    @property
    def offers_login(self) -> bool:
        return self.behaviour.offers_login if self.secure else self.behaviour.offers_login_early

    @property
    def offers_starttls(self) -> bool:
        return self.behaviour.offers_starttls and not self.secure

    def takes_login(self, command: str) -> bool:
        return self.secure or self.behaviour.takes_login_early == command

    def reach(self, point: str) -> None:
        if point == self.behaviour.hangs_up_at:
            raise HangUp
        if point == self.behaviour.silent_at:
            while self.wire.recv(4096):  # until the client gives up
                pass
            raise HangUp

    def say(self, *lines: str) -> None:
        self.wire.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def read(self) -> str:
        while b"\n" not in self._unread:
            data = self.wire.recv(4096)
            if not data:
                raise HangUp
            self._unread += data
        line, __, self._unread = self._unread.partition(b"\n")
        return line.decode().removesuffix("\r") or " "

    def start_tls(self, agreement: str = "") -> None:
        if agreement:
            self.wire.sendall(f"{agreement}\r\n{self.behaviour.injects}".encode())
        self.reach("handshake")
        self.wire = self.context.wrap_socket(self.wire, server_side=True)

    def check(self, token: str) -> tuple[bool, str]:
        """Return whether SASL PLAIN credentials are right, and a remark."""
        __, __, password = base64.b64decode(token).decode().split("\0")
        self.house.logins.append(password)
        return password == self.house.password, f" ({password} {token})" * self.behaviour.repeats_password

    def greeting(self) -> str:
        raise NotImplementedError

    def answer(self, line: str) -> None:
        raise NotImplementedError


class SmtpSession(Session):
    def greeting(self) -> str:
        return "220 mail.test ESMTP"

    def answer(self, line: str) -> None:
        command = line.partition(" ")[0].partition(":")[0]
        self.reach(command)
        if command == "EHLO":
            lines = ["mail.test", "SIZE 1000"]
            lines += ["STARTTLS"] * self.offers_starttls + ["AUTH PLAIN LOGIN"] * self.offers_login
            self.say(*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}")
        elif command == "STARTTLS":
            if self.behaviour.refuses_starttls:
                self.say("454 4.7.0 TLS not available")
            else:
                self.start_tls("220 go ahead")
        elif command == "AUTH":
            self.log_in()
        elif command == "RCPT" and self.behaviour.refuses_recipient:
            self.say("550 5.1.1 no such user")
        elif command == "DATA":
            self.say("354 go ahead")
            lines = list(iter(self.read, "."))
            self.say("250 queued")
            self.house.accept("\r\n".join(lines))
        else:
            self.say("250 fine")

    def log_in(self) -> None:
        if not self.takes_login("AUTH"):
            self.say("530 5.7.0 Must issue a STARTTLS command first")
            return
        if self.behaviour.login_fails:
            self.say(self.behaviour.login_fails)
            return
        self.say("334 ")
        token = self.read()
        if token == "*":
            self.say("501 5.7.0 aborted")
            return
        right, remark = self.check(token)
        self.say("235 welcome" if right else f"535 5.7.8 authentication failed{remark}")


class ImapSession(Session):
    folder = ""
    known = 0  # messages that the client has been told of

    def greeting(self) -> str:
        return "* OK ready"

    def answer(self, line: str) -> None:
        tag, __, text = line.partition(" ")
        uid, __, rest = text.rpartition("UID ")
        command = uid + rest.partition(" ")[0]
        self.house.commands.add(command)
        self.reach(command)
        getattr(self, f"do_{command.lower()}")(tag, rest.partition(" ")[2])

    def done(self, tag: str, *lines: str) -> None:
        self.say(*lines)
        self.tell_news()
        self.say(f"{tag} OK done")

    def tell_news(self) -> None:
        count = len(self.house.folders.get(self.folder, []))
        if count > self.known:
            self.say(f"* {count} EXISTS")
        self.known = count

    def do_capability(self, tag: str, __: str) -> None:
        words = ["IMAP4rev1", "SASL-IR"]
        words += ["STARTTLS"] * self.offers_starttls
        words += ["AUTH=PLAIN"] if self.offers_login else ["LOGINDISABLED"]
        words += ["IDLE"] * self.behaviour.has_idle + ["UIDPLUS"] * self.behaviour.has_uidplus
        self.done(tag, f"* CAPABILITY {' '.join(words)}")

    def do_starttls(self, tag: str, __: str) -> None:
        self.start_tls(f"{tag} OK begin")

    def do_authenticate(self, tag: str, __: str) -> None:
        if not self.takes_login("AUTHENTICATE"):
            self.say(f"{tag} NO [PRIVACYREQUIRED] TLS first")
            return
        if self.behaviour.login_fails:
            self.say(f"{tag} {self.behaviour.login_fails}")
            return
        self.say("+ ")
        token = self.read()
        if token == "*":
            self.say(f"{tag} BAD aborted")
            return
        right, remark = self.check(token)
        self.say(f"{tag} OK welcome" if right else f"{tag} NO [AUTHENTICATIONFAILED] wrong password{remark}")

    def do_login(self, tag: str, __: str) -> None:
        taken = self.takes_login("LOGIN")
        self.say(
            f"{tag} NO {'[AUTHENTICATIONFAILED] wrong password' if taken else '[PRIVACYREQUIRED] TLS first'}"
        )

    def do_examine(self, tag: str, folder: str) -> None:
        self.folder = folder
        messages = self.house.folders[folder]
        after = messages[-1].uid + 1 if messages else 1
        self.known = 0
        self.done(tag, f"* OK [UIDNEXT {after}] next")

    do_select = do_examine

    def do_list(self, tag: str, __: str) -> None:
        self.done(
            tag, '* LIST (\\Noselect) "/" Shared', *(f'* LIST () "/" {name}' for name in self.house.folders)
        )

    def do_fetch(self, tag: str, arguments: str) -> None:
        first = int(arguments.partition(":")[0])
        for number, message in enumerate(list(self.house.folders[self.folder]), 1):
            header = next((line for line in message.text.splitlines() if line.startswith("Message-ID:")), "")
            if message.uid >= first:
                text = f"{header}\r\n\r\n"
                self.say(
                    f"* {number} FETCH (UID {message.uid} BODY[HEADER.FIELDS (MESSAGE-ID)] {{{len(text)}}}"
                )
                self.wire.sendall(f"{text})\r\n".encode())
        self.done(tag)

    def do_idle(self, tag: str, __: str) -> None:
        self.say("+ idling")
        while not select.select([self.wire], [], [], 0.005)[0]:
            self.tell_news()
        self.read()
        self.done(tag)

    def do_noop(self, tag: str, __: str) -> None:
        self.done(tag)

    def do_logout(self, tag: str, __: str) -> None:
        self.done(tag, "* BYE")

    def do_store(self, tag: str, arguments: str) -> None:
        uid = int(arguments.partition(" ")[0])
        for message in self.house.folders[self.folder]:
            message.deleted = message.deleted or message.uid == uid
        self.done(tag)

    def do_expunge(self, tag: str, uids: str) -> None:
        if not self.behaviour.has_uidplus:
            self.say(f"{tag} BAD unknown command")
            return
        messages = self.house.folders[self.folder]
        messages[:] = [one for one in messages if not (one.deleted and (not uids or one.uid == int(uids)))]
        self.done(tag)


class Pop3Session(Session):
    def greeting(self) -> str:
        return "+OK ready"

    def answer(self, line: str) -> None:
        command = line.partition(" ")[0]
        self.reach(command)
        if command == "CAPA":
            login = ["SASL PLAIN", "USER"] if self.offers_login else ["SASL"]
            self.say("+OK", "UIDL", *login, *["STLS"] * self.offers_starttls, ".")
        elif command == "STLS":
            self.start_tls("+OK begin")
        elif command == "*":
            self.say("-ERR aborted")
        elif self.takes_login(command):
            self.say(self.behaviour.login_fails or ("+ " if command == "AUTH" else "+OK"))
        else:
            self.say("-ERR TLS first")


class SieveSession(Session):
    def greeting(self) -> str:
        words = '"SASL" "PLAIN LOGIN"' if self.offers_login else '"SASL" ""'
        lines = [
            '"IMPLEMENTATION" "fake \\"sieve\\""',
            words,
            *['"STARTTLS"'] * self.offers_starttls,
            'OK "ready"',
        ]
        return "\r\n".join(lines)

    def answer(self, line: str) -> None:
        command = line.partition(" ")[0]
        self.reach(command)
        if command == "STARTTLS":
            self.start_tls('OK "begin"')
            self.say(self.greeting())
        elif command == '"*"':
            self.say('NO "aborted"')
        elif self.takes_login(command):
            self.say(self.behaviour.login_fails or '""')
        else:
            self.say('NO (ENCRYPT-NEEDED) "TLS first"')


class HttpSession(Session):
    def __call__(self, implicit: bool) -> None:
        assert implicit
        self.start_tls()
        __, path, __ = self.read().split()
        while self.read() != " ":
            pass
        self.say(f"HTTP/1.1 {self.behaviour.status if path == self.behaviour.page else '404 Not Found'}", "")


SESSIONS: dict[str, Callable[..., Session]] = {
    "smtp": SmtpSession,
    "submission": SmtpSession,
    "imap": ImapSession,
    "pop3": Pop3Session,
    "sieve": SieveSession,
    "https": HttpSession,
}


@contextmanager
def serve(
    protocol: str,
    tls: str,
    context: ssl.SSLContext,
    behaviour: Behaviour | None = None,
    house: House | None = None,
    address: str = ADDRESS,
) -> Iterator[int]:
    """Run a server until the block ends; yield its port."""

    def session(wire: socket.socket) -> None:
        talk = SESSIONS[protocol](wire, context, behaviour or Behaviour(), house or House())
        with suppress(HangUp, OSError, ValueError):  # ValueError: no text, no credentials
            talk(tls == "implicit")
        talk.wire.close()

    def accept() -> None:
        while True:
            try:
                wire, __ = listener.accept()
            except OSError:  # the listener was shut down
                return
            wire.settimeout(5)
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=session, args=(wire,), daemon=True).start()

    with socket.create_server((address, 0)) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def unused_port() -> int:
    """Return a port on which nobody listens."""
    with socket.create_server((ADDRESS, 0)) as listener:
        return int(listener.getsockname()[1])
