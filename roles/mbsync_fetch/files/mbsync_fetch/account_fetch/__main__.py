# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Starts a fetch: mbsync-fetch@NAME.service runs this.

Where there is news it connects to the local mailbox before anything else: Dovecot makes a session while Python still
loads what a fetch needs, and while the provider is connected to.
"""

import gc
import os
import socket
import sys


def connect_early(name: str) -> socket.socket | None:
    """Connect to the local mailbox where there is news; None where there is none, or nobody listens."""
    if not os.path.exists(f"{os.environ['RUNTIME_DIRECTORY']}/news"):  # noqa: PTH110 pathlib takes long to load
        return None
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connected.connect(f"/run/mbsync-fetch-house/{name}")
    except OSError:
        connected.close()
        return None
    return connected


if __name__ == "__main__":
    early = connect_early(sys.argv[1])

    # Nothing of what is loaded is garbage: to look through it takes a sixth of the time.
    gc.disable()
    from .service import main

    gc.freeze()
    gc.enable()
    try:
        sys.exit(main(sys.argv[1], early))
    except OSError as no_room:
        sys.exit(f"no fetch could begin: {no_room}")
