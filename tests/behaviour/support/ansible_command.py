# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run Ansible's commands so that what they print can be read."""

from __future__ import annotations

import os
import subprocess


def run_ansible(
    *command: str, inventory: str | None, timeout: float = 120, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command, without colours whatever the terminal, and with its failures in stdout.

    inventory: a path, or None for the default one. timeout: in seconds.
    """
    # Molecule forces colours where it shows some itself, and has failures in stderr.
    plain = {
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_FORCE_COLOR": "0",
        "ANSIBLE_DISPLAY_FAILED_STDERR": "0",
        # A house without a webmail has no such group; ansible-test has made that an error.
        "ANSIBLE_HOST_PATTERN_MISMATCH": "warning",
    }
    return subprocess.run(
        [*command, *(["--inventory", inventory] if inventory else [])],
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
        env={**os.environ, **plain, **environment},
    )
