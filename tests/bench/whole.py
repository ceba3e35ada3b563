#!/usr/bin/env python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run all parts of the benchmarks one after another, and print their figures together at the end (`make bench`).

A part that fails is named with what it said last, and the others are run; then the exit status is 1. Figures decide
nothing. SHORT=1 in the environment makes every part a short one, which shows that it works.
"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

STEP = "==> "
"""How a line begins that tells what a part is doing."""

PARTS = {
    "site_playbook": "The site playbook, and memory",
    "dovecot": "Dovecot",
    "search": "Searches",
    "postfix": "Postfix and Dovecot",
    "delivery": "What a delivery costs",
    "fetch": "Fetched mail",
    "webmail": "Webmails",
    "strangers": "Logins beside strangers",
    "backup": "Backups",
    "growth": "Growth with people",
}
"""What each file here measures, in the order in which they are run."""

LAST = 15
"""Lines that are repeated of a part that failed."""


@dataclass
class Found:
    """What a part printed: its table, and its status (0: it worked)."""

    lines: list[str] = field(default_factory=list)
    status: int = 0
    seconds: float = 0


def run(name: str) -> Found:
    """Run a part; tell what it does meanwhile."""
    found, start = Found(), time.monotonic()
    command = [sys.executable, "-u", str(Path(__file__).with_name(f"{name}.py"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as part:
        assert part.stdout is not None
        for line in part.stdout:
            if line.startswith(STEP):
                print(line, end="", flush=True)
            else:
                found.lines.append(line.rstrip())
    found.status, found.seconds = part.returncode, time.monotonic() - start
    return found


def main() -> None:
    """Run every part, and print all figures."""
    results: dict[str, Found] = {}
    for name, title in PARTS.items():
        print(f"\n{title}", flush=True)
        results[name] = run(name)
    for name, title in PARTS.items():
        found = results[name]
        print(f"\n## {title} ({found.seconds / 60:.0f} min)")
        print("\n".join(found.lines if found.status == 0 else found.lines[-LAST:]))
    failed = [name for name, found in results.items() if found.status]
    if failed:
        sys.exit(f"\nfailed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
