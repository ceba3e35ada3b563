#!/usr/bin/env python
"""Print what the site playbook takes, beside what it would take at best, and the house's memory (`make bench-site`).

Nothing here decides a test: the figures are for people to compare.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ansible_collections.ilnmors.mail.tests.bench import imap_provider, machines, memory, part

CONTAINERS = {host: machines.CONTAINERS[host] for host in ("lab-mail", "lab-app")}
"""In the order in which site.yml sets the hosts up."""


Task = dict[str, Any]
STAT: Task = {"ansible.builtin.stat": {"path": "/etc"}}
LEAST: dict[str, Task] = {
    "apt": {"name": "base-files"},
    "setup": {"gather_subset": ["!all", "!min", "distribution"]},
    "systemd_service": {"name": "dbus.service", "state": "started"},
}
"""Modules that cost more than others even when they find nothing to do."""

ACCOUNTS = 8
"""Accounts that are fetched, each of a person of its own."""
HOUSE = imap_provider.house([f"person{number}" for number in range(ACCOUNTS)]) | machines.USUAL_DOVECOT
"""The house, by the lab's names."""

IDLE_AFTER = 110
"""Seconds; Postfix ends its idle processes after 100 s (postconf(5), max_idle), Dovecot after 60 s."""


def best_run(
    like: machines.Run, least: dict[str, Task], inventories: Sequence[str] = machines.INVENTORIES
) -> machines.Run:
    """Run as many tasks on each host, of the modules in LEAST the least that they can do, of others a stat.

    The hosts go on beside each other, as in site.yml.
    """
    with tempfile.TemporaryDirectory() as folder:
        for host, run in like.hosts.items():
            tasks = [{module: least[module]} if module in least else STAT for module in run.modules]
            nothing: Task = {"ansible.builtin.assert": {"that": True, "quiet": True}}
            text = json.dumps(tasks + [nothing] * (run.on_controller + run.skipped))
            (Path(folder) / f"{host}.json").write_text(text)
        play = {
            "name": "Do little",
            "hosts": ":".join(like.hosts),
            "gather_facts": False,
            "strategy": "free",
            "tasks": [{"ansible.builtin.include_tasks": "{{ inventory_hostname }}.json"}],
        }
        playbook = Path(folder) / "little.json"
        playbook.write_text(json.dumps([play]))
        return machines.play(playbook, inventories=inventories)


def unchanged_lines(
    role: str,
    hosts: str,
    variables: dict[str, Any] | None = None,
    inventories: Sequence[str] = machines.INVENTORIES,
) -> Iterator[str]:
    """Measure a run of a role alone that finds nothing to do."""
    machines.say("an unchanged run of the role")
    mine = machines.play_role(role, hosts, variables, inventories)
    best, alike = best_run(mine, {}, inventories), best_run(mine, LEAST, inventories)
    tasks = ", ".join(map(str, mine.hosts.values()))
    yield machines.line("unchanged run of role", "seconds", "as many tasks that only look", "ratio")
    for figure, least, note in (
        (f"{mine.seconds:.1f}", best, tasks),
        ("", alike, "with apt and systemd among them"),
    ):
        yield machines.line(
            "",
            figure,
            f"{least.seconds:.1f}  {note}",
            f"{mine.seconds / least.seconds:.2f}",
            f"{mine.changed} changes" if figure else "",
        )


def packages(container: str) -> set[str]:
    """Return the names of the installed packages."""
    listing = machines.docker(
        "exec", container, "dpkg-query", "--show", "--showformat", "${db:Status-Abbrev} ${Package}\\n"
    )
    return {line.split()[1] for line in listing.splitlines() if line.startswith("ii")}


def install(container: str, names: set[str]) -> float:
    """Install packages in a bare container with apt-get alone; return the seconds."""
    start = time.monotonic()
    script = 'apt-get update -q && apt-get install -q -y --no-install-recommends "$@"'
    machines.docker(
        "exec", "-e", "DEBIAN_FRONTEND=noninteractive", container, "sh", "-c", script, "sh", *sorted(names)
    )
    return time.monotonic() - start


