# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How many connections an address may hold to some ports, and who may hold more."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils._render.postfix import network_pattern
from ansible_collections.ilnmors.mail.plugins.module_utils._site.host_network import (
    host_network,
    untrusted_addresses,
)

# Those of Postfix, which has a process for each connection, and that of ManageSieve: Dovecot has one as well for each
# login there, and does not count those of one person.
PORTS = (25, 465, 587, 4190)

# Addresses that have to take all that they may before a port's processes are used up.
_FULL_ADDRESSES = 5
# Postfix's own number of processes for a service (default_process_limit).
_LEAST_PROCESSES = 100


def connection_limits(house: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the limits come down to.

    house: connections (int, of an address to a port), webmail_hostname (str), trusted_networks and ignored (lists of
    str) and facts (the host's ansible_facts, subset network).

    Returns processes (int, of Postfix for each port), exceptions (str, smtpd_client_event_limit_exceptions of
    postconf(5)) and settings (what the program connection-limits reads).
    """
    trusted = [ipaddress.ip_network(network) for network in house["trusted_networks"]]
    others = [house["webmail_hostname"], *house["ignored"]]
    return {
        "processes": max(_LEAST_PROCESSES, _FULL_ADDRESSES * house["connections"]),
        "exceptions": " ".join(["$mynetworks", *dict.fromkeys(map(_pattern, others))]),
        "settings": {
            "ports": list(PORTS),
            "connections": house["connections"],
            "counted": list(map(str, untrusted_addresses(trusted, host_network(house["facts"])))),
            "exempt": list(dict.fromkeys([*map(str, trusted), *others])),
        },
    }


def _pattern(entry: str) -> str:
    """Write an address, a network or a host name as Postfix's lists have it."""
    try:
        return network_pattern(ipaddress.ip_network(entry))
    except ValueError:
        return entry
