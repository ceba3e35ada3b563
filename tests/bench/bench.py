#!/usr/bin/env python3
"""Print what the house costs beside what it would cost at best, measured in the same run (`make bench`).

Nothing here decides a test: the figures are for people to compare.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

CONTAINERS = {"lab-mail": "bench-mail", "lab-app": "bench-app"}
"""Container of each host, as in inventory.yml; in the order in which site.yml sets the hosts up."""

INVENTORIES = ["inventories/lab", "tests/bench/inventory.yml"]

NETWORK = "ilnmors-mail-bench"
ON_CONTROLLER = {
    "assert",
    "debug",
    "fail",
    "include_role",
    "include_tasks",
    "include_vars",
    "set_fact",
    "validate_argument_spec",
}
"""Actions that call no module on the host."""

Task = dict[str, Any]
STAT: Task = {"ansible.builtin.stat": {"path": "/etc"}}
LEAST: dict[str, Task] = {
    "apt": {"name": "base-files"},
    "setup": {"gather_subset": ["!all", "!min", "distribution"]},
    "systemd_service": {"name": "dbus.service", "state": "started"},
}
"""Modules that cost more than others even when they find nothing to do."""

IDLE_AFTER = 110
"""Seconds; Postfix ends its idle processes after 100 s (postconf(5), max_idle), Dovecot after 60 s."""

SITE = "playbooks/site.yml"
IMAGE = f"ilnmors-mail-lab:{os.environ.get('LAB_SUITE', 'trixie')}"

MIB = 1024
"""KiB in one; /proc counts in KiB."""


@dataclass(frozen=True)
class HostRun:
    """What a playbook did on one host."""

    seconds: float
    modules: tuple[str, ...]
    """Module of each task that ran one on the host."""
    on_controller: int
    skipped: int

    def __str__(self) -> str:
        return f"{len(self.modules)} tasks, {self.on_controller} on the controller, {self.skipped} skipped"


@dataclass(frozen=True)
class Run:
    """One run of a playbook; seconds are wall-clock, with Ansible's own start."""

    seconds: float
    changed: int
    hosts: dict[str, HostRun]


def docker(*command: str) -> str:
    """Run the docker client; return what it prints."""
    return subprocess.run(["docker", *command], check=True, capture_output=True, text=True).stdout


def seconds_of(duration: dict[str, str]) -> float:
    """Return the length of a task, from the two times that the JSON output gives."""
    start, end = (datetime.fromisoformat(duration[key]) for key in ("start", "end"))
    return (end - start).total_seconds()


def host_run(host: str, plays: list[dict[str, Any]]) -> HostRun:
    """Sum up one host in the output of ansible.posix.json."""
    tasks = [task for play in plays for task in play["tasks"] if host in task["hosts"]]
    results = [task["hosts"][host] for task in tasks]
    ran = [
        result["action"].removeprefix("ansible.builtin.") for result in results if not result.get("skipped")
    ]
    modules = tuple(action for action in ran if action not in ON_CONTROLLER)
    return HostRun(
        seconds=sum(seconds_of(task["task"]["duration"]) for task in tasks),
        modules=modules,
        on_controller=len(ran) - len(modules),
        skipped=len(results) - len(ran),
    )


def failures(plays: list[dict[str, Any]]) -> Iterator[str]:
    """Name each task that failed, and say why."""
    for task in (task for play in plays for task in play["tasks"]):
        for host, result in task["hosts"].items():
            if result.get("failed") or result.get("unreachable"):
                yield f"{host}: {task['task']['name']}: {result.get('msg', result)}"


