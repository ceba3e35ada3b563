#!/usr/bin/env python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tells how many messages a second are delivered while a first backup is made, and without; runs on the mail host.

`backup_delivery.py ROUNDS RECIPIENTS` prints JSON. One stream of deliveries goes on for the whole of a round, and is
looked at twice for the same time: while a backup runs, and just before it or just after it, in turn.
"""

from __future__ import annotations

import json
import random
import smtplib
import subprocess
import sys
import threading
import time

from lmtp_rate import SOCKET, message, vocabulary  # type: ignore[import-not-found]

CONNECTIONS = 4
WARM = 2.0
"""Seconds after which a stream of deliveries is even."""
FRESH = (
    "systemctl stop mail-backup.service; rm -rf /srv/repository/* /var/cache/mail-backup/* /var/lib/mail-backup/* "
    "/var/vmail/.mail-backup; sync"
)


class Stream:
    """Deliveries over several connections until they are told to stop. times: when each was done."""

    def __init__(self, recipients: list[str]) -> None:
        self.times: list[float] = []
        self._enough = threading.Event()
        chance, words = random.Random(1), vocabulary(2_000)
        self._messages = [
            (one, message(chance, words, one, 3_000))
            for one in (recipients[number % len(recipients)] for number in range(300))
        ]
        self._threads = [threading.Thread(target=self._deliver, args=(at,)) for at in range(CONNECTIONS)]

    def _deliver(self, at: int) -> None:
        with smtplib.LMTP(SOCKET) as client:
            while not self._enough.is_set():
                recipient, content = self._messages[at % len(self._messages)]
                client.sendmail("sender@elsewhere.test", [recipient], content)
                self.times.append(time.monotonic())
                at += CONNECTIONS

    def __enter__(self) -> Stream:
        for thread in self._threads:
            thread.start()
        time.sleep(WARM)
        return self

    def __exit__(self, *__: object) -> None:
        self._enough.set()
        for thread in self._threads:
            thread.join()

    def rate(self, began: float, ended: float) -> float:
        """Return the messages per second that were delivered in a time."""
        return sum(began <= at < ended for at in self.times) / (ended - began)


def measure(recipients: list[str], after: bool, seconds: float) -> tuple[float, float, float]:
    """Return the rates without a backup and with one, and how long the backup took.

    after: whether the time without one comes after it, otherwise it is as long as the last backup was.
    """
    subprocess.run(["sh", "-c", FRESH], check=True)
    with Stream(recipients) as stream:
        before = time.monotonic()
        if not after:
            time.sleep(seconds)
        began = time.monotonic()
        subprocess.run(["systemctl", "start", "mail-backup.service"], check=True)
        ended = time.monotonic()
        if after:
            time.sleep(ended - began)
    without = stream.rate(ended, 2 * ended - began) if after else stream.rate(before, began)
    return without, stream.rate(began, ended), ended - began


def main(rounds: int, recipients: list[str]) -> None:
    """Print the rates of each round."""
    found: list[tuple[float, float, float]] = []
    for number in range(rounds):
        found.append(measure(recipients, number % 2 == 0, found[-1][2] if found else 0))
    print(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2].split(","))
