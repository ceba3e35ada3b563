# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The command mail-metrics, which a timer runs."""

from __future__ import annotations

import sys

from .collect import Host, collect
from .config import CONFIG, OUTPUT, STATE, Config
from .exposition import exposition
from .files import read_state, replace_file, write_state


def complain(text: str) -> None:
    """Tell the journal, as an error (sd-daemon(3))."""
    print(f"<3>{text}", file=sys.stderr)


def main() -> int:
    """Write the figures; return the exit status."""
    config = Config.read(CONFIG)
    deliveries = read_state(STATE)
    metrics = collect(config, deliveries, Host(), complain)
    # Kept before they are shown: what has been shown is never counted again.
    write_state(STATE, deliveries)
    replace_file(OUTPUT, exposition(metrics), 0o644)
    return 0


if __name__ == "__main__":
    sys.exit(main())
