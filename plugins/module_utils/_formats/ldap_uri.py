# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The address of an LDAP server."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

PORTS = {"ldap": 389, "ldaps": 636}

_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?\Z", re.IGNORECASE)


def parse_uri(uri: str) -> SplitResult | None:
    """Return the parts of the address of one server, or None where it is no such address."""
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return None
    rest = parts.username or parts.query or parts.fragment or parts.path not in ("", "/")
    if parts.scheme not in PORTS or rest or port == 0 or not parts.hostname:
        return None
    return parts if _HOST.match(parts.hostname) or _is_ip_address(parts.hostname) else None


def is_this_machine(host: str) -> bool:
    """Whether what is said to a host stays on this machine."""
    return host == "localhost" or (_is_ip_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
