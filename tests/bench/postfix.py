#!/usr/bin/env python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Print what the mail host takes and delivers, beside Debian's Postfix and Dovecot as they come (`make bench-postfix`).

It makes machines of its own: the mail host, a stock one, and a provider. Nothing here decides a test: the figures are
for people to compare. Clients run on the same processors as the machines.

The stock machine has the packages' own configuration and the least that lets the same accounts log in and deliver by
LMTP to Maildir: STOCK_MAIN, STOCK_MASTER and the two sockets of postfix_machines, machines.STOCK for Dovecot, and
libsasl2-modules, which Postfix recommends. It has no Sieve, search index, aliases, sender rules or checks of
recipients. Neither machine has quotas. What either defers is tried again at once, and counted.

Killing a container is not a loss of power: what the kernel has been given is not lost.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import re
import secrets
import smtplib
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.ilnmors.mail.tests.bench import machines, part
from ansible_collections.ilnmors.mail.tests.bench.postfix_machines import (
    LONG,
    PEOPLE,
    QUEUE,
    SPOOL,
    Server,
    journal,
    make_machines,
    resolve,
)

PACE = 0.05
"""Seconds between messages that are sent without haste."""


@dataclass(frozen=True)
class Case:
    """One load: how many connections, bytes of each message, and how many people it goes to."""

    connections: int
    size: int
    people: int


CASES = [
    Case(connections, size, people)
    for people in (len(PEOPLE), 1)
    for size in (1_000, 50_000)
    for connections in (1, 10, 50)
]


@dataclass(frozen=True)
class Burst:
    """What became of a load: messages per second from the first command to the last delivery; processor per message."""

    rate: float
    milliseconds: float
    deferred: int


def submit(client: smtplib.SMTP, sender: str, recipient: str, mark: str, text: str) -> float:
    """Submit one message; return when it was answered with 250."""
    head = f"From: {sender}\r\nTo: {recipient}\r\nSubject: {mark}\r\nMessage-ID: <{mark}@bench.test>\r\n\r\n"
    client.sendmail(sender, [recipient], (head + text).encode())
    return time.time()


def burst(server: Server, case: Case, number: int, retry: bool = True, first: str = "") -> Burst:
    """Submit messages over connections that have logged in already, and wait until all are delivered.

    Nothing is removed: ext4 is slow to make files while it remembers those just deleted. The command `first` is run at
    the start, such as one that gives the machine something else to do.
    """
    text = machines.text_of(case.size)
    people = random.sample(PEOPLE, case.people)
    recipients = [server.login_name(people[turn % case.people]) for turn in range(number)]
    senders = [PEOPLE[turn % len(PEOPLE)] for turn in range(case.connections)]
    mark = secrets.token_hex(8)

    def work(turn: int) -> None:
        for place in range(turn, number, case.connections):
            submit(
                clients[turn], server.login_name(senders[turn]), recipients[place], f"{mark}-{place}", text
            )

    server.rest()
    before = server.mails()
    with ThreadPoolExecutor(case.connections) as threads, contextlib.ExitStack() as stack:
        clients = [server.client(sender) for sender in senders]
        for client in clients:
            stack.callback(client.close)
        server.run(first)
        used, start = server.cpu(), time.time()
        list(threads.map(work, range(case.connections)))
        server.wait_for_mails(before + number, retry)
    used = server.cpu() - used
    found = server.deliveries(start)
    states = Counter(status for *__, status in found)
    if states["sent"] < number:
        sys.exit(f"{server.container}: {number} messages, deliveries in its journal: {dict(states)}")
    seconds = max(when for when, __, status in found if status == "sent") - start
    return Burst(number / seconds, used / number * 1000, states["deferred"])


def rate_lines(mine: Server, stock: Server, number: int, rounds: int) -> Iterator[str]:
    """Measure submissions to delivered, of both in turns."""
    found: dict[tuple[Case, str], list[Burst]] = defaultdict(list)
    for server in (mine, stock):
        burst(server, Case(connections=1, size=1_000, people=len(PEOPLE)), len(PEOPLE))  # makes the mailboxes
    for turn in range(rounds):
        machines.say(f"{number} messages for each of {len(CASES)} loads, round {turn + 1} of {rounds}")
        for case in CASES:
            for server in (mine, stock) if turn % 2 == 0 else (stock, mine):
                found[case, server.container].append(burst(server, case, number))
    yield machines.line(
        "delivered/s", "", f"from, to; CPU ms each; deferrals: median of {rounds}, beside stock"
    )
    for case in CASES:
        ours, theirs = found[case, mine.container], found[case, stock.container]
        ratio = median(ours) / median(theirs)
        missed = ratio < 1.3 or any(one.deferred for one in ours)
        yield machines.line(
            f"  {case.connections:2} conn, {case.size // 1000:2} KB, to {case.people:2}",
            f"{median(ours):.0f}",
            f"{spread(ours)}; stock {median(theirs):.0f}: {spread(theirs)}",
            f"{ratio:.2f}",
            "aim: 1.3, none deferred" + ("; missed" if missed else ""),
        )


