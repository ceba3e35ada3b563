#!/usr/bin/env python3
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Print how fast the webmail is and what it costs, beside the same on a stock machine (`make bench-webmail`).

It makes machines of its own: the mail host, the app host, and a stock one with the same release archive, Debian's nginx
and Debian's PHP-FPM with its pool `www`, set up as the application's documentation says (STOCK_SITE). Both serve the
same people of the same mail host. Nothing here decides a test: the figures are for people to compare. Clients run on
the same processors as the machines.

Times: to the login form; from there to the list of the inbox; from "send" until a message is sent, and its copy kept.
Over HTTP, these are the requests that the page makes, one after another on one connection. In the browser, which has an
empty cache each time, it is what a person sees. Cold: nginx and PHP-FPM were just restarted; the kernel's caches are as
they are. Both machines take turns in every round.

Memory: of the processes of nginx and PHP-FPM. Their own pages (smaps_rollup: Pss_Anon), what they share (Pss_Shmem:
mostly the compiled application, of which the most that was seen counts, for it stays when workers end), and files that
are resident in any of them, once (smaps: Rss). So it does not matter what else runs on this computer.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
import json
import os
import random
import re
import shlex
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.ilnmors.mail.tests.behaviour.support import browser
from ansible_collections.ilnmors.mail.tests.behaviour.support.snappymail_page import SnappyMailMailbox
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmail_client import Webmail
from ansible_collections.ilnmors.mail.tests.bench import bench, machines, postfix_machines
from playwright.sync_api import Browser, expect, sync_playwright

ARCHIVE = Path(os.environ.get("SNAPPYMAIL_ARCHIVE") or ".cache/webmail-standin.tar.gz")
PASSWORD = "bench-password"
USERS = 20
PEOPLE = tuple(f"person{number}" for number in range(USERS))
HOUSE: dict[str, Any] = postfix_machines.HOUSE | {
    "mail_users": [{"name": name, "password": PASSWORD} for name in PEOPLE],
    "mail_providers": [],
    "mail_default_provider": "",
    "webmail_host_reverse_proxies": ["{{ lab_network }}.1"],
}
"""The house, by the lab's names: people, no provider, and clients that speak for an address of each user."""
MESSAGES = 50
"""In each inbox at the start."""

STEPS = ("login form", "inbox", "message sent")
PROCESSOR = "of the processor"
Times = dict[str, float]
"""Milliseconds that each step took, and that the site's processes used in all."""
Walk = Callable[["Site"], Times]
"""A way to go all steps."""

ACTIVE = 20
"""Seconds that the users are active."""
IDLE_AFTER = 75
"""Seconds; the pool's workers end after 60 (pool.conf.j2)."""
AIM_IDLE = 90
"""MiB."""

STOCK_PACKAGES = "nginx php-fpm php-intl php-mbstring php-sqlite3 php-xml php-zip openssl"
STOCK_SITE = r"""
server {{
  listen 443 ssl http2;
  server_name {hostname};
  ssl_certificate {certificate};
  ssl_certificate_key {key};
  root /var/www/webmail;
  index index.php;
  client_max_body_size 25m;
  location / {{
    try_files $uri $uri/ /index.php$is_args$args;
  }}
  location ~ \.php$ {{
    include fastcgi_params;
    fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
    fastcgi_pass unix:/run/php/php-fpm.sock;
  }}
  location ^~ /data {{
    deny all;
  }}
}}
"""
STOCK_SETTINGS = """\
[security]
encrypt_cipher = "aes-256-cbc"
[ssl]
verify_certificate = On
cafile = "/etc/ssl/house.pem"
"""
"""The authority, and a cipher that every processor has; the rest is the application's own."""
STOCK_SETUP = """\
private=/var/www/webmail/data/_data_/_default_
mkdir -p $private/configs $private/domains
# Dated now: OPcache keeps nothing of files that are dated 1970, as an archive's may be.
tar -xzmf /root/webmail.tar.gz -C /var/www/webmail
touch $private/domains/disabled
base64 -d >$private/domains/{domain}.json <<'EOF'
{domain_settings}
EOF
printf %s {settings} >$private/configs/application.ini
printf %s {ca} >/etc/ssl/house.pem
printf %s {site} >/etc/nginx/sites-available/default
chown -R www-data:www-data /var/www/webmail
cd /var/www/webmail && runuser -u www-data -- php index.php >/dev/null
systemctl restart nginx 'php*-fpm.service'
cat {certificate}
"""

