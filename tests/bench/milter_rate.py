# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How many messages a second the check of From answers alone; run on the mail host, as root.

milter_rate.py --login il@home.internal --messages 5000 --sessions 10
"""

from __future__ import annotations

import argparse
import socket
import struct
import sys
import time
from concurrent.futures import ThreadPoolExecutor

SOCKET = "/var/spool/postfix/milter/from-check.sock"
HELLO = b"O" + struct.pack(">III", 6, 0x1FF, 0x1FFFFF)


def pack(*packets: bytes) -> bytes:
    """Write packets of the milter protocol: length, letter and data."""
    return b"".join(struct.pack(">I", len(packet)) + packet for packet in packets)


def message(login: str, number: int) -> bytes:
    """Return what Postfix sends of a message up to the end of its header."""
    sender = login.encode()
    fields = {
        b"From": b" Il of the House %d <%b>" % (number, sender),
        b"To": b" guest@ilnmors.internal",
        b"Subject": b" a message like others",
        b"Message-ID": b" <%d@bench.test>" % number,
        b"Date": b" Mon, 30 Nov 2026 10:00:00 +0000",
    }
    return pack(
        b"DM{auth_authen}\0" + sender + b"\0",
        b"M<" + sender + b">\0",
        *(b"L" + name + b"\0" + value + b"\0" for name, value in fields.items()),
        b"N",
    )


def work(login: str, numbers: range) -> None:
    """Have messages checked, one after another, in one session; end the run if one is refused."""
    with socket.socket(socket.AF_UNIX) as milter:
        milter.connect(SOCKET)
        milter.sendall(pack(HELLO))
        milter.recv(100)
        for number in numbers:
            milter.sendall(message(login, number))
            if (answer := milter.recv(1000)) != pack(b"a"):
                sys.exit(f"the check answers {answer!r}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--login", required=True)
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--sessions", type=int, default=10)
    given = parser.parse_args()
    start = time.monotonic()
    with ThreadPoolExecutor(given.sessions) as threads:
        shares = (range(turn, given.messages, given.sessions) for turn in range(given.sessions))
        list(threads.map(lambda share: work(given.login, share), shares))
    print(f"{given.messages / (time.monotonic() - start):.0f}")


if __name__ == "__main__":
    main()
