#!/usr/bin/env python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Print what each part of the mail host costs a delivery, beside what the disk allows (`make bench-delivery`).

Everything is on first, quotas as well, and then one part after the other is off. Two limits stand beside: how many
files the same disk takes in a second, each synced, by as many writers as there are connections, divided by how often
one delivery syncs; and all the processors' time, divided by what one delivery takes of it. It makes a machine of its
own. Nothing here decides a test: the figures are for people to compare.
"""

from __future__ import annotations

import json
import os
import statistics
from collections import defaultdict
from collections.abc import Iterator

from ansible_collections.ilnmors.mail.tests.bench import machines, part
from ansible_collections.ilnmors.mail.tests.bench.postfix import Burst, Case, burst, median, spread
from ansible_collections.ilnmors.mail.tests.bench.postfix_machines import (
    HOUSE,
    PEOPLE,
    Server,
    make_house,
    resolve,
)

FILES = "/etc/dovecot/dovecot.conf /etc/postfix/main.cf /etc/postfix/master.cf"
KEPT = "/root/bench"

ALL = "all on"
NO_QUOTAS = "no quotas"
OFF = {
    "no search index": "echo 'fts_autoindex = no' >>/etc/dovecot/dovecot.conf",
    "no check of From": "postconf -P submission/inet/smtpd_milters=",
    "no syncs of mailboxes": "echo 'mail_fsync = never' >>/etc/dovecot/dovecot.conf",
}
"""What is switched off, each by itself, and how; quotas are by the roles."""

STRACE = "setsid strace -f --seccomp-bpf -e trace=fsync,fdatasync"
SILENT = "</dev/null >/dev/null 2>&1 &"
TRACED = f"""\
systemctl stop postfix dovecot.socket dovecot 2>&1
{STRACE} -o {KEPT}/dovecot.syncs dovecot -F {SILENT}
{STRACE} -o {KEPT}/postfix.syncs postfix start-fg {SILENT}
"""
"""Has Postfix and Dovecot run below strace, which may follow its own children alone in a container."""
ANSWERS = "bash -c '</dev/tcp/127.0.0.1/587 && </dev/tcp/127.0.0.1/143' 2>/dev/null"

WRITERS = """\
import os, sys, threading, time
folder, size, writers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
until, done = time.monotonic() + 3, []
def write(turn):
    number = 0
    while time.monotonic() < until:
        file = os.open(f"{folder}/bench-{turn}-{number}", os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(file, bytes(size))
        os.fsync(file)
        os.close(file)
        number += 1
    done.append(number)
threads = [threading.Thread(target=write, args=(turn,)) for turn in range(writers)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(sum(done) / 3)
"""
"""Prints how many files are made and synced in a second: in a folder, of so many bytes, by so many writers."""


def switch(server: Server, name: str) -> None:
    """Have all on but what is named."""
    files = name if name == NO_QUOTAS else ALL
    server.run(
        f"cp -r '{KEPT}/{files}/.' /\n{OFF.get(name, '')}\nsystemctl restart dovecot postfix; postfix reload 2>&1"
    )
    server.wait(ANSWERS)


def keep(server: Server, name: str) -> None:
    """Keep the configuration as it is now, under a name."""
    server.run(f"mkdir -p '{KEPT}/{name}'; cp --parents {FILES} '{KEPT}/{name}'")


def make_server() -> Server:
    """Make a mail host with all on, its configuration without quotas kept."""
    machines.say("making the mail host (about two minutes)")
    machines.create("lab-mail")
    server = make_house("")
    keep(server, NO_QUOTAS)
    machines.play(machines.SITE, "--limit", "mail", "-e", json.dumps(HOUSE | {"mail_quota": "5G"}))
    keep(server, ALL)
    server.run("apt-get install -q -y --no-install-recommends strace 2>&1")
    resolve([server])
    burst(server, Case(connections=1, size=1_000, people=len(PEOPLE)), len(PEOPLE))  # makes the mailboxes
    return server


def syncs(server: Server, number: int) -> float:
    """Return how often a message is synced on its way from the submission to the mailbox."""
    switch(server, ALL)
    server.run(TRACED)
    server.wait(ANSWERS)
    burst(server, Case(connections=1, size=1_000, people=len(PEOPLE)), number)
    count = int(server.run(f"cat {KEPT}/*.syncs | grep -cE ' f(data)?sync[(]'"))
    server.run("postfix stop 2>&1; doveadm stop; systemctl start dovecot postfix")
    return count / number


def synced_writes(server: Server, case: Case, rounds: int) -> float:
    """Return how many files the disk of the mailboxes takes in a second, each synced."""
    command = f'python3 - "$folder" {case.size} {case.connections}'
    script = f'folder=$(mktemp -d -p {server.mail}); {command}; rm -r "$folder"'
    return statistics.median(float(server.run(script, WRITERS)) for __ in range(rounds))


def cost_lines(server: Server, case: Case, each: float, number: int, rounds: int) -> Iterator[str]:
    """Measure one load with all on, and without each part, in turns."""
    names = [ALL, NO_QUOTAS, *OFF]
    if "fts_autoindex" not in server.run(f"cat '{KEPT}/{ALL}/etc/dovecot/dovecot.conf'"):
        names.remove("no search index")  # Debian 12 has none.
    found: dict[str, list[Burst]] = defaultdict(list)
    for turn in range(rounds):
        machines.say(
            f"{number} messages of {case.size} bytes {len(names)} times, round {turn + 1} of {rounds}"
        )
        for name in names if turn % 2 == 0 else reversed(names):
            switch(server, name)
            burst(server, case, len(PEOPLE))  # makes processes, and indexes what was not
            found[name].append(burst(server, case, number))
    limit = synced_writes(server, case, rounds)
    mine = median(found[ALL])
    used = statistics.median(one.milliseconds for one in found[ALL])
    cores = os.cpu_count() or 1
    yield machines.line(
        f"{case.size // 1000} KB, {case.connections} connections", "per s", "from, to; CPU ms each; deferrals"
    )
    for name in names:
        rate = median(found[name])
        costs = "" if name == ALL else f"costs {1 - mine / rate:.0%}"
        yield machines.line(f"  {name}", f"{rate:.0f}", spread(found[name]), f"{mine / rate:.2f}", costs)
    yield machines.line(
        "  the disk's limit",
        f"{limit / each:.0f}",
        f"{limit:.0f} files synced in a second; {each:.1f} syncs of a message",
        f"{mine * each / limit:.2f}",
        "aim: 0.70" + ("; missed" if mine * each / limit < 0.7 else ""),
    )
    yield machines.line(
        "  the processors' limit",
        f"{cores * 1000 / used:.0f}",
        f"{used:.1f} ms of a message on {cores} cores, with nothing for clients",
        f"{mine * used / cores / 1000:.2f}",
    )


def measure(short: bool) -> Iterator[str]:
    """Measure everything; return the lines of the table."""
    server = make_server()
    number, rounds = (50, 1) if short else (200, 5)
    machines.say("counting syncs")
    each = syncs(server, number)
    for connections in (1, 10):
        for size in (1_000, 50_000):
            yield from cost_lines(server, Case(connections, size, len(PEOPLE)), each, number, rounds)


def main() -> None:
    """Print the table, and leave nothing behind."""
    given = part.options(__doc__).parse_args()
    part.print_table(lambda: measure(given.short))


if __name__ == "__main__":
    main()
