# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The house's Roundcube; without one, these tests are skipped."""

from __future__ import annotations

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.behaviour.support.roundcube_client import Roundcube
from testinfra.host import Host

SITE = "/etc/nginx/sites-enabled/zz-roundcube.conf"


@pytest.fixture(scope="session")
def roundcube_name(app: Host) -> str:
    """Return the name that Roundcube has in the house."""
    if not app.file(SITE).exists:
        pytest.skip("needs a house whose webmail is Roundcube (mail_webmail: roundcube)")
    name: str = app.check_output(f"sed -n 's/^    server_name \\(.*\\);/\\1/p' {SITE}")
    return name


@pytest.fixture
def roundcube(house: House, roundcube_name: str) -> Roundcube:
    """Return a browser that has not been there yet."""
    return Roundcube(roundcube_name, house.ca_file)


@pytest.fixture
def il(roundcube: Roundcube, house: House) -> Roundcube:
    """Return a browser in which il is logged in."""
    assert roundcube.log_in("il", house.password("il")).status_code == 302
    return roundcube