def median(found: Sequence[Burst]) -> float:
    """Return the median of rates."""
    return statistics.median(one.rate for one in found)


def spread(found: Sequence[Burst]) -> str:
    """Tell the range of rates, the processor for each message and the number of deferrals."""
    rates = [one.rate for one in found]
    used = statistics.median(one.milliseconds for one in found)
    return f"{min(rates):.0f}, {max(rates):.0f}; {used:.1f} ms; {sum(one.deferred for one in found)}"


def paced(servers: Sequence[Server], number: int, recipient: str) -> dict[str, dict[str, float]]:
    """Submit to servers in turns, without haste; return when each message was answered, by machine and recipient."""
    queued: dict[str, dict[str, float]] = {server.container: {} for server in servers}
    text = machines.text_of(1_000)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.client(PEOPLE[0])) for server in servers]
        for server, client in list(zip(servers, clients, strict=True)) * number:
            mark = secrets.token_hex(8)
            to = recipient.format(mark=mark, domain=server.domain)
            queued[server.container][to] = submit(client, server.login_name(PEOPLE[0]), to, mark, text)
            time.sleep(PACE)
    return queued


def milliseconds(queued: dict[str, float], arrived: dict[str, float]) -> list[float]:
    """Return how long messages were on their way, in order of length."""
    return sorted((arrived[recipient] - when) * 1000 for recipient, when in queued.items())


def provider_queue(since: float) -> dict[str, float]:
    """Return when messages were in the provider's queue, by recipient."""
    log = journal(machines.CONTAINERS["lab-provider"], since)
    active = re.findall(r"^([\d.]+) .* postfix/qmgr\[\d+\]: (\w+): .*\(queue active\)$", log, re.MULTILINE)
    recipients = dict(re.findall(r": (\w+): to=<([^>]*)>", log))
    return {recipients[name]: float(when) for when, name in active if name in recipients}


def relay_lines(mine: Server, stock: Server, number: int) -> Iterator[str]:
    """Measure how soon mail for the world is in the provider's queue."""
    machines.say(f"{number} messages to the provider")
    start = time.time()
    queued = paced([mine, stock], number, "{mark}@world.test")
    expected = set(itertools.chain.from_iterable(queued.values()))
    machines.wait_for(lambda: expected <= provider_queue(start).keys(), "The provider has all mail")
    arrived = provider_queue(start)
    ours, theirs = (milliseconds(queued[server.container], arrived) for server in (mine, stock))
    yield machines.line("to the provider, ms", "", "stock")
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        best, worst = machines.percentile(ours, share), machines.percentile(theirs, share)
        yield machines.line(f"  {name} of {number}", f"{best:.0f}", f"{worst:.0f}", f"{best / worst:.2f}")


