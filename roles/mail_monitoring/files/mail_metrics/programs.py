# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asks the host's own programs."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence

TIMEOUT = 60
"""Seconds that a program may take."""

Ask = Callable[[Sequence[str]], str]
"""Runs a command and returns what it prints. Raises UnansweredError."""


class UnansweredError(Exception):
    """What a program says instead of an answer."""


def ask(command: Sequence[str]) -> str:
    """Ask this host."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnansweredError(f"{command[0]}: {error}") from error
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"ended with {done.returncode}"
        raise UnansweredError(f"{command[0]}: {said}")
    return done.stdout
