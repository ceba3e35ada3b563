# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What has started a fetch."""

from __future__ import annotations

from pathlib import Path

from mbsync_fetch.run import by_timer


def test_a_timer_starts_a_fetch_once_at_each_time(tmp_path: Path) -> None:
    starts = ["", "1000", "1000", "2000", "2000", ""]
    assert [
        by_timer(tmp_path / "timer", {"TRIGGER_TIMER_MONOTONIC_USEC": moment} if moment else {})
        for moment in starts
    ] == [False, True, False, True, False, False]
