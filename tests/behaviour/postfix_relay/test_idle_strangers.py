"""Strangers who hold connections and say nothing keep nobody else waiting, on any port."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.behaviour.support.logins import greet, log_in
from ansible_collections.ilnmors.mail.tests.behaviour.support.strangers import PORTS, idle, strangers
from testinfra.host import Host

Inventory = dict[str, dict[str, Any]]

EACH = {"silent": 500, "half": 100, "drip": 100, "tls": 100}
"""Connections of each stranger to each port, by how far they come (idler.py). Encryption costs both sides."""

PATIENCE = 2
"""Seconds until a login is greeted."""

TABLE = "inet ilnmors_mail"
UNIT = "postfix-connection-limits.service"


@pytest.fixture(scope="module")
def limit(mail: Host) -> int:
    """Return how many connections an address may hold; skip where there is no limit."""
    found = int(mail.check_output("postconf -h smtpd_client_connection_count_limit"))
    if not found or not mail.service(UNIT).is_running:
        pytest.skip("needs a house that limits the connections of an address (postfix_relay_limit)")
    return found


@pytest.fixture(scope="module")
def two_strangers(inventory: Inventory, provider: Host) -> Iterator[list[str]]:
    """Return two addresses that are the strangers'."""
    network = str(inventory[provider.backend.get_hostname()]["address"]).rpartition(".")[0]
    addresses = [f"{network}.{number}" for number in (91, 92)]
    with strangers(provider, addresses):
        yield addresses


@pytest.mark.usefixtures("limit")
@pytest.mark.parametrize("stage", EACH)
def test_a_third_is_greeted_at_once(
    house: House, provider: Host, two_strangers: list[str], stage: str
) -> None:
    with idle(provider, house, stage, EACH[stage], two_strangers) as held:
        assert any(held.values())
        waited = {port: greet(house, port) for port in PORTS}
        assert {port: seconds for port, seconds in waited.items() if seconds > PATIENCE} == {}, held
        for port in PORTS:
            log_in(house, port)


GREETED = """
import socket, sys
held = [socket.create_connection((sys.argv[1], int(sys.argv[2])), 30) for _ in range(int(sys.argv[3]))]
print(sum(one.recv(3) == b"220" for one in held))
"""


@pytest.mark.parametrize("port", [25, 587])
def test_a_trusted_machine_holds_as_many_as_it_likes(house: House, app: Host, limit: int, port: int) -> None:
    command = f"python3 -c %s {house.mail_address} {port} {2 * limit}"
    assert app.check_output(command, GREETED) == str(2 * limit)


def test_what_flushes_other_tables_leaves_the_limits(mail: Host, limit: int) -> None:
    assert mail.run(f"nft delete table {TABLE}").failed
    assert f"ct count over {limit} " in mail.check_output(f"nft list table {TABLE}")


@pytest.fixture
def network6(mail: Host, provider: Host) -> Iterator[str]:
    """Let the mail host and the strangers have addresses of IPv6 in one network (RFC 4193), and return its prefix."""
    prefix = "fd25:7::"
    device = "dev $(ip -oneline route show default | grep -o 'dev [^ ]*' | cut -c 5-)"
    if mail.run(f"ip address add {prefix}a/64 nodad {device}").failed:
        pytest.skip("needs IPv6 on the lab's network")
    provider.check_output(f"for n in 1 2 3 4 5 6 7 8; do ip address add {prefix}b$n/64 nodad {device}; done")
    yield prefix
    provider.check_output(f"for n in 1 2 3 4 5 6 7 8; do ip address del {prefix}b$n/64 {device}; done")
    mail.check_output(f"ip address del {prefix}a/64 {device}")


def test_many_addresses_of_one_network_of_ipv6_are_one_stranger(
    house: House, provider: Host, network6: str, limit: int
) -> None:
    """Whoever has one address of a /64 has them all."""
    addresses = [f"{network6}b{number}" for number in range(1, 9)]
    with idle(provider, house, "silent", limit, addresses, [465], server=f"{network6}a") as held:
        assert limit < held[465] <= 4 * limit
        assert greet(house, 465) < PATIENCE


@pytest.fixture
def without_nftables(mail: Host, limit: int) -> Iterator[None]:
    """Take the table away, which a container that may not change its network cannot have."""
    assert limit
    mail.check_output(f"systemctl stop {UNIT}")
    yield
    mail.check_output(f"systemctl start {UNIT}")


@pytest.mark.usefixtures("without_nftables")
@pytest.mark.parametrize(("port", "stage"), [(587, "tls"), (465, "silent")])
def test_postfix_alone_is_soon_there_again(
    house: House, provider: Host, two_strangers: list[str], port: int, stage: str
) -> None:
    """It counts whom it has greeted; before that, each has ten seconds for TLS."""
    with idle(provider, house, stage, 100, two_strangers, [port]):
        assert greet(house, port) < 20
    # Under stress for a long time after (master(8)): a person's mistakes are borne nevertheless.
    client = clients.submission(house.mail_hostname, house.ca_file, port)
    client.login(house.people[0], house.password(house.people[0]))
    for __ in range(3):
        assert client.docmd("NONSENSE")[0] in (500, 502)
        assert client.rset()[0] == 250
    client.quit()
