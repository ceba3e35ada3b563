# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The program that keeps access tokens valid, against a token endpoint of its own, and what is checked of them."""

from __future__ import annotations

import asyncio
import base64
import importlib.util
import json
import socket
import ssl
import stat
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils.mail_checks import CheckError
from ansible_collections.ilnmors.mail.plugins.module_utils.oauth2 import (
    login_problems,
    oauth2_accounts,
    token_check,
)
from ansible_collections.ilnmors.mail.tests.unit.fake_mail import ADDRESS, Authority, unused_port

PROGRAMS = Path(__file__).parents[2] / "roles" / "mail_oauth2" / "files"
NOW = 1_800_000_000.0


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, PROGRAMS / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look for the types of their fields
    spec.loader.exec_module(module)
    return module


mail_oauth2: Any = load("mail_oauth2")
mail_oauth2_smtp: Any = load("mail_oauth2_smtp")


class Endpoint:
    """A token endpoint: what it was asked, and what it answers."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.code = 200
        self.answer: Any = {"access_token": "first", "token_type": "Bearer", "expires_in": 3600}
        self.port = 0

    @property
    def url(self) -> str:
        return f"https://{ADDRESS}:{self.port}/token"

    def refuse(self, error: str, text: str, code: int = 400) -> None:
        self.code, self.answer = code, {"error": error, "error_description": text}


@pytest.fixture
def endpoint(good: ssl.SSLContext) -> Iterator[Endpoint]:
    here = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            here.asked.append(dict(urllib.parse.parse_qsl(self.rfile.read(length).decode())))
            body = here.answer if isinstance(here.answer, bytes) else json.dumps(here.answer).encode()
            self.send_response(here.code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep the output of the tests clean."""

    with ThreadingHTTPServer((ADDRESS, 0), Handler) as server:
        server.socket = good.wrap_socket(server.socket, server_side=True)
        here.port = server.server_port
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield here
        server.shutdown()


@pytest.fixture
def account(endpoint: Endpoint, authority: Authority) -> Any:
    return mail_oauth2.Account(
        name="outlook",
        token_url=endpoint.url,
        scope="smtp offline_access",
        client_id="a-client",
        client_secret="",
        refresh_token="from-the-inventory",
        ca_file=str(authority.file),
    )


def changed(account: Any, **fields: str) -> Any:
    return mail_oauth2.replace(account, **fields)


def token(directory: Path) -> str:
    return (directory / "access_token").read_text()


# --- a new token


def test_a_refresh_token_becomes_an_access_token(endpoint: Endpoint, account: Any, tmp_path: Path) -> None:
    status = mail_oauth2.attempt(account, tmp_path, NOW)
    assert endpoint.asked == [
        {
            "grant_type": "refresh_token",
            "refresh_token": "from-the-inventory",
            "client_id": "a-client",
            "scope": "smtp offline_access",
        }
    ]
    assert token(tmp_path) == "first"
    assert status == mail_oauth2.Status(last_success=NOW, expires=NOW + 3600, next_attempt=NOW + 3300)
    assert mail_oauth2.describe(status, NOW) == "the access token is valid until 2027-01-15 09:00:00 UTC"


def test_a_client_with_a_secret_sends_it(endpoint: Endpoint, account: Any, tmp_path: Path) -> None:
    mail_oauth2.attempt(changed(account, client_secret="a-secret", scope=""), tmp_path, NOW)
    assert endpoint.asked[0]["client_secret"] == "a-secret"
    assert "scope" not in endpoint.asked[0]


def test_what_is_kept_is_for_its_owner_alone(account: Any, tmp_path: Path) -> None:
    mail_oauth2.attempt(account, tmp_path, NOW)
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert found == {"access_token": 0o600, "grant.json": 0o600, "status.json": 0o600}
    assert "first" not in (tmp_path / "status.json").read_text()


