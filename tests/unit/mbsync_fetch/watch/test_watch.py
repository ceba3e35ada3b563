# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The wait for a provider's mail, against a provider that can be told what to do."""

from __future__ import annotations

import base64
import json
import os
import select
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.unit.fakes.authority import ADDRESS, Authority
from ansible_collections.ilnmors.mail.tests.unit.mbsync_fetch.remote.test_answers import LOGINS
from mbsync_fetch.watch import __main__ as watch
from mbsync_fetch.watch import connection

USER, PASSWORD, TOKEN = "il@gmail.test", 'p"a\\ss wörd', "an-access-token"
OK = {"state": "ok", "refusals": 0, "last_success": 1000.0}


def eventually(true: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 5
    while not true():
        assert time.monotonic() < deadline, f"not within 5 s: {what}"
        time.sleep(0.002)


class Provider:
    """An IMAP server with one mailbox; without changes, one that does as it should."""

    def __init__(self, context: ssl.SSLContext, address: str = ADDRESS) -> None:
        self.capabilities = "IMAP4rev1 IDLE AUTH=PLAIN"
        self.refusal = ""  # answer to every login
        self.silent_at = ""  # a command that gets no answer
        self.messages, self.next_uid = 3, 8
        self.logins: list[str] = []
        self.commands: list[str] = []
        self.waiting = 0  # clients that do
        self.closed = False
        self.news: list[str] = []  # to be said to a client that waits; nothing: hang up
        self.late: list[str] = []  # to be said when a client stops waiting
        self._context = context
        self._listener = socket.create_server((address, 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.closed = True

    def cut(self) -> None:
        """Hang up on the client that waits."""
        self.say("")

    def say(self, text: str) -> None:
        """Say something to the client that waits."""
        self.news.append(text)

    def deliver(self) -> None:
        self.messages += 1
        self.next_uid += 1
        self.say(f"* {self.messages} EXISTS")

    def renewed(self) -> None:
        """Wait until the client has asked to wait twice more, and so has seen all that was said before."""
        before = self.commands.count("IDLE")
        eventually(lambda: self.commands.count("IDLE") >= before + 2, "IDLE is renewed")

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                plain, __ = self._listener.accept()
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with suppress(OSError), self._context.wrap_socket(plain, server_side=True) as wire:
            Session(self, wire).serve()


class Session:
    """One connection to the provider."""

    def __init__(self, provider: Provider, wire: ssl.SSLSocket) -> None:
        self._provider = provider
        self._wire = wire
        self._lines = wire.makefile("rb")

    def serve(self) -> None:
        self._say("* OK ready")
        while line := self._read():
            tag, command, *rest = line.split()
            self._provider.commands.append(" ".join([command, *rest]))
            if command != self._provider.silent_at:
                answer = getattr(self, f"_{command.lower()}")(rest) or "OK done"
                self._say(f"{tag} {answer}")

    def _say(self, text: str) -> None:
        self._wire.sendall(f"{text}\n".replace("\n", "\r\n").encode())

    def _read(self) -> str:
        return self._lines.readline().decode().rstrip("\r\n")

    def _ask(self) -> str:
        self._say("+ ")
        return self._read()

    def _capability(self, __: list[str]) -> None:
        self._say(f"* CAPABILITY {self._provider.capabilities}")

    def _authenticate(self, mechanism: list[str]) -> str:
        self._provider.logins.append(base64.b64decode(self._ask()).decode())
        if self._provider.refusal and mechanism == ["XOAUTH2"]:
            self._provider.logins.append(self._ask())
        return self._provider.refusal

    def _login(self, __: list[str]) -> str:
        user = self._ask().split(" {")[0]
        self._provider.logins.append(f"{user} {self._ask()}")
        return self._provider.refusal

    def _examine(self, __: list[str]) -> None:
        self._say(f"* {self._provider.messages} EXISTS\n* OK [UIDVALIDITY 1] valid")
        self._say(f"* OK [UIDNEXT {self._provider.next_uid}] predicted")

    def _idle(self, __: list[str]) -> None:
        self._say("+ idling")
        self._provider.waiting += 1
        try:
            while not select.select([self._wire], [], [], 0.002)[0]:
                self._tell()
        finally:
            self._provider.waiting -= 1
        self._read()
        if self._provider.late:
            self._say(self._provider.late.pop())

    def _tell(self) -> None:
        while self._provider.news:
            if not (text := self._provider.news.pop(0)):
                raise ConnectionAbortedError
            self._say(text)
        if self._provider.closed:
            raise ConnectionAbortedError


class Over(SystemExit):
    """The test is over."""


class Watcher(watch.Watch):
    """One that runs beside the test, and counts what it announces."""

    def __init__(self, provider: Provider, authority: Authority, folder: Path, **account: Any) -> None:
        self.news, self.status = folder / "news", folder / "status.json"
        self.announced = 0
        self.ended = False
        self.over = threading.Event()
        description = {
            "host": ADDRESS,
            "port": provider.port,
            "ca_file": str(authority.file),
            "username": USER,
            "mechanism": "password",
            "mirror": False,
        } | account
        secret = TOKEN if description["mechanism"] == "xoauth2" else PASSWORD
        super().__init__(description, secret, str(self.status), str(self.news))
        self.says(OK)
        self.thread = threading.Thread(target=self._work, daemon=True)

    def says(self, status: object) -> None:
        """Let the last fetch say something."""
        # As a whole: the watcher may look at any time.
        new = self.status.with_suffix(".new")
        new.write_text(json.dumps(status), "utf-8")
        new.replace(self.status)

    def fetched(self, what: str = "news comes") -> None:
        """Wait for news, and take it as a fetch does."""
        eventually(self.news.exists, what)
        self.news.unlink()

    def _work(self) -> None:
        with suppress(Over):
            self.run()
            self.ended = True

    def _works(self, since: float) -> bool:
        if self.over.is_set():
            raise Over
        return super()._works(since)

    def _announce(self) -> None:
        self.announced += 1
        super()._announce()


Start = Callable[..., Watcher]


@pytest.fixture(autouse=True)
def _haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "TIMEOUT", 2.0)
    monkeypatch.setattr(watch, "PAUSES", (0.01, 0.05))
    monkeypatch.setattr(watch, "REFUSED_PAUSE", 0.05)
    monkeypatch.setattr(watch, "LOOK", 0.005)


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let IDLE be renewed often."""
    monkeypatch.setattr(connection, "RENEWAL", 0.03)


@pytest.fixture
def provider(good: ssl.SSLContext) -> Iterator[Provider]:
    server = Provider(good)
    yield server
    server.close()


@pytest.fixture
def start(
    provider: Provider,
    authority: Authority,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],  # noqa: ARG001
) -> Iterator[Start]:
    """Return what starts a watcher; the news of its start is taken away.

    capfd: torn down after the watchers, which may say something until they have ended.
    """
    started: list[Watcher] = []

    def begin(idle: bool = True, **account: Any) -> Watcher:
        watcher = Watcher(provider, authority, tmp_path, **account)
        started.append(watcher)
        watcher.thread.start()
        if idle:
            watcher.fetched("mail from before the start is announced")
            eventually(lambda: provider.waiting, "it waits")
        return watcher

    yield begin
    for watcher in started:
        watcher.over.set()
        provider.close()
        watcher.thread.join(5)
        assert not watcher.thread.is_alive()


# --- news


def test_mail_is_announced_each_time(provider: Provider, start: Start) -> None:
    watcher = start()
    for __ in range(3):
        provider.deliver()
        watcher.fetched()
    assert "EXAMINE INBOX" in provider.commands
    assert not [command for command in provider.commands if command.startswith("SELECT")]


@pytest.mark.parametrize(
    ("said", "mirror", "announced"),
    [
        ("* 2 FETCH (FLAGS (\\Seen))\n* 3 FETCH (FLAGS ())", True, False),
        ("* OK Still here\n* 1 RECENT", True, False),
        ("* 3 EXISTS", True, False),
        ("* 2 EXPUNGE", False, False),
        ("* 2 EXPUNGE", True, True),
        ("* 2 EXPUNGE\n* 2 EXISTS", False, False),
        ("* 2 EXPUNGE\n* 3 EXISTS", False, True),
        ("* 4 exists", False, True),
    ],
)
@pytest.mark.usefixtures("often")
def test_what_is_news(provider: Provider, start: Start, said: str, mirror: bool, announced: bool) -> None:
    watcher = start(mirror=mirror)
    provider.say(said)
    provider.renewed()
    assert watcher.news.exists() is announced


def test_a_burst_is_one_announcement(provider: Provider, start: Start) -> None:
    watcher = start()
    provider.say("\n".join(f"* {number} EXISTS" for number in range(4, 504)))
    watcher.fetched()
    provider.deliver()
    assert watcher.announced <= 3


@pytest.mark.usefixtures("often")
def test_waiting_goes_on_after_a_renewal(
    provider: Provider, start: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    watcher = start()
    provider.renewed()
    provider.renewed()
    assert watcher.announced == 1
    eventually(lambda: provider.waiting, "it waits")
    provider.deliver()
    watcher.fetched()
    assert capfd.readouterr().err == f"waiting for new mail at {ADDRESS}\n"


@pytest.mark.usefixtures("often")
def test_mail_that_comes_during_a_renewal_is_announced(provider: Provider, start: Start) -> None:
    watcher = start()
    provider.late.append("* 4 EXISTS")
    watcher.fetched()


# --- a lost connection


@pytest.mark.parametrize("mirror", [False, True])
def test_a_cut_connection_is_made_anew(
    provider: Provider, start: Start, capfd: pytest.CaptureFixture[str], mirror: bool
) -> None:
    watcher = start(mirror=mirror)
    provider.cut()
    eventually(lambda: len(provider.logins) == 2 and provider.waiting, "it waits again")
    assert watcher.announced == 1  # nothing came
    provider.deliver()
    watcher.fetched()
    assert capfd.readouterr().err == (
        f"waiting for new mail at {ADDRESS}\n"
        f"no connection to {ADDRESS}, trying again: the server closed the connection\n"
        f"waiting for new mail at {ADDRESS}\n"
    )


@pytest.mark.parametrize(
    ("mirror", "came", "went", "announced"),
    [
        (False, 1, 0, True),
        (False, 1, 1, True),
        (False, 0, 1, False),
        (True, 0, 1, True),
    ],
)
def test_what_happened_without_a_connection_is_announced(
    provider: Provider, start: Start, mirror: bool, came: int, went: int, announced: bool
) -> None:
    watcher = start(mirror=mirror)
    provider.messages += came - went
    provider.next_uid += came
    provider.cut()
    eventually(lambda: len(provider.logins) == 2 and provider.waiting, "it waits again")
    assert watcher.news.exists() is announced


@pytest.mark.parametrize(
    "said", ["* BYE shutting down", "W5 OK", pytest.param("x" * 200_000, id="a line without end")]
)
def test_a_server_that_gives_up_is_left(provider: Provider, start: Start, said: str) -> None:
    watcher = start()
    provider.say(said)
    eventually(lambda: len(provider.logins) == 2 and provider.waiting, "it waits again")
    assert watcher.announced == 1


@pytest.mark.parametrize("command", ["CAPABILITY", "EXAMINE", "IDLE"])
def test_a_server_that_does_not_answer_is_left(
    provider: Provider,
    start: Start,
    command: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(connection, "TIMEOUT", 0.1)
    provider.silent_at = command
    watcher = start(idle=False)
    said = f"no connection to {ADDRESS}, trying again: no answer within 0.1 s\n"
    eventually(lambda: said in capfd.readouterr().err, "it says so")
    provider.silent_at = ""
    watcher.fetched()


def test_pauses_grow_and_nothing_is_said_twice(
    provider: Provider, start: Start, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 12:
            raise Over

    monkeypatch.setattr(watch, "PAUSES", (1.0, 300.0))
    monkeypatch.setattr(watch, "time", FakeTime(sleep))
    provider.close()
    start(idle=False).thread.join(5)
    wanted = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert [0.75 <= pause / want <= 1.25 for pause, want in zip(pauses, wanted, strict=True)] == [True] * 12
    assert len({pause / want for pause, want in zip(pauses, wanted, strict=True)}) > 6
    assert capfd.readouterr().err.count("\n") == 1


class FakeTime:
    """The module time, but for sleep."""

    def __init__(self, sleep: Callable[[float], None]) -> None:
        self.sleep, self.time, self.monotonic = sleep, time.time, time.monotonic


# --- whom it talks to


def test_a_certificate_for_another_name_is_refused(
    good: ssl.SSLContext,
    authority: Authority,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    other = Provider(good, "127.0.0.1")
    watcher = Watcher(other, authority, tmp_path, host="127.0.0.1")
    watcher.thread.start()
    eventually(lambda: "certificate is not valid for '127.0.0.1'" in capfd.readouterr().err, "it says so")
    watcher.over.set()
    watcher.thread.join(5)
    other.close()
    assert not other.commands


def test_a_certificate_of_another_authority_is_refused(
    provider: Provider, start: Start, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    start(idle=False, ca_file=str(Authority(tmp_path, "other-ca").file))
    eventually(lambda: "unable to get local issuer" in capfd.readouterr().err, "it says so")
    assert not provider.commands


# --- logins


@pytest.mark.parametrize(
    ("capabilities", "mechanism", "sent"),
    [
        ("IDLE AUTH=PLAIN", "password", f"\0{USER}\0{PASSWORD}"),
        ("IDLE", "password", f"{USER} {PASSWORD}"),
        ("IDLE AUTH=XOAUTH2 AUTH=PLAIN", "xoauth2", f"user={USER}\1auth=Bearer {TOKEN}\1\1"),
    ],
)
def test_login(provider: Provider, start: Start, capabilities: str, mechanism: str, sent: str) -> None:
    provider.capabilities = capabilities
    start(mechanism=mechanism)
    assert provider.logins == [sent]


@pytest.mark.parametrize("mechanism", ["password", "xoauth2"])
def test_a_refused_login_is_announced_once_and_not_tried_again(
    provider: Provider, start: Start, mechanism: str, capfd: pytest.CaptureFixture[str]
) -> None:
    provider.refusal = f"NO [AUTHENTICATIONFAILED] {PASSWORD} {TOKEN} is wrong"
    watcher = start(idle=False, mechanism=mechanism)
    watcher.fetched()
    tried = list(provider.logins)
    assert tried[1:] == ([""] if mechanism == "xoauth2" else [])  # the answer to the challenge
    watcher.says({"state": "refused", "refusals": 1, "last_success": 1000.0})
    looks = Looks(watcher)
    looks.some()
    watcher.says(OK)  # the success of a fetch from before the refusal
    looks.some()
    assert not watcher.ended
    watcher.says(OK | {"last_success": time.time() + 1})
    eventually(lambda: watcher.ended, "it ends to be started with a new credential")
    assert provider.logins == tried
    assert watcher.announced == 1
    assert capfd.readouterr().err == f"{ADDRESS} refuses the login\n"


@pytest.mark.parametrize("code", ["UNAVAILABLE", "LIMIT", "inuse"])
def test_a_login_that_fails_for_now_is_tried_again(provider: Provider, start: Start, code: str) -> None:
    provider.refusal = f"NO [{code}] later"
    watcher = start(idle=False)
    eventually(lambda: len(provider.logins) > 1, "it tries again")
    assert watcher.announced == 0
    provider.refusal = ""
    watcher.fetched()


@pytest.mark.parametrize(("answer", "kind"), LOGINS)
def test_what_is_for_the_secret_is_judged_as_by_the_fetch(answer: str, kind: str) -> None:
    assert connection.is_for_the_secret(b" " + answer.upper().encode()) == (kind == "refused")


class Looks:
    """Counts how often a watcher looks at what the last fetch says."""

    def __init__(self, watcher: Watcher) -> None:
        self.count = 0
        look = watcher._works

        def counted(since: float) -> bool:
            found = look(since)
            self.count += 1
            return found

        setattr(watcher, "_works", counted)  # noqa: B010 mypy lets no method be assigned

    def some(self) -> None:
        before = self.count
        eventually(lambda: self.count > before + 2, "it looks")


@pytest.mark.parametrize(
    "status",
    [
        None,
        {},
        [],
        OK | {"state": "new", "last_success": 0.0},
        OK | {"state": "refused", "refusals": 1},
        OK | {"state": "stopped", "refusals": 3},
        OK | {"state": "retrying", "refusals": 1},
        OK | {"state": "retrying", "last_success": 0.0},
        OK | {"state": "house full"},
        OK | {"state": "limit"},
    ],
)
def test_it_logs_in_only_after_a_fetch_that_worked(
    provider: Provider, start: Start, status: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = Watcher.says
    monkeypatch.setattr(Watcher, "says", lambda watcher, __: begin(watcher, status))
    watcher = start(idle=False)
    looks = Looks(watcher)
    looks.some()
    assert not provider.commands
    begin(watcher, OK | {"state": "retrying"})
    watcher.fetched()


def test_a_token_is_not_used_for_long(
    provider: Provider, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "TOKEN_AGE", 0.2)
    watcher = start(mechanism="xoauth2")
    begun = time.monotonic()
    eventually(lambda: time.monotonic() > begun + 0.2, "the token gets old")
    assert not watcher.ended
    provider.cut()
    eventually(lambda: watcher.ended, "it ends to be started with a new credential")
    assert len(provider.logins) == 1


# --- the program


def test_a_provider_without_idle_ends_it_for_good(
    provider: Provider,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    provider.capabilities = "IMAP4rev1 AUTH=PLAIN"
    account = {"host": ADDRESS, "port": provider.port, "ca_file": str(authority.file), "username": USER}
    files = {
        "/etc/mbsync-fetch/accounts/google.json": json.dumps(
            account | {"mechanism": "password", "mirror": False}
        ),
        "/credentials/password": f"{PASSWORD}\n",
        "/var/lib/mbsync-fetch/google/status.json": json.dumps(OK),
    }
    monkeypatch.setattr(watch, "_read", files.__getitem__)
    monkeypatch.setitem(os.environ, "CREDENTIALS_DIRECTORY", "/credentials")
    assert watch.main("google") == 69
    assert provider.logins == [f"\0{USER}\0{PASSWORD}"]
    assert capfd.readouterr().err == f"{ADDRESS} has no IDLE: mail is fetched by the timer alone\n"


def test_without_a_token_it_ends_for_the_first_one(
    provider: Provider, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = {"host": ADDRESS, "port": provider.port, "ca_file": str(authority.file), "username": USER}
    files = {
        "/etc/mbsync-fetch/accounts/google.json": json.dumps(
            account | {"mechanism": "xoauth2", "mirror": False}
        ),
        "/credentials/token": "",
        "/var/lib/mbsync-fetch/google/status.json": json.dumps(OK),
    }
    monkeypatch.setattr(watch, "_read", files.__getitem__)
    monkeypatch.setitem(os.environ, "CREDENTIALS_DIRECTORY", "/credentials")
    assert watch.main("google") == 0
    assert provider.logins == []


def test_debians_authorities_are_looked_up_in_their_folder(
    provider: Provider, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "certs"
    folder.mkdir()
    monkeypatch.setattr(connection, "DEBIAN", (str(folder), "all.crt"))
    (folder / "all.crt").write_bytes(authority.file.read_bytes())
    with pytest.raises(ssl.SSLCertVerificationError):
        connection.Connection(ADDRESS, provider.port, str(folder / "all.crt"))
    (folder / "one.pem").write_bytes(authority.file.read_bytes())
    subprocess.run(["openssl", "rehash", str(folder)], check=True)
    with connection.Connection(ADDRESS, provider.port, str(folder / "all.crt")):
        pass


def test_it_imports_little() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import mbsync_fetch.watch.__main__; print(*sys.modules)"
    )
    folder = str(Path(watch.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, folder], capture_output=True, text=True, check=True
    )
    heavy = {"asyncio", "dataclasses", "imaplib", "inspect", "logging", "pathlib", "random", "typing"}
    loaded = set(done.stdout.split())
    assert heavy & loaded == set()
    ours = {
        "mbsync_fetch",
        "mbsync_fetch.watch",
        "mbsync_fetch.watch.connection",
        "mbsync_fetch.watch.__main__",
    }
    assert {name for name in loaded if name.startswith("mbsync_fetch")} == ours