def house_mail(
    server: Server, case: Case, number: int, rounds: int, first: str = ""
) -> tuple[list[Burst], list[float]]:
    """Return what becomes of house mail under load, and how long it takes without, in ms."""
    bursts = [burst(server, case, number, retry=False, first=first) for __ in range(rounds)]
    before = server.mails()
    server.run(first)
    start = time.time()
    queued = paced([server], number // 4, PEOPLE[1] + "+{mark}@{domain}")[server.container]
    server.wait_for_mails(before + len(queued))
    arrived = {recipient: when for when, recipient, status in server.deliveries(start) if status == "sent"}
    return bursts, milliseconds(queued, arrived)


def dead_provider_lines(server: Server, waiting: int, number: int, rounds: int) -> Iterator[str]:
    """Measure house mail beside a queue of mail for a provider that does not answer."""
    case = Case(connections=10, size=1_000, people=len(PEOPLE))
    machines.say(f"house mail without and with {waiting} messages for a dead provider in the queue")
    found = {"no queue": house_mail(server, case, number, rounds)}
    sender = server.login_name(PEOPLE[1])
    server.run(f"smtp-source -s 10 -m {waiting} -l 1000 -f {sender} -t somebody@world.test 127.0.0.1:25")
    server.wait(f"[ $(find {SPOOL}/deferred -type f | wc -l) -ge {waiting} ]")
    found[f"{waiting} waiting"] = house_mail(server, case, number, rounds)
    found[f"{waiting} retried"] = house_mail(server, case, number, rounds, first="postqueue -f")
    server.run("postsuper -d ALL 2>&1")
    yield machines.line("house mail beside queue", "per s", "from, to; ms from 250 to the mailbox: p50, p99")
    before = median(found["no queue"][0])
    for name, (bursts, delays) in found.items():
        p50, p99 = (machines.percentile(delays, share) for share in (0.5, 0.99))
        rate = median(bursts)
        yield machines.line(
            f"  {name}",
            f"{rate:.0f}",
            f"{spread(bursts)}; {p50:.0f} ms, {p99:.0f} ms",
            f"{rate / before:.2f}",
            "" if name == "no queue" else "aim: as without",
        )


def from_check_lines(server: Server, number: int) -> Iterator[str]:
    """Measure the check of From alone, and its share of a submission's processor."""
    machines.say(f"{number} submissions, and {10 * number} messages to the check of From alone")
    case = Case(connections=10, size=1_000, people=len(PEOPLE))
    before = server.from_check_cpu()
    whole = burst(server, case, number)
    share = (server.from_check_cpu() - before) / number * 1000
    script = Path(__file__).with_name("milter_rate.py").read_text()
    before = server.from_check_cpu()
    rate = server.run(
        f"python3 - --login {server.login_name(PEOPLE[0])} --messages {10 * number} --sessions 10", script
    )
    alone = (server.from_check_cpu() - before) / (10 * number) * 1000
    yield machines.line("check of From", "CPU ms", "of a submission's, 1 KB, 10 connections")
    yield machines.line(
        "  each message",
        f"{share:.2f}",
        f"{whole.milliseconds:.1f}; alone {rate.strip()} messages/s, {alone:.2f} ms each",
        f"{share / whole.milliseconds:.2f}",
        "aim: at most 0.10",
    )


class Load:
    """Clients that submit until so many messages were answered with 250, whatever happens to the server."""

    def __init__(self, server: Server, number: int, connections: int) -> None:
        self.server, self.number, self.connections = server, number, connections
        self.answered: list[str] = []
        self.tried = itertools.count()
        self.mark = secrets.token_hex(4)
        self.text = machines.text_of(1_000)

    def client(self, person: str) -> smtplib.SMTP:
        """Log in, as soon as the server answers."""
        deadline = time.monotonic() + LONG
        while True:
            try:
                return self.server.client(person, timeout=5)
            except (OSError, smtplib.SMTPException):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def work(self, turn: int) -> None:
        """Submit one message after another to the next person."""
        person = PEOPLE[turn % len(PEOPLE)]
        while len(self.answered) < self.number:
            with contextlib.suppress(OSError, smtplib.SMTPException), self.client(person) as client:
                while len(self.answered) < self.number:
                    tried = next(self.tried)
                    mark = f"{self.mark}-{tried}."
                    recipient = self.server.login_name(PEOPLE[tried % len(PEOPLE)])
                    submit(client, self.server.login_name(person), recipient, mark, self.text)
                    self.answered.append(mark)

    def run(self) -> None:
        """Submit over all connections."""
        with ThreadPoolExecutor(self.connections) as threads:
            list(threads.map(self.work, range(self.connections)))


def marks(server: Server, load: Load, folders: str) -> Counter[str]:
    """Return how often each message of a load is in files below folders."""
    grep = f"grep --recursive --text --no-filename --only-matching 'Subject: {load.mark}-[0-9]*[.]' {folders}"
    return Counter(line.removeprefix("Subject: ") for line in server.run(f"{grep} || :").splitlines())


def kill_lines(server: Server, number: int, kills: int, seed: int) -> Iterator[str]:
    """Kill the machine under load; look for every message that it had answered with 250."""
    server.rest()
    chance = random.Random(seed)
    points = sorted(chance.sample(range(1, number), kills))
    machines.say(f"{kills} kills, when so many of {number} messages were answered (seed {seed}): {points}")
    load = Load(server, number, connections=10)
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(load.run)
        for point in points:
            due = max(point, len(load.answered) + 1)
            while len(load.answered) < due and not running.done():
                time.sleep(0.001)
            time.sleep(chance.uniform(0, 0.05))
            machines.docker("kill", "--signal", "KILL", server.container)
            machines.docker("start", server.container)
        running.result()
    server.wait("postqueue -f")
    with contextlib.suppress(SystemExit):
        machines.wait_for(lambda: server.queued() == 0, "")
    delivered, queued = (
        marks(server, load, f"{server.mail}/{server.domain}/*/Maildir/new"),
        marks(server, load, QUEUE),
    )
    lost = [mark for mark in load.answered if mark not in delivered | queued]
    twice = sum(times - 1 for times in delivered.values())
    tried = next(load.tried)
    yield machines.line(f"{kills} kills under load", "lost", f"of {number} messages answered with 250")
    yield machines.line(
        "",
        f"{len(lost)}",
        f"{len(delivered)} in mailboxes, {len(queued)} still queued, {twice} delivered twice; "
        f"{tried - number} submissions were cut off",
        "",
        "aim: lost = 0" + ("; missed" if lost else ""),
    )


def measure(mine: Server, stock: Server, short: bool, seed: int) -> list[str]:
    """Measure everything; return the lines of the table."""
    resolve([mine, stock])
    return [
        *rate_lines(mine, stock, 50 if short else 150, 1 if short else 3),
        *from_check_lines(mine, 50 if short else 500),
        *relay_lines(mine, stock, 20 if short else 100),
        *dead_provider_lines(mine, 500 if short else 10_000, 50 if short else 150, 1 if short else 3),
        *kill_lines(mine, 100 if short else 1_000, 3 if short else 20, seed),
    ]


def main() -> None:
    """Print the table, and leave nothing behind."""
    parser = part.options(__doc__)
    parser.add_argument(
        "--seed", type=int, default=secrets.randbelow(10_000), help="of the points of the kills"
    )
    given = parser.parse_args()
    part.print_table(lambda: measure(*make_machines(), given.short, given.seed))


if __name__ == "__main__":
    main()
