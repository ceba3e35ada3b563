# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Logins with an access token, at servers that take one."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.connection import client_context
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.oauth2_authorization import (
    AuthorizationError,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.token_login import try_token
from ansible_collections.ilnmors.mail.tests.unit.fakes import mail_servers
from ansible_collections.ilnmors.mail.tests.unit.fakes.authority import ADDRESS, Authority
from ansible_collections.ilnmors.mail.tests.unit.fakes.mail_servers import Behaviour, House, serve

RIGHT = base64.b64encode(b"user=il@outlook.com\1auth=Bearer secret-token\1\1").decode()
REASON = base64.b64encode(b'{"status": "401"}').decode()


class Smtp(mail_servers.SmtpSession):
    def log_in(self) -> None:
        self.say("334 ")
        given = self.read()
        if given == RIGHT:
            self.say("235 welcome")
            return
        self.say(f"334 {REASON}")
        assert self.read() == " "
        self.say(
            f"535 5.7.3 {given} unsuccessful" if self.behaviour.repeats_password else "535 5.7.3 unsuccessful"
        )


class Imap(mail_servers.ImapSession):
    def do_authenticate(self, tag: str, mechanism: str) -> None:
        assert mechanism == "XOAUTH2"
        self.say("+ ")
        if self.read() == RIGHT:
            self.say(f"{tag} OK welcome")
            return
        self.say(f"+ {REASON}")
        assert self.read() == " "
        self.say(f"{tag} NO AUTHENTICATE failed.")


@pytest.fixture
def account(good: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Return an account with servers of its own."""
    monkeypatch.setitem(mail_servers.SESSIONS, "imap", Imap)
    monkeypatch.setitem(mail_servers.SESSIONS, "submission", Smtp)
    behaviour = Behaviour(repeats_password=True)
    with ExitStack() as stack:
        imap = stack.enter_context(serve("imap", "implicit", good, behaviour, House()))
        smtp = stack.enter_context(serve("submission", "starttls", good, behaviour, House()))
        yield {
            "username": "il@outlook.com",
            "imap": {"host": ADDRESS, "port": imap},
            "smtp": {"host": ADDRESS, "port": smtp, "tls": "starttls"},
        }


def test_a_token_is_tried_where_the_house_uses_it(account: dict[str, Any], authority: Authority) -> None:
    context = client_context(str(authority.file))
    assert try_token(account, "secret-token", context) == ["IMAP", "SMTP"]
    assert try_token({**account, "imap": None}, "secret-token", context) == ["SMTP"]
    assert try_token({**account, "smtp": None}, "secret-token", context) == ["IMAP"]


@pytest.mark.parametrize(
    ("left_out", "protocol", "reply"),
    [("smtp", "IMAP", "AUTHENTICATE failed."), ("imap", "SMTP", "535 5.7.3 (hidden) unsuccessful")],
)
def test_a_token_that_is_refused_is_told(
    account: dict[str, Any], authority: Authority, left_out: str, protocol: str, reply: str
) -> None:
    """It is most likely that of another account, which the person's browser was logged in to."""
    with pytest.raises(AuthorizationError) as caught:
        try_token({**account, left_out: None}, "secret-other", client_context(str(authority.file)))
    assert str(caught.value) == (
        f"{ADDRESS} does not take the token for il@outlook.com by {protocol} (login refused: {reply}); consent as"
        f" il@outlook.com, see that the account allows {protocol}, and run this again"
    )


def test_a_server_that_is_not_there_is_told(account: dict[str, Any], authority: Authority) -> None:
    gone = {"host": ADDRESS, "port": mail_servers.unused_port()}
    with pytest.raises(
        AuthorizationError, match=r"by IMAP: cannot connect: connection refused; run this again"
    ):
        try_token({**account, "imap": gone}, "secret-token", client_context(str(authority.file)))
