# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of postfix_relay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils._site import types
from ansible_collections.ilnmors.mail.plugins.module_utils._site.accounts import (
    account_problems,
    postmaster_problems,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._site.banning import BanOptions
from ansible_collections.ilnmors.mail.plugins.module_utils._site.directory import DirectoryOptions
from ansible_collections.ilnmors.mail.plugins.module_utils._site.entries import (
    PROVIDERS,
    SERVICES,
    USERS,
    ProviderAccount,
    Service,
    User,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._site.fetches import fetch_problems
from ansible_collections.ilnmors.mail.plugins.module_utils._site.listening import (
    ListenOptions,
    TrustOptions,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._site.options import Check
from ansible_collections.ilnmors.mail.plugins.module_utils._site.providers import (
    owner_name_problems,
    provider_problems,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._site.readers import Flag, Number, Text
from ansible_collections.ilnmors.mail.plugins.module_utils._site.records import key
from ansible_collections.ilnmors.mail.plugins.module_utils._site.senders import (
    address_problems,
    carrier_problems,
    default_provider_problems,
    failover_problems,
    owner_problems,
)


@dataclass(frozen=True)
class PostfixRelay(BanOptions, DirectoryOptions, ListenOptions, TrustOptions):
    """Postfix for a house.

    postmaster: None for the first user. quota_status: None where it follows from who has a quota.
    """

    role = "postfix_relay"

    domain: str = key(types.DOMAIN, site="mail_domain")
    hostname: str = key(types.MAIL_HOSTNAME, site="mail_hostname")
    webmail_hostname: str = key(types.WEBMAIL_HOSTNAME, site="mail_webmail_hostname")
    users: tuple[User, ...] = key(USERS, (), site="mail_users")
    services: tuple[Service, ...] = key(SERVICES, (), site="mail_services")
    postmaster: str | None = key(Text("the name of a user", "il", longest=64, empty=True), None)
    providers: tuple[ProviderAccount, ...] = key(PROVIDERS, (), site="mail_providers")
    default_provider: str = key(
        Text("the name of an account in mail_providers", "gmail", longest=64, empty=True),
        "",
        site="mail_default_provider",
    )
    failover: bool = key(Flag(), site="mail_failover")
    failover_after: int = key(Number(1, 604_800, 3600, "seconds"))
    failover_limit_time: int = key(Number(1, 604_800, 86_400, "seconds"))
    provider_ca: str = key(types.AUTHORITY_FILE)
    tls_certificate: str = key(types.CERTIFICATE_FILE, site="mail_tls_certificate")
    tls_key: str = key(types.CERTIFICATE_FILE, site="mail_tls_key")
    message_size_limit: int = key(Number(100_000, 2**31 - 1, 52_428_800, "bytes"))
    limit: bool = key(Flag())
    limit_connections: int = key(Number(1, 100, 20, "connections"))
    limit_ignored: tuple[str, ...] = key(types.IGNORED, ())
    delay_warning: str = key(types.DELAY_WARNING)
    queue_lifetime: str = key(types.QUEUE_LIFETIME)
    quota: str = key(types.QUOTA, "", site="mail_quota")
    quota_status: bool | None = key(Flag(), None)
    harden: bool = key(Flag(), site="mail_harden")
    extra_settings: Mapping[str, object] = key(types.Settings("{smtp_host_lookup: 'dns, native'}"), {})

    def dump(self) -> dict[str, Any]:
        """Return the options as templates read them, with those filled in that follow from others."""
        first = self.users[0].name if self.users else ""
        quotas = [self.quota, self.ldap_quota_attribute, *(user.quota for user in self.users)]
        return {
            **super().dump(),
            "postmaster": first if self.postmaster is None else self.postmaster,
            "quota_status": any(quotas) if self.quota_status is None else self.quota_status,
        }

    def checks(self) -> Iterator[Check]:
        """Yield the checks that look at several options."""
        yield lambda: account_problems(self.users, self.services)
        yield self._postmaster_problems
        yield lambda: address_problems(self.services, self.domain)
        yield lambda: owner_problems(self.users, self.services, self.providers, self.domain)
        yield lambda: carrier_problems(self.services, self.providers)
        yield lambda: provider_problems(self.providers, self.hostname)
        yield self._owner_name_problems
        yield lambda: failover_problems(self.providers)
        yield lambda: fetch_problems(self.providers)
        yield lambda: default_provider_problems(
            self.providers, self.default_provider, self.name("default_provider")
        )
        yield self.trust_problems
        yield self.ldap_problems
        yield self.listen_problems
        yield self._certificate_problems

    def _postmaster_problems(self) -> Iterator[str]:
        if self.postmaster is not None or not self.users:
            yield from postmaster_problems(
                self.users, self.postmaster or "", bool(self.ldap_uri), self.name("postmaster")
            )

    def _owner_name_problems(self) -> Iterator[str]:
        # A directory may know people whom mail_users does not.
        if not self.ldap_uri:
            yield from owner_name_problems(self.providers, self.users)

    def _certificate_problems(self) -> Iterator[str]:
        """Postfix goes on without TLS where its certificate is empty."""
        for option in ("tls_certificate", "tls_key"):
            if not getattr(self, option):
                yield f"{self.name(option)}: is empty; write the path on the host, such as '/etc/ssl/mail.pem'"
