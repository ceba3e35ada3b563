# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the servers of providers are others than this host, whatever they are called."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.ilnmors.mail.plugins.module_utils._preflight.ports import (
    Address,
    Taken,
    has_another,
)

PATIENCE = 5
"""Seconds for all names together: a house is changed without the internet as well."""
CONSEQUENCES = {
    "dovecot": "which would be fetched into itself without end",
    "postfix": "which would send mail to itself without end",
}
# Behind another port of the host may be a gateway to a provider.
PORTS = {"dovecot": (143, 993), "postfix": (25, 465, 587)}

Resolve = Callable[[str], Sequence[Address]]


@dataclass(frozen=True)
class Server:
    """A server of a provider. option: what names it. service: the one of this host that it must not be."""

    option: str
    service: str
    host: str
    port: int


def server_problems(
    servers: Sequence[Server],
    taken: Sequence[Taken],
    resolve: Resolve | None = None,
    patience: float = PATIENCE,
) -> Iterator[str]:
    """Check that no server is this host itself. A name that does not resolve now is none of this host's."""
    found = _resolve_all({server.host for server in servers}, resolve or addresses_of, patience)
    for server in servers:
        own = [
            address
            for address in found.get(server.host, ())
            if server.port in PORTS[server.service]
            and is_own_address(address)
            and not has_another(taken, address, server.port, server.service)
        ]
        if own:
            yield (
                f"{server.option}: {server.host!r} is this host itself ({own[0]}), {CONSEQUENCES[server.service]}; "
                "write the provider's"
            )


def addresses_of(name: str) -> list[Address]:
    """Return the addresses of a name, as this host resolves it; none if it does not."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


def is_own_address(address: Address) -> bool:
    """Whether an address is this host's: what is sent there would come from there. Nothing is sent."""
    if address.is_loopback or address.is_unspecified:
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as client:
            client.connect((str(address), 9))
            return ipaddress.ip_address(client.getsockname()[0].partition("%")[0]) == address
    except OSError:
        return False


def _resolve_all(names: set[str], resolve: Resolve, patience: float) -> Mapping[str, Sequence[Address]]:
    """Resolve names side by side; who takes too long is left out."""
    found: dict[str, Sequence[Address]] = {}
    threads = [
        threading.Thread(target=lambda name=name: found.update({name: resolve(name)}), daemon=True)
        for name in names
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + patience
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
    return dict(found)
