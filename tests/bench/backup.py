#!/usr/bin/env python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Print what a backup and a restore cost, each figure beside a baseline of the same run (`make bench-backup`).

It makes machines of its own: one that backs a tree up beside `tar | zstd` and restic alone, with repositories on the
same disk, for both read the tree from memory; and a house, whose deliveries are counted with a backup and without, and
which is lost and restored. Nothing here decides a test.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.ilnmors.mail.tests.bench import backup_house, machines, part
from ansible_collections.ilnmors.mail.tests.bench.machines import line

MACHINE = "bench-backup"
ROOT = Path(__file__).parents[2]
COUNTS = [10_000, 100_000]
"""Messages of a tree; a house has the first."""
ROUNDS = 6
"""Of deliveries with a backup and without."""


def inside(*command: str) -> str:
    """Run a command on the machine and return what it prints."""
    return machines.docker("exec", MACHINE, *command)


def remove() -> None:
    """Remove the machine, if it exists."""
    subprocess.run(["docker", "rm", "--force", "--volumes", MACHINE], check=False, capture_output=True)


def tree_lines(counts: list[int]) -> Iterator[str]:
    """Make the machine, and yield the lines of each count of messages."""
    remove()
    machines.docker("run", "-d", "--name", MACHINE, machines.IMAGE, "sleep", "infinity")
    try:
        packages = "restic zstd"
        inside(
            "sh",
            "-c",
            f"apt-get -q update && apt-get -qy install --no-install-recommends {packages}",
        )
        for source in (ROOT / "roles/mail_backup/files/mail_backup", ROOT / "tests/bench/backup_rate.py"):
            machines.docker("cp", "-q", str(source), f"{MACHINE}:/usr/local/lib/")
        for count in counts:
            machines.say(f"backups and restores of {count:,} messages")
            yield from lines_of(
                count, json.loads(inside("python3", "-B", "/usr/local/lib/backup_rate.py", str(count)))
            )
    finally:
        remove()


def lines_of(count: int, found: dict[str, float]) -> Iterator[str]:
    """Yield the lines of a count of messages."""
    yield line(
        f"{count:,} messages, s", "", f"{found['tree_mb']} MB; one start of restic takes {found['start']} s"
    )
    tar = f"tar | zstd, {found['tar_mb']} MB"
    changed = f"{found['changed_bytes'] / 1_000_000:.1f} MB added; {found['copy_changed']} s copies"
    for name, key, beside, what, aim in (
        (
            "  first",
            "first",
            "tar",
            f"{tar}; {found['repository_mb']} MB, {found['copy_first']} s copies",
            1.4,
        ),
        ("  restic alone", "alone", "tar", "of the same tree", None),
        ("  10 more", "changed", "tar", changed, None),
        ("  unchanged", "unchanged", "tar", "no snapshot", 0.05),
        ("  restore", "restore", "untar", "untarring", None),
        ("  restic alone", "alone_restore", "untar", "of the same tree", None),
    ):
        ratio = found[key] / max(found[beside], 0.01)
        said = f"aim: at most {aim}{'; missed' if ratio > aim else ''}" if aim else ""
        yield line(name, f"{found[key]:.2f}", f"{found[beside]:.2f}  {what}", f"{ratio:.2f}", said)


def main() -> None:
    """Print the table, and leave nothing behind."""
    given = part.options(__doc__).parse_args()
    counts, rounds = ([500], 2) if given.short else (COUNTS, ROUNDS)
    part.print_table(lambda: [*tree_lines(counts), *backup_house.lines(counts[0], rounds)])


if __name__ == "__main__":
    main()
