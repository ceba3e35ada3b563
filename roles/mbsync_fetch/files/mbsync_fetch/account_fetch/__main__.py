# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Starts a fetch: mbsync-fetch@NAME.service runs this.

Where there is news it knocks at the house's door before anything else: a session is made behind it while Python still
loads what a fetch needs, and while the provider is connected to.
"""

import os
import socket
import sys


def knock(name: str) -> socket.socket | None:
    """Connect to the house's door where there is news; None where there is none, or nobody hears."""
    if not os.path.exists(f"{os.environ['RUNTIME_DIRECTORY']}/news"):  # noqa: PTH110 pathlib takes long to load
        return None
    knocked = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        knocked.connect(f"/run/mbsync-fetch-house/{name}")
    except OSError:
        knocked.close()
        return None
    return knocked


if __name__ == "__main__":
    early = knock(sys.argv[1])

    from .run import main

    sys.exit(main(sys.argv[1], early))
