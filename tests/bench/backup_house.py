# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A house with a backup: what that costs its deliveries, and how soon bare machines serve again.

It is made for this, beside whatever runs (backup_machines.yml), and its repository is carried over while it is lost.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from ansible_collections.ilnmors.mail.tests.bench import machines
from ansible_collections.ilnmors.mail.tests.bench.machines import House

HERE = Path(__file__).parent
INVENTORIES = ("inventories/lab", "tests/bench/backup_machines.yml")
CONTAINERS = ("bench-backup-mail", "bench-backup-app")
NETWORK = "ilnmors-mail-bench-backup"
HOSTS = ("--limit", "mail,webmail")
PROGRAMS = "/usr/local/lib/bench"
COUNTED = """
import imaplib, sys
client = imaplib.IMAP4("127.0.0.1")
client.login(*sys.argv[1:])
client.select("Folder1", readonly=True)
client.fetch("1:10", "(BODY.PEEK[])")
print(sum(int(client.status(f"Folder{number}", "(MESSAGES)")[1][0].split()[-1].strip(b")")) for number in range(1, 21)))
"""
"""What a client sees of the messages that were put there (backup_rate.py)."""


def remove() -> None:
    """Remove the house, if it exists."""
    for command in (["rm", "--force", "--volumes", *CONTAINERS], ["network", "rm", NETWORK]):
        subprocess.run(["docker", *command], check=False, capture_output=True)


def bare_machines() -> float:
    """Make bare machines that know which packages there are, with a place for a repository; return the seconds."""
    remove()
    began = time.monotonic()
    machines.play("molecule/resources/create.yml", *HOSTS, inventories=INVENTORIES)
    for container in CONTAINERS:
        machines.docker(
            "exec", container, "sh", "-c", "mkdir -p /srv/repository && apt-get update -q >/dev/null"
        )
    return time.monotonic() - began


def fill(house: House, count: int) -> None:
    """Put messages into a person's folders, and have Dovecot index them."""
    house.run(f"mkdir -p {PROGRAMS}")
    for name in ("backup_rate.py", "backup_delivery.py", "lmtp_rate.py"):
        machines.docker("cp", "-q", str(HERE / name), f"{house.container}:{PROGRAMS}/")
    user = f"{house.person['name']}@{house.domain}"
    home = f"{house.mail}/{house.domain}/{house.person['name']}"
    house.run(
        f"python3 -B {PROGRAMS}/backup_rate.py --fill {home} {count} && chown -R vmail: {home} && "
        f"doveadm mailbox status -u {user} messages '*' >/dev/null"
    )


def served(house: House) -> int:
    """Return how many of these messages a client sees."""
    login = f"{house.person['name']}@{house.domain}' '{house.person['password']}"
    return int(house.run(f"python3 - '{login}'", COUNTED))


def carry(folder: Path, *, away: bool) -> None:
    """Carry the repositories of both hosts away, or back."""
    for container in CONTAINERS:
        archive = folder / f"{container}.tar"
        if away:
            with archive.open("wb") as file:
                subprocess.run(
                    ["docker", "exec", container, "tar", "-C", "/srv", "-cf", "-", "repository"],
                    check=True,
                    stdout=file,
                )
        else:
            with archive.open("rb") as file:
                subprocess.run(
                    ["docker", "exec", "-i", container, "tar", "-C", "/srv", "-xf", "-"],
                    check=True,
                    stdin=file,
                )


def lines(count: int, rounds: int) -> Iterator[str]:
    """Yield the lines of the table. count: messages in the house."""
    try:
        machines.say("a house on bare machines")
        began = time.monotonic()
        bare_machines()
        machines.play(machines.SITE, *HOSTS, inventories=INVENTORIES)
        bare = time.monotonic() - began
        house = House(**machines.find_house(INVENTORIES))
        fill(house, count)
        machines.say(f"{rounds} rounds of deliveries with a backup and without")
        people = f"il@{house.domain},guest@{house.domain}"
        command = ("python3", "-B", f"{PROGRAMS}/backup_delivery.py", str(rounds), people)
        found = json.loads(machines.docker("exec", house.container, *command))
        yield delivery_line(found)
        machines.say("the house is lost, and restored on bare machines")
        for container in CONTAINERS:
            machines.docker("exec", container, "systemctl", "restart", "mail-backup.service")
        messages = served(house)
        with tempfile.TemporaryDirectory() as folder:
            carry(Path(folder), away=True)
            made = bare_machines()
            carry(Path(folder), away=False)
        began = time.monotonic()
        machines.play(
            "playbooks/restore.yml", *HOSTS, "-e", "restore_confirmed=true", inventories=INVENTORIES
        )
        if (now := served(house)) != messages:
            raise SystemExit(f"{now} messages after the restore, of {messages}")
        restored = made + time.monotonic() - began
        yield machines.line(
            "bare to serving, s",
            f"{restored:.0f}",
            f"{bare:.0f}  the same machines, by the site playbook alone",
            f"{restored / bare:.2f}",
            f"with {messages} messages",
        )
    finally:
        remove()


def delivery_line(found: list[tuple[float, float, float]]) -> str:
    """Return the line of the deliveries. found: rates without a backup, with one, and its seconds, by round."""
    shares = [beside / without for without, beside, __ in found]
    cost = 1 - median(shares)
    return machines.line(
        "deliveries/s meanwhile",
        f"{median(beside for __, beside, __ in found):.0f}",
        f"{median(without for without, __, __ in found):.0f}  without a backup; {len(found)} rounds of "
        f"{median(seconds for __, __, seconds in found):.0f} s",
        f"{median(shares):.2f}",
        f"aim: over 0.85; from {min(shares):.2f} to {max(shares):.2f}{'' if cost < 0.15 else '; missed'}",
    )
