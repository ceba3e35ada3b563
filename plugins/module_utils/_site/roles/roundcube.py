# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of roundcube."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ansible_collections.ilnmors.mail.plugins.module_utils._site import types
from ansible_collections.ilnmors.mail.plugins.module_utils._site.entries import (
    PROVIDERS,
    USERS,
    ProviderAccount,
    User,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._site.options import Check, Options
from ansible_collections.ilnmors.mail.plugins.module_utils._site.providers import provider_problems
from ansible_collections.ilnmors.mail.plugins.module_utils._site.readers import Choice, Items, Number, Text
from ansible_collections.ilnmors.mail.plugins.module_utils._site.records import key
from ansible_collections.ilnmors.mail.plugins.module_utils._site.roundcube_plugins import PLUGIN
from ansible_collections.ilnmors.mail.plugins.module_utils._site.roundcube_settings import (
    roundcube_setting_problems,
)

_DATABASE = Choice(("sqlite", "postgresql"))
_DATABASE_HOST = Text(
    "a host name or an IP address",
    "db.home.internal",
    lambda text: bool(re.fullmatch(r"[a-z0-9]([a-z0-9.:-]*[a-z0-9])?|::1", text, re.IGNORECASE | re.ASCII)),
    empty=True,
)
# What needs no quoting in a connection string.
_DATABASE_WORD = Text(
    "a name of letters, digits and -_.",
    "roundcube",
    lambda text: bool(re.fullmatch(r"[\w.-]+", text, re.ASCII)),
    63,
)


@dataclass(frozen=True)
class Roundcube(Options):
    """A webmail for the house, of Debian's packages. attachment_size: in MiB."""

    role = "roundcube"

    domain: str = key(types.DOMAIN, site="mail_domain")
    hostname: str = key(types.WEBMAIL_HOSTNAME, site="mail_webmail_hostname")
    mail_hostname: str = key(types.MAIL_HOSTNAME, site="mail_hostname")
    tls_ca: str = key(types.AUTHORITY_FILE, site="mail_tls_ca")
    users: tuple[User, ...] = key(USERS, (), site="mail_users")
    providers: tuple[ProviderAccount, ...] = key(PROVIDERS, (), site="mail_providers")
    database: str = key(_DATABASE)
    database_host: str = key(_DATABASE_HOST, "")
    database_port: int = key(Number(1, 65535, 5432))
    database_name: str = key(_DATABASE_WORD)
    database_user: str = key(_DATABASE_WORD)
    database_password: str = key(types.PASSWORD, "")
    database_tls: bool = key(types.FLAG)
    database_tls_ca: str = key(types.AUTHORITY_FILE)
    plugins: tuple[str, ...] = key(Items(PLUGIN, "[newmail_notifier]"), ())
    attachment_size: int = key(Number(1, 2_000, 25, "MB"))
    workers: int = key(Number(1, 1_000, 10, "requests"))
    extra_settings: Mapping[str, object] = key(
        types.Settings("{session_lifetime: 30}", nested=True, lists=True), {}
    )

    def checks(self) -> Iterator[Check]:
        """Yield the checks that look at several options."""
        yield self._database_problems
        yield lambda: roundcube_setting_problems(self.name("extra_settings"), self.extra_settings)
        yield lambda: provider_problems(self.providers, self.mail_hostname)

    def _database_problems(self) -> Iterator[str]:
        """Check that a database that needs a login has one, and one that needs none has none."""
        wanted = {
            "database_host": "the name of its host, such as 'db.home.internal'",
            "database_password": "the password of the database's user",
        }
        for option, what in wanted.items():
            value = getattr(self, option)
            if self.database == "postgresql" and not value:
                yield (
                    f"{self.name(option)}: is empty, and {self.name('database')} is 'postgresql'; "
                    f"write {what}"
                )
            elif self.database == "sqlite" and value:
                yield (
                    f"{self.name(option)}: is set, but {self.name('database')} is 'sqlite', which has none; "
                    f"set {self.name('database')}: postgresql, or remove it"
                )
