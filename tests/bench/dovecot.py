#!/usr/bin/env python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Print what Dovecot costs as the role sets it up, beside a baseline of the same run (`make bench-dovecot`).

It makes a house of its own, or uses one that runs in a container (--inventory), whose Dovecot it restarts often.
Nothing here decides a test: the figures are for people to compare. Clients run on the same processors as Dovecot.
"""

from __future__ import annotations

import contextlib
import imaplib
import json
import re
import secrets
import smtplib
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.ilnmors.mail.tests.bench import login_rate, machines, memory, part, site_playbook

PASSWORD = "bench-password"
ACCOUNTS: dict[str, dict[str, str]] = {
    # The role hashes it, at its own cost.
    "ARGON2ID": {"password": PASSWORD},
    "BLF-CRYPT": {"password_hash": "{BLF-CRYPT}$2y$10$abcdefghijklmnopqrstuu5rhE8xjcfdvrsFKo7VUotU4ZZ7fEC/O"},
    "SHA512-CRYPT": {
        "password_hash": "{SHA512-CRYPT}$6$rounds=210000$w0ohpG5J4cMJos.r$07uK1VK/XdqCyJosjV91E9sf11t5/ThgdMwccJRBO"
        "Nz4PI56/CoOV.U.gU4K7nfDixEpNwvSjabeyGBEQHCtF/"
    },
}
"""An account for each scheme, beside those of the house."""

AT_ONCE = 8
"""Logins at once, all of one account; stock Dovecot allows 10 connections of a user and address."""

ROLE, HOSTS = "dovecot_imap", "mail[0]"

UNIT = "/sys/fs/cgroup/system.slice/dovecot.service"


class House(machines.House):
    """A mail host whose Dovecot this benchmark may restart."""

    def user(self, scheme: str) -> str:
        """Return the login name of the account whose hash is of a scheme."""
        return f"bench-{scheme.lower()}@{self.domain}"

    def restart(self, configuration: str) -> None:
        """Start Dovecot anew with a configuration, and with empty mailboxes of this benchmark's accounts."""
        self.run(
            f"systemctl stop dovecot.socket dovecot.service 2>&1; rm -rf {self.mail}/{self.domain}/bench-*\n"
            "cat >/etc/dovecot/dovecot.conf\n"
            "systemctl reset-failed dovecot.service; systemctl start dovecot.service",
            configuration,
        )
        machines.wait_for(self.answers, "Dovecot answers")

    def answers(self) -> bool:
        """Tell whether a client is greeted; nobody logs in."""
        try:
            imaplib.IMAP4_SSL(self.hostname, ssl_context=self.tls(), timeout=machines.DEADLINE).shutdown()
        except OSError:
            return False
        return True

    def cpu(self) -> float:
        """Return the seconds of processor that Dovecot has used."""
        return int(self.run(f"cat {UNIT}/cpu.stat").split()[1]) / 1e6

    def memory(self) -> float:
        """Return the MiB of Dovecot's processes."""
        return memory.total(memory.processes(self.container, "dovecot[.]service")).total


@dataclass(frozen=True)
class Configurations:
    """Contents of dovecot.conf: of the role, of the role without the search index, and the stock one."""

    house: str
    unindexed: str
    stock: str

    @property
    def uncached(self) -> str:
        """The role's, without the authentication cache."""
        return f"{self.house}\nauth_cache_size = 0\n"


def find_house(inventories: list[str]) -> House:
    """Read the house from its inventory, and have its name resolve to its address."""
    house = House(**machines.find_house(inventories))
    if house.address:
        machines.resolve({house.hostname: house.address})
    return house


def configurations(house: House, inventories: list[str]) -> Configurations:
    """Have the role make this benchmark's accounts and each configuration."""
    accounts = [{"name": f"bench-{scheme.lower()}"} | secret for scheme, secret in ACCOUNTS.items()]
    made = []
    users = {"dovecot_imap_users": f"{{{{ mail_users + {json.dumps(accounts)} }}}}"}
    for index in (
        {"dovecot_imap_fts": False, "dovecot_imap_fts_attachments": False},
        {"dovecot_imap_fts": True},
    ):
        machines.play_role(ROLE, HOSTS, users | index, inventories)
        made.append(house.run("cat /etc/dovecot/dovecot.conf"))
    series = house.run("dovecot --version")[:3]
    stock = machines.STOCK[series].format(**vars(house))
    return Configurations(house=made[1], unindexed=made[0], stock=stock)