def test_a_valid_token_is_kept(endpoint: Endpoint, account: Any, tmp_path: Path) -> None:
    first = mail_oauth2.attempt(account, tmp_path, NOW)
    assert mail_oauth2.attempt(account, tmp_path, NOW + 3299) == first
    assert len(endpoint.asked) == 1
    mail_oauth2.attempt(account, tmp_path, NOW + 3300)
    assert len(endpoint.asked) == 2


@pytest.mark.parametrize(
    ("expires_in", "lifetime", "early"),
    [(3600, 3600, 300), (15, 15, 5), ("3599", 3599, 300), (None, 600, 200), ("soon", 600, 200)],
    ids=["an-hour", "seconds", "as-text", "not-said", "nonsense"],
)
def test_it_is_replaced_before_its_end(
    endpoint: Endpoint, account: Any, tmp_path: Path, expires_in: object, lifetime: float, early: float
) -> None:
    endpoint.answer |= {"expires_in": expires_in}
    status = mail_oauth2.attempt(account, tmp_path, NOW)
    assert (status.expires, status.next_attempt) == (NOW + lifetime, NOW + lifetime - early)


def test_other_settings_need_another_token(endpoint: Endpoint, account: Any, tmp_path: Path) -> None:
    mail_oauth2.attempt(account, tmp_path, NOW)
    mail_oauth2.attempt(changed(account, scope="imap"), tmp_path, NOW)
    assert [asked["scope"] for asked in endpoint.asked] == ["smtp offline_access", "imap"]


def test_a_token_of_other_settings_is_none(endpoint: Endpoint, account: Any, tmp_path: Path) -> None:
    mail_oauth2.attempt(account, tmp_path, NOW)
    endpoint.refuse("invalid_scope", "")
    status = mail_oauth2.attempt(changed(account, scope="imap"), tmp_path, NOW + 1)
    assert mail_oauth2.describe(status, NOW + 1).startswith(
        "no valid access token, mail through this account waits"
    )


# --- refresh tokens that change


def test_a_rotated_refresh_token_is_used_next(endpoint: Endpoint, account: Any, tmp_path: Path) -> None:
    endpoint.answer |= {"refresh_token": "rotated"}
    mail_oauth2.attempt(account, tmp_path, NOW)
    del endpoint.answer["refresh_token"]
    mail_oauth2.attempt(account, tmp_path, NOW + 3600)
    # One that the provider does not replace stays.
    mail_oauth2.attempt(account, tmp_path, NOW + 7200)
    assert [asked["refresh_token"] for asked in endpoint.asked] == [
        "from-the-inventory",
        "rotated",
        "rotated",
    ]


def test_a_new_one_in_the_inventory_wins(endpoint: Endpoint, account: Any, tmp_path: Path) -> None:
    endpoint.answer |= {"refresh_token": "rotated"}
    mail_oauth2.attempt(account, tmp_path, NOW)
    mail_oauth2.attempt(changed(account, refresh_token="authorized-again"), tmp_path, NOW + 1)
    assert endpoint.asked[1]["refresh_token"] == "authorized-again"


def test_damaged_state_is_begun_anew(endpoint: Endpoint, account: Any, tmp_path: Path) -> None:
    for name in ("grant.json", "status.json", "access_token", ".access_token.new"):
        (tmp_path / name).write_text("{")
    mail_oauth2.attempt(account, tmp_path, NOW)
    assert endpoint.asked[0]["refresh_token"] == "from-the-inventory"
    assert token(tmp_path) == "first"


# --- failures

AGAIN = (
    "the refresh token has expired or was revoked; authorize the account again and write the new token as"
    " oauth2.refresh_token of outlook in mail_providers"
)


