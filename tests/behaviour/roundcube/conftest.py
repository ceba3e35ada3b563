# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The house's Roundcube; without one, these tests are skipped."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.behaviour.support.roundcube_client import Roundcube
from ansible_collections.ilnmors.mail.tests.behaviour.support.sieve_client import ManageSieve
from testinfra.host import Host

SITE = "/etc/nginx/sites-enabled/zz-roundcube.conf"


@pytest.fixture(scope="session")
def roundcube_name(app: Host, house: House) -> Iterator[str]:
    """Return the name that Roundcube has in the house, which resolves without a DNS server."""
    if not app.file(SITE).exists:
        pytest.skip("needs a house whose webmail is Roundcube (mail_webmail: roundcube)")
    name: str = app.check_output(f"sed -n 's/^    server_name \\(.*\\);/\\1/p' {SITE}")
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *rest: Any, **options: Any) -> Any:
        return real(house.webmail_address if host == name else host, *rest, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", getaddrinfo)
        yield name


@pytest.fixture
def roundcube(house: House, roundcube_name: str) -> Roundcube:
    """Return a browser that has not been there yet."""
    return Roundcube(roundcube_name, house.ca_file)


@pytest.fixture
def il(roundcube: Roundcube, house: House) -> Roundcube:
    """Return a browser in which il is logged in."""
    assert roundcube.log_in("il", house.password("il")).status_code == 302
    return roundcube


@pytest.fixture
def guests_filters(house: House) -> Iterator[ManageSieve]:
    """Return a ManageSieve client of guest, whose scripts are in the end as they were."""

    def connect() -> ManageSieve:
        client = ManageSieve(house.mail_hostname, house.ca_file)
        client.log_in("guest", house.password("guest"))
        return client

    with connect() as client:
        before, active = client.scripts(), client.active()
        yield client
    # The server may have closed that one meanwhile.
    with connect() as client:
        client.command("SETACTIVE", active)
        for name in client.scripts().keys() - before.keys():
            client.command("DELETESCRIPT", name)
