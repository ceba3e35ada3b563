# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Accounts that log in with OAuth 2.0: what their units read, and how their tokens are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils._render.providers import (
    OAuth2,
    Provider,
    resolve_all,
)

# Where the proxy listens, on the mail host.
PROXY_ADDRESS, PROXY_PORT = "127.0.0.1", 10587
# Whose connections it takes: Postfix's smtp(8) runs as this user.
PROXY_USER = "postfix"


def through_proxy(provider: Provider) -> Provider:
    """Return an account as Postfix reaches it: through the proxy that logs in with an access token.

    Debian has no SASL mechanism for Postfix that sends one: libsasl2-modules-kdexoauth2 asks for it in a way that
    Postfix does not answer ("invalid parameter supplied").
    """
    return replace(
        provider,
        smtp_host=PROXY_ADDRESS,
        smtp_port=PROXY_PORT,
        smtp_tls="none",
        username=provider.name,
        # Postfix logs in with one or not at all; it is no secret, and the proxy asks the kernel who comes.
        password="unused",  # noqa: S106
    )


def oauth2_accounts(
    providers: Sequence[Mapping[str, Any]], directory: str, state: str, ca_file: str
) -> dict[str, Any]:
    """Describe what the units of the accounts read.

    directory: where that lies; state: where they keep their tokens; ca_file: what providers are verified against (PEM).

    Returns {names, relays, proxy, files}: of the accounts with OAuth 2.0, of those that relay, where the proxy listens
    for Postfix, and secret files for the config_files module.
    """
    accounts = [(provider, provider.oauth2) for provider in resolve_all(providers) if provider.oauth2]
    relays = [account for account in accounts if account[0].relay]
    contents: dict[str, dict[str, Any]] = {
        f"{provider.name}.json": {**token_settings(oauth2), "ca_file": ca_file}
        for provider, oauth2 in accounts
    }
    contents |= {
        f"{provider.name}.authorize.json": {**authorization(provider, oauth2), "ca_file": ca_file}
        for provider, oauth2 in accounts
    }
    logins = {
        "user": PROXY_USER,
        "ca_file": ca_file,
        "state": state,
        "accounts": {provider.name: proxy_login(provider) for provider, __ in relays},
    }
    contents |= {"logins": logins} if relays else {}
    return {
        "names": [provider.name for provider, __ in accounts],
        "relays": [provider.name for provider, __ in relays],
        "proxy": f"{PROXY_ADDRESS}:{PROXY_PORT}",
        "files": [
            {"path": f"{directory}/{name}", "content": json.dumps(content), "mode": "0600", "secret": True}
            for name, content in contents.items()
        ],
    }


def token_settings(oauth2: OAuth2) -> dict[str, str]:
    """Describe how access tokens are obtained, for the unit of the account."""
    return {key: value for key, value in asdict(oauth2).items() if key not in ("device_url", "authorize_url")}


def authorization(provider: Provider, oauth2: OAuth2) -> dict[str, Any]:
    """Describe how the first refresh token is obtained and tried, for the module oauth2_authorization."""
    return {
        "client": {key: value for key, value in asdict(oauth2).items() if key != "refresh_token"},
        "username": provider.username,
        "imap": {"host": provider.imap_host, "port": provider.imap_port} if provider.fetch else None,
        "smtp": {"host": provider.smtp_host, "port": provider.smtp_port, "tls": proxy_tls(provider)}
        if provider.relay
        else None,
    }


def proxy_tls(provider: Provider) -> str:
    """Return how TLS begins; a token is never sent without."""
    return "implicit" if provider.smtp_tls == "implicit" else "starttls"


def proxy_login(provider: Provider) -> dict[str, Any]:
    """Describe the provider's SMTP server and the login there."""
    return {
        "host": provider.smtp_host,
        "port": provider.smtp_port,
        "implicit_tls": provider.smtp_tls == "implicit",
        "username": provider.username,
    }
