"""Raw SMTP, byte for byte; also as a program for a machine that has nothing but Python.

`python3 talker.py ADDRESS PORT STEPS` prints the replies as JSON. STEPS is a JSON list of what is sent, in Latin-1.
"""

import json
import socket
import ssl
import sys
from collections.abc import Iterable
from typing import Any

TIMEOUT = 30


def reply(stream: Any) -> str:
    """Read one reply with all its lines; nothing at the end of the connection."""
    lines = [stream.readline()]
    while lines[-1][3:4] == b"-":
        lines.append(stream.readline())
    return b"".join(lines).decode("latin-1").strip()


def talk(connection: socket.socket, steps: Iterable[bytes]) -> list[str]:
    """Send each step and read one reply to it, then read what else comes until the server hangs up.

    The last step should be QUIT, or what the server hangs up on. A server that hangs up early ends the conversation.
    """
    replies = []
    with connection, connection.makefile("rb") as stream:
        try:
            for step in steps:
                connection.sendall(step)
                replies.append(reply(stream))
            while replies[-1]:
                replies.append(reply(stream))
        except (ConnectionError, ssl.SSLEOFError):
            pass
    return [found for found in replies if found]


def call(address: str, port: int, steps: Iterable[bytes]) -> list[str]:
    """Connect and talk, after reading the greeting; a first step that is empty is the greeting's."""
    return talk(socket.create_connection((address, port), TIMEOUT), [b"", *steps])


if __name__ == "__main__":
    found = call(sys.argv[1], int(sys.argv[2]), [step.encode("latin-1") for step in json.loads(sys.argv[3])])
    print(json.dumps(found))
