#!/usr/bin/env python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Print how fast each webmail is and what it costs, beside the same on a stock machine (`make bench-webmail`).

It makes machines of its own: the mail host, the app host, and a stock one with Debian's nginx and Debian's PHP-FPM with
its pool `www`. There Roundcube is as apt installs it, and SnappyMail, from the same archive, as its documentation says.
All serve the same people of the same mail host. Nothing here decides a test: the figures are for people to compare.
Clients run on the same processors as the machines.

Times: to the login form; from there to the list of the inbox; a search; a message that is opened; from "send" until a
message is sent, and its copy kept. Over HTTP, these are the requests that the page makes, one after another on one
connection. In the browser, which has an empty cache each time, it is what a person sees. Cold: nginx and PHP-FPM were
just restarted; the kernel's caches are as they are. Both machines take turns in every round. Searches differ: ours look
into texts, which the mail host has in its index; stock ones look at subjects and senders.

Memory: of the processes of nginx and PHP-FPM. Their own pages (smaps_rollup: Pss_Anon), what they share (Pss_Shmem:
mostly the compiled application, of which the most that was seen counts, for it stays when workers end), and files that
are resident in any of them, once (smaps: Rss). So it does not matter what else runs on this computer.
"""

from __future__ import annotations

import dataclasses
import itertools
import random
import shutil
import statistics
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.ilnmors.mail.tests.behaviour.support.webmail_client import Webmail
from ansible_collections.ilnmors.mail.tests.bench import machines, part, site_playbook, webmail_visits
from ansible_collections.ilnmors.mail.tests.bench.memory import Memory
from ansible_collections.ilnmors.mail.tests.bench.webmail_sites import (
    HOUSE,
    USERS,
    Pair,
    Site,
    make_machines,
    word,
)
from ansible_collections.ilnmors.mail.tests.bench.webmail_visits import STEPS, Times, in_browser, over_http

PROCESSOR = "of the processor"
Walk = Callable[[Site], Times]
"""A way to go all steps."""

ROUNDS = 20
"""Warm ones over HTTP."""
ACTIVE = 20
"""Seconds that the users are active."""
IDLE_AFTER = 75
"""Seconds; the pools' workers end after 60 (pool.conf.j2)."""
AIM_IDLE = 90
"""MiB."""


def walks(sites: Pair, walk: Walk, rounds: int, cold: bool) -> Iterator[tuple[Site, Times]]:
    """Go all steps in every round at each site in turns."""
    for turn in range(rounds):
        for site in sites if turn % 2 == 0 else reversed(sites):
            if cold:
                site.restart()
            before = site.cpu()
            times = walk(site)
            yield site, times | {PROCESSOR: site.cpu() - before}


def time_lines(sites: Pair, way: str, walk: Walk, rounds: dict[str, int]) -> Iterator[str]:
    """Measure the times of all steps."""
    role = sites[0].role
    yield machines.line(f"{role}, ms {way}", "p50", "stock p50; p99 of both, of so many")
    for state, number in rounds.items():
        machines.say(f"{role}: {number} rounds {way}, {state}")
        found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for site, times in walks(sites, walk, number, state == "cold"):
            for step, taken in times.items():
                found[step][site.container].append(taken)
        for step in (*STEPS, PROCESSOR):
            ours, theirs = (sorted(found[step][site.container]) for site in sites)
            p50, stock_p50 = statistics.median(ours), statistics.median(theirs)
            p99, stock_p99 = (machines.percentile(one, 0.99) for one in (ours, theirs))
            yield machines.line(
                f"  {state}: {step}",
                f"{p50:.0f}",
                f"{stock_p50:.0f}; {p99:.0f} and {stock_p99:.0f}, of {number}",
                f"{p50 / stock_p50:.2f}",
                "aim: as stock or better",
            )


@dataclass
class Activity:
    """What users did: milliseconds of each action; and the most memory that the servers had meanwhile."""

    taken: list[float]
    memory: Memory


