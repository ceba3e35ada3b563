#!/usr/bin/env python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Print what a backup costs beside `tar | zstd` of the same tree (`make bench-backup`).

It makes a machine of its own, with a repository on the same disk. Both read the tree from memory, for it has just been
made. Nothing here decides a test: the figures are for people to compare.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path

from ansible_collections.ilnmors.mail.tests.bench import machines

MACHINE = "bench-backup"
ROOT = Path(__file__).parents[2]


def inside(*command: str) -> str:
    """Run a command on the machine and return what it prints."""
    return subprocess.run(
        ["docker", "exec", MACHINE, *command], check=True, capture_output=True, text=True
    ).stdout


def main() -> None:
    """Make the machine, and print a table for each count of messages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, nargs="+", default=[10_000, 100_000])
    asked = parser.parse_args()
    subprocess.run(["docker", "rm", "-f", MACHINE], check=False, capture_output=True)
    subprocess.run(
        ["docker", "run", "-d", "--name", MACHINE, machines.IMAGE, "sleep", "infinity"], check=True
    )
    try:
        inside(
            "sh",
            "-c",
            "apt-get -qq update && apt-get -qqy install --no-install-recommends restic zstd >/dev/null",
        )
        for source in (ROOT / "roles/mail_backup/files/mail_backup", ROOT / "tests/bench/backup_rate.py"):
            subprocess.run(["docker", "cp", "-q", str(source), f"{MACHINE}:/usr/local/lib/"], check=True)
        for count in asked.messages:
            show(count, json.loads(inside("python3", "-B", "/usr/local/lib/backup_rate.py", str(count))))
    finally:
        subprocess.run(["docker", "rm", "-f", MACHINE], check=False, capture_output=True)


def show(count: int, found: dict[str, float]) -> None:
    """Print the figures of a count of messages."""
    print(f"\n{count} messages, {found['tree_mb']} MB; tar | zstd: {found['tar']} s, {found['tar_mb']} MB")
    print(f"  restic alone takes {found['start']} s to open a repository, each time that it is started")
    rows = [
        (
            "first backup",
            "first",
            "tar",
            f"{found['repository_mb']} MB; the copy {found['copy_first']} s of it",
        ),
        ("restic alone", "alone", "tar", "the same tree"),
        (
            "10 more",
            "changed",
            "tar",
            f"{found['changed_bytes']} bytes; the copy {found['copy_changed']} s of it",
        ),
        ("unchanged", "unchanged", "tar", "no snapshot"),
        ("restore", "restore", "untar", f"beside untarring in {found['untar']} s"),
        ("restic alone", "alone_restore", "untar", "the same tree"),
    ]
    for name, key, beside, more in rows:
        print(f"  {name:14} {found[key]:8.2f} s  {found[key] / max(found[beside], 0.01):5.2f} times  {more}")


if __name__ == "__main__":
    main()