def play(playbook: str | Path, *options: str, inventories: Sequence[str] = INVENTORIES) -> Run:
    """Run a playbook, by default against the containers of this benchmark."""
    start = time.monotonic()
    done = subprocess.run(
        [
            "ansible-playbook",
            *(f"--inventory={path}" for path in inventories),
            *options,
            str(playbook),
        ],
        env=os.environ | {"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - start
    output = json.loads(done.stdout) if done.stdout.startswith("{") else {"plays": [], "stats": {}}
    if done.returncode:
        sys.exit("\n".join([f"{playbook} failed.", *failures(output["plays"])]) + "\n" + done.stderr)
    changed = sum(stats["changed"] for stats in output["stats"].values())
    return Run(
        seconds,
        changed,
        {host: host_run(host, output["plays"]) for host in output["stats"]},
    )


def best_run(like: Run, least: dict[str, Task], inventories: Sequence[str] = INVENTORIES) -> Run:
    """Run as many tasks on each host, of the modules in LEAST the least that they can do, of others a stat."""
    plays = [
        {
            "name": f"Do little on {host}",
            "hosts": host,
            "gather_facts": False,
            "tasks": [{module: least[module]} if module in least else STAT for module in run.modules]
            + [{"ansible.builtin.assert": {"that": True, "quiet": True}}] * (run.on_controller + run.skipped),
        }
        for host, run in like.hosts.items()
    ]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as playbook:
        json.dump(plays, playbook)
        playbook.flush()
        return play(playbook.name, inventories=inventories)


def create() -> None:
    """Make both machines bare, whatever was there."""
    remove()
    play("molecule/resources/create.yml", "--limit", ",".join(CONTAINERS))


def remove() -> None:
    """Remove the containers and their network, if they exist."""
    for command in (["rm", "--force", "--volumes", *CONTAINERS.values()], ["network", "rm", NETWORK]):
        subprocess.run(["docker", *command], check=False, capture_output=True)


def packages(container: str) -> set[str]:
    """Return the names of the installed packages."""
    listing = docker(
        "exec", container, "dpkg-query", "--show", "--showformat", "${db:Status-Abbrev} ${Package}\\n"
    )
    return {line.split()[1] for line in listing.splitlines() if line.startswith("ii")}


def install(container: str, names: set[str]) -> float:
    """Install packages in a bare container with apt-get alone; return the seconds."""
    start = time.monotonic()
    script = 'apt-get update -q && apt-get install -q -y --no-install-recommends "$@"'
    docker(
        "exec", "-e", "DEBIAN_FRONTEND=noninteractive", container, "sh", "-c", script, "sh", *sorted(names)
    )
    return time.monotonic() - start


def memory(container: str) -> Counter[str]:
    """Return the PSS of each systemd unit's processes in KiB, while the other machine is off and shares no page."""
    others = [other for other in CONTAINERS.values() if other != container]
    docker("stop", *others)
    units = Counter[str]()
    for pid in docker("top", container, "-eo", "pid").split()[1:]:
        process = Path("/proc", pid)
        try:
            group = re.findall(r"^0::.*/(.*)$", (process / "cgroup").read_text(), re.MULTILINE)
            sizes = re.findall(r"^Pss: *(\d+) kB", (process / "smaps_rollup").read_text(), re.MULTILINE)
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
        units[re.split("[.@]", group[0])[0].removeprefix("systemd-")] += sum(map(int, sizes))
    docker("start", *others)
    for other in others:
        wait = "until systemctl is-system-running --wait 2>/dev/null | grep -qE 'running|degraded'; do sleep 0.2; done"
        docker("exec", other, "timeout", "60", "sh", "-c", wait)
    return units


def say(step: str) -> None:
    """Tell what takes so long."""
    print(f"==> {step}", flush=True)


def line(what: str, figure: str, baseline: str, ratio: str = "", aim: str = "") -> str:
    """Lay out one line of the table."""
    return f"{what:<24}{figure:>10}   {baseline:<52}{ratio:>6}  {aim}".rstrip()


def measure() -> list[str]:
    """Measure everything; return the lines of the table."""
    say("making two bare machines")
    create()
    bare = {host: packages(container) for host, container in CONTAINERS.items()}
    empty = {host: memory(container).total() for host, container in CONTAINERS.items()}

    say("converging them for the first time (about a minute)")
    first = play(SITE)
    added = {host: packages(container) - bare[host] for host, container in CONTAINERS.items()}

    say("converging them again")
    second = play(SITE)
    best, alike = best_run(second, {}), best_run(second, LEAST)

    say(f"using the house once, then waiting {IDLE_AFTER} s until it is idle")
    play("playbooks/verify.yml")
    time.sleep(IDLE_AFTER)
    used = {host: memory(container) for host, container in CONTAINERS.items()}

    say("installing the same packages on bare machines with apt-get alone")
    create()
    alone = sum(install(container, added[host]) for host, container in CONTAINERS.items())

    return [
        line("", "seconds", "at best, in the same run", "ratio"),
        line(
            "first converge",
            f"{first.seconds:.1f}",
            f"{alone:.1f}  apt-get, the same {sum(map(len, added.values()))} packages",
            f"{first.seconds / alone:.2f}",
            "aim: under 2",
        ),
        line(
            "unchanged run",
            f"{second.seconds:.1f}",
            f"{best.seconds:.1f}  as many tasks that only look",
            f"{second.seconds / best.seconds:.2f}",
            f"aim: under 1.3 and 30 s; {second.changed} changes",
        ),
        line(
            "",
            "",
            f"{alike.seconds:.1f}  with apt and systemd among them",
            f"{second.seconds / alike.seconds:.2f}",
        ),
        *(
            line(
                f"  {host}",
                f"{run.seconds:.1f}",
                f"{best.hosts[host].seconds:.1f}  {run}",
                f"{run.seconds / best.hosts[host].seconds:.2f}",
            )
            for host, run in second.hosts.items()
        ),
        "",
        line("", "MiB idle", "on the bare machine"),
        *(
            line(
                f"  {host}",
                f"{units.total() / MIB:.1f}",
                f"{empty[host] / MIB:.1f}",
                "",
                "aim: under 120" if host == "lab-mail" else "",
            )
            + "\n    "
            + ", ".join(f"{unit} {size / MIB:.1f}" for unit, size in units.most_common())
            for host, units in used.items()
        ),
    ]


def main() -> None:
    """Print the table, and leave nothing behind."""
    busy = os.getloadavg()[0]
    others = docker("ps", "--quiet", "--filter", f"ancestor={IMAGE}").split()
    try:
        lines = measure()
        debian = docker("exec", "bench-mail", "cat", "/etc/debian_version").strip()
    finally:
        remove()
    print(f"\n{os.cpu_count()} cores, load {busy:.1f} before the start; Debian {debian} in the containers\n")
    print("\n".join(lines))
    if others:
        print(
            f"\n{len(others)} more containers of this image were running: pages shared with them count in part."
        )


if __name__ == "__main__":
    main()
