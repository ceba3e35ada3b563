# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whatever a flaw of a webmail would let strangers run sees next to nothing of the host."""

from __future__ import annotations

import json
import secrets
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import wait_for
from testinfra.host import Host

SUPPORT = Path(__file__).parents[1] / "support"
# A folder that its programs write, and a file that they read alone.
POOLS = {
    "roundcube": ("/var/lib/ilnmors-roundcube/tmp", "/etc/ilnmors-roundcube/config.inc.php"),
    "snappymail": ("/var/lib/snappymail/tmp", "/var/lib/snappymail/_data_/_default_/configs/application.ini"),
}
Run = Callable[[str], str]


@pytest.fixture(params=sorted(POOLS))
def pool(request: pytest.FixtureRequest, app: Host) -> str:
    """Return the name of a pool that the host has."""
    name: str = request.param
    if app.run(f"ls /etc/php/*/fpm/pool.d/{name}.conf").failed:
        pytest.skip(f"needs a house with {name} (mail_webmail)")
    return name


@pytest.fixture
def run(app: Host, pool: str) -> Iterator[Run]:
    """Return what runs a program in the pool, and returns its answer with the headers."""
    file = f"{POOLS[pool][0]}/probe-{secrets.token_hex(8)}.php"
    caller = shlex.quote((SUPPORT / "fastcgi.py").read_text())
    socket = app.check_output(f"sed -n 's/^listen = //p' /etc/php/*/fpm/pool.d/{pool}.conf")

    def run_program(text: str) -> str:
        app.check_output(f"printf %s {shlex.quote(text)} > {file} && chmod 0644 {file}")
        return str(app.check_output(f"python3 -c {caller} {socket} {file}"))

    yield run_program
    app.check_output(f"rm -f {file}")


def test_a_program_in_the_pool_can_do_nothing_else(app: Host, pool: str, run: Run) -> None:
    probe = (SUPPORT / "probe.php").read_text().replace("SETTINGS", POOLS[pool][1])
    headers, __, body = run(probe).partition("\r\n\r\n")
    found = json.loads(body.splitlines()[0])
    assert found.pop("user") == int(app.check_output(f"id -u {pool}"))
    assert found == {**dict.fromkeys(found, False), "functions": []}
    # It ended with an error, and the page does not say which.
    assert "500" in headers
    assert body.count("\n") <= 1
    assert "secret" not in headers + body


@pytest.mark.usefixtures("provider")
def test_names_are_looked_up_as_the_host_does(app: Host, run: Run) -> None:
    """Though workers see copies of what says how: a host's resolver may be another one at any time."""
    name = f"{secrets.token_hex(4)}.test"
    look_up = f"<?php echo gethostbyname('{name}');"
    before = app.check_output("base64 /etc/hosts")
    try:
        app.check_output(f"echo 192.0.2.9 {name} >>/etc/hosts")
        wait_for(lambda: run(look_up).endswith("192.0.2.9"), "the name that the host knows now")
    finally:
        # In its place: the file itself is mounted in a container.
        app.check_output(f"echo {shlex.quote(before)} | base64 --decode >/etc/hosts")
    wait_for(lambda: run(look_up).endswith(name), "the name is forgotten")
