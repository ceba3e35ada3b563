#!/usr/bin/env python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Print how each figure of a house changes from 10 people to 1,000 (`make bench-growth`).

One house on machines of its own is set up for more and more people, each with the same password and its hash, so that
hashing is a figure of its own. Nothing here decides a test: the figures are for people to compare. Clients run on the
same processors as the house. `--picture FILE` also draws them (docs/pictures/growth.svg).
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.ilnmors.mail.tests.behaviour.support.roundcube_client import Roundcube
from ansible_collections.ilnmors.mail.tests.bench import (
    growth_picture,
    imap_provider,
    login_rate,
    machines,
    memory,
    part,
)

SIZES = (10, 100, 1000)
"""People of the house, step by step."""

ACCOUNTS = (0, 10, 20)
"""Accounts at a provider that are fetched, step by step, in a house of the fewest people."""

HOSTS = {host: machines.CONTAINERS[host] for host in ("lab-mail", "lab-app")}
WEBMAIL = "webmail.ilnmors.internal"
REPOSITORY = "/srv/repository"
PASSWORD = imap_provider.PASSWORD
MESSAGES = 10
"""In each person's inbox, for the backup."""

FILES = {
    "lab-mail": ("/etc/dovecot/users", "/etc/dovecot/aliases", "/etc/postfix/maps/"),
    "lab-app": ("/etc/ilnmors-roundcube/",),
}
"""Where people are written down."""

ROUNDS = 5
"""Of logins of ten people."""

LOAD = "load of this computer"
"""Not a figure of the house: what else ran."""

HASH = """\
import sys
sys.path.insert(0, "/usr/lib/python3/dist-packages")
from argon2 import PasswordHasher
print("{ARGON2ID}" + PasswordHasher(2, 19456, 1).hash(sys.stdin.read()))
"""
FILL = """\
import os, sys
from pathlib import Path
directory, domain, number, messages = sys.argv[1:]
owner = os.stat(directory)
os.setgid(owner.st_gid)
os.setuid(owner.st_uid)
for person in range(int(number)):
    inbox = Path(directory, domain, f"person{person}", "Maildir")
    for part in ("cur", "new", "tmp"):
        (inbox / part).mkdir(parents=True, exist_ok=True)
    for index in range(int(messages)):
        (inbox / "cur" / f"1600000000.M{index}.bench:2,S").write_text(f"Subject: {index}\\n\\n" + "Hello. " * 200)
"""


@dataclass
class Figure:
    """One figure, for each number of people or accounts."""

    name: str
    unit: str
    values: dict[int, float] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """A line of the table, with how many times as much the last is as the first."""
        found = list(self.values.values())
        times = f"{found[-1] / found[0]:.1f}" if found and found[0] else ""
        cells = "".join(f"{growth_picture.short(value):>10}" for value in found)
        return f"{f'{self.name}, {self.unit}':<52}{cells}{times:>10}"


class Figures(dict[str, Figure]):
    """All figures, in the order in which they were first measured."""

    def note(self, name: str, unit: str, number: int, value: float) -> None:
        """Keep a value."""
        self.setdefault(name, Figure(name, unit)).values[number] = value


def people(number: int, **proof: str) -> dict[str, Any]:
    """Return the site variables of a house with so many people. proof: their password, or its hash."""
    names = [f"person{index}" for index in range(number)]
    users = [
        {"name": name, "display_name": name.title(), "aliases": [f"alias-of-{name}"], **proof}
        for name in names
    ]
    backups = {"mail_backup_repository": REPOSITORY, "mail_backup_password": PASSWORD}
    # By its own address, which loopback is not.
    watched = {"dovecot_imap_metrics_address": "", "mail_monitoring_address": "127.0.0.1"}
    return (
        imap_provider.house([])
        | machines.USUAL_DOVECOT
        | backups
        | watched
        | {"mail_users": users, "mail_webmail": ["roundcube"], "roundcube_hostname": WEBMAIL}
    )


