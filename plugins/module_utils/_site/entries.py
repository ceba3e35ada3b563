# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The entries of the lists that describe a site: people, machines, and accounts at providers.

Each key is specified here once, for all roles that read such entries.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ansible_collections.ilnmors.mail.plugins.module_utils._formats.addresses import is_domain
from ansible_collections.ilnmors.mail.plugins.module_utils._site import types
from ansible_collections.ilnmors.mail.plugins.module_utils._site.problems import Wrong
from ansible_collections.ilnmors.mail.plugins.module_utils._site.provider_profiles import PROFILES
from ansible_collections.ilnmors.mail.plugins.module_utils._site.readers import (
    Choice,
    Flag,
    Items,
    Number,
    Text,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._site.records import Record, RecordReader, key

# The name of a provider becomes that of files, systemd units and a Postfix service.
_PROVIDER_NAME = re.compile(r"[a-z0-9][a-z0-9_]*\Z")
_HTTPS = re.compile(r"https://[^\s/@]+(/\S*)?\Z")


@dataclass(frozen=True)
class User(Record):
    """A person: an entry of `mail_users`. allowed_networks: None for everywhere; quota: None for that of all."""

    name: str = key(types.LOGIN_NAME)
    password: str = key(types.PASSWORD, "")
    password_hash: str = key(types.HASH, "")
    aliases: tuple[str, ...] = key(Items(types.LOCAL_PART, "[postmaster, family]"), ())
    display_name: str = key(types.DISPLAY_NAME, "")
    catch_all: bool = key(Flag(), False)
    quota: str | None = key(types.QUOTA, None)
    allowed_networks: tuple[str, ...] | None = key(types.NETWORKS, None)
    extra_fields: Mapping[str, object] = key(types.Settings("{nologin: ''}"), {})


@dataclass(frozen=True)
class Service(Record):
    """A machine that only sends: an entry of `mail_services`. provider: None for the account of all."""

    name: str = key(types.LOGIN_NAME)
    password: str = key(types.PASSWORD, "")
    password_hash: str = key(types.HASH, "")
    addresses: tuple[str, ...] = key(Items(types.MAIL_ADDRESS, "[nas@home.internal]"), ())
    provider: str | None = key(
        Text("the name of an account in mail_providers", "gmail", longest=64, empty=True), None
    )
    allowed_networks: tuple[str, ...] | None = key(types.NETWORKS, None)


def _https(page: str) -> Text:
    example = f"https://login.example.org/{page}"
    return Text("an https URL", example, lambda text: bool(_HTTPS.match(text)), 2_000)


@dataclass(frozen=True)
class OAuth2(Record):
    """How an account's access tokens are obtained (RFC 6749 section 6), and the first refresh token (RFC 8628)."""

    named_by: ClassVar[str] = ""

    client_id: str = key(types.CLIENT_ID)
    client_secret: str = key(types.CLIENT_SECRET, "")
    refresh_token: str = key(types.REFRESH_TOKEN, "")
    token_url: str | None = key(_https("token"), None)
    device_url: str | None = key(_https("device"), None)
    authorize_url: str | None = key(_https("authorize"), None)
    scope: str | None = key(types.SCOPE, None)


_OAUTH2 = RecordReader(OAuth2)


@dataclass(frozen=True)
class _ImapPort(Number):
    """A port with implicit TLS."""

    def convert(self, value: object) -> int:
        """Return the port."""
        port = super().convert(value)
        if port == 143:
            raise Wrong("is 143, which begins without TLS", "write 993, with implicit TLS, or remove it")
        return port


def _is_username(text: str) -> bool:
    return ":" not in text and types.has_no_edge(text)


def _host(example: str) -> Text:
    return Text("a host name", example, is_domain)


_PATTERNS = Items(
    Text("the name of a mailbox, with * for any text", "Work*", lambda text: bool(text.strip())),
    "[INBOX, 'Work*']",
)


@dataclass(frozen=True)
class ProviderAccount(Record):
    """The owner's account at a public provider: an entry of `mail_providers`. What is None is as in its profile."""

    name: str = key(
        Text(
            "a short name of lower-case letters, digits and '_'",
            "gmail",
            lambda text: bool(_PROVIDER_NAME.match(text)),
            64,
        )
    )
    profile: str | None = key(Choice(tuple(PROFILES)), None)
    address: str = key(types.MAIL_ADDRESS)
    aliases: tuple[str, ...] = key(Items(types.MAIL_ADDRESS, "[il@example.org]"), ())
    username: str | None = key(
        Text("a login name without a colon", "il@gmail.com", _is_username, empty=True), None
    )
    password: str = key(types.PASSWORD, "")
    password_file: str = key(types.PASSWORD_FILE, "")
    oauth2: OAuth2 | None = key(_OAUTH2, None)  # noqa: RUF009 - it declares, as all the others
    owner: str = key(Text("the name of the user in mail_users whose account it is", "il", longest=64))
    relay: bool = key(Flag(), True)
    failover: tuple[str, ...] | None = key(
        Items(Text("the name of an account in mail_providers", "naver", longest=64), "[naver]"), None
    )
    fetch: bool = key(Flag(), True)
    folder: str | None = key(Text("a folder", "Google", empty=True), None)
    smtp_host: str | None = key(_host("smtp.example.org"), None)
    smtp_port: int | None = key(types.SMTP_PORT, None)
    smtp_tls: str | None = key(Choice(("starttls", "implicit", "none")), None)
    allow_cleartext: bool = key(Flag(), False)
    imap_host: str | None = key(_host("imap.example.org"), None)
    imap_port: int | None = key(_ImapPort(1, 65535, 993), None)
    inbox: bool = key(Flag(), False)
    labels: bool = key(Flag(), False)
    mailboxes: tuple[str, ...] = key(_PATTERNS, ())
    skip_mailboxes: tuple[str, ...] | None = key(_PATTERNS, None)
    deleted_at_provider: str = key(Choice(("keep", "mirror")), "keep")


USERS = Items(RecordReader(User), "- {name: il, password: …}")
SERVICES = Items(RecordReader(Service), "- {name: nas, password: …}")
PROVIDERS = Items(
    RecordReader(ProviderAccount), "- {name: gmail, profile: gmail, address: …, owner: …, password: …}"
)
