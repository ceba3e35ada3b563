#!/usr/bin/env python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Print how fast mail is fetched, and what it costs, beside plain mbsync into a bare Maildir (`make bench-fetch`).

It makes machines of its own: the mail host, and a provider with Debian's Dovecot. Nothing here decides a test: the
figures are for people to compare. Clients run on the same processors as the machines.

Arrival: one message after the other is appended at the provider. One client waits with IDLE there, another in the
house; the times are from the start of APPEND to EXISTS. Dovecot tells of others' changes half a second late, at both
ends. Then the same with one core kept busy by a loop, as on a small machine that does something else as well.

First fetch: each run has a mailbox of its own, of equal messages, and a place of its own to fetch it to, for ext4 is
slow to make files while it remembers those just deleted. Plain mbsync runs on the mail host, has the same connection to
the provider, and does what `Sync PullNew` and its defaults do; the house looks up each message before it fetches it,
files it through Dovecot and records it. An unchanged check is a whole run after that: all its time, and all the bytes
on the provider's network interface, both ways, with TLS and TCP.

Memory: of the processes that wait while nothing happens. Their own: the pages that no other process has (smaps_rollup:
Private_*), which is what one more account takes. Beside it all that is resident: the rest is the text of Python and its
libraries, which the kernel holds once, and drops where memory is short.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.ilnmors.mail.tests.bench import imap_provider, machines, memory, part
from ansible_collections.ilnmors.mail.tests.bench.fetch_arrival import (
    Account,
    arrival_table,
    arrivals,
    busy_core,
)
from ansible_collections.ilnmors.mail.tests.bench.imap_provider import PASSWORD
from ansible_collections.ilnmors.mail.tests.bench.postfix_machines import UNLIMITED, Server, resolve

ROUNDS = 3
SIZE = 5_000
"""Bytes of a message's text."""
CHECKS = 9
"""Unchanged checks, of which the median is shown."""
ACCOUNTS = ["arrival", *(f"first{turn}" for turn in range(ROUNDS))]

HOUSE: dict[str, Any] = {
    **imap_provider.house(ACCOUNTS),
    # The timer keeps out of the measurements.
    "mbsync_fetch_interval": "1d",
    **machines.USUAL_DOVECOT,
}
"""The house, by the lab's names: a person for each account at the provider."""

SEED = """\
import pathlib, random, sys
number, seed = map(int, sys.argv[1:])
words = sys.stdin.read().split(" ")
draw = random.Random(seed)
cur = pathlib.Path("/var/mail/seed/Maildir/cur")
cur.mkdir(parents=True)
for each in range(number):
    draw.shuffle(words)
    text = "\\r\\n".join(" ".join(words[line : line + 10]) for line in range(0, len(words), 10))
    (cur / f"{1_700_000_000 + each}.{each}.bench:2,S").write_text(
        f"From: friend{each % 50}@elsewhere.test\\r\\nTo: il@alive.test\\r\\nSubject: {each}\\r\\n"
        f"Date: Mon, 23 Nov 2026 10:00:00 +0000\\r\\nMessage-ID: <{each}.{seed}@bench.test>\\r\\n\\r\\n{text}\\r\\n",
        newline="",
    )
"""
"""Arguments: how many messages, and a number; the words of a text are on standard input."""

PLAIN = """\
IMAPAccount far
Host {host}
User {user}@alive.test
Pass {password}
SSLType IMAPS
CertificateFile {ca}

IMAPStore far
Account far

MaildirStore near
Path /var/lib/bench/{user}/
Inbox /var/lib/bench/{user}/INBOX

Channel all
Far :far:INBOX
Near :near:INBOX
Sync PullNew
Create Near
SyncState /var/lib/bench/{user}/state/
"""

TIMED = 'before=$(date +%s%N); {command}; echo "seconds $(($(date +%s%N) - before))"'
TRAFFIC = "cat /sys/class/net/eth0/statistics/?x_bytes"


@dataclass(frozen=True)
class Cost:
    """What a check took: seconds, and bytes between the provider and its clients."""

    seconds: float
    traffic: int


def timed(server: Server, command: str) -> float:
    """Run a shell command on the machine; return its seconds."""
    return int(server.run(TIMED.format(command=command)).rsplit(maxsplit=1)[1]) / 1e9


