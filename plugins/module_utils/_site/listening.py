# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options that say where a service listens, and their checks."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ansible_collections.ilnmors.mail.plugins.module_utils._site import types
from ansible_collections.ilnmors.mail.plugins.module_utils._site.host_network import (
    HostNetwork,
    host_network,
    is_public,
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