USED = "cd /sys/fs/cgroup/system.slice; sed -n 's/usage_usec //p' nginx.service/cpu.stat php*-fpm.service/cpu.stat"
PROCESSES = """\
cd /sys/fs/cgroup/system.slice
for process in $(cat nginx.service/cgroup.procs php*-fpm.service/cgroup.procs); do
  cat /proc/$process/smaps_rollup /proc/$process/smaps 2>/dev/null || :  # it may have ended
done | grep -E '^[0-9a-f]+-|^(Pss_Anon|Pss_Shmem|Rss|Anonymous):'
"""


@dataclass(frozen=True)
class Memory:
    """KiB of processes: their own, what they share, and of files."""

    own: int
    shared: int
    files: int

    def __str__(self) -> str:
        return ", ".join(
            f"{size / machines.MIB:.0f} {what}"
            for what, size in (("own", self.own), ("shared", self.shared), ("files", self.files))
        )

    @property
    def total(self) -> float:
        """MiB."""
        return (self.own + self.shared + self.files) / machines.MIB


@dataclass(frozen=True)
class Site(machines.House):
    """A machine that serves the webmail; ca_file is a local copy of its authority's certificate."""

    ca_file: str = ""
    people: tuple[str, ...] = PEOPLE

    def cpu(self) -> float:
        """Return the milliseconds of processor that the servers have used since they started."""
        return sum(map(int, self.run(USED).split())) / 1000

    def restart(self) -> None:
        """Start the servers anew."""
        self.run("systemctl restart nginx 'php*-fpm.service'")

    def memory(self) -> Memory:
        """Measure what the servers hold now."""
        own, shared = 0, 0
        files: dict[str, int] = {}
        mapping = ""
        for line in self.run(PROCESSES).splitlines():
            key, *values = line.split()
            match key:
                case "Pss_Anon:":
                    own += int(values[0])
                case "Pss_Shmem:":
                    shared += int(values[0])
                case "Rss:":
                    resident = int(values[0])
                case "Anonymous:":
                    files[mapping] = max(files.get(mapping, 0), resident - int(values[0]))
                case _:
                    # Offset, device, inode and path.
                    mapping = " ".join(values[1:])
        return Memory(own, shared, sum(size for name, size in files.items() if is_file(name)))


def is_file(mapping: str) -> bool:
    """Tell whether a mapping is of a file on a disk."""
    _, _, inode, *path = mapping.split()
    return inode != "0" and path[0].startswith("/") and not path[0].startswith(("/dev/", "/SYSV"))


# --- the steps over HTTP


class Browsing(Webmail):
    """A session that asks for what the page asks for."""

    def __init__(self, site: Site, user: int = 0) -> None:
        super().__init__(site.hostname, site.ca_file)
        self.session.headers["X-Forwarded-For"] = f"192.168.0.{user + 1}"
        self.site = site
        self.data: dict[str, Any] = {}

    @property
    def real(self) -> bool:
        """Whether this is the application, and not its stand-in."""
        return "StaticLibsJs" in self.data

    def must_get(self, path: str) -> str:
        """Return what is at a path."""
        answer = self.get(path)
        answer.raise_for_status()
        return answer.text

    def must_act(self, action: str, **parameters: object) -> Any:
        """Return the result of an action."""
        answer = self.act(action, **parameters)
        if not answer["Result"]:
            sys.exit(f"{self.site.container}: {action}: {answer}")
        return answer["Result"]

    def open(self) -> None:
        """Load the page with its styles, images and scripts: the login form."""
        page = self.must_get("/")
        for path in dict.fromkeys(re.findall(r'(?:href|url\()"?"?(/[^">)]+(?:css|svg|png|jpg))', page)):
            self.must_get(path)
        self.data = self.start()
        if self.real:
            for path in self.scripts("libs", "app"):
                self.must_get(path)
            self.must_get(self.scripts("libs")[0].split("/js/")[0] + "/css/fonts/snappymail.woff2")

    def scripts(self, *names: str) -> list[str]:
        """Return the paths of scripts."""
        return [str(self.data["StaticLibsJs"]).replace("/libs.", f"/{name}.") for name in names]

    def enter(self, person: str) -> None:
        """Log in, and do what the page does until it lists the inbox."""
        email = f"{person}@{self.site.domain}"
        result = self.must_act("Login", Email=email, Password=PASSWORD, language="", signMe="0")
        self.token = result["System"]["token"]
        if self.real:
            self.must_act("Folders")
            folders = {name: name for name in ("Sent", "Drafts", "Junk", "Trash", "Archive")}
            self.act("SystemFoldersUpdate", Inbox="INBOX", **folders)
            for path in self.scripts("openpgp"):
                self.must_get(path)
            for action in ("SMimeGetCertificates", "AccountsAndIdentities", "GetPGPKeys"):
                self.act(action)
            self.inbox()

    def inbox(self, search: str = "") -> Any:
        """Return the newest messages of the inbox that are found."""
        options: dict[str, object] = {"folder": "INBOX", "offset": 0, "limit": 20, "search": search}
        return self.must_act("MessageList", **options, uidNext=0, sort="", threadUid=0)["@Collection"]

    def send(self, person: str) -> None:
        """Send a message to oneself."""
        email = f"{person}@{self.site.domain}"
        message = {
            "identityID": "",
            "messageFolder": "",
            "messageUid": 0,
            "saveFolder": "Sent",
            "from": email,
            "to": email,
            "cc": "",
            "bcc": "",
            "replyTo": "",
            "subject": "Benchmark",
            "draftInfo": None,
            "inReplyTo": "",
            "references": "",
            "attachments": {},
            "dsn": 0,
            "requireTLS": 0,
            "readReceiptRequest": 0,
            "markAsImportant": 0,
            "linkedData": [],
            "autocrypt": [],
            "html": "",
            "plain": "Hello.",
        }
        self.must_act("SendMessage", **message)
        if self.real:
            self.act("FolderInformation", folder="Drafts", flagsUids=[], uidNext=1)


