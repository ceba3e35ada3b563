# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of mbsync_fetch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.ilnmors.mail.plugins.module_utils._site import types
from ansible_collections.ilnmors.mail.plugins.module_utils._site.entries import PROVIDERS, ProviderAccount
from ansible_collections.ilnmors.mail.plugins.module_utils._site.fetches import fetch_problems, twice_problems
from ansible_collections.ilnmors.mail.plugins.module_utils._site.options import Check, Options
from ansible_collections.ilnmors.mail.plugins.module_utils._site.problems import Report, Unread, Wrong
from ansible_collections.ilnmors.mail.plugins.module_utils._site.providers import provider_problems
from ansible_collections.ilnmors.mail.plugins.module_utils._site.readers import Reader, kind_of
from ansible_collections.ilnmors.mail.plugins.module_utils._site.records import key


@dataclass(frozen=True)
class _HostAccounts(Reader[Mapping[str, Sequence[object]]]):
    """The accounts of each host, as its inventory has them: what is wrong with them is said where they are read."""

    kind = "dict"

    def read(self, value: object, where: str, report: Report) -> Mapping[str, Sequence[object]]:
        """Return the lists of those hosts that have one."""
        if not isinstance(value, Mapping):
            report.add(
                where, Wrong(f"{kind_of(value, True)}, where a dictionary is due", f"write {self.wanted()}")
            )
            raise Unread
        return {
            str(host): entries
            for host, entries in value.items()
            if isinstance(entries, Sequence) and not isinstance(entries, str)
        }

    def wanted(self) -> str:
        """Say what to write."""
        return "the list of each host's accounts by its name, or leave it out"


@dataclass(frozen=True)
class MbsyncFetch(Options):
    """What is fetched from accounts at public providers."""

    role = "mbsync_fetch"

    domain: str = key(types.DOMAIN, site="mail_domain")
    hostname: str = key(types.MAIL_HOSTNAME, site="mail_hostname")
    providers: tuple[ProviderAccount, ...] = key(PROVIDERS, (), site="mail_providers")
    hosts: Mapping[str, Sequence[object]] = key(_HostAccounts(), {})
    provider_ca: str = key(types.AUTHORITY_FILE)
    interval: str = key(types.FETCH_INTERVAL)
    metrics_directory: str = key(types.METRICS_DIRECTORY, "", site="mail_monitoring_directory")
    mail_directory: str = key(types.MAIL_DIRECTORY, site="mail_store_directory")
    vmail_user: str = key(types.MAIL_OWNER, site="mail_store_user")

    def checks(self) -> Iterator[Check]:
        """Yield the checks that look at several options."""
        yield lambda: provider_problems(self.providers, self.hostname)
        yield lambda: fetch_problems(self.providers)
        yield lambda: twice_problems(self.providers, self.context.host, self.hosts)