def play(playbook: str, house: dict[str, Any], *options: str) -> machines.Run:
    """Run a playbook for a house; a thousand people are too many for a command line."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(house, file)
        file.flush()
        return machines.play(playbook, "-e", f"@{file.name}", *options)


def address_of(container: str) -> str:
    """Return the address of a container, which is on one network."""
    networks = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return machines.docker("inspect", "--format", networks, container).strip()


def seconds(do: Callable[[], object]) -> float:
    """Return how long something takes."""
    start = time.monotonic()
    do()
    return time.monotonic() - start


def set_up_lines(figures: Figures, number: int, house: dict[str, Any]) -> None:
    """Measure the site playbook: for the people who come, and for nothing new."""
    machines.say(f"{number} people: the site playbook")
    users = ("--tags", "users")
    figures.note("new people, --tags users", "s", number, play(machines.SITE, house, *users).seconds)
    for name, options in (("unchanged run", ()), ("unchanged run, --tags users", users)):
        run = play(machines.SITE, house, *options)
        figures.note(name, "s", number, run.seconds)
        if run.changed:
            machines.say(f"{name}: {run.changed} changes")


def password_lines(figures: Figures, number: int) -> None:
    """Measure what it takes that the inventory has passwords, not hashes: each is tried against its hash."""
    machines.say(f"{number} people: passwords instead of hashes, and verify")
    written = people(number, password=PASSWORD)
    run = play(machines.SITE, written, "--tags", "users")
    figures.note("the same with passwords, not hashes", "s", number, run.seconds)
    figures.note("verify", "s", number, play("playbooks/verify.yml", written).seconds)


def lookup_lines(figures: Figures, number: int, house: machines.House) -> None:
    """Measure what looks a person up: Dovecot in its accounts, Postfix in its maps."""
    machines.say(f"{number} people: lookups and logins")
    last = [f"person{index}" for index in range(max(0, number - 10), number)]
    # Of nobody: Dovecot does not remember it, and has read all of the file.
    asked = " ".join(f"nobody{index}@{house.domain}" for index in range(500))
    took = seconds(lambda: house.run(f"doveadm user {asked} >/dev/null 2>&1 || true"))
    figures.note("account looked up by Dovecot", "ms", number, took / 500 * 1000)
    addresses = "".join(f"alias-of-{name}@{house.domain}\n" for name in last) * 200
    kind = house.run("postconf -h default_database_type").strip()
    took = seconds(lambda: house.run(f"postmap -q - {kind}:/etc/postfix/maps/aliases", addresses))
    figures.note("address looked up by Postfix", "ms", number, took / (200 * len(last)) * 1000)
    tls, took = house.tls(), 0.0

    def log_in(name: str) -> None:
        login_rate.login(house.hostname, tls, f"{name}@{house.domain}", PASSWORD)

    for __ in range(ROUNDS):
        house.run("doveadm auth cache flush >/dev/null")
        with ThreadPoolExecutor(8) as threads:
            took += seconds(lambda: list(threads.map(log_in, last)))
    figures.note("login that Dovecot does not remember", "ms", number, took / ROUNDS / len(last) * 1000)


def file_lines(figures: Figures, number: int) -> None:
    """Measure the files that people are written down in."""
    for host, paths in FILES.items():
        total = sum(int(machines.docker("exec", HOSTS[host], "du", "-sb", path).split()[0]) for path in paths)
        figures.note(f"files about people, {host.removeprefix('lab-')} host", "KiB", number, total / 1024)


def memory_lines(figures: Figures, number: int, house: machines.House) -> None:
    """Measure the mail host's memory after it has been used and the daemons were started anew."""
    house.run("systemctl restart dovecot.service postfix.service")
    time.sleep(2)
    login_rate.login(house.hostname, house.tls(), f"person0@{house.domain}", PASSWORD)
    found = memory.processes(house.container)
    figures.note("memory of the mail host", "MiB", number, memory.total(found).total)


def care_lines(figures: Figures, number: int, house: machines.House) -> None:
    """Measure what runs by itself: figures for Prometheus, and a backup of what was backed up before."""
    machines.say(f"{number} people: figures and backups")
    took = seconds(lambda: house.run("systemctl start mail-metrics.service"))
    figures.note("figures for Prometheus written", "s", number, took)
    house.run(f"mkdir -p {REPOSITORY}; python3 - {house.mail} {house.domain} {number} {MESSAGES}", FILL)
    house.run("systemctl start mail-backup.service")
    took = seconds(lambda: house.run("systemctl start mail-backup.service"))
    figures.note(f"unchanged backup, {MESSAGES} messages each", "s", number, took)


