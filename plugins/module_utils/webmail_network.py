# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the webmail is reached, which proxies it believes, and whom it keeps out: problems of these variables."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils.host_network import (
    host_network,
    is_own,
    listen_problems,
)

PORTS = range(1, 65536)


def problems(variables: Mapping[str, Any], facts: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each problem: the variable, what it holds, and what to write instead.

    ``variables`` maps the role's variable names to their values. facts: see host_network.
    """
    return [
        *_ports(variables["snappymail_https_port"], variables["snappymail_http_port"]),
        *proxy_problems(variables["snappymail_reverse_proxies"]),
        *_ban(variables),
        *listen_problems(
            variables["snappymail_listen_addresses"],
            variables["snappymail_listen_public"],
            host_network(facts),
            "snappymail_listen",
            "web ports",
        ),
    ]


def _ports(https: int, http: int) -> Iterator[str]:
    if https not in PORTS:
        yield f"snappymail_https_port: {https} is no TCP port; write one from 1 to 65535, such as 8443"
    if http not in PORTS and http != 0:
        yield (
            f"snappymail_http_port: {http} is no TCP port; write one from 1 to 65535, such as 8080, or 0 for none"
        )
    if https == http:
        yield (
            f"snappymail_http_port: {http} is snappymail_https_port as well; write another port, or 0 for none"
        )


def _ban(variables: Mapping[str, Any]) -> Iterator[str]:
    for name, what in {
        "snappymail_ban_after": "the number of wrong passwords, 1 or more, such as 10",
        "snappymail_ban_find_time": "a number of seconds, 1 or more, such as 600",
        "snappymail_ban_time": "a number of seconds, 1 or more, such as 3600",
    }.items():
        if variables[name] < 1:
            yield f"{name}: {variables[name]} is too few; write {what}"
    for index, value in enumerate(variables["snappymail_ban_ignored"]):
        try:
            ipaddress.ip_network(str(value), strict=False)
        except ValueError:
            yield (
                f"snappymail_ban_ignored[{index}]: {value!r} is neither an IP address nor a network in CIDR form; "
                "write one such as '192.168.1.0/24'"
            )


def proxy_problems(proxies: Sequence[object]) -> Iterator[str]:
    """Check `snappymail_reverse_proxies`: addresses or CIDR networks of machines in the house."""
    for index, value in enumerate(proxies):
        where = f"snappymail_reverse_proxies[{index}]"
        try:
            network = ipaddress.ip_network(str(value))
        except ValueError:
            yield (
                f"{where}: {value!r} is neither an IP address nor a network in CIDR form; write one such as "
                "'192.168.1.4' or '172.18.0.0/16' (no bits set beyond the prefix)"
            )
            continue
        if not is_own(network):
            yield (
                f"{where}: {value!r} is not within private address space: strangers could say that they are "
                "anyone, and go on guessing passwords; write the proxy's private address, such as '192.168.1.4'"
            )
