# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Prometheus scrapes of a house."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def monitoring_targets(
    hosts: Mapping[str, str], mail_hosts: Iterable[str], port: int, dovecot_port: int
) -> list[dict[str, Any]]:
    """Describe the targets as a file of Prometheus' file_sd_configs has them, a group for each host.

    hosts: the address of each. mail_hosts: those where Dovecot is. port: the node exporter's.
    """
    mail = set(mail_hosts)
    return [
        {
            "targets": [
                f"{_host(address)}:{number}" for number in (port, *([dovecot_port] if name in mail else []))
            ],
            "labels": {"host": name},
        }
        for name, address in sorted(hosts.items())
    ]


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address