def be_active(site: Site, seconds: float) -> Activity:
    """Let all users list, read and search at once, each with a pause after each action."""
    taken: list[float] = []
    ready = threading.Barrier(USERS + 1)

    def use(turn: int) -> None:
        visit = webmail_visits.begin(site, turn)
        visit.open()
        visit.enter()
        newest = visit.search("hello")
        actions: list[Callable[[], object]] = [
            lambda: visit.search(""),
            lambda: visit.read(random.choice(newest)),
            lambda: visit.search(random.choice((word(7), "Benchmark", "nowhere"))),
        ]
        ready.wait()
        end = time.monotonic() + seconds
        for action in itertools.cycle(actions):
            time.sleep(random.uniform(0.5, 1.5))
            start = time.monotonic()
            if start > end:
                break
            action()
            taken.append((time.monotonic() - start) * 1000)
        visit.leave()

    with ThreadPoolExecutor(USERS) as threads:
        users = [threads.submit(use, turn) for turn in range(USERS)]
        ready.wait()
        found = []
        while not all(user.done() for user in users):
            found.append(site.memory())
            time.sleep(1)
        for user in users:
            user.result()
    return Activity(sorted(taken), max(found, key=lambda memory: memory.total))


def memory_lines(sites: Pair, seconds: float) -> Iterator[str]:
    """Measure memory with users, and once they are gone and workers have ended."""
    used = []
    for site in sites:
        machines.say(f"{USERS} users of {site.hostname}")
        site.restart()
        used.append(be_active(site, seconds))
    machines.say(f"waiting {IDLE_AFTER} s until all is idle")
    time.sleep(IDLE_AFTER)
    idle = [
        dataclasses.replace(site.memory(), shared=activity.memory.shared)
        for site, activity in zip(sites, used, strict=True)
    ]
    yield machines.line(f"{sites[0].role}, MiB", "", "stock; of nginx and PHP-FPM")
    aim = f"aim: under {AIM_IDLE}" + ("; missed" if idle[0].total >= AIM_IDLE else "")
    held = [activity.memory for activity in used]
    for what, (ours, theirs), end in (("idle", idle, aim), (f"{USERS} users", held, "")):
        yield machines.line(
            f"  {what}",
            f"{ours.total:.0f}",
            f"{theirs.total:.0f}: {theirs}; ours: {ours}",
            f"{ours.total / theirs.total:.2f}",
            end,
        )
    for share in (0.5, 0.99):
        fast, slow = (machines.percentile(activity.taken, share) for activity in used)
        yield machines.line(
            f"  ms an action, p{share * 100:.0f}",
            f"{fast:.0f}",
            f"{slow:.0f}  of {len(used[1].taken)}; ours of {len(used[0].taken)}",
            f"{fast / slow:.2f}",
        )


def measure(sites: Pair, directory: Path, short: bool, rounds: int) -> Iterator[str]:
    """Measure one application; yield the lines of the table."""
    mine = sites[0]
    if mine.role == "snappymail" and Webmail(mine.hostname, mine.ca_file).is_standin():
        yield "snappymail: not measured, for its stand-in says nothing of it (SNAPPYMAIL_ARCHIVE=/path)"
        return
    for site in sites:
        webmail_visits.introduce(site)
    yield from time_lines(sites, "over HTTP", over_http, {"cold": (rounds + 1) // 2, "warm": rounds})
    if shutil.which("chromium"):
        with webmail_visits.chromium(sites, directory / mine.role) as browsers:
            few = {"cold": (rounds + 3) // 4, "warm": (rounds + 1) // 2}
            yield from time_lines(sites, "in Chromium", lambda site: in_browser(browsers, site), few)
    else:
        yield "Not seen in a browser: that needs Debian's Chromium."
    yield from memory_lines(sites, 5 if short else ACTIVE)


def measure_all(short: bool, rounds: int) -> Iterator[str]:
    """Measure both applications, and the role that they share."""
    with tempfile.TemporaryDirectory() as directory:
        for sites in make_machines(directory):
            yield from measure(sites, Path(directory), short, rounds)
        yield from site_playbook.unchanged_lines("webmail_host", "webmail", HOUSE)


def main() -> None:
    """Print the table, and leave nothing behind."""
    parser = part.options(__doc__)
    parser.add_argument("--rounds", type=int, default=0, help=f"warm ones over HTTP; {ROUNDS}, or in short 2")
    given = parser.parse_args()
    part.print_table(lambda: measure_all(given.short, given.rounds or (2 if given.short else ROUNDS)))


if __name__ == "__main__":
    main()
