# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of dovecot_imap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ansible_collections.ilnmors.mail.plugins.module_utils._site import types
from ansible_collections.ilnmors.mail.plugins.module_utils._site.accounts import (
    HashingOptions,
    account_problems,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._site.directory import DirectoryOptions
from ansible_collections.ilnmors.mail.plugins.module_utils._site.entries import SERVICES, USERS, Service, User
from ansible_collections.ilnmors.mail.plugins.module_utils._site.listening import ListenOptions
from ansible_collections.ilnmors.mail.plugins.module_utils._site.metrics import metrics_problems
from ansible_collections.ilnmors.mail.plugins.module_utils._site.options import Check
from ansible_collections.ilnmors.mail.plugins.module_utils._site.readers import Flag, Number, Text
from ansible_collections.ilnmors.mail.plugins.module_utils._site.records import key

_SIEVE = Text("a Sieve script", 'require "fileinto";', longest=1_000_000, empty=True, lines=True)


@dataclass(frozen=True)
class DovecotImap(HashingOptions, DirectoryOptions, ListenOptions):
    """Dovecot as the mail store of a house."""

    role = "dovecot_imap"

    domain: str = key(types.DOMAIN, site="mail_domain")
    domain_old: str = key(types.OLD_DOMAIN, "", site="mail_domain_old")
    hostname: str = key(types.MAIL_HOSTNAME, site="mail_hostname")
    users: tuple[User, ...] = key(USERS, (), site="mail_users")
    services: tuple[Service, ...] = key(SERVICES, (), site="mail_services")
    tls_certificate: str = key(types.CERTIFICATE_FILE, site="mail_tls_certificate")
    tls_key: str = key(types.CERTIFICATE_FILE, site="mail_tls_key")
    mail_directory: str = key(types.MAIL_DIRECTORY, site="mail_store_directory")
    vmail_user: str = key(types.MAIL_OWNER, site="mail_store_user")
    vmail_uid: int = key(Number(100, 2**31 - 1, 5000))
    postfix_sockets: bool = key(Flag())
    quota: str = key(types.QUOTA, "", site="mail_quota")
    yesterday: bool = key(Flag(), site="mail_backup_yesterday")
    trash_days: int = key(types.DAYS)
    junk_days: int = key(types.DAYS)
    clients_per_user: int = key(Number(1, 1_000, 5, "mail programs"))
    fts: bool = key(Flag())
    fts_attachments: bool = key(Flag())
    sieve_before: str = key(_SIEVE, "")
    metrics_address: str = key(types.METRICS_ADDRESS, "", site="mail_monitoring_address")
    metrics_port: int = key(types.PORT, site="mail_monitoring_dovecot_port")
    harden: bool = key(Flag(), site="mail_harden")
    extra_settings: Mapping[str, object] = key(types.Settings("{mail_debug: 'yes'}", nested=True), {})

    def checks(self) -> Iterator[Check]:
        """Yield the checks that look at several options."""
        yield lambda: account_problems(self.users, self.services)
        yield lambda: self.hashing_problems(self.users, self.services)
        yield self.ldap_problems
        yield self.listen_problems
        yield lambda: metrics_problems(self, "metrics_address", "metrics_port", "Dovecot")
        yield self._people_problems

    def _people_problems(self) -> Iterator[str]:
        """Check that somebody has a mailbox."""
        if not self.users and not self.ldap_uri:
            yield (
                f"{self.name('users')}: names nobody, so nobody could have mail; write a list, such as "
                "[{name: il, password: …}], or the directory that has the people as mail_ldap_uri"
            )