def idle_memory(house: House, configuration: str, connections: int) -> tuple[float, float]:
    """Return the MiB of a Dovecot just started, and the KiB of each connection that waits in IDLE."""
    house.restart(configuration)
    idle = house.memory()
    with contextlib.ExitStack() as stack:
        house.login(house.user("ARGON2ID"), PASSWORD).logout()
        before = house.memory()
        for __ in range(connections):
            client = house.login(house.user("ARGON2ID"), PASSWORD)
            stack.callback(client.shutdown)
            start_idle(client)
        return idle, (house.memory() - before) / connections * memory.MIB


def start_idle(client: imaplib.IMAP4) -> None:
    """Have a client wait for news of its inbox."""
    client.select("INBOX")
    client.send(b"wait IDLE\r\n")
    while not client.readline().startswith(b"+"):
        pass


def logins(house: House, configuration: str, scheme: str, number: int) -> tuple[float, float]:
    """Return logins per second, and the milliseconds of processor that Dovecot spends on each."""
    house.restart(configuration)
    used = house.cpu()
    rate = login_rate.rate(house.hostname, house.tls(), house.user(scheme), PASSWORD, number, AT_ONCE)
    return rate, (house.cpu() - used) / (number + 1) * 1000


def hashes(house: House, scheme: str) -> float:
    """Return how many passwords of a scheme all cores verify in a second, with nothing else to do."""
    script = Path(__file__).with_name("hash_rate.py").read_text()
    return float(house.run(f"PASSWORD={PASSWORD} python3 - --user {house.user(scheme)}", script))


def deliveries(house: House, configuration: str, number: int, seed: int) -> float:
    """Return the messages per second that Dovecot takes over LMTP; each answer says that one is delivered."""
    house.restart(configuration)
    recipients = ",".join(map(house.user, ACCOUNTS))
    script = Path(__file__).with_name("lmtp_rate.py").read_text()
    options = f"--messages {number} --connections 6 --seed {seed} --recipients {recipients}"
    return float(house.run(f"python3 - {options}", script).split()[0])


def news_by_idle(client: imaplib.IMAP4) -> Iterator[None]:
    """Wait at each step until the server tells, by itself, of another message."""
    start_idle(client)
    while True:
        yield
        while not re.match(rb"\* \d+ EXISTS", line := client.readline()):
            if not line:
                sys.exit("Dovecot ended a connection that waited")


def news_by_asking(client: imaplib.IMAP4) -> Iterator[None]:
    """Wait at each step until the server's answer to NOOP, asked without pause, tells of another message."""
    client.select("INBOX")
    while True:
        yield
        client.untagged_responses.pop("EXISTS", None)
        deadline = time.monotonic() + machines.DEADLINE
        while "EXISTS" not in client.untagged_responses:
            client.noop()
            if time.monotonic() > deadline:
                sys.exit(f"A message was not delivered within {machines.DEADLINE} s")


def delays(house: House, news: Callable[[imaplib.IMAP4], Iterator[None]], number: int) -> list[float]:
    """Return the milliseconds from "250 queued" until a client knows of each message, one after another."""
    user, password = f"{house.person['name']}@{house.domain}", house.person["password"]
    subject = f"Benchmark {secrets.token_hex(8)}"
    found = []
    with contextlib.ExitStack() as stack:
        sender = stack.enter_context(smtplib.SMTP(house.hostname, 587, timeout=machines.DEADLINE))
        sender.starttls(context=house.tls())
        sender.login(user, password)
        stack.callback(tidy_inbox, house, user, password, subject)
        client = house.login(user, password)
        stack.callback(client.shutdown)
        waiting = news(client)
        next(waiting)
        for __ in range(number):
            sender.sendmail(
                user, [user], f"From: {user}\r\nTo: {user}\r\nSubject: {subject}\r\n\r\nHello.\r\n"
            )
            queued = time.monotonic()
            next(waiting)
            found.append((time.monotonic() - queued) * 1000)
    return sorted(found)


def tidy_inbox(house: House, user: str, password: str, subject: str) -> None:
    """Remove this benchmark's messages, and no other."""
    with house.login(user, password) as client:
        client.select("INBOX")
        found = client.uid("SEARCH", "HEADER", "Subject", f'"{subject}"')[1][0].split()
        if found:
            uids = b",".join(found).decode()
            client.uid("STORE", uids, "+FLAGS.SILENT", r"(\Deleted)")
            client.uid("EXPUNGE", uids)


def memory_lines(house: House, made: Configurations, connections: int) -> Iterator[str]:
    """Measure what Dovecot needs while nothing happens."""
    machines.say(f"memory, and {connections} connections in IDLE")
    stock, each_stock = idle_memory(house, made.stock + "mail_max_userip_connections = 1000\n", connections)
    mine, each = idle_memory(house, made.house, connections)
    yield machines.line("memory", "", "stock")
    yield machines.line("  just started, MiB", f"{mine:.1f}", f"{stock:.1f}")
    yield machines.line("  client in IDLE, KiB", f"{each:.0f}", f"{each_stock:.0f}  each of {connections}")