@pytest.mark.parametrize(
    ("code", "answer", "message", "delay"),
    [
        (
            400,
            {"error": "invalid_grant", "error_description": "AADSTS70000: from-the-inventory\r\nis revoked"},
            f"{ADDRESS} says '400 invalid_grant AADSTS70000: (secret) is revoked': {AGAIN}",
            3600,
        ),
        (
            401,
            {"error": "invalid_client"},
            f"{ADDRESS} says '401 invalid_client': correct oauth2.client_id or oauth2.client_secret of outlook in"
            " mail_providers",
            3600,
        ),
        (503, b"<html>busy</html>", f"{ADDRESS} says '503'", 5),
        (429, {"error": "slow_down"}, f"{ADDRESS} says '429 slow_down'", 5),
        (200, b"<html>", f"{ADDRESS} answers without an access token; look at oauth2.token_url", 5),
        (
            200,
            {"access_token": "two\nlines"},
            f"{ADDRESS} answers without an access token; look at oauth2.token_url",
            5,
        ),
        (200, b"[]", f"{ADDRESS} answers without an access token; look at oauth2.token_url", 5),
    ],
    ids=["revoked", "unknown-client", "busy", "too-fast", "no-json", "two-lines", "no-object"],
)
def test_failures_are_told_in_plain_words(
    endpoint: Endpoint, account: Any, tmp_path: Path, code: int, answer: object, message: str, delay: float
) -> None:
    endpoint.code, endpoint.answer = code, answer
    status = mail_oauth2.attempt(account, tmp_path, NOW)
    assert status.error == message
    assert status.refused is (delay == 3600)
    assert status.next_attempt == NOW + delay
    assert (
        mail_oauth2.describe(status, NOW)
        == f"no valid access token, mail through this account waits: {message}"
    )
    assert json.loads((tmp_path / "status.json").read_text())["error"] == message
    assert not (tmp_path / "access_token").exists()


def test_an_endpoint_that_is_down_is_tried_again_ever_later(account: Any, tmp_path: Path) -> None:
    down = changed(account, token_url=f"https://{ADDRESS}:{unused_port()}/token")
    delays = []
    for _ in range(10):
        status = mail_oauth2.attempt(down, tmp_path, NOW)
        delays.append(status.next_attempt - NOW)
    assert delays == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]
    assert status.error == f"{ADDRESS} cannot be reached: [Errno 111] Connection refused"


