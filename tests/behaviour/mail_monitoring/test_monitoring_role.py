"""Figures are offered while an address is named; a port of another program, and a public address, change nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support.site_run import Run, Site
from testinfra.host import Host

Role = Callable[..., Run]
TIMER, EXPORTER = "mail-metrics.timer", "prometheus-node-exporter.service"


@pytest.fixture
def role(site: Site, inventory: dict[str, dict[str, Any]]) -> Iterator[Role]:
    """Return what runs the role on the mail host with other variables; it is as it was in the end."""
    if not all(facts["fetch_metrics"] for facts in inventory.values()):
        pytest.skip("needs mail_monitoring_address in the inventory")

    def run(**variables: object) -> Run:
        return site(variables, hosts="mail", roles=["mail_monitoring"])

    yield run
    done = run()
    assert done.status == 0, done.output


def enabled(mail: Host) -> dict[str, bool]:
    return {unit: mail.run("systemctl is-enabled --quiet %s", unit).rc == 0 for unit in (TIMER, EXPORTER)}


def listening(mail: Host, port: int) -> list[str]:
    said = mail.check_output(f"ss --listening --tcp --numeric --no-header sport = :{port}")
    return [line.split()[3] for line in said.splitlines()]


def test_without_an_address_nothing_is_offered(role: Role, mail: Host) -> None:
    assert enabled(mail) == {TIMER: True, EXPORTER: True}
    done = role(mail_monitoring_address="")
    assert done.status == 0, done.output
    assert enabled(mail) == {TIMER: False, EXPORTER: False}
    assert listening(mail, 9100) == []
    assert not mail.file("/usr/local/sbin/mail-metrics").exists
    assert not mail.file("/var/lib/prometheus/node-exporter/mail_monitoring.prom").is_symlink
    again = role(mail_monitoring_address="")
    assert set(again.changed.values()) == {0}, again.output


def test_a_node_exporter_of_the_hosts_own_is_left_to_it(role: Role, mail: Host) -> None:
    """It runs as it is, without what the role says of where it listens."""
    done = role(mail_monitoring_node_exporter=False)
    assert done.status == 0, done.output
    assert enabled(mail) == {TIMER: True, EXPORTER: True}
    assert not mail.file(f"/etc/systemd/system/{EXPORTER}.d/ilnmors-mail.conf").exists
    mail.check_output("systemctl disable --now --quiet %s", EXPORTER)
    again = role(mail_monitoring_node_exporter=False)
    assert set(again.changed.values()) == {0}, again.output
    assert not enabled(mail)[EXPORTER]


@pytest.fixture
def taken(mail: Host) -> Iterator[int]:
    """Return a port that another program has."""
    port = 9101
    mail.check_output("systemd-run --unit=another --socket-property=ListenStream=%s true", str(port))
    yield port
    mail.check_output("systemctl stop another.socket")


def test_a_port_of_another_program_is_refused(role: Role, mail: Host, taken: int) -> None:
    done = role(mail_monitoring_port=taken)
    assert done.status != 0
    assert (
        f"prometheus-node-exporter cannot listen on port {taken}, for another.socket does already"
        in done.output
    )
    assert listening(mail, 9100) != []


def test_a_public_address_is_refused(role: Role, mail: Host) -> None:
    before = listening(mail, 9100)
    done = role(mail_monitoring_address="203.0.113.7")
    assert done.status != 0
    assert "mail_monitoring_address: '203.0.113.7' would offer the metrics to strangers" in done.output
    assert listening(mail, 9100) == before
