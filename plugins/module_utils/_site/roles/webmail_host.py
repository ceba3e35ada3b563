# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of webmail_host."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils._site import types
from ansible_collections.ilnmors.mail.plugins.module_utils._site.banning import BanOptions
from ansible_collections.ilnmors.mail.plugins.module_utils._site.host_network import is_own
from ansible_collections.ilnmors.mail.plugins.module_utils._site.listening import ListenOptions
from ansible_collections.ilnmors.mail.plugins.module_utils._site.options import Check
from ansible_collections.ilnmors.mail.plugins.module_utils._site.problems import listed
from ansible_collections.ilnmors.mail.plugins.module_utils._site.records import key
from ansible_collections.ilnmors.mail.plugins.module_utils._site.webmails import WebmailOptions


@dataclass(frozen=True)
class WebmailHost(BanOptions, ListenOptions, WebmailOptions):
    """What the webmails of a house share. hostname: of the webmail that the house's devices are told of."""

    role = "webmail_host"
    ports = "web ports"

    domain: str = key(types.DOMAIN, site="mail_domain")
    hostname: str = key(types.WEBMAIL_HOSTNAME, site="mail_webmail_hostname")
    mail_hostname: str = key(types.MAIL_HOSTNAME, site="mail_hostname")
    tls_certificate: str = key(types.CERTIFICATE_FILE, "", site="mail_tls_certificate")
    tls_key: str = key(types.CERTIFICATE_FILE, "", site="mail_tls_key")
    tls_ca: str = key(types.AUTHORITY_FILE, site="mail_tls_ca")
    autoconfig_hostnames: tuple[str, ...] = key(types.HOSTNAMES, (), site="mail_autoconfig_hostnames")
    # A webmail on the mail host itself may listen elsewhere.
    listen_addresses: tuple[str, ...] = key(types.IP_ADDRESSES, ())
    listen_public: bool = key(types.FLAG)
    https_port: int = key(types.PORT)
    http_port: int = key(types.WEB_PORT)
    reverse_proxies: tuple[str, ...] = key(types.NETWORKS, ())
    harden: bool = key(types.FLAG, site="mail_harden")

    def dump(self) -> dict[str, Any]:
        """Return the options as templates read them.

        hostnames: of all webmails, the house's first. retired: the webmails that were not chosen.
        """
        names = self.webmail_names(self.hostname).values()
        return {
            **super().dump(),
            "hostnames": list(dict.fromkeys((self.hostname, *names))),
            "retired": [role for role in types.WEBMAIL.choices if role not in self.webmail],
        }

    def checks(self) -> Iterator[Check]:
        """Yield the checks that look at several options."""
        yield self._webmail_problems
        yield self._name_problems
        yield self._certificate_problems
        yield self._port_problems
        yield self._proxy_problems
        yield self.listen_problems

    def _webmail_problems(self) -> Iterator[str]:
        """Check that each webmail has a name to itself, and one of them the house's."""
        names = self.webmail_names(self.hostname)
        owners: dict[str, str] = {}
        for role, name in names.items():
            if (other := owners.setdefault(name.lower(), role)) != role:
                yield (
                    f"{self.name('webmail')}: {other} and {role} would both be at {name!r}; "
                    f"set {other}_hostname or {role}_hostname to a name of its own, such as "
                    f"'{role}.{self.domain}', or write one of the two alone"
                )
        if self.hostname.lower() not in owners:
            found = listed(f"{role} is at {name!r}" for role, name in names.items())
            yield (
                f"{self.name('hostname')}: {self.hostname!r} is the name of no webmail ({found}); "
                f"set it to the name of one, or remove {next(iter(names), role)}_hostname"
            )

    def _name_problems(self) -> Iterator[str]:
        """Check that each name leads to one machine, and to one site."""
        names = self.webmail_names(self.hostname)
        taken = {name.lower(): self._variable(role) for role, name in names.items()}
        mail_hosts = self.context.groups.get("mail") or ()
        if mail_hosts and not self.context.is_in("mail"):
            if variable := taken.get(self.mail_hostname.lower()):
                yield (
                    f"{variable}: {self.mail_hostname!r} is the mail host's name, but the webmail runs on "
                    f"another machine ({self.context.host}, not {mail_hosts[0]}); "
                    f"write a name that leads there, such as 'webmail.{self.domain}'"
                )
            taken[self.mail_hostname.lower()] = f"{self.name('mail_hostname')} (another machine)"
        for index, name in enumerate(self.autoconfig_hostnames):
            where = f"{self.name('autoconfig_hostnames')}[{index}]"
            owner = taken.setdefault(name.lower(), where)
            if owner != where:
                yield f"{where}: {name!r} is taken by {owner}; remove it, or write a name of its own"

    def _variable(self, role: str) -> str:
        """Return what says the name of a webmail."""
        own = f"{role}_hostname"
        return self.name(own) if getattr(self, own) else self.name("hostname")

    def _certificate_problems(self) -> Iterator[str]:
        for option, other in (("tls_certificate", "tls_key"), ("tls_key", "tls_certificate")):
            value = getattr(self, option)
            if value and not getattr(self, other):
                yield (
                    f"{self.name(option)}: {value!r} is set, but {self.name(other)} is not; "
                    "write the path of the other one on the host as well"
                )
            elif not value and not getattr(self, other):
                yield f"{self.name(option)}: is empty; write the path on the host, such as '/etc/ssl/mail.pem'"

    def _port_problems(self) -> Iterator[str]:
        if self.https_port == self.http_port:
            yield (
                f"{self.name('http_port')}: {self.http_port} is {self.name('https_port')} as well; "
                "write another port, or 0 for none"
            )

    def _proxy_problems(self) -> Iterator[str]:
        for index, value in enumerate(self.reverse_proxies):
            if not is_own(ipaddress.ip_network(value)):
                yield (
                    f"{self.name('reverse_proxies')}[{index}]: {value!r} is not within private address space: "
                    "strangers could say that they are anyone, and go on guessing passwords; "
                    "write the proxy's private address, such as '192.168.1.4'"
                )
