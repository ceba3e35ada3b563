# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The owner's accounts at public providers: entries of `mail_providers` with their profiles filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ansible_collections.ilnmors.mail.plugins.module_utils._site.provider_profiles import (
    PROFILES,
    Profile,
    Use,
)

# An app password as Google shows it: four groups of letters. The spaces are no part of it
# (https://support.google.com/accounts/answer/185833).
_SPACED_PASSWORD = re.compile(r"[a-z]{4}( [a-z]{4}){3}")


@dataclass(frozen=True)
class OAuth2:
    """How an account's access tokens are obtained (RFC 6749 section 6).

    client_secret is empty for a public client, refresh_token where the inventory has none. device_url, authorize_url:
    where the first refresh token is asked for (see Profile), empty where the provider has none.
    """

    token_url: str
    device_url: str
    authorize_url: str
    scope: str
    client_id: str
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)


@dataclass(frozen=True)
class Provider:
    """One account at a public provider. Hosts are names, ports TCP ports.

    addresses: what it may send as, its own address first.
    password: empty where password_file, a path on the mail host, or oauth2 is set.
    failover: names of the accounts that take its place; None where it is not said.
    connections: SMTP connections at once; messages_per_minute: None without a limit; over_limit: see Profile.
    folder: where its mailboxes land in the owner's mailbox; inbox: its INBOX lands in the owner's inbox instead.
    labelled: its mailboxes are labels (see Profile); labels: they are fetched as folders.
    mailboxes: patterns of the mailboxes that are fetched, none for all; skip_mailboxes: of those that are not.
    uses: names of its mailboxes by what they are for (see Profile).
    deleted_at_provider: what becomes of a message in the house that is deleted there.
    """

    name: str
    addresses: tuple[str, ...]
    username: str
    password: str = field(repr=False)
    password_file: str
    oauth2: OAuth2 | None
    owner: str
    relay: bool
    failover: tuple[str, ...] | None
    fetch: bool
    folder: str
    smtp_host: str
    smtp_port: int
    smtp_tls: Literal["starttls", "implicit", "none"]
    connections: int
    messages_per_minute: int | None
    over_limit: tuple[str, ...]
    imap_host: str
    imap_port: int
    inbox: bool
    labelled: bool
    labels: bool
    mailboxes: tuple[str, ...]
    skip_mailboxes: tuple[str, ...]
    uses: Mapping[Use, tuple[str, ...]]
    deleted_at_provider: Literal["keep", "mirror"]
    daily_imap_megabytes: int | None

    @property
    def address(self) -> str:
        """The account's own address."""
        return self.addresses[0]

    @property
    def nexthop(self) -> str:
        """The provider as a Postfix nexthop: brackets keep Postfix from looking up MX records."""
        return f"[{self.smtp_host}]:{self.smtp_port}"

    @property
    def transport(self) -> str:
        """The service in Postfix's master.cf that talks to this provider."""
        return f"relay-{self.name}"

    @property
    def destination(self) -> str:
        """The account as a transport and its nexthop (transport(5))."""
        return f"{self.transport}:{self.nexthop}"


def resolve(entry: Mapping[str, Any]) -> Provider:
    """Fill in one entry of `mail_providers`, as it was read (see _site/entries.py), from its profile.

    An explicit value in the entry wins over its profile.
    """
    profile = PROFILES[entry.get("profile") or "custom"]

    def setting(key: str) -> Any:  # noqa: ANN401 - an inventory value
        value = entry.get(key)
        return getattr(profile, key) if value is None else value

    smtp_port = setting("smtp_port")
    password = entry.get("password") or ""
    return Provider(
        name=entry["name"],
        addresses=(entry["address"], *(entry.get("aliases") or ())),
        username=entry.get("username") or entry["address"],
        password=password.replace(" ", "") if _SPACED_PASSWORD.fullmatch(password) else password,
        password_file=entry.get("password_file") or "",
        oauth2=_oauth2(entry.get("oauth2"), profile),
        owner=entry["owner"],
        relay=entry.get("relay", True),
        failover=None if entry.get("failover") is None else tuple(entry["failover"]),
        fetch=entry.get("fetch", True),
        folder=setting("folder") or entry["name"],
        smtp_host=setting("smtp_host"),
        smtp_port=smtp_port,
        smtp_tls=entry.get("smtp_tls") or ("implicit" if smtp_port == 465 else "starttls"),
        connections=profile.connections,
        messages_per_minute=profile.messages_per_minute,
        over_limit=profile.over_limit,
        imap_host=setting("imap_host"),
        imap_port=setting("imap_port"),
        inbox=entry.get("inbox", False),
        labelled=profile.labelled,
        labels=entry.get("labels", False),
        mailboxes=tuple(entry.get("mailboxes") or ()),
        skip_mailboxes=tuple(entry.get("skip_mailboxes") or ()),
        uses=profile.uses,
        deleted_at_provider=entry.get("deleted_at_provider") or "keep",
        daily_imap_megabytes=profile.daily_imap_megabytes,
    )


def _oauth2(given: Mapping[str, Any] | None, profile: Profile) -> OAuth2 | None:
    if not given:
        return None
    # The other addresses of a profile belong to its own token endpoint.
    known = Profile() if given.get("token_url") else profile
    return OAuth2(
        token_url=given.get("token_url") or profile.token_url,
        device_url=given.get("device_url") or known.device_url,
        authorize_url=given.get("authorize_url") or known.authorize_url,
        scope=given.get("scope") or profile.scope,
        client_id=given["client_id"],
        client_secret=given.get("client_secret") or "",
        refresh_token=given.get("refresh_token") or "",
    )


def resolve_all(entries: Sequence[Mapping[str, Any]]) -> list[Provider]:
    """Fill in the whole of `mail_providers`."""
    return [resolve(entry) for entry in entries]


# What an entry is used for, and the service of the mail host that its server must not be.
_WAYS = {"imap": ("fetch", "dovecot"), "smtp": ("relay", "postfix")}


def provider_servers(
    entries: Sequence[Mapping[str, Any]], protocol: Literal["imap", "smtp"]
) -> list[dict[str, Any]]:
    """List the servers that entries name themselves, for the module host_preflight. Those of profiles are known."""
    use, service = _WAYS[protocol]
    return [
        {
            "option": f"mail_providers ({entry['name']}).{protocol}_host",
            "service": service,
            "host": entry[f"{protocol}_host"],
            "port": getattr(resolve(entry), f"{protocol}_port"),
        }
        for entry in entries
        if entry.get(use, True) and entry.get(f"{protocol}_host")
    ]


def provider_password_files(entries: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the files of passwords that entries name, by the variables that name them, for host_preflight.

    Also of accounts that are not fetched: a file that others can read is refused in any case.
    """
    return {
        f"mail_providers ({entry['name']}).password_file": entry["password_file"]
        for entry in entries
        if entry.get("password_file")
    }
