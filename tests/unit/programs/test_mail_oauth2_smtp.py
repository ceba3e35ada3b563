# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The proxy that logs Postfix in with an access token, between a client and a provider of its own."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import pwd
import socket
import ssl
import time
from pathlib import Path

import pytest
from ansible_collections.ilnmors.mail.tests.unit.fakes.authority import ADDRESS, Authority
from ansible_collections.ilnmors.mail.tests.unit.programs.oauth2_programs import mail_oauth2_smtp


class FakeProvider:
    """An SMTP server that takes one access token, and then echoes what it is sent.

    context: of the TLS that it begins when asked to; injects: what it says in the clear before that.
    """

    def __init__(self, token: str, context: ssl.SSLContext | None = None, injects: bytes = b"") -> None:
        self.token, self.heard, self.port = token, b"", 0
        self.context, self.injects = context, injects

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 smtp.test\r\n")
        while line := (await reader.readline()).decode().strip("\r\n"):
            if line.startswith("EHLO"):
                writer.write(b"250-smtp.test\r\n250-AUTH LOGIN XOAUTH2\r\n250-8BITMIME\r\n250 SIZE 1000\r\n")
            elif line == "STARTTLS" and self.context:
                writer.write(b"220 2.0.0 Ready\r\n" + self.injects)
                await writer.start_tls(self.context)
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


PASSWORD = base64.b64encode(b"\0outlook\0unused").decode()
GREETED = ["220 mail-oauth2 ESMTP", "250-mail-oauth2", "250-8BITMIME", "250-SIZE 1000", "250 AUTH PLAIN"]


def through_the_proxy(
    context: ssl.SSLContext,
    ca_file: Path,
    state: Path,
    *commands: str,
    injects: bytes | None = None,
    user: str = "",
) -> tuple[FakeProvider, list[str]]:
    """Send commands to the proxy, one after the other; return its replies.

    injects: what the provider says between STARTTLS and TLS; None for TLS from the start. user: whom the proxy serves,
    empty for the one of these tests.
    """
    implicit = injects is None

    async def run() -> tuple[FakeProvider, list[str]]:
        provider = FakeProvider("a-token", None if implicit else context, injects or b"")
        async with await asyncio.start_server(
            provider.serve, ADDRESS, 0, ssl=context if implicit else None
        ) as server:
            port = server.sockets[0].getsockname()[1]
            login = {"host": ADDRESS, "port": port, "implicit_tls": implicit, "username": "il@outlook.com"}
            given: dict[str, object] = {
                "accounts": {"outlook": login},
                "user": user or pwd.getpwuid(os.getuid()).pw_name,
                "ca_file": str(ca_file),
            }
            given |= {"state": str(state)}
            with socket.create_server((ADDRESS, 0)) as listening:
                # The last of it, once the connection has ended.
                proxy = asyncio.create_task(mail_oauth2_smtp.serve(given, listening, idle=0.1))
                reader, writer = await asyncio.open_connection(*listening.getsockname()[:2])
                client = mail_oauth2_smtp.Connection(reader, writer)
                replies = await client.reply()
                # However long it says nothing.
                await asyncio.sleep(0.2)
                for command in commands:
                    replies += await client.ask(command)
                writer.close()
                await proxy
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
            {"expires": time.time() + 3600, "error": ""},
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
    __, replies = through_the_proxy(good, authority.file, state, "EHLO outlook", f"AUTH PLAIN {PASSWORD}")
    assert replies == [*GREETED, reply]


@pytest.mark.parametrize(
    ("commands", "reply"),
    [
        (["EHLO elsewhere"], "421 4.7.0 There is no such account"),
        (["MAIL FROM:<il@outlook.com>"], "450 4.7.0 Log in first"),
        ([f"AUTH PLAIN {PASSWORD}"], "450 4.7.0 Say EHLO first"),
        (["EHLO outlook", "MAIL FROM:<il@outlook.com>"], "450 4.7.0 Log in first"),
    ],
    ids=["unknown-account", "no-login", "no-account", "no-login-after-all"],
)
def test_nothing_goes_through_without_a_login(
    good: ssl.SSLContext, authority: Authority, state: Path, commands: list[str], reply: str
) -> None:
    provider, replies = through_the_proxy(good, authority.file, state, *commands)
    assert replies[-1] == reply
    assert provider.heard == b""


@pytest.mark.parametrize("user", ["daemon", "nobody-of-that-name"])
def test_nobody_but_postfix_uses_it(
    good: ssl.SSLContext, authority: Authority, state: Path, user: str
) -> None:
    provider, replies = through_the_proxy(good, authority.file, state, user=user)
    assert replies == [f"421 4.7.0 Only {user} is served here"]
    assert provider.heard == b""


def test_the_provider_is_verified(good: ssl.SSLContext, state: Path, tmp_path: Path) -> None:
    other = Authority(tmp_path, "another")
    provider, replies = through_the_proxy(good, other.file, state, "EHLO outlook")
    assert replies[-1].startswith(f"421 4.4.1 {ADDRESS} cannot be reached: [SSL: CERTIFICATE_VERIFY_FAILED]")
    assert provider.heard == b""


def test_tls_may_begin_later(good: ssl.SSLContext, authority: Authority, state: Path) -> None:
    provider, replies = through_the_proxy(
        good, authority.file, state, "EHLO outlook", f"AUTH PLAIN {PASSWORD}", "NOOP", injects=b""
    )
    assert provider.heard == b"user=il@outlook.com\1auth=Bearer a-token\1\1"
    assert replies == [*GREETED, "235 2.7.0 Authentication successful", "250 NOOP"]


@pytest.mark.parametrize(
    "injects", [b"250 injected\r\n", b"2", b"250-injected\r\n" * 20_000], ids=["line", "byte", "flood"]
)
def test_what_is_said_before_tls_is_not_taken_for_what_is_said_in_it(
    good: ssl.SSLContext, authority: Authority, state: Path, injects: bytes
) -> None:
    provider, replies = through_the_proxy(good, authority.file, state, "EHLO outlook", injects=injects)
    assert replies == [
        GREETED[0],
        f"421 4.4.1 {ADDRESS} cannot be reached: it sends text in the clear where TLS begins",
    ]
    assert provider.heard == b""


@pytest.mark.parametrize("endless", [b"2" * 100_000, b"250-x\r\n" * 1000], ids=["line", "reply"])
def test_an_answer_without_an_end_is_not_kept(endless: bytes) -> None:
    async def run() -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(endless)
        reader.feed_eof()
        await mail_oauth2_smtp.Connection(reader, None).reply()

    with pytest.raises(ValueError, match="without an end"):
        asyncio.run(run())
