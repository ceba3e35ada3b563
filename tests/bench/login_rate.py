#!/usr/bin/env python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Print how many IMAP logins over TLS a server answers in a second.

Each login is a connection of its own, as a webmail makes for every request: TLS handshake, LOGIN, LOGOUT.
"""

from __future__ import annotations

import argparse
import imaplib
import os
import ssl
import time
from concurrent.futures import ThreadPoolExecutor


def login(host: str, context: ssl.SSLContext, user: str, password: str) -> None:
    """Log in and out once; raise where the server refuses."""
    with imaplib.IMAP4_SSL(host, ssl_context=context, timeout=60) as client:
        client.login(user, password)


def rate(host: str, context: ssl.SSLContext, user: str, password: str, logins: int, at_once: int) -> float:
    """Return logins per second, after one that warms the server up."""
    login(host, context, user, password)
    start = time.monotonic()
    with ThreadPoolExecutor(at_once) as threads:
        list(threads.map(lambda __: login(host, context, user, password), range(logins)))
    return logins / (time.monotonic() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host", help="name of the server, as in its certificate")
    parser.add_argument("user", help="account; its password is read from the environment's PASSWORD")
    parser.add_argument("--ca", help="file with the authority's certificate; the system's otherwise")
    parser.add_argument("--logins", type=int, default=200, help="how many logins (default 200)")
    parser.add_argument(
        "--at-once", type=int, default=10, help="over how many connections at once (default 10)"
    )
    given = parser.parse_args()
    context = ssl.create_default_context(cafile=given.ca)
    found = rate(given.host, context, given.user, os.environ["PASSWORD"], given.logins, given.at_once)
    print(f"{found:.1f}")


if __name__ == "__main__":
    main()