def login_lines(house: House, made: Configurations, number: int) -> Iterator[str]:
    """Measure logins, by scheme."""
    yield machines.line("logins/s (CPU ms each)", "", "stock; without the authentication cache")
    for scheme in ACCOUNTS:
        machines.say(f"{number} logins with {scheme}")
        stock, uncached, cached = (
            logins(house, configuration, scheme, number)
            for configuration in (made.stock, made.uncached, made.house)
        )
        alone = hashes(house, scheme)
        yield machines.line(
            f"  {scheme}",
            f"{cached[0]:.0f} ({cached[1]:.0f})",
            f"{stock[0]:.0f} ({stock[1]:.0f}); {uncached[0]:.0f} ({uncached[1]:.0f}), "
            f"{uncached[0] / stock[0]:.1f} times stock",
            f"{cached[0] / stock[0]:.2f}",
            "aim: 4 times stock or more" if scheme == "ARGON2ID" else "",
        )
        yield machines.line(
            "    not remembered",
            f"{uncached[0]:.0f} ({uncached[1]:.0f})",
            f"{alone:.0f} hashes/s on all cores, and nothing else",
            f"{uncached[0] / alone:.2f}",
            "aim: 0.90" + ("; missed" if uncached[0] < 0.9 * alone else ""),
        )


def delivery_lines(house: House, made: Configurations, number: int, rounds: int = 3) -> Iterator[str]:
    """Measure deliveries, with and without the search index in turns."""
    machines.say(f"{rounds} times {number} deliveries with and without the search index")
    indexed, plain = [], []
    for seed in range(rounds):
        plain.append(deliveries(house, made.unindexed, number, seed))
        indexed.append(deliveries(house, made.house, number, seed))
    mine, best = statistics.median(indexed), statistics.median(plain)
    yield machines.line("deliveries/s (LMTP)", "", "without the search index")
    yield machines.line(
        f"  median of {rounds}",
        f"{mine:.0f}",
        f"{best:.0f}  from {min(plain):.0f} to {max(plain):.0f}; with it, {min(indexed):.0f} to {max(indexed):.0f}",
        f"{mine / best:.2f}",
        f"aim: over 0.90; indexing costs {1 - mine / best:.0%}",
    )


def notice_lines(house: House, made: Configurations, number: int) -> Iterator[str]:
    """Measure how soon a client knows of new mail."""
    machines.say(f"{number} messages to a client in IDLE, and to one that keeps asking")
    house.restart(made.house)
    told, asked = delays(house, news_by_idle, number), delays(house, news_by_asking, number)
    yield machines.line('"250 queued" to EXISTS, ms', "", "a client that asks without pause: NOOP")
    for name, share, aim in (("p50", 0.5, ""), ("p99", 0.99, "aim: under 100 ms")):
        mine, best = machines.percentile(told, share), machines.percentile(asked, share)
        missed = "; missed" if aim and mine >= 100 else ""
        yield machines.line(f"  {name} of {number}, IDLE", f"{mine:.0f}", f"{best:.0f}", "", aim + missed)


def measure(inventories: list[str], scale: float) -> list[str]:
    """Measure everything, and leave the house as it was; return the lines of the table."""
    house = find_house(inventories)
    lines: list[str] = []
    try:
        machines.say("accounts and configurations of this benchmark")
        made = configurations(house, inventories)
        lines += memory_lines(house, made, round(100 * scale))
        lines += login_lines(house, made, round(150 * scale))
        lines += delivery_lines(house, made, round(600 * scale))
        lines += notice_lines(house, made, round(50 * scale))
    finally:
        machines.say("the house as it was")
        machines.play_role(ROLE, HOSTS, inventories=inventories)
        house.run(f"systemctl restart dovecot.service; rm -rf {house.mail}/{house.domain}/bench-*")
    return [*lines, *site_playbook.unchanged_lines(ROLE, HOSTS, inventories=inventories)]


def main() -> None:
    """Print the table, and leave nothing behind."""
    parser = part.options(__doc__)
    parser.add_argument("--inventory", help="of a house in a container; one is made otherwise")
    given = parser.parse_args()
    scale = 0.1 if given.short else 1
    if given.inventory:
        print("\n".join(measure([given.inventory], scale)))
        return

    def make_and_measure() -> list[str]:
        machines.say("making a house (about two minutes)")
        machines.create(*site_playbook.CONTAINERS)
        machines.play(machines.SITE, "--limit", "mail")
        return measure([*machines.INVENTORIES], scale)

    part.print_table(make_and_measure)


if __name__ == "__main__":
    main()
