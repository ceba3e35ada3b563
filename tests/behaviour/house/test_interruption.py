# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A run that was killed after it had written is finished by the next one: what runs is what is written.

INTERRUPTIONS says at how many points runs are killed, INTERRUPTION_SEED at which ones, so that a run that failed can be
repeated.
"""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.interruption import (
    POINTS,
    Point,
    not_taken,
    role_names,
)
from ansible_collections.ilnmors.mail.tests.behaviour.support.site_run import Site
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmail_role import Role
from testinfra.host import Host

INTERRUPTIONS = int(os.environ.get("INTERRUPTIONS", "10"))
SEED = os.environ.get("INTERRUPTION_SEED", "") or secrets.token_hex(4)
KILLED = -9
# What the roles leave of an account that is gone.
CLEAR = "userdel mbsync-fetch-interrupted; rm -rf /var/lib/mbsync-fetch/interrupted"


class Interruptions:
    """The points of one test: how runs are killed at them, and finished."""

    def __init__(self, site: Site, house: House, hosts: Mapping[str, Host]) -> None:
        self.site, self.house, self.hosts = site, house, hosts
        chance = random.Random(SEED)
        self.points = chance.sample(POINTS, min(INTERRUPTIONS, len(POINTS)))
        self.away = False
        self.variables: dict[str, Any] = {}
        for point in self.points:
            self.variables |= point.variables

    def kill(self, points: Sequence[Point], variables: dict[str, Any]) -> None:
        """Kill a run at each of these points, one after the other: nobody runs to an end in between."""
        self.away = True
        for point in points:
            if point.prepare:
                self.hosts[point.hosts].check_output(point.prepare)
            run = self.site(variables, hosts=point.hosts, roles=[point.role], killed_after=point.task)
            assert run.status == KILLED, f"not killed after {point}: {run.output[-2000:]}"

    def finish(self, variables: dict[str, Any]) -> int:
        """Run the roles of all points to their end; return how many changes there were."""
        with ThreadPoolExecutor() as pool:
            runs = [
                pool.submit(self.site, variables, hosts=hosts, roles=roles)
                for hosts in self.hosts
                if (roles := role_names(self.points, hosts))
            ]
        for run in runs:
            assert run.result().status == 0, run.result().output[-3000:]
        return sum(sum(run.result().changed.values()) for run in runs)

    def answers(self) -> list[object]:
        """Ask the running house what it has taken of each point."""
        return [point.ask(self.house, self.hosts[point.hosts]) for point in self.points]

    def expect(self, answers: Sequence[object], when: str) -> None:
        """See that the house runs with what is written, soon: certificates are taken by a unit of the host."""
        faults = "".join(not_taken(host) for host in self.hosts.values())
        assert faults == "", f"{when}:\n{faults}"
        wait_for(lambda: self.answers() == answers, f"{when}: {self.describe(answers)}", 20, 1)

    def describe(self, answers: Sequence[object]) -> str:
        """Say what was expected and is not so."""
        found = zip(self.points, self.answers(), answers, strict=True)
        return "; ".join(f"{point}: {now} instead of {then}" for point, now, then in found if now != then)


@pytest.fixture
def interruptions(site: Site, house: House, mail: Host, app: Host, provider: Host) -> Iterator[Interruptions]:
    """Return the points, and leave the house as it was."""
    del provider  # the lab alone
    tried = Interruptions(site, house, {"mail": mail, "webmail": app})
    yield tried
    if tried.away:
        tried.finish({})
    mail.run(CLEAR)


def test_an_interrupted_run_is_finished_by_the_next_one(interruptions: Interruptions) -> None:
    print(f"INTERRUPTION_SEED={SEED}: {', '.join(map(str, interruptions.points))}")
    before = interruptions.answers()
    changed = [point.changed for point in interruptions.points]
    half = (len(interruptions.points) + 1) // 2
    there, back = interruptions.points[:half], interruptions.points[half:]

    interruptions.kill(there, interruptions.variables)
    interruptions.finish(interruptions.variables)
    interruptions.expect(changed, "after the change")

    interruptions.kill(back, {})
    interruptions.finish({})
    interruptions.expect(before, "after the way back")

    assert interruptions.finish({}) == 0
    interruptions.away = False


FOREIGN = "/etc/nginx/sites-enabled/foreign.conf"


def test_what_a_daemon_refuses_is_applied_when_it_takes_it(role: Role, app: Host) -> None:
    app.check_output(f"echo 'nonsense of another program;' >{FOREIGN}")
    try:
        refused = role(snappymail_attachment_size=15)
        assert refused.status != 0
        assert "nginx.service: what is written for it is refused, and it runs on as it did" in refused.output
        assert f'unknown directive "nonsense" in {FOREIGN}:1' in refused.output
        assert app.check_output("systemctl is-active nginx") == "active"
        app.check_output(f"rm {FOREIGN}")
        assert "reload-nginx.service is noted" in not_taken(app)
        # What is noted, and nothing else, is left to do; a check says so.
        predicted = role("--check", snappymail_attachment_size=15)
        assert (predicted.status, list(predicted.changed.values())) == (0, [1])
    finally:
        app.check_output(f"rm -f {FOREIGN}")
        back = role()
    assert back.status == 0, back.output[-3000:]
    assert not_taken(app) == ""
