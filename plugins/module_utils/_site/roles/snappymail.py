# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of snappymail."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.ilnmors.mail.plugins.module_utils._formats.webmail_archive import (
    ReleaseError,
    inspect,
    verify,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._site import types
from ansible_collections.ilnmors.mail.plugins.module_utils._site.banning import BanOptions
from ansible_collections.ilnmors.mail.plugins.module_utils._site.entries import (
    PROVIDERS,
    USERS,
    ProviderAccount,
    User,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._site.host_network import is_own
from ansible_collections.ilnmors.mail.plugins.module_utils._site.listening import ListenOptions
from ansible_collections.ilnmors.mail.plugins.module_utils._site.options import Check
from ansible_collections.ilnmors.mail.plugins.module_utils._site.providers import provider_problems
from ansible_collections.ilnmors.mail.plugins.module_utils._site.readers import Number, Text
from ansible_collections.ilnmors.mail.plugins.module_utils._site.records import key
from ansible_collections.ilnmors.mail.plugins.module_utils._site.webmail_settings import setting_problems

_VERSION = Text("a version", "2.38.2", lambda text: bool(re.fullmatch(r"[\w.+~-]+", text, re.ASCII)), 50)
_SHA256 = Text(
    "a SHA-256 checksum, of 64 hexadecimal digits",
    "71f1d8a9065cc9cf…",
    lambda text: bool(re.fullmatch(r"[0-9a-f]{64}", text, re.IGNORECASE)),
)
_URL = Text(
    "an https URL",
    "https://example.org/snappymail.tar.gz",
    lambda text: bool(re.match(r"https://[^\s/@]+/\S*\Z", text)),
    2_000,
    empty=True,
)


@dataclass(frozen=True)
class Snappymail(BanOptions, ListenOptions):
    """A webmail for the house. attachment_size: in MiB. archive_file: on the controller, empty for archive_url."""

    role = "snappymail"
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
    version: str = key(_VERSION)
    archive_url: str = key(_URL)
    archive_sha256: str = key(_SHA256)
    archive_file: str = key(types.CONTROLLER_FILE, "")
    users: tuple[User, ...] = key(USERS, (), site="mail_users")
    providers: tuple[ProviderAccount, ...] = key(PROVIDERS, (), site="mail_providers")
    attachment_size: int = key(Number(1, 2_000, 25, "MB"))
    workers: int = key(Number(1, 1_000, 10, "requests"))
    harden: bool = key(types.FLAG, site="mail_harden")
    extra_settings: Mapping[str, object] = key(types.Settings("{login: {fault_delay: 10}}", nested=True), {})

    def checks(self) -> Iterator[Check]:
        """Yield the checks that look at several options."""
        yield self._name_problems
        yield self._certificate_problems
        yield self._archive_problems
        yield lambda: setting_problems(self.name("extra_settings"), self.extra_settings)
        yield lambda: provider_problems(self.providers, self.mail_hostname)
        yield self._port_problems
        yield self._proxy_problems
        yield self.listen_problems

    def _name_problems(self) -> Iterator[str]:
        """Check that each name leads to one machine, and to one site."""
        taken = {self.hostname.lower(): self.name("hostname")}
        mail_hosts = self.context.groups.get("mail") or ()
        if mail_hosts and not self.context.is_in("mail"):
            if self.mail_hostname.lower() in taken:
                yield (
                    f"{self.name('hostname')}: {self.hostname!r} is the mail host's name, but the webmail runs on "
                    f"another machine ({self.context.host}, not {mail_hosts[0]}); "
                    f"write a name that leads there, such as 'webmail.{self.domain}'"
                )
            taken[self.mail_hostname.lower()] = f"{self.name('mail_hostname')} (another machine)"
        for index, name in enumerate(self.autoconfig_hostnames):
            where = f"{self.name('autoconfig_hostnames')}[{index}]"
            owner = taken.setdefault(name.lower(), where)
            if owner != where:
                yield f"{where}: {name!r} is taken by {owner}; remove it, or write a name of its own"

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

    def _archive_problems(self) -> Iterator[str]:
        """Read the archive where this runs, which is the controller."""
        path, where = Path(self.archive_file), f"{self.name('archive_file')}: {self.archive_file!r}"
        if not self.archive_file and not self.archive_url:
            yield f"{self.name('archive_url')}: is empty; write an https URL, or set {self.name('archive_file')}"
        if not self.archive_file:
            return
        if not path.is_absolute():
            yield (
                f"{where} is no absolute path, and the check and the copy would look for it in different folders; "
                f"write where it lies on this machine, such as {{{{ inventory_dir }}}}/{path.name}"
            )
        elif not path.is_file():
            yield (
                f"{where} is no file on this machine; "
                f"download the archive there, or leave the variable out to use {self.name('archive_url')}"
            )
        else:
            try:
                verify(path, self.archive_sha256)
                inspect(path)
            except ReleaseError as error:
                yield f"{where}: {error}"

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
