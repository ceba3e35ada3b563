"""A house full of mail programs meets no limit, and one person's wrong password slows nobody else."""

from __future__ import annotations

import imaplib
import select
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from testinfra.host import Host

CONNECTIONS = 500
"""A house of 100 people with five mail programs each."""

PENALTY = 4
"""Seconds that Dovecot makes an address wait after a failure, unless told otherwise (auth-penalty.h)."""


def setting(mail: Host, name: str) -> int:
    return int(mail.check_output(f"doveconf -h {name}"))


def idle(house: House, name: str) -> Any:
    """Log in, select the inbox and wait for news."""
    client = house.imap(name)
    client.select("INBOX", readonly=True)
    client.send(b"i IDLE\r\n")
    assert client.readline().startswith(b"+")
    return client


@pytest.fixture
def idlers(house: House, mail: Host) -> Iterator[dict[str, list[Any]]]:
    """Return the waiting connections of each person, 500 in all."""
    people = [name for name in house.people if house.passwords[name]]
    each = setting(mail, "mail_max_userip_connections")
    if len(people) * each < CONNECTIONS:
        pytest.skip(
            f"needs {CONNECTIONS} connections to be allowed from one address: "
            f"there are {len(people)} people whose password is in the inventory, with {each} each"
        )
    names = [people[number % len(people)] for number in range(CONNECTIONS)]
    with ExitStack() as stack:
        with ThreadPoolExecutor(20) as threads:
            opened = list(threads.map(lambda name: idle(house, name), names))
        waiting: dict[str, list[Any]] = {name: [] for name in people}
        for name, client in zip(names, opened, strict=True):
            stack.callback(client.sock.close)
            waiting[name].append(client)
        yield waiting


# Only the lab is open to such an experiment.
@pytest.mark.usefixtures("provider")
def test_500_connections_wait_and_hear_of_new_mail(house: House, idlers: dict[str, list[Any]]) -> None:
    name = next(iter(idlers))
    with clients.submission(house.mail_hostname, house.ca_file) as client:
        client.login(name, house.password(name))
        client.send_message(clients.message(house.login(name), house.login(name)))
    deadline = time.monotonic() + 60
    deaf = {client.sock: client for client in idlers[name]}
    while deaf and (left := deadline - time.monotonic()) > 0:
        for sock in select.select(list(deaf), [], [], left)[0]:
            if b"EXISTS" in deaf[sock].readline():
                del deaf[sock]
    assert not deaf, f"{len(deaf)} of {len(idlers[name])} connections heard nothing within a minute"


def test_the_kernel_lets_500_connections_watch_their_mailboxes(mail: Host) -> None:
    """A connection that may not watch its mailbox looks for news every half minute (mailbox_idle_check_interval)."""
    if mail.run("test -w /proc/sys/fs/inotify/max_user_instances").failed:
        pytest.skip("needs a machine, or a container that may set its kernel's limits")
    assert int(mail.check_output("cat /proc/sys/fs/inotify/max_user_instances")) > CONNECTIONS


APPLY = Path(__file__).parents[3] / "roles" / "dovecot_imap" / "files" / "apply-limit"
LIMIT = "net/ipv4/tcp_fin_timeout"
"""A limit of a container's own."""
# In a container /proc may not be written, and here it may.
TRY = """
mount -t proc proc /proc && mkdir -p /run/sysctl.d && was=$(cat /proc/sys/$1)
trap 'rm -f /run/sysctl.d/*-behaviour.conf; echo $was >/proc/sys/$1' EXIT
echo $2 >/proc/sys/$1
echo "$1 = $3" >/run/sysctl.d/10-behaviour.conf
test -z "$4" || echo "$1 = $4" >/run/sysctl.d/95-behaviour.conf
sh -c "$5" apply-limit $1
cat /proc/sys/$1
"""


# In the lab, the limits of a container are nobody else's.
@pytest.mark.usefixtures("provider")
@pytest.mark.parametrize(
    ("running", "ours", "later", "then"),
    [
        ("60", "70", "", "70"),
        ("60", "70", "90", "90"),
        ("60", "70", "65", "65"),
        ("90", "70", "65", "90"),
        ("90", "70", "", "90"),
    ],
)
def test_a_limit_is_what_a_restart_makes_it_and_no_lower(
    mail: Host, running: str, ours: str, later: str, then: str
) -> None:
    given = (LIMIT, running, ours, later, APPLY.read_text())
    assert mail.check_output("unshare -m sh -c %s try %s %s %s %s %s", TRY, *given) == then


@pytest.mark.any_house
def test_dovecot_finds_its_limits_sound(mail: Host) -> None:
    assert mail.run("doveconf -n").stderr == ""


def attempt(house: House, name: str, password: str) -> float:
    """Return how many seconds the answer to a login took, right or wrong."""
    with clients.imap(house.mail_hostname, house.ca_file) as client:
        start = time.monotonic()
        with suppress(imaplib.IMAP4.error):
            client.login(name, password)
        return time.monotonic() - start


def test_a_wrong_password_slows_nobody_else(house: House) -> None:
    """A webmail's users all come from one address."""
    for __ in range(3):
        attempt(house, "il", "wrong")
    assert attempt(house, "guest", house.password("guest")) < PENALTY / 2


def test_each_wrong_password_is_answered_late(house: House) -> None:
    with ThreadPoolExecutor(5) as threads:
        answers = list(threads.map(lambda __: attempt(house, "il", "wrong"), range(5)))
    assert min(answers) > 1