def measure(short: bool) -> list[str]:
    """Measure everything; return the lines of the table."""
    machines.say("making two bare machines, and a provider")
    machines.create(*CONTAINERS, "lab-provider")
    imap_provider.set_up("lab-mail")
    bare = {host: packages(container) for host, container in CONTAINERS.items()}
    empty = {host: memory.total(memory.processes(container)) for host, container in CONTAINERS.items()}

    machines.say("converging them for the first time (about a minute)")
    house = ("-e", json.dumps(HOUSE))
    first = machines.play(machines.SITE, *house)
    added = {host: packages(container) - bare[host] for host, container in CONTAINERS.items()}

    machines.say("converging them again, then what belongs to people alone")
    second = machines.play(machines.SITE, *house)
    people = machines.play(machines.SITE, *house, "--tags", "users")
    best, alike = best_run(second, {}), best_run(second, LEAST)

    idle_after = 1 if short else IDLE_AFTER
    machines.say(f"using the house once, then waiting {idle_after} s until it is idle")
    machines.play("playbooks/verify.yml", *house)
    time.sleep(idle_after)
    used = {host: memory.processes(container) for host, container in CONTAINERS.items()}

    machines.say("installing the same packages on bare machines with apt-get alone")
    machines.create(*CONTAINERS)
    alone = sum(install(container, added[host]) for host, container in CONTAINERS.items())
    machines.create(*CONTAINERS)
    start = time.monotonic()
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(install, container, added[host]) for host, container in CONTAINERS.items()]:
            done.result()
    beside = time.monotonic() - start

    return [
        machines.line("", "seconds", "at best, in the same run", "ratio"),
        machines.line(
            "first converge",
            f"{first.seconds:.1f}",
            f"{alone:.1f}  apt-get, the same {sum(map(len, added.values()))} packages",
            f"{first.seconds / alone:.2f}",
            "aim: under 1.3",
        ),
        machines.line(
            "",
            "",
            f"{beside:.1f}  on both machines at the same time",
            f"{first.seconds / beside:.2f}",
        ),
        machines.line(
            "unchanged run",
            f"{second.seconds:.1f}",
            f"{best.seconds:.1f}  as many tasks that only look",
            f"{second.seconds / best.seconds:.2f}",
            f"aim: at most 1.15; {second.changed} changes",
        ),
        machines.line(
            "  processor",
            f"{second.processor:.1f}",
            f"{best.processor:.1f}",
            f"{second.processor / best.processor:.2f}",
        ),
        machines.line(
            "",
            "",
            f"{alike.seconds:.1f}  with apt and systemd among them",
            f"{second.seconds / alike.seconds:.2f}",
        ),
        *(
            machines.line(
                f"  {host}",
                f"{run.seconds:.1f}",
                f"{best.hosts[host].seconds:.1f}  {run}",
                f"{run.seconds / best.hosts[host].seconds:.2f}",
            )
            for host, run in second.hosts.items()
        ),
        machines.line(
            "--tags users",
            f"{people.seconds:.1f}",
            f"{second.seconds:.1f}  the whole",
            f"{people.seconds / second.seconds:.2f}",
            f"aim: 0.27; {people.changed} changes",
        ),
        machines.line(
            "  processor",
            f"{people.processor:.1f}",
            f"{second.processor:.1f}",
            f"{people.processor / second.processor:.2f}",
        ),
        "",
        machines.line("", "MiB idle", "on the bare machine"),
        *(
            machines.line(
                f"  {host}",
                f"{memory.total(processes).total:.1f}",
                f"{empty[host].total:.1f}; {memory.total(processes)}",
                "",
                f"aim: under 100, with {ACCOUNTS} fetched accounts" if host == "lab-mail" else "",
            )
            + "\n    "
            + ", ".join(
                f"{unit} {size / memory.MIB:.1f}" for unit, size in memory.by_unit(processes).most_common()
            )
            for host, processes in used.items()
        ),
    ]


def main() -> None:
    """Print the table, and leave nothing behind."""
    given = part.options(__doc__).parse_args()
    part.print_table(lambda: measure(given.short))


if __name__ == "__main__":
    main()