def timed(steps: Sequence[Callable[[], object]]) -> Times:
    """Take the time of each step."""
    found = {}
    for name, step in zip(STEPS, steps, strict=False):
        start = time.monotonic()
        step()
        found[name] = (time.monotonic() - start) * 1000
    return found


def over_http(site: Site) -> Times:
    """Go all steps without a browser."""
    session = Browsing(site)
    person = random.choice(site.people)
    found = timed([session.open, lambda: session.enter(person), lambda: session.send(person)])
    session.must_act("Logout")
    return found


# --- the steps in a browser


def in_browser(browsers: dict[str, Browser], site: Site) -> Times:
    """Go all steps as a person does, in a browser that has not been there."""
    person = random.choice(site.people)
    email = f"{person}@{site.domain}"
    with contextlib.closing(browsers[site.container].new_context()) as context:
        context.set_default_timeout(machines.DEADLINE * 1000)
        page = context.new_page()
        mailbox = SnappyMailMailbox(browser.Tab(page, Path()))

        def open_page() -> None:
            page.goto(f"https://{site.hostname}/", wait_until="commit")
            page.locator("input[name=Email]").wait_for()

        def enter() -> None:
            mailbox.offer(email, PASSWORD)
            page.locator(".messageListItem").first.wait_for()

        found = timed([open_page, enter])
        mailbox.write(email, "Benchmark", "Hello.")
        found["message sent"] = timed([mailbox.send])[STEPS[0]]
        return found


@contextlib.contextmanager
def chromium(sites: Sequence[Site], directory: Path) -> Iterator[dict[str, Browser]]:
    """Start a browser for each site that trusts the site's authority."""
    expect.set_options(timeout=machines.DEADLINE * 1000)
    with sync_playwright() as playwright, contextlib.ExitStack() as stack:
        found = {}
        for site in sites:
            home = browser.trusting_home(directory / site.container, site.ca_file)
            found[site.container] = browser.launch(playwright, home, {site.hostname: site.address})
            stack.callback(found[site.container].close)
        yield found


def introduce(site: Site) -> bool:
    """Log everyone in once and answer what the first login asks; tell whether this is the real application."""
    for person in site.people:
        session = Browsing(site)
        session.open()
        session.enter(person)
        if session.real:
            email = f"{person}@{site.domain}"
            session.act(
                "IdentityUpdate", Id="", Name=person, Email=email, Label="", ReplyTo="", Bcc="", Signature=""
            )
        session.must_act("Logout")
    return session.real


# --- what is measured


def walks(sites: Sequence[Site], walk: Walk, rounds: int, cold: bool) -> Iterator[tuple[str, Times]]:
    """Go all steps in every round at each site in turns; name the container of each."""
    for turn in range(rounds):
        for site in sites if turn % 2 == 0 else reversed(sites):
            if cold:
                site.restart()
            before = site.cpu()
            times = walk(site)
            yield site.container, times | {PROCESSOR: site.cpu() - before}


