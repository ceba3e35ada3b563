# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options that say where a service listens and which machines it trusts, and their checks."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ansible_collections.ilnmors.mail.plugins.module_utils._site import types
from ansible_collections.ilnmors.mail.plugins.module_utils._site.host_network import (
    HostNetwork,
    host_network,
    is_own,
    is_public,
    is_shared,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._site.options import Options
from ansible_collections.ilnmors.mail.plugins.module_utils._site.problems import listed
from ansible_collections.ilnmors.mail.plugins.module_utils._site.readers import Flag
from ansible_collections.ilnmors.mail.plugins.module_utils._site.records import key


@dataclass(frozen=True)
class ListenOptions(Options):
    """The addresses of the host that a service listens on, all if there are none. ports: what they are for."""

    ports: ClassVar[str] = "mail ports"

    listen_addresses: tuple[str, ...] = key(types.IP_ADDRESSES, (), site="mail_listen_addresses")
    listen_public: bool = key(Flag(), site="mail_listen_public")

    def listen_problems(self) -> Iterator[str]:
        """Check that they are the host's own, and not public unless allowed."""
        if self.context.facts is None:
            return
        host = host_network(self.context.facts)
        usable = [str(a) for a in host.addresses if not is_public(a) and a not in host.bridges]
        if not self.listen_addresses and not self.listen_public:
            yield from self._public_problems(host, usable)
        for index, value in enumerate(self.listen_addresses):
            where = f"{self.name('listen_addresses')}[{index}]"
            address = ipaddress.ip_address(value)
            if address not in host.addresses and not address.is_loopback:
                yield f"{where}: {value!r} is no address of the host; write one of its own ({listed(host.addresses)})"
            elif not self.listen_public and is_public(address):
                yield (
                    f"{where}: {value!r} is a public address: strangers could reach the {self.ports}; "
                    f"remove it ({listed(usable) or 'none'} of the host's are private), "
                    f"or set {self.name('listen_public')}: true if you mean it"
                )

    def _public_problems(self, host: HostNetwork, usable: list[str]) -> Iterator[str]:
        public = [str(address) for address in host.addresses if is_public(address)]
        if public:
            name = self.name("listen_addresses")
            remedy = f"write {name}: {usable}" if usable else "give the host a private address"
            yield (
                f"{name}: is not set, and the host has public addresses ({listed(public)}): strangers could reach its "
                f"{self.ports}; {remedy}, or set {self.name('listen_public')}: true if you mean it"
            )


@dataclass(frozen=True)
class TrustOptions(Options):
    """The networks whose machines need no login."""

    trusted_networks: tuple[str, ...] = key(types.NETWORKS, (), site="mail_trusted_networks")
    trust_public_networks: bool = key(Flag(), site="mail_trust_public_networks")

    def trust_problems(self) -> Iterator[str]:
        """Check that none of the networks is public address space, unless allowed."""
        meant = f"or set {self.name('trust_public_networks')}: true if you mean it"
        for index, value in enumerate(self.trusted_networks):
            where, network = f"{self.name('trusted_networks')}[{index}]", ipaddress.ip_network(value)
            if network.prefixlen == 0:
                yield (
                    f"{where}: {value!r} is every machine there is: anyone could send mail through the house's "
                    "accounts; write the house's private network"
                )
            elif self.trust_public_networks or is_own(network):
                continue
            elif is_shared(network):
                yield (
                    f"{where}: {value!r} is address space that a carrier's customers share (RFC 6598), even if a VPN "
                    f"uses it too; write single addresses, such as '100.64.0.7/32', {meant}"
                )
            else:
                yield (
                    f"{where}: {value!r} is public address space: strangers could send mail through the house; "
                    f"write the house's private network, {meant}"
                )
