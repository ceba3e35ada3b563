# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why an attempt to fetch an account may fail."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

Kind = Literal[
    "unreachable", "tls", "refused", "provider limit", "budget", "house full", "house unavailable", "error"
]
"""Why an attempt failed. refused: the login; budget: what may be read in a day has been read."""

MINUTE, HOUR, DAY = 60, 3600, 86400


def unforeseen(error: Exception, secret: str = "") -> str:
    """Write an exception to the journal without the secret; return what it is, without what it says.

    What it says may come from a provider, and hold anything.
    """
    import traceback  # takes long, and is seldom needed

    text = "".join(traceback.format_exception(error))
    print(text.replace(secret, "***") if secret else text, file=sys.stderr, flush=True)
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return f"a fault of the program itself: {type(error).__name__}{where}"
