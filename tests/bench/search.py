#!/usr/bin/env python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Print what a search of 100,000 messages takes with the role's index, without one, and by grep (`make bench-search`).

The messages are texts of some hundred words that are as unevenly common as those of a language. Nothing here decides a
test, but what is found has to be the same with the index and without. Clients run on the same processors as Dovecot.
It makes a house of its own, or uses one that runs in a container (--inventory), whose Dovecot it restarts.
"""

from __future__ import annotations

import imaplib
import random
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.ilnmors.mail.tests.bench import (
    dovecot,
    machines,
    part,
    search_mailbox,
    site_playbook,
)
from ansible_collections.ilnmors.mail.tests.bench.dovecot import House

FOLDER = "Bench"
PATIENCE = 1200
"""Seconds for a search without an index."""

INDEX = """\
import resource, subprocess, sys, time
start = time.monotonic()
subprocess.run(["doveadm", "index", "-u", *sys.argv[1:]], check=True)
print(time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""

PAGE = "(UID FLAGS RFC822.SIZE BODY.PEEK[HEADER.FIELDS (DATE FROM TO SUBJECT CONTENT-TYPE)])"
"""What a webmail asks for of the fifty messages that it shows."""


@dataclass(frozen=True)
class Found:
    """What a search took (ms), and the UIDs that it found."""

    milliseconds: float
    uids: frozenset[int]


def open_folder(house: House) -> imaplib.IMAP4:
    """Log in and select the folder."""
    client = imaplib.IMAP4_SSL(house.hostname, ssl_context=house.tls(), timeout=PATIENCE)
    client.login(f"{house.person['name']}@{house.domain}", house.person["password"])
    client.select(FOLDER, readonly=True)
    return client


def search(client: imaplib.IMAP4, key: str, words: str, page: bool = False) -> Found:
    """Search once. page: also read what a webmail shows of the newest."""
    start = time.monotonic()
    answer = client.uid("SEARCH", key, f'"{words}"')[1][0]
    uids = frozenset(map(int, answer.split()))
    if page and uids:
        newest = ",".join(map(str, sorted(uids)[-50:]))
        client.uid("FETCH", newest, PAGE)
    return Found((time.monotonic() - start) * 1000, uids)


def commons(number: int) -> list[str]:
    """Return words that from nearly every message to every fiftieth has."""
    words = search_mailbox.vocabulary()
    return [words[rank] for rank in random.Random(3).sample(range(5, 1000), number)]


def rares(number: int, messages: int) -> list[str]:
    """Return words that one message each has."""
    return [search_mailbox.mark(index) for index in random.Random(4).sample(range(messages), number)]


def phrases(number: int) -> list[str]:
    """Return pairs of common words."""
    return [" ".join(pair) for pair in zip(commons(number), reversed(commons(number)), strict=True)]


def fill(house: House, messages: int, size: int) -> tuple[str, int]:
    """Put the messages into the folder; return where it lies, and the bytes of them."""
    maildir = f"{house.mail}/{house.domain}/{house.person['name']}/Maildir/.{FOLDER}"
    script = Path(search_mailbox.__file__).read_text()
    return maildir, int(
        house.run(f"python3 - --maildir {maildir} --messages {messages} --size {size}", script)
    )


def index_lines(house: House, maildir: str, messages: int, size: int) -> Iterator[str]:
    """Measure the first index: by a process that need not give way, unlike after deliveries."""
    machines.say(f"the first index of {messages} messages, {size / 2**20:.0f} MiB")
    user = f"{house.person['name']}@{house.domain}"
    seconds, memory = map(float, house.run(f"python3 - {user} {FOLDER}", INDEX, PATIENCE * 5).split())
    grown = int(house.run(f"du -sk {maildir}/fts-flatcurve").split()[0]) * 1024
    yield machines.line("first index", "", "")
    yield machines.line(
        "  messages/s", f"{messages / seconds:.0f}", f"{messages} messages in {seconds:.0f} s"
    )
    yield machines.line("  memory at most, MiB", f"{memory / 1024:.0f}", "")
    yield machines.line(
        "  size, MiB", f"{grown / 2**20:.0f}", f"{size / 2**20:.0f}  the messages", f"{grown / size:.1f}"
    )


def peak_memory(house: House) -> float:
    """Return the most MiB that any IMAP process has held."""
    script = "cat /proc/$(pgrep -x imap | paste -sd' ' | sed 's# #/status /proc/#g')/status | awk '/VmHWM/ {print $2}'"
    return max(map(int, house.run(script).split())) / 1024


def grep(house: House, maildir: str, words: str) -> float:
    """Return the milliseconds that grep takes to find a text in files that the kernel has in memory."""
    script = f"grep -rliF '{words}' {maildir}/cur | wc -l"
    house.run(script, patience=PATIENCE)
    start = time.monotonic()
    house.run(script, patience=PATIENCE)
    return (time.monotonic() - start) * 1000


def search_lines(house: House, maildir: str, stock: str, messages: int, number: int) -> Iterator[str]:
    """Measure searches with the index, then some of them without it."""
    kinds = {
        "common word, TEXT": ("TEXT", commons(number)),
        "common word, BODY": ("BODY", commons(number)),
        "common word, SUBJECT": ("SUBJECT", commons(number)),
        "rare word, TEXT": ("TEXT", rares(number, messages)),
        "two words, TEXT": ("TEXT", phrases(number)),
        "as a webmail": ("TEXT", commons(number)),
    }
    machines.say(f"{number} searches of each kind with the index")
    client = open_folder(house)
    first = search(client, "TEXT", "unheardof")
    again = search(client, "TEXT", "unheardof")
    found = {
        kind: [search(client, key, words, page=kind == "as a webmail") for words in wanted]
        for kind, (key, wanted) in kinds.items()
    }
    memory = peak_memory(house)
    client.shutdown()

    machines.say("one of each kind without the index, and grep")
    configuration = house.run("cat /etc/dovecot/dovecot.conf")
    house.restart(stock)
    client = open_folder(house)
    bare = {
        kind: search(client, key, wanted[0], page=kind == "as a webmail")
        for kind, (key, wanted) in kinds.items()
    }
    client.shutdown()
    floor = {kind: grep(house, maildir, wanted[0]) for kind, (__, wanted) in kinds.items() if "TEXT" in kind}
    house.restart(configuration)

    yield machines.line("search, ms", "p50 / p99", "the same Dovecot without an index, once; grep -r")
    yield machines.line("  first, then again", f"{first.milliseconds:.0f} / {again.milliseconds:.0f}", "")
    for kind, those in found.items():
        took = sorted(one.milliseconds for one in those)
        hits = sorted(len(one.uids) for one in those)
        missing, more = bare[kind].uids - those[0].uids, those[0].uids - bare[kind].uids
        if missing:
            sys.exit(f"{kind}: the index does not find {len(missing)} messages, such as UID {min(missing)}")
        p99 = machines.percentile(took, 0.99)
        beside = (
            f"{bare[kind].milliseconds:.0f}; {floor[kind]:.0f}"
            if kind in floor
            else f"{bare[kind].milliseconds:.0f}"
        )
        aim = f"aim: p99 under 300{'' if p99 < 300 else '; missed'}" if kind == "common word, TEXT" else ""
        yield machines.line(
            f"  {kind}",
            f"{machines.percentile(took, 0.5):.0f} / {p99:.0f}",
            f"{beside}  finds {hits[0]} to {hits[-1]}{f', {len(more)} more than without' if more else ''}",
            f"{machines.percentile(took, 0.5) / bare[kind].milliseconds:.3f}",
            aim,
        )
    yield machines.line("  IMAP at most, MiB", f"{memory:.0f}", "")


def measure(inventories: Sequence[str], messages: int, size: int, number: int) -> list[str]:
    """Measure everything, and leave the house as it was; return the lines of the table."""
    house = dovecot.find_house([*inventories])
    machines.say(f"writing {messages} messages")
    try:
        maildir, written = fill(house, messages, size)
        stock = machines.STOCK[house.run("dovecot --version")[:3]].format(**vars(house))
        lines = [*index_lines(house, maildir, messages, written)] if has_index(house) else []
        return [*lines, *search_lines(house, maildir, stock, messages, number)]
    finally:
        house.run(f"rm -rf {house.mail}/{house.domain}/{house.person['name']}/Maildir/.{FOLDER}")


def has_index(house: House) -> bool:
    """Tell whether this Dovecot has an index: not on Debian 12."""
    return bool(re.search(r"^ *fts = yes", house.run("doveconf -n"), re.MULTILINE))


def main() -> None:
    """Print the table, and leave nothing behind."""
    parser = part.options(__doc__)
    parser.add_argument("--inventory", help="of a house in a container; one is made otherwise")
    parser.add_argument("--messages", type=int, help="how many (default 100000, or 2000)")
    parser.add_argument("--size", type=int, default=1000, help="bytes of a text, about (default 1000)")
    given = parser.parse_args()
    messages = given.messages or (2000 if given.short else 100_000)
    number = 10 if given.short else 100
    if given.inventory:
        print("\n".join(measure([given.inventory], messages, given.size, number)))
        return

    def make_and_measure() -> list[str]:
        machines.say("making a house (about two minutes)")
        machines.create(*site_playbook.CONTAINERS)
        machines.play(machines.SITE, "--limit", "mail")
        return measure(machines.INVENTORIES, messages, given.size, number)

    part.print_table(make_and_measure)


if __name__ == "__main__":
    main()
