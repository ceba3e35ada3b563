# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""See whether a provider's servers take an access token."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils._clients.client import PlainLogin
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.connection import Deadline, Endpoint
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.errors import CheckError, LoginRefused
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.imap import Imap
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.oauth2_authorization import (
    AuthorizationError,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.smtp import Submission

TIMEOUT = 30
"""Seconds for the whole of one login."""

_CLIENTS: Mapping[str, type[PlainLogin]] = {"imap": Imap, "smtp": Submission}


def try_token(account: Mapping[str, Any], token: str, context: ssl.SSLContext) -> list[str]:
    """Log in at each server of an account; return what was tried, for people. Raises AuthorizationError.

    account: username, and imap and smtp, each {host, port, tls}, or None where the house does not use it; tls is
    implicit, as it always is for IMAP, or starttls.
    """
    tried = []
    for protocol, client in _CLIENTS.items():
        if server := account[protocol]:
            _log_in(client, server, account["username"], token, context)
            tried.append(protocol.upper())
    return tried


def _log_in(
    kind: type[PlainLogin], server: Mapping[str, Any], username: str, token: str, context: ssl.SSLContext
) -> None:
    host, tls = server["host"], server.get("tls", "implicit")
    protocol = "IMAP" if kind is Imap else "SMTP"
    try:
        with kind(Endpoint(host, server["port"], tls, host, context), Deadline(TIMEOUT)) as client:
            client.greet()
            if tls == "starttls":
                client.upgrade()
            client.login_with_token(username, token)
    except LoginRefused as error:
        raise AuthorizationError(
            f"{host} does not take the token for {username} by {protocol} ({error}); consent as {username}, see that"
            f" the account allows {protocol}, and run this again"
        ) from None
    except CheckError as error:
        raise AuthorizationError(
            f"{host} by {protocol}: {error}; run this again when it works, or correct its name"
        ) from None
