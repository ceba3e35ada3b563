#!/usr/bin/env python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Print how long a login takes while strangers hold connections and say nothing (`make bench-strangers`).

Two addresses hold so many connections between them, to one port after the other, and a third logs in. Once with the
role's limits, and once as Postfix comes: OFF. Then what is delivered each second, with the limits and without.
It makes machines of its own. Nothing here decides a test: the figures are for people to compare.
"""

from __future__ import annotations

import contextlib
import imaplib
import json
import smtplib
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import testinfra
from ansible_collections.ilnmors.mail.tests.behaviour.support import logins, strangers
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.bench import machines, part
from ansible_collections.ilnmors.mail.tests.bench.postfix import Case, burst
from ansible_collections.ilnmors.mail.tests.bench.postfix_machines import (
    HOUSE,
    PASSWORD,
    PEOPLE,
    Server,
    make_house,
    resolve,
)

OFF: dict[str, Any] = {
    "postfix_relay_limit": False,
    "postfix_relay_extra_settings": {
        "smtpd_client_connection_count_limit": 50,
        "smtpd_starttls_timeout": "${stress?{10}:{300}}s",
        "smtpd_per_request_deadline": "${stress?{yes}:{no}}",
    },
}
STRANGERS = ("10.213.26.91", "10.213.26.92")
LOAD = Case(connections=10, size=1_000, people=len(PEOPLE))


def timed(house: House, port: int) -> str:
    """Return the seconds that a login takes, in words where it comes to nothing."""
    start = time.monotonic()
    with contextlib.suppress(OSError, EOFError, smtplib.SMTPException, imaplib.IMAP4.error):
        logins.log_in(house, port)
        return f"{time.monotonic() - start:.2f}"
    return f"none in {time.monotonic() - start:.0f}"


def waits(house: House, counts: list[int]) -> dict[int, list[str]]:
    """Return how long a login over each port takes, for each number of silent connections."""
    machine = testinfra.get_host(f"docker://{machines.CONTAINERS['lab-provider']}")
    found: dict[int, list[str]] = {port: [] for port in strangers.PORTS}
    with strangers.strangers(machine, STRANGERS):
        for count in counts:
            for port in strangers.PORTS:
                each = count // len(STRANGERS)
                with strangers.idle(machine, house, "silent", each, STRANGERS, [port]):
                    found[port].append(timed(house, port))
    return found


def configure(limits: dict[str, Any]) -> None:
    """Set up the mail host once more, with limits or without."""
    machines.play(machines.SITE, "--limit", "mail", "-e", json.dumps(HOUSE | limits))


def login_lines(house: House, counts: list[int]) -> Iterator[str]:
    """Measure logins beside silent strangers."""
    found: dict[str, dict[int, list[str]]] = {}
    settings: dict[str, dict[str, Any]] = {"limits": {}, "without": OFF}
    for name, limits in settings.items():
        machines.say(f"logins beside silent strangers: {name}")
        configure(limits)
        found[name] = waits(house, counts)
    yield machines.line("login, s", "", f"beside silent connections: {', '.join(map(str, counts))}")
    for port in strangers.PORTS:
        ours, theirs = (", ".join(found[name][port]) for name in ("limits", "without"))
        yield machines.line(f"  {port}", "", f"{ours}; without limits {theirs}")


def delivery_lines(server: Server, number: int, rounds: int) -> Iterator[str]:
    """Measure what is delivered with the limits and without, in turns."""
    rates: dict[str, list[float]] = {"without": [], "limits": []}
    settings: dict[str, dict[str, Any]] = {"without": OFF, "limits": {}}
    for turn in range(rounds):
        for name, limits in settings.items():
            machines.say(f"{number} messages, round {turn + 1} of {rounds}: {name}")
            configure(limits)
            if not turn:
                burst(server, LOAD, len(PEOPLE))  # makes the mailboxes, and warms up
            rates[name].append(burst(server, LOAD, number).rate)
    ours, theirs = (statistics.median(rates[name]) for name in ("limits", "without"))
    yield machines.line("delivered/s", f"{ours:.0f}", f"without limits {theirs:.0f}", f"{ours / theirs:.2f}")


def measure(short: bool, ca_file: Path) -> list[str]:
    """Measure everything; return the lines of the table."""
    machines.say("making the mail host and a machine of strangers (about two minutes)")
    machines.create("lab-mail", "lab-provider")
    server = make_house("")
    resolve([server])
    ca_file.write_text(server.ca)
    house = House(
        domain=server.domain,
        mail_hostname=server.hostname,
        webmail_hostname="",
        webmails={},
        mail_address=server.address,
        webmail_address="",
        autoconfig_hostnames=(),
        ca_file=str(ca_file),
        people=tuple(PEOPLE),
        passwords=dict.fromkeys(PEOPLE, PASSWORD),
    )
    return [
        *login_lines(house, [100, 1000] if short else [100, 500, 1000, 2000]),
        *delivery_lines(server, 50 if short else 300, 1 if short else 3),
    ]


def main() -> None:
    """Print the table, and leave nothing behind."""
    given = part.options(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        part.print_table(lambda: measure(given.short, Path(folder) / "ca.pem"))


if __name__ == "__main__":
    main()
