# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of mail_monitoring."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ansible_collections.ilnmors.mail.plugins.module_utils._site import types
from ansible_collections.ilnmors.mail.plugins.module_utils._site.metrics import metrics_problems
from ansible_collections.ilnmors.mail.plugins.module_utils._site.options import Check, Options
from ansible_collections.ilnmors.mail.plugins.module_utils._site.problems import Report, Unread, Wrong
from ansible_collections.ilnmors.mail.plugins.module_utils._site.readers import Flag, Items, Reader, kind_of
from ansible_collections.ilnmors.mail.plugins.module_utils._site.records import key


@dataclass(frozen=True)
class _HostAddresses(Reader[Mapping[str, str]]):
    """The address of each host. What is wrong with one is said by the host itself."""

    kind = "dict"

    def read(self, value: object, where: str, report: Report) -> Mapping[str, str]:
        """Return the addresses of those hosts that have one."""
        if not isinstance(value, Mapping):
            report.add(
                where, Wrong(f"{kind_of(value, True)}, where a dictionary is due", f"write {self.wanted()}")
            )
            raise Unread
        return {str(host): str(address) for host, address in value.items() if address}

    def wanted(self) -> str:
        """Say what to write."""
        return "the address of each host by its name, or leave it out"


@dataclass(frozen=True)
class MailMonitoring(Options):
    """What the house offers to Prometheus, and what a host that watches it gets."""

    role = "mail_monitoring"

    address: str = key(types.METRICS_ADDRESS, "")
    port: int = key(types.PORT)
    dovecot_port: int = key(types.PORT)
    node_exporter: bool = key(Flag())
    directory: str = key(types.METRICS_DIRECTORY)
    certificates: tuple[str, ...] = key(Items(types.AUTHORITY_FILE, "[/etc/ssl/mine.pem]"), ())
    prometheus_directory: str = key(types.PROMETHEUS_DIRECTORY)
    hosts: Mapping[str, str] = key(_HostAddresses(), {})

    def checks(self) -> Iterator[Check]:
        """Yield the checks that look at several options."""
        yield lambda: metrics_problems(self, "address", "port", "the node exporter")
        yield self._directory_problems
        yield self._port_problems

    def _directory_problems(self) -> Iterator[str]:
        if self.address and not self.directory:
            yield (
                f"{self.name('directory')}: is empty, but figures are to be offered; write where the node exporter "
                "reads them, such as '/var/lib/prometheus/node-exporter'"
            )

    def _port_problems(self) -> Iterator[str]:
        if self.port == self.dovecot_port:
            yield (
                f"{self.name('port')}: {self.port} is that of {self.name('dovecot_port')} as well; "
                "write another one, such as 9100"
            )
