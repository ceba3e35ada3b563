# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The role roundcube, run with other variables: what is refused, and what an upgrade of the package sets off."""

from __future__ import annotations

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.roundcube_client import run_program
from ansible_collections.ilnmors.mail.tests.behaviour.support.site_run import Site
from testinfra.host import Host


def test_a_database_that_does_not_answer_is_refused(site: Site, roundcube_name: str) -> None:
    assert roundcube_name
    variables = {
        "roundcube_database": "postgresql",
        "roundcube_database_host": "127.0.0.1",
        "roundcube_database_port": 9,
        "roundcube_database_password": "hunter2",
    }
    run = site(variables, hosts="webmail", roles=["roundcube"])
    assert run.status != 0
    assert set(run.changed.values()) == {0}, run.output
    assert "roundcube_database_host: no PostgreSQL can be reached at 127.0.0.1 port 9" in run.output
    assert "hunter2" not in run.output


def version(app: Host) -> str:
    """Return the version of the database's tables."""
    read = "SELECT value FROM system WHERE name = 'roundcube-version'"
    return run_program(app, f'$db = $rcmail->get_dbh(); echo $db->fetch_array($db->query("{read}"))[0];')


@pytest.mark.usefixtures("roundcube_name")
def test_an_upgrade_of_the_package_brings_the_tables_along(app: Host) -> None:
    """Without the playbook. What dpkg writes at the end of an upgrade is written here by hand."""
    assert app.check_output("systemctl is-active ilnmors-roundcube-schema.path") == "active"
    newest = version(app)
    # As before the last change of the tables, which makes an index anew and can be made twice.
    write = "UPDATE system SET value = '2022081100' WHERE name = 'roundcube-version'"
    run_program(app, f'$rcmail->get_dbh()->query("{write}");')
    assert version(app) != newest
    app.check_output("touch /var/lib/dpkg/info/roundcube-core.list")
    wait_for(lambda: version(app) == newest, "the tables are as the version needs them")
