"""Mail that arrives at a provider is announced by it, and is in the house at once, without the timer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support import provider_mailboxes as at_provider
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.provider_mailboxes import MOODY, faults
from testinfra.host import Host

ACCOUNT, NAME, OWNER, FOLDER = "il@gmail.test", "gmail", "il", "Google/INBOX"
WATCHER = f"mbsync-fetch-watch@{NAME}.service"

Arrive = Callable[[], None]


@pytest.fixture(scope="module")
def _no_timer(mail: Host) -> Iterator[None]:
    """Stop the timer, so that nothing but the provider's announcement starts a fetch."""
    unit = f"mbsync-fetch@{NAME}"
    mail.check_output(f"systemctl stop {unit}.timer && systemctl start {unit}.service")
    yield
    mail.check_output(f"systemctl start {unit}.timer")


@contextmanager
def idling(house: House) -> Iterator[Any]:
    """Return a client of the owner that waits for mail in the folder where it lands."""
    with house.imap(OWNER) as client:
        assert client.select(f'"{FOLDER}"', readonly=True)[0] == "OK"
        client.send(b"a IDLE\r\n")
        while not client.readline().startswith(b"+"):
            pass
        yield client
        client.send(b"DONE\r\n")
        while not client.readline().startswith(b"a OK"):
            pass


@pytest.fixture
def arrive(house: House, provider: Host, _no_timer: None) -> Iterator[Arrive]:
    """Return what lets a message arrive at the provider, and waits until a client in the house is told of it."""
    sent: list[str] = []

    def one() -> None:
        with idling(house) as client:
            new = at_provider.deliver(provider, ACCOUNT)
            sent.append(str(new["Message-ID"]))
            client.sock.settimeout(clients.TIMEOUT)
            while b"EXISTS" not in (line := client.readline()):
                assert line, "the connection was closed"
        with house.imap(OWNER) as client:
            wait_for(lambda: clients.find(client, sent[-1], FOLDER), "it is there")

    yield one
    for message_id in sent:
        at_provider.expunge(provider, ACCOUNT, "INBOX", message_id)


def main_pid(mail: Host) -> str:
    """Return the process that waits; empty while there is none."""
    found = str(mail.check_output(f"systemctl show --property MainPID --value {WATCHER}"))
    return "" if found == "0" else found


def waits(mail: Host, since: float = 0) -> bool:
    """Tell whether the watcher has begun to wait."""
    command = (
        f"journalctl --quiet --output cat --unit {WATCHER} --since @{since:.3f} --grep 'waiting for new mail'"
    )
    return bool(mail.run(command).stdout)


def test_mail_is_in_the_house_when_the_provider_announces_it(mail: Host, arrive: Arrive) -> None:
    wait_for(lambda: waits(mail), "it waits")
    for __ in range(3):
        arrive()


def test_a_cut_connection_is_made_anew(house: House, mail: Host, provider: Host, arrive: Arrive) -> None:
    wait_for(lambda: waits(mail), "it waits")
    start, process = time.time(), main_pid(mail)
    provider.check_output("doveadm kick %s %s", ACCOUNT, house.mail_address)
    arrive()  # into the time without a connection
    wait_for(lambda: waits(mail, start), "it waits again")
    arrive()
    assert main_pid(mail) == process


def test_a_watcher_that_is_killed_comes_back(mail: Host, arrive: Arrive) -> None:
    process = wait_for(lambda: main_pid(mail), "it runs")
    mail.check_output("kill -KILL %s", process)
    arrive()
    assert main_pid(mail) != process


def test_it_takes_little_memory(mail: Host, arrive: Arrive) -> None:
    wait_for(lambda: waits(mail), "it waits")
    arrive()
    rollup = mail.check_output("cat /proc/%s/smaps_rollup", main_pid(mail))
    sizes = {line.split()[0]: int(line.split()[1]) for line in rollup.splitlines()[1:]}
    assert 0 < sizes["Pss:"] < 15 * 1024


def test_waiting_changes_nothing(provider: Host, arrive: Arrive) -> None:
    arrive()
    sessions: dict[str, set[str]] = {}
    for command in at_provider.commands(provider, ACCOUNT):
        sessions.setdefault(command.session, set()).add(command.name.upper())
    waiting = [names for names in sessions.values() if "IDLE" in names]
    assert waiting
    assert set().union(*waiting) <= {"CAPABILITY", "EXAMINE", "IDLE"}


def test_a_provider_that_cannot_announce_mail_is_left_to_the_timer(mail: Host, provider: Host) -> None:
    if mail.run("test -e /etc/mbsync-fetch/accounts/moody.json").failed:
        pytest.skip("needs an account 'moody' that is fetched")
    unit = "mbsync-fetch-watch@moody.service"
    # It waits only where the last fetch worked, whatever other tests left behind.
    mail.check_output(
        "rm -f /var/lib/mbsync-fetch/moody/status.json && systemctl start mbsync-fetch@moody.service"
    )
    start = time.time()
    try:
        with faults(provider, MOODY, hide=["IDLE"]):
            mail.check_output(f"systemctl restart {unit}")
            wait_for(lambda: mail.run(f"systemctl is-active {unit}").stdout.strip() == "inactive", "it ends")
            said = mail.check_output(
                f"journalctl --quiet --output cat --unit {unit} --since @{start:.3f} --identifier python3"
            )
            assert said == "imap.moody.test has no IDLE: mail is fetched by the timer alone"
    finally:
        mail.check_output(f"systemctl start {unit}")
