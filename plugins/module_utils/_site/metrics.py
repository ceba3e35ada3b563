# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where a service offers its metrics, which anyone may read who reaches it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from ansible_collections.ilnmors.mail.plugins.module_utils._site.host_network import host_network, is_private
from ansible_collections.ilnmors.mail.plugins.module_utils._site.options import Options
from ansible_collections.ilnmors.mail.plugins.module_utils._site.problems import listed

# Of the mail services themselves.
_MAIL_PORTS = (25, 110, 143, 465, 587, 993, 995, 4190)


def metrics_problems(options: Options, address: str, port: str, service: str) -> Iterator[str]:
    """Check the options that say where a service listens: a private address of the host, and a port of its own.

    address, port: names of the options. service: what would stop if it could not listen there.
    """
    number, offered = getattr(options, port), getattr(options, address)
    if offered:
        yield from _address_problems(options, options.name(address), offered, service)
    if number in _MAIL_PORTS:
        yield f"{options.name(port)}: {number} is a port of the mail services; write another one, such as 9900"


def _address_problems(options: Options, name: str, offered: str, service: str) -> Iterator[str]:
    found = ipaddress.ip_address(offered)
    if found.is_unspecified or not is_private(ipaddress.ip_network(found)):
        yield (
            f"{name}: {offered!r} would offer the metrics to strangers, for anyone may read them; "
            "write a private address of the host, such as '127.0.0.1'"
        )
    elif options.context.facts is not None and not found.is_loopback:
        own = host_network(options.context.facts).addresses
        if found not in own:
            yield (
                f"{name}: {offered!r} is no address of the host, and {service} would stop; "
                f"write one of its own ({listed(('127.0.0.1', *own))})"
            )