def time_lines(mine: Site, stock: Site, way: str, walk: Walk, rounds: dict[str, int]) -> Iterator[str]:
    """Measure the times of all steps."""
    yield machines.line(f"ms {way}", "p50", "stock p50; p99 of both, of so many")
    for state, number in rounds.items():
        machines.say(f"{number} rounds {way}, {state}")
        found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for container, times in walks([mine, stock], walk, number, state == "cold"):
            for step, taken in times.items():
                found[step][container].append(taken)
        for step in (*STEPS, PROCESSOR):
            ours, theirs = (sorted(found[step][site.container]) for site in (mine, stock))
            p50, stock_p50 = statistics.median(ours), statistics.median(theirs)
            p99, stock_p99 = (machines.percentile(one, 0.99) for one in (ours, theirs))
            yield machines.line(
                f"  {state}: {step}",
                f"{p50:.0f}",
                f"{stock_p50:.0f}; {p99:.0f} and {stock_p99:.0f}, of {number}",
                f"{p50 / stock_p50:.2f}",
                "aim: as stock or better",
            )


@dataclass
class Activity:
    """What users did: milliseconds of each action; and the most memory that the servers had meanwhile."""

    taken: list[float]
    memory: Memory


def be_active(site: Site, real: bool, seconds: float) -> Activity:
    """Let all users list, read and search at once, each with a pause after each action."""
    taken: list[float] = []
    ready = threading.Barrier(USERS + 1)

    def use(turn: int) -> None:
        session = Browsing(site, turn)
        session.open()
        session.enter(site.people[turn % len(site.people)])
        newest = session.inbox() if real else []
        actions: list[Callable[[], object]] = [lambda: session.must_get("/")]
        if real:
            actions = [
                session.inbox,
                lambda: session.must_act("Message", folder="INBOX", uid=random.choice(newest)["uid"]),
                lambda: session.inbox(random.choice(("hello", "Benchmark", "nowhere"))),
            ]
        ready.wait()
        end = time.monotonic() + seconds
        for action in itertools.cycle(actions):
            time.sleep(random.uniform(0.5, 1.5))
            start = time.monotonic()
            if start > end:
                break
            action()
            taken.append((time.monotonic() - start) * 1000)
        session.must_act("Logout")

    with ThreadPoolExecutor(USERS) as threads:
        users = [threads.submit(use, turn) for turn in range(USERS)]
        ready.wait()
        found = []
        while not all(user.done() for user in users):
            found.append(site.memory())
            time.sleep(1)
        for user in users:
            user.result()
    return Activity(sorted(taken), max(found, key=lambda memory: memory.total))


def memory_lines(mine: Site, stock: Site, real: bool, seconds: float) -> Iterator[str]:
    """Measure memory with users, and once they are gone and workers have ended."""
    used = []
    for site in (mine, stock):
        machines.say(f"{USERS} users of {site.hostname}")
        site.restart()
        used.append(be_active(site, real, seconds))
    machines.say(f"waiting {IDLE_AFTER} s until all is idle")
    time.sleep(IDLE_AFTER)
    idle = [
        dataclasses.replace(site.memory(), shared=activity.memory.shared)
        for site, activity in zip((mine, stock), used, strict=True)
    ]
    yield machines.line("MiB, nginx and PHP-FPM", "", "stock")
    aim = f"aim: under {AIM_IDLE}" + ("; missed" if idle[0].total >= AIM_IDLE else "")
    held = [activity.memory for activity in used]
    for what, (ours, theirs), end in (("idle", idle, aim), (f"{USERS} users", held, "")):
        yield machines.line(
            f"  {what}",
            f"{ours.total:.0f}",
            f"{theirs.total:.0f}: {theirs}; ours: {ours}",
            f"{ours.total / theirs.total:.2f}",
            end,
        )
    for share in (0.5, 0.99):
        fast, slow = (machines.percentile(activity.taken, share) for activity in used)
        yield machines.line(
            f"  ms an action, p{share * 100:.0f}",
            f"{fast:.0f}",
            f"{slow:.0f}  of {len(used[1].taken)}; ours of {len(used[0].taken)}",
            f"{fast / slow:.2f}",
        )


# --- the machines


def make_stock(mine: Site) -> Site:
    """Set up the same application as its documentation says."""
    container = machines.CONTAINERS["lab-stock"]
    postfix_machines.install("lab-stock", STOCK_PACKAGES)
    machines.docker("cp", str(ARCHIVE), f"{container}:/root/webmail.tar.gz")
    stock = dataclasses.replace(
        mine,
        container=container,
        hostname="stock.ilnmors.internal",
        address="10.213.26.11",
        certificate="/etc/ssl/host.pem",
        key="/etc/ssl/host.key",
    )
    return set_up_stock(mine, stock)


