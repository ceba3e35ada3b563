# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether systemd takes times that options name. Each function returns problems: sentences that name the option."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping


def systemd_takes(event: str) -> bool:
    """Whether systemd knows a calendar event, and it comes again (systemd-analyze(1))."""
    done = subprocess.run(  # pylint: disable=ansible-bad-function
        ["systemd-analyze", "calendar", "--iterations=1", "--", event],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    return done.returncode == 0 and "Next elapse: never" not in " ".join(done.stdout.split())


def schedule_problems(
    schedules: Mapping[str, str], takes: Callable[[str], bool] = systemd_takes
) -> Iterator[str]:
    """Check calendar events by the options that name them."""
    for option, event in schedules.items():
        if not takes(event):
            yield (
                f"{option}: {event!r} is no time that systemd knows and that comes again; write one such as "
                "'*-*-* 03:00:00' (systemd.time(7), and 'systemd-analyze calendar' on the host)"
            )
