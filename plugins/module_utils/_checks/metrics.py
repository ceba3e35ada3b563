# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a host offers its figures to Prometheus, all of them, and of now."""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable, Mapping

from ansible_collections.ilnmors.mail.plugins.module_utils._checks.checks import Job, Passed
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.errors import CheckError

TIMEOUT = 30
OLD = 600
"""Seconds after which figures that are written each minute are old."""
TIMER = "mail-metrics.timer"
EXPORTER = "prometheus-node-exporter"

Fetch = Callable[[str, int], str]
"""Returns what an address and port offer. Raises OSError, http.client.HTTPException."""


def fetch(address: str, port: int) -> str:
    """Ask for the metrics."""
    connection = http.client.HTTPConnection(address, port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        if answer.status != http.client.OK:
            raise http.client.HTTPException(f"the answer is {answer.status} {answer.reason}")
        return text
    finally:
        connection.close()


def metrics_jobs(
    address: str, ports: Mapping[str, int], clock: Callable[[], float], ask: Fetch = fetch
) -> list[Job]:
    """Return a check of each service that offers figures at an address.

    ports: of `node exporter` and `Dovecot`, 0 for one that is not asked. clock: seconds since 1970.
    """
    jobs: list[Job] = []
    if port := ports.get("node exporter"):
        jobs.append(("figures (node exporter)", lambda: check_exporter(address, port, clock(), ask)))
    if other := ports.get("Dovecot"):
        jobs.append(("figures (Dovecot)", lambda: check_dovecot(address, other, ask)))
    return jobs


def check_exporter(address: str, port: int, now: float, ask: Fetch) -> Passed:
    """See that the node exporter has what the role's timer writes."""
    found = _samples(_offered(address, port, EXPORTER, ask))
    written = max(
        (
            value
            for name, value in found.items()
            if name.startswith("node_textfile_mtime_seconds") and "/mail_monitoring.prom" in name
        ),
        default=0.0,
    )
    see = f"see 'systemctl status {TIMER} mail-metrics.service' there"
    if not written:
        raise CheckError("the node exporter has nothing of the mail service", see)
    if now - written > OLD:
        raise CheckError(f"they were last written {round((now - written) / 60)} minutes ago", see)
    parts = {
        part[1]: value
        for name, value in found.items()
        if (part := re.fullmatch(r'mail_monitoring_success\{part="(\w+)"\}', name))
    }
    failed = sorted(part for part, value in parts.items() if not value)
    if failed:
        raise CheckError(
            f"{', '.join(failed)} could not be read", "see 'journalctl --unit mail-metrics' there"
        )
    return Passed(f"{address}:{port} has {', '.join(sorted(parts))}")


def check_dovecot(address: str, port: int, ask: Fetch) -> Passed:
    """See that Dovecot offers its own."""
    if "dovecot_imap_logins_total" not in _offered(address, port, "dovecot", ask):
        raise CheckError(
            f"{address}:{port} answers, but not as Dovecot does",
            f"see who has the port: 'ss --listening --tcp --processes sport = :{port}' there",
        )
    return Passed(f"{address}:{port} answers")


def _offered(address: str, port: int, unit: str, ask: Fetch) -> str:
    try:
        return ask(address, port)
    except (OSError, http.client.HTTPException) as error:
        raise CheckError(
            f"{address}:{port} does not answer: {error}",
            f"see 'systemctl status {unit}' there, and run the site playbook",
        ) from error


def _samples(text: str) -> dict[str, float]:
    """Read Prometheus' text format; what is no number is left out."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        name, __, value = line.rpartition(" ")
        if name.startswith(("mail_monitoring_", "node_textfile_")):
            found[name] = float(value)
    return found