def webmail_lines(figures: Figures, number: int, house: machines.House, ca_file: str) -> None:
    """Measure Roundcube's log-in, which reads who people are."""
    machines.say(f"{number} people: the webmail")
    user = f"person{number - 1}@{house.domain}"

    def visit() -> None:
        visitor = Roundcube(WEBMAIL, ca_file)
        answer = visitor.log_in(user, PASSWORD)
        if answer.status_code != 302:
            raise SystemExit(f"{user} cannot log in to the webmail: {answer.status_code}")

    visit()
    took = statistics.median(seconds(visit) for __ in range(7))
    figures.note("log-in at Roundcube", "ms", number, took * 1000)


def account_lines(figures: Figures, number: int, hashed: str) -> None:
    """Measure what accounts that are fetched cost a house of few people."""
    machines.say(f"{number} accounts at a provider")
    house = people(max(ACCOUNTS), password_hash=hashed)
    fetched = imap_provider.house([f"person{index}" for index in range(number)])
    house |= {key: fetched[key] for key in ("mail_providers", "mbsync_fetch_provider_ca")}
    play(machines.SITE, house, "--tags", "users")
    figures.note(
        "unchanged run, --tags users", "s", number, play(machines.SITE, house, "--tags", "users").seconds
    )
    time.sleep(10)
    found = memory.processes(HOSTS["lab-mail"])
    figures.note("memory of the mail host", "MiB", number, memory.total(found).total)


def table(figures: Figures, numbers: tuple[int, ...], what: str) -> Iterator[str]:
    """Lay the figures out."""
    yield f"{what:<52}" + "".join(f"{number:>10}" for number in numbers) + f"{'times':>10}"
    yield from (figure.line for figure in figures.values())


def measure(sizes: tuple[int, ...], accounts: tuple[int, ...], picture: Path | None) -> list[str]:
    """Measure everything; return the lines of the table."""
    machines.say("making a house (about two minutes)")
    machines.create(*HOSTS, "lab-provider")
    imap_provider.set_up("lab-mail")
    for container in HOSTS.values():
        machines.docker("exec", container, "mkdir", "-p", REPOSITORY)
    play(machines.SITE, people(1, password=PASSWORD))
    house = machines.House(**machines.find_house(machines.INVENTORIES))
    machines.resolve({house.hostname: house.address, WEBMAIL: address_of(HOSTS["lab-app"])})
    hashed = house.run(f"python3 -c '{HASH}'", PASSWORD).strip()
    growth, fetching = Figures(), Figures()
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as ca:
        ca.write(house.ca)
        ca.flush()
        for number in sizes:
            wanted = people(number, password_hash=hashed)
            load = os.getloadavg()[0]
            set_up_lines(growth, number, wanted)
            lookup_lines(growth, number, house)
            file_lines(growth, number)
            memory_lines(growth, number, house)
            care_lines(growth, number, house)
            webmail_lines(growth, number, house, ca.name)
            password_lines(growth, number)
            growth.note(LOAD, "processes", number, load)
    for number in accounts:
        account_lines(fetching, number, hashed)
    panels = [(f"{one.name}, {one.unit}", one.values) for one in growth.values() if one.name != LOAD]
    drawn = growth_picture.draw(panels)
    if picture:
        picture.write_text(drawn)
    return [*table(growth, sizes, "people"), "", *table(fetching, accounts, "accounts that are fetched")]


def main() -> None:
    """Print the table, and leave nothing behind."""
    parser = part.options(__doc__)
    parser.add_argument(
        "--picture", type=Path, help="SVG file to draw the figures into; a short run draws none"
    )
    given = parser.parse_args()
    sizes, accounts = (SIZES[:2], ACCOUNTS[:2]) if given.short else (SIZES, ACCOUNTS)
    picture = None if given.short else given.picture
    part.print_table(lambda: measure(sizes, accounts, picture))


if __name__ == "__main__":
    main()
