# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How one part of the benchmarks is run: its options, its table, and that nothing of it is left behind."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable

from ansible_collections.ilnmors.mail.tests.bench import machines

SHORT = "SHORT"
"""Environment variable: anything but nothing makes every part a short one."""


def options(description: str | None) -> argparse.ArgumentParser:
    """Return the options that every part has; description: the docstring of its file."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--short",
        action="store_true",
        default=bool(os.environ.get(SHORT)),
        help=f"smaller loads, once: shows that all of it works, and no figure to go by ({SHORT}=1)",
    )
    return parser


def print_table(measure: Callable[[], Iterable[str]]) -> None:
    """Measure, print the lines of the table below what they were measured on, and remove all machines."""
    before = os.getloadavg()[0]
    try:
        lines = list(measure())
    finally:
        machines.remove()
    load = f"load {before:.1f} before the start, {os.getloadavg()[0]:.1f} at the end"
    print(
        f"\n{os.cpu_count()} cores, {load}; clients and machines share them; {machines.IMAGE}\n", flush=True
    )
    print("\n".join(lines), flush=True)