def test_an_endpoint_is_verified(endpoint: Endpoint, account: Any, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other")
    status = mail_oauth2.attempt(changed(account, ca_file=str(other.file)), tmp_path, NOW)
    assert "certificate verify failed" in status.error
    assert endpoint.asked == []


def test_the_last_token_is_kept_through_a_failure(endpoint: Endpoint, account: Any, tmp_path: Path) -> None:
    mail_oauth2.attempt(account, tmp_path, NOW)
    endpoint.refuse("temporarily_unavailable", "", code=503)
    status = mail_oauth2.attempt(account, tmp_path, NOW + 3300)
    assert token(tmp_path) == "first"
    assert mail_oauth2.describe(status, NOW + 3300) == (
        "no new access token, the last one is valid until 2027-01-15 09:00:00 UTC:"
        f" {ADDRESS} says '503 temporarily_unavailable'"
    )
    endpoint.code, endpoint.answer = 200, {"access_token": "second", "expires_in": 3600}
    # A start by hand tries at once, whatever the delay.
    status = mail_oauth2.attempt(account, tmp_path, NOW + 3301)
    assert (token(tmp_path), status.error, status.failures) == ("second", "", 0)


# --- the unit


def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        mail_oauth2.notify("all is well")
        assert server.recv(100) == b"READY=1\nSTATUS=all is well"


def test_it_runs_as_its_unit_starts_it(
    account: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    given = mail_oauth2.asdict(account)
    del given["name"]
    (tmp_path / "account").write_text(json.dumps(given))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("STATE_DIRECTORY", str(state))
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setattr(sys, "argv", ["mail-oauth2", "outlook"])
    slept: list[float] = []

    def sleep_until(moment: float) -> None:
        slept.append(moment)
        if len(slept) > 1:
            sys.exit()

    monkeypatch.setattr(mail_oauth2, "sleep_until", sleep_until)
    with pytest.raises(SystemExit):
        mail_oauth2.main()
    assert token(state) == "first"
    assert slept == 2 * [json.loads((state / "status.json").read_text())["next_attempt"]]
    assert capsys.readouterr().err.startswith("<5>the access token is valid until ")


# --- the proxy


class FakeProvider:
    """An SMTP server that takes one access token, and then echoes what it is sent."""

    def __init__(self, token: str) -> None:
        self.token, self.heard, self.port = token, b"", 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 smtp.test\r\n")
        while line := (await reader.readline()).decode().strip("\r\n"):
            if line.startswith("EHLO"):
                writer.write(b"250-smtp.test\r\n250-AUTH LOGIN XOAUTH2\r\n250-8BITMIME\r\n250 SIZE 1000\r\n")
            elif line == "AUTH XOAUTH2":
                writer.write(b"334 \r\n")
                self.heard = base64.b64decode(await reader.readline())
                if f"Bearer {self.token}\1\1".encode() in self.heard:
                    writer.write(b"235 2.7.0 Welcome\r\n")
                else:
                    writer.write(b"334 eyJzdGF0dXMiOiI0MDAifQ==\r\n")
                    assert await reader.readline() == b"\r\n"
                    writer.write(b"535 5.7.3 Authentication unsuccessful\r\n")
            else:
                writer.write(f"250 {line}\r\n".encode())
        writer.close()


PASSWORD = base64.b64encode(b"\0outlook\0of-postfix").decode()
GREETED = ["220 mail-oauth2 ESMTP", "250-mail-oauth2", "250-8BITMIME", "250-SIZE 1000", "250 AUTH PLAIN"]


def through_the_proxy(
    context: ssl.SSLContext, ca_file: Path, state: Path, *commands: str, host: str = ADDRESS
) -> tuple[FakeProvider, list[str]]:
    """Send commands to the proxy, one after the other; return its replies."""

    async def run() -> tuple[FakeProvider, list[str]]:
        provider = FakeProvider("a-token")
        async with await asyncio.start_server(provider.serve, ADDRESS, 0, ssl=context) as server:
            port = server.sockets[0].getsockname()[1]
            login = {"host": host, "port": port, "implicit_tls": True, "username": "il@outlook.com"}
            given: dict[str, object] = {
                "accounts": {"outlook": {**login, "password": "of-postfix"}},
                "ca_file": str(ca_file),
            }
            given |= {"state": str(state), "address": ADDRESS, "port": 0}
            async with await mail_oauth2_smtp.serve(given) as proxy:
                reader, writer = await asyncio.open_connection(*proxy.sockets[0].getsockname()[:2])
                client = mail_oauth2_smtp.Connection(reader, writer)
                replies = await client.reply()
                for command in commands:
                    replies += await client.ask(command)
                writer.close()
        return provider, replies

    return asyncio.run(asyncio.wait_for(run(), 10))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Return the directory of the units' state, where the account has a valid token."""
    directory = tmp_path / "outlook"
    directory.mkdir()
    (directory / "access_token").write_text("a-token")
    (directory / "status.json").write_text(json.dumps({"expires": time.time() + 60, "error": ""}))
    return tmp_path


def test_postfix_is_logged_in_with_the_token(good: ssl.SSLContext, authority: Authority, state: Path) -> None:
    provider, replies = through_the_proxy(
        good, authority.file, state, "EHLO outlook", f"AUTH PLAIN {PASSWORD}", "MAIL FROM:<il@outlook.com>"
    )
    assert provider.heard == b"user=il@outlook.com\1auth=Bearer a-token\1\1"
    assert replies == [*GREETED, "235 2.7.0 Authentication successful", "250 MAIL FROM:<il@outlook.com>"]


@pytest.mark.parametrize(
    ("status", "token", "reply"),
    [
        (
            {"expires": 0, "error": "login.test says 400 invalid_grant"},
            "a-token",
            "454 4.7.0 outlook has no valid access token: login.test says 400 invalid_grant",
        ),
        (
            None,
            None,
            "454 4.7.0 outlook has no valid access token: look at 'systemctl status mail-oauth2@outlook'",
        ),
        (
            {"expires": NOW * 2, "error": ""},
            "revoked",
            f"454 4.7.8 {ADDRESS} refuses the access token: 535 5.7.3 Authentication unsuccessful",
        ),
    ],
    ids=["expired", "never-had-one", "refused-by-the-provider"],
)
def test_without_a_token_mail_is_told_to_wait(
    good: ssl.SSLContext,
    authority: Authority,
    state: Path,
    status: dict[str, object] | None,
    token: str | None,
    reply: str,
) -> None:
    for name, text in (("status.json", status and json.dumps(status)), ("access_token", token)):
        (state / "outlook" / name).unlink()
        if text:
            (state / "outlook" / name).write_text(text)
    _, replies = through_the_proxy(good, authority.file, state, "EHLO outlook", f"AUTH PLAIN {PASSWORD}")
    assert replies == [*GREETED, reply]


@pytest.mark.parametrize(
    ("commands", "reply"),
    [
        (["EHLO elsewhere"], "421 4.7.0 There is no such account"),
        (["MAIL FROM:<il@outlook.com>"], "450 4.7.0 Log in first"),
        ([f"AUTH PLAIN {PASSWORD}"], "450 4.7.0 Say EHLO first"),
        (["EHLO outlook", "AUTH PLAIN AG91dGxvb2sAd3Jvbmc="], "454 4.7.8 Wrong password"),
        (["EHLO outlook", "MAIL FROM:<il@outlook.com>"], "450 4.7.0 Log in first"),
    ],
    ids=["unknown-account", "no-login", "no-account", "wrong-password", "no-login-after-all"],
)
def test_nobody_but_postfix_uses_it(
    good: ssl.SSLContext, authority: Authority, state: Path, commands: list[str], reply: str
) -> None:
    provider, replies = through_the_proxy(good, authority.file, state, *commands)
    assert replies[-1] == reply
    assert provider.heard == b""


def test_the_provider_is_verified(good: ssl.SSLContext, state: Path, tmp_path: Path) -> None:
    other = Authority(tmp_path, "another")
    provider, replies = through_the_proxy(good, other.file, state, "EHLO outlook")
    assert replies[-1].startswith(f"421 4.4.1 {ADDRESS} cannot be reached: [SSL: CERTIFICATE_VERIFY_FAILED]")
    assert provider.heard == b""


# --- what a unit reads, and what is checked

ENTRY = {
    "name": "outlook",
    "profile": "outlook",
    "address": "il@outlook.com",
    "owner": "il",
    "oauth2": {"client_id": "a-client", "refresh_token": "a-token"},
}


def test_the_units_read_what_their_programs_take() -> None:
    other = {"name": "naver", "profile": "naver", "address": "il@naver.com", "password": "x", "owner": "il"}
    only_fetched = {**ENTRY, "name": "work", "relay": False}
    found = oauth2_accounts(
        [other, ENTRY, only_fetched], "/etc/mail-oauth2", "/var/lib/mail-oauth2", "/etc/ca.pem"
    )
    assert (found["names"], found["relays"]) == (["outlook", "work"], ["outlook"])
    assert all((file["mode"], file["secret"]) == ("0600", True) for file in found["files"])
    content = {file["path"]: json.loads(file["content"]) for file in found["files"]}
    account = mail_oauth2.Account(name="outlook", **content["/etc/mail-oauth2/outlook.json"])
    assert (account.host, account.client_secret, account.refresh_token) == (
        "login.microsoftonline.com",
        "",
        "a-token",
    )
    assert account.ca_file == "/etc/ca.pem"
    assert "a-token" not in repr(account)
    logins = content["/etc/mail-oauth2/logins"]
    assert (logins["address"], logins["port"]) == ("127.0.0.1", 10587)
    assert list(logins["accounts"]) == ["outlook"]
    login = mail_oauth2_smtp.Login(name="outlook", **logins["accounts"]["outlook"])
    assert (login.host, login.port, login.implicit_tls) == ("smtp.office365.com", 587, False)
    assert login.username == "il@outlook.com"
    assert login.password not in repr(login)


HOW = "the README of the role mail_oauth2 says how to get them"
GIVEN = {"client_id": "a-client", "refresh_token": "secret-token"}


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"profile": "outlook", "oauth2": GIVEN}, None),
        ({"profile": "gmail", "oauth2": GIVEN}, None),
        ({"profile": "gmail", "password": "secret"}, None),
        ({"oauth2": {**GIVEN, "token_url": "https://login.example.org:8443/token"}}, None),
        (
            {"profile": "gmail", "password": "secret", "oauth2": GIVEN},
            ": has both password and oauth2; remove one of them",
        ),
        (
            {"profile": "outlook", "password": "secret"},
            f".password: outlook takes no passwords; write oauth2 instead, with client_id and refresh_token ({HOW})",
        ),
        (
            {"profile": "outlook"},
            f": has no oauth2; write it with client_id and refresh_token ({HOW}), or remove the account",
        ),
        (
            {"profile": "naver"},
            ": has no password; write the account's (app) password, or remove the account",
        ),
        (
            {"profile": "outlook", "oauth2": "secret"},
            f".oauth2: is no dictionary; write it with client_id and refresh_token ({HOW})",
        ),
        (
            {"profile": "outlook", "oauth2": {"client_id": "a-client"}},
            f".oauth2.refresh_token: is missing; write it ({HOW})",
        ),
        (
            {"profile": "outlook", "oauth2": {"refresh_token": "secret"}},
            f".oauth2.client_id: is missing; write it ({HOW})",
        ),
        (
            {"profile": "outlook", "oauth2": {**GIVEN, "refresh_token": "secret\n"}},
            ".oauth2.refresh_token: has a line break or another character that it cannot have; copy it anew",
        ),
        (
            {"oauth2": GIVEN},
            ".oauth2.token_url: is missing; write where the provider gives tokens, such as 'https://…/token'",
        ),
        (
            {"oauth2": {**GIVEN, "token_url": "http://login.example.org/token"}},
            ".oauth2.token_url: 'http://login.example.org/token' is not an https URL; "
            "write one such as 'https://login.example.org/token'",
        ),
    ],
)
def test_how_an_account_logs_in_is_checked(entry: dict[str, Any], problem: str | None) -> None:
    found = list(login_problems("mail_providers[0] (outlook)", entry))
    assert found == ([] if problem is None else [f"mail_providers[0] (outlook){problem}"])
    assert "secret" not in "".join(found)


