"""Units that the house relies on may do little more than they need (systemd-analyze(1), security)."""

from __future__ import annotations

import re

import pytest
from testinfra.host import Host

pytestmark = pytest.mark.any_house

MOST = 5.0
"""Exposure as systemd reckons it, of 10."""

OURS = re.compile(r"(mail|mbsync-fetch|postfix)[-@\w]*\.service")
DAEMONS = re.compile(r"(dovecot|fail2ban|nginx|php[\d.]+-fpm|postfix|postfix@-)\.service")


def units(host: Host) -> list[str]:
    """List what the host has of the house's units and of the daemons that it relies on."""
    own = host.run("cd /etc/systemd/system && grep --files-with-matches 'Ansible managed' *.service").stdout
    running = "list-units --type service --state active --no-legend --plain | cut --delimiter ' ' --fields 1"
    ours = {name.replace("@.", "@any.") for name in own.split() if OURS.fullmatch(name)}
    found = host.check_output(f"systemctl {running}").split()
    daemons = {name for name in found if DAEMONS.fullmatch(name)}
    # Postfix of Debian 12 runs in an instance; the other unit only stands for it.
    return sorted(ours | (daemons - ({"postfix.service"} if "postfix@-.service" in daemons else set())))


@pytest.mark.parametrize("machine", ["mail", "app"])
def test_no_unit_is_exposed(request: pytest.FixtureRequest, machine: str) -> None:
    host: Host = request.getfixturevalue(machine)
    if (
        not host.file("/etc/systemd/system").exists
        or host.run("ls /etc/systemd/system/*.service.d/hardening.conf").failed
    ):
        pytest.skip("needs a house whose daemons are hardened (mail_harden)")
    names = units(host)
    assert len(names) > 2
    script = "for unit; do systemd-analyze security --no-pager $unit | grep -o 'Overall exposure.*'; done"
    said = host.check_output(f"sh -c %s sh {' '.join(names)}", script)
    exposed = dict(re.findall(r"level for (\S+): ([\d.]+)", said))
    assert exposed.keys() == set(names)
    assert {name: value for name, value in exposed.items() if float(value) >= MOST} == {}