def set_up_stock(mine: Site, stock: Site) -> Site:
    """Configure a machine that has the archive and the packages."""
    domain = f"/var/lib/snappymail/_data_/_default_/domains/{mine.domain}.json"
    ca = stock.run(
        postfix_machines.CERTIFICATE.format(name=stock.hostname)
        + STOCK_SETUP.format(
            domain=stock.domain,
            domain_settings=mine.run(f"base64 {domain}"),
            settings=shlex.quote(STOCK_SETTINGS),
            ca=shlex.quote(mine.ca),
            site=shlex.quote(STOCK_SITE.format(**vars(stock))),
            certificate=stock.certificate,
        )
    )
    return with_ca(stock, ca[ca.index("-----BEGIN") :])


def with_ca(site: Site, ca: str) -> Site:
    """Keep a copy of a site's authority for clients that read a file."""
    path = Path(site.ca_file).with_name(f"{site.container}.pem")
    path.write_text(ca)
    return dataclasses.replace(site, ca=ca, ca_file=str(path))


def make_machines(directory: str) -> tuple[Site, Site]:
    """Make the three machines; return the app host and the stock one."""
    machines.say("making the mail host, the app host and a stock one (about two minutes)")
    machines.create("lab-mail", "lab-app", "lab-stock")
    machines.play(machines.SITE, "-e", json.dumps(HOUSE))
    house = postfix_machines.Server(**machines.find_house(machines.INVENTORIES))
    app = {"container": machines.CONTAINERS["lab-app"], "address": "10.213.26.20"}
    mine = Site(**vars(house) | app | {"hostname": f"webmail.{house.domain}", "ca_file": f"{directory}/ca"})
    mine = with_ca(mine, mine.ca)
    stock = make_stock(mine)
    postfix_machines.resolve([house, mine, stock])  # type: ignore[list-item]
    for person in PEOPLE:
        with house.login(house.login_name(person), PASSWORD) as client:
            for number in range(MESSAGES):
                client.append("INBOX", "", "", message(house.login_name(person), number))
    return mine, stock


def message(email: str, number: int) -> bytes:
    """Return a message to someone."""
    head = f"From: friend{number}@elsewhere.test\r\nTo: {email}\r\nSubject: hello {number}\r\n"
    return f"{head}Message-ID: <{number}@bench.test>\r\n\r\n{machines.text_of(3_000)}".encode()


def measure(mine: Site, stock: Site, quick: bool, rounds: int) -> Iterator[str]:
    """Measure everything; yield the lines of the table."""
    for site in (mine, stock):
        real = introduce(site)
    if not real:
        yield "The archive is the stand-in written for the tests: these figures are the stand-in's, not SnappyMail's.\n"
    yield from time_lines(mine, stock, "over HTTP", over_http, {"cold": (rounds + 1) // 2, "warm": rounds})
    if real and shutil.which("chromium"):
        with chromium([mine, stock], Path(mine.ca_file).parent) as browsers:
            few = {"cold": (rounds + 3) // 4, "warm": (rounds + 1) // 2}
            yield from time_lines(mine, stock, "in Chromium", lambda site: in_browser(browsers, site), few)
    else:
        yield "Not seen in a browser: that needs the real application and Debian's Chromium."
    yield from memory_lines(mine, stock, real, 5 if quick else ACTIVE)


def main() -> None:
    """Print the table, and leave nothing behind."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few rounds: says whether all of it works")
    parser.add_argument("--rounds", type=int, default=0, help="warm ones over HTTP; 40, or quickly 2")
    given = parser.parse_args()
    before = os.getloadavg()[0]
    try:
        with tempfile.TemporaryDirectory() as directory:
            mine, stock = make_machines(directory)
            lines = list(measure(mine, stock, given.quick, given.rounds or (2 if given.quick else 40)))
            lines += bench.unchanged_lines("snappymail", "webmail", HOUSE)
            debian = mine.run("cat /etc/debian_version").strip()
    finally:
        machines.remove()
    load = f"load {before:.1f} before the start, {os.getloadavg()[0]:.1f} at the end"
    print(
        f"\n{os.cpu_count()} cores, {load}; clients and all machines run on the same cores; Debian {debian}\n"
    )
    print("\n".join(lines))


if __name__ == "__main__":
    main()