def fetch(user: str) -> str:
    """Return the command for one fetch of an account."""
    return f"systemctl start mbsync-fetch@{user}.service"


def plain(user: str) -> str:
    """Return the command for one run of plain mbsync."""
    return f"mbsync --quiet --config /var/lib/bench/{user}/mbsyncrc all"


def arrival_lines(house: Server, provider: Server, number: int) -> Iterator[str]:
    """Measure how long a message takes to be told of in the house, with nothing else to do and with a core busy."""
    since = time.time()
    account = Account(
        "arrival@alive.test", house.login_name("arrival"), PASSWORD, mailbox="INBOX", folder="Alive/INBOX"
    )
    house.run("systemctl restart mbsync-fetch.target")
    house.run(fetch("arrival"))
    # The watcher begins once a fetch has worked; then it fetches once more.
    house.wait(f"{waiting('arrival', since)} && [ ! -e /run/mbsync-fetch/arrival/news ]")
    used = house.rest()
    machines.say(f"letting {number} messages arrive, one after the other")
    idle = arrivals(house, provider, account, number)
    used = (house.rest() - used) / number
    with busy_core():
        machines.say(f"letting {number} messages arrive while one of {os.cpu_count()} cores is busy")
        busy = arrivals(house, provider, account, number)
    yield from arrival_table("arrival to EXISTS", idle, "aim: p99 under 2")
    yield machines.line("  of the processor", f"{used:.2f}", "all that the mail host did for one of them")
    yield from arrival_table("  with a core busy", busy, "aim: p99 under 4")


def waiting(name: str, since: float) -> str:
    """Return the command that tells whether an account is watched, and was connected since a time."""
    unit = f"mbsync-fetch-watch@{name}.service"
    said = f"journalctl --quiet --since=@{since:.0f} --unit={unit} | grep -q 'waiting for new mail'"
    return f"systemctl --quiet is-active {unit} && {said}"


def first_lines(house: Server, provider: Server, number: int, rounds: int) -> Iterator[str]:
    """Measure the first fetch of many messages, and what a check costs after it."""
    mine: list[float] = []
    bare: list[float] = []
    for turn in range(rounds):
        machines.say(f"fetching {number} messages, round {turn + 1} of {rounds}")
        for user, command, rates in ((f"first{turn}", fetch, mine), (f"plain{turn}", plain, bare)):
            fill(provider, user)
            house.rest()
            provider.rest()
            rates.append(number / timed(house, command(user)))
    for turn in range(rounds):
        count(house, f"{house.mail}/{house.domain}/first{turn}", number)
        count(house, f"/var/lib/bench/plain{turn}", number)
    rates = [statistics.median(found) for found in (mine, bare)]
    each = ", ".join(f"{one:.0f} and {other:.0f}" for one, other in zip(mine, bare, strict=True))
    yield machines.line(
        "messages/s at first",
        f"{rates[0]:.0f}",
        f"{rates[1]:.0f}  plain mbsync; rounds: {each}",
        f"{rates[0] / rates[1]:.2f}",
        "aim: at least 0.8",
    )
    machines.say("checking what is unchanged")
    checks = [check(house, provider, command) for command in (fetch("first0"), plain("plain0"))]
    yield machines.line(
        "unchanged: seconds",
        f"{checks[0].seconds:.2f}",
        f"{checks[1].seconds:.2f}  plain mbsync, no IDLE, no record, no other mailboxes",
    )
    yield machines.line("  bytes", f"{checks[0].traffic}", f"{checks[1].traffic}")


def fill(provider: Server, user: str) -> None:
    """Give a user at the provider a mailbox that Dovecot has looked at, as of one who has long had it."""
    provider.run(
        f"mkdir -p /var/mail/{user}@alive.test; rm -rf /var/mail/{user}@alive.test/Maildir\n"
        f"cp -al /var/mail/seed/Maildir /var/mail/{user}@alive.test/; chown -R mail:mail /var/mail/{user}@alive.test\n"
        f"doveadm mailbox status -u {user}@alive.test messages INBOX"
    )


def count(house: Server, directory: str, number: int) -> None:
    """End the run if a directory does not hold all messages."""
    found = int(house.run(f"find {directory} -type f -path '*/[cn][ue][rw]/*' | wc -l"))
    if found != number:
        sys.exit(f"{directory} holds {found} messages of {number}")


