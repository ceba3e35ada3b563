# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of mail_tls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils._site import types
from ansible_collections.ilnmors.mail.plugins.module_utils._site.options import Check
from ansible_collections.ilnmors.mail.plugins.module_utils._site.problems import listed
from ansible_collections.ilnmors.mail.plugins.module_utils._site.readers import Flag, Items, Number
from ansible_collections.ilnmors.mail.plugins.module_utils._site.records import key as option
from ansible_collections.ilnmors.mail.plugins.module_utils._site.webmails import WebmailOptions


@dataclass(frozen=True)
class MailTls(WebmailOptions):
    """The certificates of a host.

    names: None for those that follow from what the host is. ca_domains: None for the domain of the house.
    """

    role = "mail_tls"

    domain: str = option(types.DOMAIN, site="mail_domain")
    domain_old: str = option(types.OLD_DOMAIN, "", site="mail_domain_old")
    hostname: str = option(types.MAIL_HOSTNAME, site="mail_hostname")
    hostname_old: str = option(types.OLD_HOSTNAME, "", site="mail_hostname_old")
    webmail_hostname: str = option(types.WEBMAIL_HOSTNAME, site="mail_webmail_hostname")
    autoconfig_hostnames: tuple[str, ...] = option(types.HOSTNAMES, (), site="mail_autoconfig_hostnames")
    names: tuple[str, ...] | None = option(types.CERTIFICATE_NAMES, None)
    ca_host: str = option(types.INVENTORY_HOST)
    ca_domains: tuple[str, ...] | None = option(types.CA_DOMAINS, None)
    ca_replace: bool = option(Flag())
    ca_renew: bool = option(Flag())
    # Apple's devices refuse more than 825 days; the authority itself is valid for ten years.
    days: int = option(Number(1, 825, 820, "days"))
    renew_days: int = option(Number(1, 824, 60, "days"))
    directory: str = option(types.CERTIFICATE_DIRECTORY)
    certificate: str = option(types.CERTIFICATE_FILE, "", site="mail_tls_certificate")
    key: str = option(types.CERTIFICATE_FILE, "", site="mail_tls_key")
    reload_units: tuple[str, ...] = option(Items(types.UNIT, "[dovecot.service]"), ())

    @property
    def host_names(self) -> tuple[str, ...]:
        """The DNS names of the host, what mail programs connect to first."""
        if self.names is not None:
            return self.names
        mail = (self.hostname, *([self.hostname_old] if self.hostname_old else []))
        webmails = self.webmail_names(self.webmail_hostname).values()
        webmail = (self.webmail_hostname, *webmails, *self.autoconfig_hostnames)
        wanted = (mail if self.context.is_in("mail") else ()) + (
            webmail if self.context.is_in("webmail") else ()
        )
        return tuple(dict.fromkeys(wanted))

    @property
    def limits(self) -> tuple[str, ...]:
        """The domains that the authority may issue for."""
        return self.ca_domains or (self.domain,)

    def dump(self) -> dict[str, Any]:
        """Return the options as templates read them, with the names filled in."""
        return {**super().dump(), "names": list(self.host_names), "ca_domains": list(self.limits)}

    def checks(self) -> Iterator[Check]:
        """Yield the checks that look at several options."""
        yield self._brought_problems
        yield self._name_problems
        yield self._days_problems
        yield self._host_problems

    def _brought_problems(self) -> Iterator[str]:
        """Check that a certificate that the user brings comes with its key."""
        for given, other in (("certificate", "key"), ("key", "certificate")):
            value = getattr(self, given)
            if value and not getattr(self, other):
                yield (
                    f"{self.name(given)}: {value!r} is set, but {self.name(other)} is not; "
                    "set both, or neither for the house's own authority"
                )

    def _name_problems(self) -> Iterator[str]:
        """Check that the authority may issue for the names (name constraints, RFC 5280 section 4.2.1.10)."""
        if self.certificate:
            return
        if not self.host_names:
            yield (
                f"{self.name('names')}: is empty, and the host is neither in the group mail nor in the group webmail; "
                "write the names of the host, such as ['mail.home.internal']"
            )
        for name in self.host_names:
            if not any(f".{name}".lower().endswith(f".{domain}".lower()) for domain in self.limits):
                yield (
                    f"{self.name('names')}: {name!r} is outside the domains of the house's authority "
                    f"({listed(self.limits)}); choose a name inside, or add its domain to "
                    f"{self.name('ca_domains')}"
                )

    def _days_problems(self) -> Iterator[str]:
        if self.renew_days >= self.days:
            yield (
                f"{self.name('renew_days')}: is {self.renew_days}, and a certificate is valid for {self.days} days "
                f"alone, so that each run would renew it; write less, such as {max(1, self.days // 3)}"
            )

    def _host_problems(self) -> Iterator[str]:
        hosts = self.context.groups.get("all")
        if hosts and self.ca_host not in hosts:
            yield f"{self.name('ca_host')}: {self.ca_host!r} is no host of the inventory; write one of {listed(hosts)}"
