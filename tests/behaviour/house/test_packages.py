# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A house is changed while no mirror is in reach; what is missing is installed whatever lists of packages there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support.ansible_command import run_ansible
from ansible_collections.ilnmors.mail.tests.behaviour.support.changed_password import (
    CHANGED_PASSWORD,
    login_of_near,
)
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.behaviour.support.site_run import Site
from testinfra.host import Host

# The lab's machines alone may be treated so.
pytestmark = pytest.mark.usefixtures("provider")

PACKAGE = "hello"
"""Small, without dependencies, and of no use to a mail host."""
LISTS = "/var/lib/apt/lists"
CLOSED = "/etc/apt/apt.conf.d/99-no-mirror"
NO_MIRROR = f"""printf 'Acquire::http::Proxy "http://127.0.0.1:9";\\n' >{CLOSED}"""


@pytest.fixture
def machine(mail: Host) -> Iterator[Host]:
    """Return the mail host without the package, and with its lists of packages and mirror again after the test."""
    mail.check_output(f"rm -rf {LISTS}.kept; cp -a {LISTS} {LISTS}.kept; dpkg --purge {PACKAGE}")
    yield mail
    mail.check_output(
        f"rm -f {CLOSED}; dpkg --purge {PACKAGE}; rm -rf {LISTS}; mv {LISTS}.kept {LISTS}; apt-get clean"
    )


@pytest.fixture
def install(request: pytest.FixtureRequest) -> Callable[[], str]:
    """Return what has the package installed by the module, and says how that went."""
    inventory = request.config.getoption("--ansible-inventory")

    def run() -> str:
        module = ("--module-name", "ilnmors.mail.packages", "--args", f"name={PACKAGE}")
        done = run_ansible("ansible", "mail[0]", *module, inventory=inventory)
        return " ".join(f"{done.stdout}{done.stderr}".split())

    return run


def test_a_password_is_changed_while_no_mirror_is_in_reach(site: Site, house: House, machine: Host) -> None:
    machine.check_output(f"{NO_MIRROR}; touch --date '2 days ago' {LISTS}")
    try:
        changed = site(CHANGED_PASSWORD, hosts="mail", roles=["dovecot_imap"])
        assert changed.status == 0, changed.output[-2000:]
        assert login_of_near(house, machine) == "changed"
    finally:
        back = site({}, hosts="mail", roles=["dovecot_imap"])
    assert back.status == 0, back.output[-2000:]
    assert login_of_near(house, machine) == "original"


@pytest.mark.parametrize(
    "lists",
    [
        # Nothing is in them, and their time says that they are fresh.
        f"rm -rf {LISTS}/*; touch {LISTS}",
        f"touch --date '2 days ago' {LISTS}",
        # What dpkg was doing when the power went.
        f"cd /tmp && apt-get download -q {PACKAGE} && dpkg --unpack {PACKAGE}_*.deb && rm {PACKAGE}_*.deb"
        f" && dpkg-query --status {PACKAGE} >/var/lib/dpkg/updates/0000",
    ],
    ids=["emptied", "old", "interrupted"],
)
def test_what_is_missing_is_installed(machine: Host, install: Callable[[], str], lists: str) -> None:
    machine.check_output(lists)
    assert "CHANGED" in install()
    assert machine.package(PACKAGE).is_installed
    assert "SUCCESS" in install()


def test_a_mirror_that_is_away_is_said_in_one_sentence(machine: Host, install: Callable[[], str]) -> None:
    machine.check_output(f"{NO_MIRROR}; rm -rf {LISTS}/*")
    said = install()
    assert "FAILED" in said
    assert f"name: {PACKAGE} cannot be installed: Unable to locate package {PACKAGE}; Failed to fetch" in said
    assert "Let this host reach its Debian mirror" in said
    assert "Traceback" not in said
