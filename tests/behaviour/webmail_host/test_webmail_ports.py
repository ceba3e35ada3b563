"""A port that another program has is refused before nginx could fail on it, with all its sites."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmail_role import Role, assert_refused, state
from testinfra.host import Host

PORT = 8444


@pytest.fixture
def taken(app: Host, house: House) -> Iterator[str]:
    """Return an address of the webmail host where another program has the port."""
    app.check_output(
        "systemd-run --unit=another --socket-property=ListenStream=%s true", f"{house.webmail_address}:{PORT}"
    )
    yield house.webmail_address
    app.check_output("systemctl stop another.socket")


@pytest.mark.parametrize("named", [True, False], ids=["on a named address", "on all addresses"])
def test_a_port_of_another_program_is_refused(role: Role, app: Host, taken: str, named: bool) -> None:
    before = state(app)
    run = role(webmail_host_https_port=PORT, webmail_host_listen_addresses=[taken] if named else [])
    problem = f"nginx cannot listen on port {PORT}, for another.socket does already (on {taken}:{PORT})"
    assert_refused(run, f"webmail_host_https_port: {problem}")
    assert state(app) == before
