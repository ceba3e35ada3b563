# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is told of a fault of the program itself: where it is to the status, all of it to the journal."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path


def unforeseen(error: Exception, secret: str = "") -> str:
    """Write an exception to the journal without the secret; return what it is, without what it says.

    What it says may come from a provider, and hold anything.
    """
    text = "".join(traceback.format_exception(error))
    print(text.replace(secret, "***") if secret else text, file=sys.stderr, flush=True)
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return f"a fault of the program itself: {type(error).__name__}{where}"