def check(house: Server, provider: Server, command: str) -> Cost:
    """Measure a run that finds nothing new."""
    costs = []
    for __ in range(CHECKS):
        house.rest()
        before = sum(map(int, provider.run(TRAFFIC).split()))
        seconds = timed(house, command)
        costs.append(Cost(seconds, sum(map(int, provider.run(TRAFFIC).split())) - before))
    return Cost(
        statistics.median(cost.seconds for cost in costs),
        int(statistics.median(cost.traffic for cost in costs)),
    )


def memory_lines(house: Server) -> Iterator[str]:
    """Measure what the processes of each account hold while nothing happens."""
    machines.say("weighing what waits")
    since = time.time()
    house.run("systemctl restart mbsync-fetch.target")
    for name in ACCOUNTS:
        house.wait(waiting(name, since))
        house.wait(f"[ $(systemctl show -P ActiveState mbsync-fetch@{name}.service) = inactive ]")
    house.rest()
    own, resident = (
        statistics.mean(found)
        for found in zip(*(watcher_memory(house, name) for name in ACCOUNTS), strict=True)
    )
    yield machines.line(
        "MiB idle per account",
        f"{own:.1f}",
        f"{resident:.1f} resident, with what others share",
        "",
        "aim: under 15",
    )


def watcher_memory(house: Server, name: str) -> tuple[float, float]:
    """Return MiB of an account's watcher: its own, and all that is resident."""
    listing = house.run(
        f"group=$(systemctl show -P ControlGroup mbsync-fetch-watch@{name}.service)\n"
        'sed "s,.*,/proc/&/smaps_rollup," "/sys/fs/cgroup$group/cgroup.procs" | xargs cat'
    )
    own = map(int, re.findall(r"^Private_\w+: +(\d+)", listing, re.MULTILINE))
    resident = map(int, re.findall(r"^Rss: +(\d+)", listing, re.MULTILINE))
    return sum(own) / memory.MIB, sum(resident) / memory.MIB


def make_machines(number: int) -> tuple[Server, Server]:
    """Make the machines, and the messages of the first fetch; return the mail host and the provider."""
    machines.say("making the mail host and a provider (about two minutes)")
    machines.create("lab-mail", "lab-provider")
    ca = imap_provider.set_up("lab-mail")
    machines.docker("exec", machines.CONTAINERS["lab-mail"], "sh", "-euc", UNLIMITED)
    machines.play(machines.SITE, "--limit", "mail", "-e", json.dumps(HOUSE))
    house = Server(**machines.find_house(machines.INVENTORIES))
    provider = dataclasses.replace(
        house,
        container=machines.CONTAINERS["lab-provider"],
        hostname=imap_provider.NAME,
        address="10.213.26.30",
        domain="alive.test",
        ca=ca,
    )
    provider.run(f"python3 -c '{SEED}' {number} 1", " ".join(machines.text_of(SIZE).split()))
    for turn in range(ROUNDS):
        user = f"plain{turn}"
        configuration = PLAIN.format(
            host=imap_provider.NAME, user=user, password=PASSWORD, ca=imap_provider.CA
        )
        house.run(f"mkdir -p /var/lib/bench/{user}/state; cat >/var/lib/bench/{user}/mbsyncrc", configuration)
    return house, provider


def measure(house: Server, provider: Server, number: int, short: bool) -> list[str]:
    """Measure everything; return the lines of the table."""
    resolve([house, provider])
    # What was fetched at the start is nothing: the first fetch is yet to come.
    house.run("systemctl stop mbsync-fetch.target; rm -rf /var/lib/mbsync-fetch/*/*")
    return [
        *first_lines(house, provider, number, 1 if short else ROUNDS),
        *arrival_lines(house, provider, 10 if short else 50),
        *memory_lines(house),
    ]


def main() -> None:
    """Print the table, and leave nothing behind."""
    parser = part.options(__doc__)
    parser.add_argument("--messages", type=int, default=0, help="of the first fetch; 10,000, or in short 500")
    given = parser.parse_args()
    number = given.messages or (500 if given.short else 10_000)
    part.print_table(
        lambda: [
            *measure(*make_machines(number), number, given.short),
            f"({number} messages of {SIZE} bytes)",
        ]
    )


if __name__ == "__main__":
    main()
