# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A run that loses its connection while a task writes, or whose module is killed there, is finished by the next one.

A module whose connection is gone goes on writing, with nobody to tell.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.interruption import not_taken
from ansible_collections.ilnmors.mail.tests.behaviour.support.site_run import Run, Site
from testinfra.host import Host

LOCK = "/run/ilnmors-mail.lock"
"""What a module holds while it writes (disk.py)."""
WRITTEN = "/etc/systemd/system/dovecot.service.d/restart.conf"
TAMPERED = "# tampered with"
HOLD = f"systemd-run --collect --unit=behaviour-hold flock {LOCK} sleep 50"
# How many programs have the lock's file open.
WAITING = (
    "find /proc/[0-9]*/fd -lname %s 2>/dev/null | cut --delimiter / --fields 3 | sort --unique | wc --lines"
)
KILL = f"""
import os, time
deadline = time.monotonic() + 100
while time.monotonic() < deadline:
    time.sleep(0.001)
    held = os.stat({LOCK!r}).st_ino
    found = [line.split() for line in open("/proc/locks")]
    writers = [int(word[4]) for word in found if word[1] == "FLOCK" and word[5].endswith(f":{{held}}")]
    for writer in writers:
        os.kill(writer, 9)
"""


def connections(host: str) -> Iterator[int]:
    """Find the programs of this machine that runs talk to a host through."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            if Path(words[0].decode()).name in ("docker", "ssh") and host.encode() in words:
                yield int(process.name)


@pytest.fixture
def container(provider: Host, mail: Host, inventory: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Return what the connection to the lab's mail host is made to, and leave nothing behind."""
    assert provider
    yield inventory[mail.backend.get_hostname()]["connected"]
    mail.run("systemctl stop behaviour-hold.service behaviour-kill.service")


def tamper(mail: Host) -> None:
    """Let the next run have something to write."""
    mail.check_output(f"echo '{TAMPERED}' >>{WRITTEN} && systemctl daemon-reload")


def configure(site: Site) -> Run:
    return site({}, hosts="mail", roles=["dovecot_imap"])


def cut_while_it_writes(site: Site, mail: Host, container: str) -> Run:
    """Run the role, and lose its connection when a module is about to write."""
    mail.check_output(HOLD)
    holders = int(mail.check_output(WAITING, LOCK))
    with ThreadPoolExecutor() as pool:
        running = pool.submit(configure, site)
        wait_for(lambda: int(mail.check_output(WAITING, LOCK)) > holders, "a module waits to write", 120)
        # What this very test asks the host through, ends with its answer.
        for process in list(connections(container)):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        run = running.result()
    mail.check_output("systemctl stop behaviour-hold.service")
    return run


def test_a_run_that_loses_its_connection_is_finished_by_the_next(
    site: Site, house: House, mail: Host, container: str
) -> None:
    tamper(mail)
    cut = cut_while_it_writes(site, mail, container)
    assert cut.status != 0
    wait_for(lambda: TAMPERED not in mail.file(WRITTEN).content_string, "the module goes on alone")
    assert "restart-dovecot.service is noted" in not_taken(mail)

    tamper(mail)
    mail.check_output("systemd-run --collect --unit=behaviour-kill --nice=-20 python3 -c %s", KILL)
    killed = configure(site)
    mail.check_output("systemctl stop behaviour-kill.service")
    assert killed.status != 0

    finished = configure(site)
    assert finished.status == 0, finished.output[-3000:]
    assert not_taken(mail) == ""
    assert TAMPERED not in mail.file(WRITTEN).content_string
    house.imap("guest").logout()