VALID = {"expires": NOW + 3600, "error": "", "refused": False}


@pytest.mark.parametrize(
    ("status", "detail"),
    [
        (VALID, "valid until 2027-01-15 09:00:00 UTC"),
        (
            {**VALID, "error": "it says 503"},
            "valid until 2027-01-15 09:00:00 UTC, but the last attempt at a new one failed: it says 503",
        ),
    ],
    ids=["valid", "valid-after-a-failure"],
)
def test_a_token_passes(tmp_path: Path, status: dict[str, object], detail: str) -> None:
    (tmp_path / "status.json").write_text(json.dumps(status))
    assert token_check(tmp_path, NOW).detail == detail


@pytest.mark.parametrize(
    ("status", "detail"),
    [
        (
            {**VALID, "error": "it is revoked", "refused": True},
            "valid until 2027-01-15 09:00:00 UTC, and then its mail waits: it is revoked",
        ),
        (
            {**VALID, "expires": NOW - 1, "error": "it is revoked", "refused": True},
            "its mail waits, for it has no valid access token: it is revoked",
        ),
        (
            {**VALID, "expires": NOW - 1},
            "its mail waits, for it has no valid access token: the last one has expired",
        ),
        (None, "its unit has not run; look at 'systemctl status mail-oauth2@outlook'"),
    ],
    ids=["refused-but-valid", "refused", "expired", "never-run"],
)
def test_a_token_fails(tmp_path: Path, status: dict[str, object] | None, detail: str) -> None:
    directory = tmp_path / "outlook"
    directory.mkdir()
    if status:
        (directory / "status.json").write_text(json.dumps(status))
    with pytest.raises(CheckError) as caught:
        token_check(directory, NOW)
    assert str(caught.value) == detail
