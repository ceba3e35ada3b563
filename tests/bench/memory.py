# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the processes of a machine hold in memory, whatever else runs on this computer.

The kernel's own PSS of a process counts a page less, the more processes have it, those of other containers among them.
Here only the machine's own are counted (proc(5), smaps): pages that are the process's own, its part of shared memory,
and of each file that is mapped the resident part, divided by the processes of the machine that have it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.ilnmors.mail.tests.bench import machines

MIB = 1024
"""KiB in one; /proc counts in KiB."""


@dataclass(frozen=True)
class Process:
    """KiB of one process: of its own, its part of what processes share, and of each file; unit: systemd's."""

    unit: str
    own: int
    shared: int
    files: dict[str, int]


@dataclass(frozen=True)
class Memory:
    """KiB of processes: their own, what they share, and of files."""

    own: int
    shared: int
    files: int

    def __str__(self) -> str:
        return ", ".join(
            f"{size / MIB:.0f} {what}"
            for what, size in (("own", self.own), ("shared", self.shared), ("files", self.files))
        )

    @property
    def total(self) -> float:
        """MiB."""
        return (self.own + self.shared + self.files) / MIB


def processes(container: str, units: str = ".*") -> list[Process]:
    """Return the processes of a container whose unit a regular expression matches, but for those that end meanwhile."""
    found = []
    for pid in machines.docker("top", container, "-eo", "pid").split()[1:]:
        process = Path("/proc", pid)
        try:
            group = re.findall(r"^0::.*/(.*)$", (process / "cgroup").read_text(), re.MULTILINE)
            if re.match(units, group[0]):
                found.append(
                    read(group[0], *((process / name).read_text() for name in ("smaps_rollup", "smaps")))
                )
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def read(unit: str, rollup: str, smaps: str) -> Process:
    """Sum up the two files of a process (proc(5)): the first alone tells what is shared, the second each file."""
    own, shared, resident = 0, 0, 0
    files = Counter[str]()
    mapping = ""
    for line in (rollup + smaps).splitlines():
        key, *values = line.split()
        match key:
            case "Pss_Anon:":
                own += int(values[0])
            case "Pss_Shmem:":
                shared += int(values[0])
            case "Rss:":
                resident = int(values[0])
            case "Anonymous:":
                if is_file(mapping):
                    files[mapping] += resident - int(values[0])
            case _ if not key.endswith(":"):
                # Permissions, offset, device, inode and path: the last four say which part of which file it is.
                mapping = " ".join(values[1:])
    return Process(unit, own, shared, dict(files))


def is_file(mapping: str) -> bool:
    """Tell whether a mapping is of a file on a disk."""
    __, __, inode, *path = mapping.split()
    return inode != "0" and path[0].startswith("/") and not path[0].startswith(("/dev/", "/SYSV"))


def total(found: Sequence[Process]) -> Memory:
    """Sum up processes; of each file the most that any of them has counts, once."""
    files = Counter[str]()
    for process in found:
        files |= Counter(process.files)
    return Memory(sum(one.own for one in found), sum(one.shared for one in found), files.total())


def by_unit(found: Sequence[Process]) -> Counter[str]:
    """Return the KiB of each unit, instances together: their sum is that of total()."""
    most, holders = Counter[str](), Counter[str]()
    for process in found:
        most |= Counter(process.files)
        holders.update(name for name, size in process.files.items() if size)
    units = Counter[str]()
    for process in found:
        name = re.split("[.@]", process.unit)[0].removeprefix("systemd-")
        held = sum(most[file] / holders[file] for file, size in process.files.items() if size)
        units[name] += round(process.own + process.shared + held)
    return units
