#!/usr/bin/python3
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Let mail of a provider account that takes none leave through the next.

Run by systemd as `failover SETTINGS`. SETTINGS is a JSON file (see Settings). What becomes of each message, Postfix
says in the journal, under the name of the account's transport. From that follows which accounts are out, and the table
`instead` in $STATE_DIRECTORY has the ways that Postfix takes in their place. It looks up the way of a message before
each attempt, and keeps the one message that it has. So it leaves once, whoever carries it.

An account is out when it says that its limit is reached, or when no mail has left through it for a while. When its time
is over it is tried again, by the next message: if that fails as well, it is out again at once.
"""

from __future__ import annotations

import json
import os
import re
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Literal

SETTLE = 31.0
"""Seconds until all of Postfix has seen a table: trivial-rewrite(8) looks after ten, and its client keeps an answer
for thirty (resolve_clnt.c)."""
TRIAL = 900.0
"""Seconds after which an account that could not be reached is tried again."""
LONGEST_WAIT = 4000.0
"""Seconds between two attempts of Postfix at most (postconf(5), maximal_backoff_time)."""
SUFFIXES = {"btree": ".db", "cdb": ".cdb", "hash": ".db", "lmdb": ".lmdb"}
"""Of the files that postmap(1) makes."""
TIMEOUT = 60
"""Seconds that a program of Postfix may take."""
UNSURE = "may be sent more than once"
"""What smtp(8) says of a message that the other side may have taken, before the connection was lost."""

_ADDRESS = r'<(?:"(?:[^"\\]|\\.)*"|[^">])*>'
# One recipient of an attempt. An address is written so that none of it can be taken for what follows.
_ATTEMPT = re.compile(
    rf"\w+: to={_ADDRESS}, (?:orig_to={_ADDRESS}, )?(?:[a-z_]+=\S+, )*?"
    r"dsn=(\d(?:\.\d+)+), status=(sent|bounced|deferred) \((.*)\)",
    re.DOTALL,
)

Kind = Literal["works", "limit", "failure"]
Way = Literal["own", "trial", "elsewhere", "waits"]


@dataclass(frozen=True)
class Account:
    """An account, and the names of those that may take its place.

    destination: its transport and nexthop (transport(5)). over_limit: patterns of an enhanced status code without its
    class, and the text after it.
    """

    name: str
    transport: str
    destination: str
    chain: tuple[str, ...] = ()
    over_limit: tuple[str, ...] = ()

    def reads(self, code: str, status: str, text: str) -> Kind | None:
        """Say what an attempt tells of the account; nothing where the message may have been taken all the same."""
        if status != "deferred":
            # Whatever became of the message, it is the provider who decided.
            return "works"
        if any(re.match(rf"\.{pattern}", f"{code[1:]} {text}", re.DOTALL) for pattern in self.over_limit):
            return "limit"
        return None if UNSURE in text else "failure"


@dataclass(frozen=True)
class Settings:
    """What the settings' file says.

    after: seconds without mail until an account is out; limit_time: until one that is over its limit is tried again.
    """

    accounts: Mapping[str, Account]
    after: float
    limit_time: float

    @classmethod
    def read(cls, path: Path) -> Settings:
        """Read the file."""
        said = json.loads(path.read_text())
        accounts = [
            Account(**{**one, "chain": tuple(one["chain"]), "over_limit": tuple(one["over_limit"])})
            for one in said["accounts"]
        ]
        return cls({account.name: account for account in accounts}, said["after"], said["limit_time"])


@dataclass(frozen=True)
class Event:
    """What one attempt tells of an account. time: seconds since 1970; text: Postfix's words."""

    time: float
    account: str
    kind: Kind
    text: str


@dataclass(frozen=True)
class Condition:
    """How an account does. Times are seconds since 1970, 0 for never.

    failing_since, last_failure: of attempts in a row that failed. out_since, until: since when it is out, and when it
    is tried again. limit: whether it is for its limit. why: the last failure, in Postfix's words.
    """

    failing_since: float = 0.0
    last_failure: float = 0.0
    out_since: float = 0.0
    until: float = 0.0
    limit: bool = False
    why: str = ""

    def is_out(self, now: float) -> bool:
        """Whether no mail is to leave through it."""
        return bool(self.out_since) and now < self.until

    def after(self, event: Event, settings: Settings, elsewhere: bool) -> Condition:
        """Return it after an attempt. elsewhere: whether its mail leaves through another meanwhile."""
        now, out = event.time, self.is_out(event.time)
        if event.kind == "works":
            # What was under way when it went out says nothing.
            return self if out and elsewhere else Condition()
        if out:
            return self
        if event.kind == "limit":
            return Condition(
                out_since=self.out_since or now, until=now + settings.limit_time, limit=True, why=event.text
            )
        if self.out_since:
            return replace(self, until=now + TRIAL, limit=False, why=event.text)
        in_a_row = self.failing_since and now - self.last_failure <= settings.after + LONGEST_WAIT
        since = self.failing_since if in_a_row else now
        failing = Condition(failing_since=since, last_failure=now, why=event.text)
        if now - since < settings.after:
            return failing
        return replace(failing, out_since=since, until=now + TRIAL)


@dataclass(frozen=True)
class Route:
    """Which way an account's mail takes: through itself (perhaps as a trial), through another, or none."""

    way: Way
    through: str = ""


@dataclass
class Accounts:
    """All accounts, and how they do."""

    settings: Settings
    conditions: dict[str, Condition]

    def routes(self, now: float) -> dict[str, Route]:
        """Return the way of each account's mail."""
        return {account.name: self._route(account, now) for account in self.settings.accounts.values()}

    def _route(self, account: Account, now: float) -> Route:
        condition = self.conditions[account.name]
        if not condition.is_out(now):
            return Route("trial" if condition.out_since else "own", account.name)
        for name in account.chain:
            other = self.conditions[name]
            # Where both fail, it may be the house's own line that is down: then nothing is gained.
            same_fault = not condition.limit and now < self._fails_until(other)
            if not other.is_out(now) and not same_fault:
                return Route("elsewhere", name)
        return Route("waits")

    @staticmethod
    def _fails_until(condition: Condition) -> float:
        return condition.last_failure + TRIAL if condition.failing_since else 0.0

    def instead(self, routes: Mapping[str, Route]) -> dict[str, str]:
        """Return the table: the destination that takes the place of another."""
        known = self.settings.accounts
        return {
            known[name].destination: known[route.through].destination
            for name, route in routes.items()
            if route.way == "elsewhere"
        }

    def take(self, event: Event) -> bool:
        """Learn from an attempt; tell whether it left mail behind that may leave through another account now."""
        elsewhere = self.routes(event.time)[event.account].way == "elsewhere"
        condition = self.conditions[event.account].after(event, self.settings, elsewhere)
        self.conditions[event.account] = condition
        return event.kind != "works" and condition.is_out(event.time)

    def deadlines(self) -> Iterator[float]:
        """Yield when something changes although nothing happens."""
        for condition in self.conditions.values():
            yield from (condition.until, self._fails_until(condition), self._judged_at(condition))

    def _judged_at(self, condition: Condition) -> float:
        return condition.failing_since + self.settings.after if condition.failing_since else 0.0

    def doubtful(self, now: float) -> dict[str, float]:
        """Return since when accounts fail that were not tried any more since they could be out: one attempt decides."""
        return {
            name: condition.failing_since
            for name, condition in self.conditions.items()
            if not condition.out_since and condition.last_failure < self._judged_at(condition) <= now
        }

    def describe(self, name: str, route: Route) -> str:
        """Say in one line which way an account's mail takes, and why."""
        condition = self.conditions[name]
        if route.way == "own":
            return f"{name} takes mail again"
        if route.way == "trial":
            return f"{name} is tried again with the next message"
        why = "is over its limit" if condition.limit else "has taken no mail"
        where = (
            f"leaves through {route.through}" if route.way == "elsewhere" else "waits, for no other takes it"
        )
        return (
            f"{name} {why} since {clock(condition.out_since)}; its mail {where} until {clock(condition.until)}: "
            f"{condition.why}"
        )


def clock(at: float) -> str:
    """Return a time as people write it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def read_event(entry: Mapping[str, Any], settings: Settings) -> Event | None:
    """Read an entry of the journal (systemd.journal-fields(7)); None where it says nothing of an account."""
    identifier = str(entry.get("SYSLOG_IDENTIFIER", ""))
    account = next((one for one in settings.accounts.values() if identifier == identifier_of(one)), None)
    message = entry.get("MESSAGE")
    # What is no UTF-8 is written as a list of its bytes.
    text = bytes(message).decode(errors="replace") if isinstance(message, list) else str(message or "")
    found = _ATTEMPT.fullmatch(text)
    if not account or not found:
        return None
    code, status, said = found.groups()
    kind = account.reads(code, status, said)
    at = int(entry["__REALTIME_TIMESTAMP"]) / 1e6
    return Event(at, account.name, kind, " ".join(said.split())) if kind else None


def identifier_of(account: Account) -> str:
    """Return under which name Postfix logs the attempts of an account (syslog_name in master.cf)."""
    return f"postfix/{account.transport}/smtp"


# --- what is kept


@dataclass
class Store:
    """The directory of what is kept: status.json, and the table."""

    directory: Path
    map_type: str

    def read(self, names: Iterable[str]) -> tuple[dict[str, Condition], float]:
        """Return how each account does, and the time of the last event; a missing or damaged file says nothing."""
        try:
            said = json.loads((self.directory / "status.json").read_text())
            known = {name: Condition(**one["condition"]) for name, one in said["accounts"].items()}
            seen = float(said["seen"])
        except (FileNotFoundError, KeyError, TypeError, ValueError):
            known, seen = {}, 0.0
        return {name: known.get(name, Condition()) for name in names}, seen

    def write(self, accounts: Accounts, routes: Mapping[str, Route], seen: float) -> None:
        """Replace the file, which verify reads as well."""
        entries = {
            name: {
                "condition": asdict(accounts.conditions[name]),
                "chain": accounts.settings.accounts[name].chain,
                **asdict(route),
            }
            for name, route in routes.items()
        }
        beside = self.directory / "status.json.new"
        beside.write_text(json.dumps({"seen": seen, "accounts": entries}, indent=1))
        beside.replace(self.directory / "status.json")

    def write_table(self, entries: Mapping[str, str]) -> None:
        """Replace the table by a whole one: Postfix never reads one that is being written."""
        source, suffix = self.directory / "instead", SUFFIXES[self.map_type]
        beside = self.directory / "instead.new"
        beside.write_text("".join(f"{key}\t{value}\n" for key, value in entries.items()))
        run("postmap", f"{self.map_type}:{beside}")
        for end in (suffix, ""):
            Path(f"{beside}{end}").replace(f"{source}{end}")


def run(*command: str) -> str:
    """Run a program of Postfix, and return what it says."""
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=TIMEOUT).stdout


def retry(ask: Any = run) -> None:  # noqa: ANN401 - a command's words
    """Let Postfix try again what waits; a message that may have been taken already waits for its own time."""
    try:
        waiting = [json.loads(line) for line in ask("postqueue", "-j").splitlines()]
        unsure = {entry["queue_id"] for entry in waiting if is_unsure(entry)}
        if not unsure:
            ask("postqueue", "-f")
        for entry in waiting:
            if unsure and entry["queue_name"] == "deferred" and entry["queue_id"] not in unsure:
                ask("postqueue", "-i", entry["queue_id"])
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        say(4, f"The queue could not be asked to try again, and will by itself: {error}")


def is_unsure(entry: Mapping[str, Any]) -> bool:
    """Whether a recipient of a message in the queue (postqueue(1)) may have it already."""
    return any(UNSURE in recipient.get("delay_reason", "") for recipient in entry["recipients"])


# --- the service


@dataclass
class Keeper:
    """Keeps the table as the journal says."""

    accounts: Accounts
    store: Store
    since: float
    """What happened until then is known already, in seconds since 1970."""
    seen: float = 0.0
    known: dict[str, Route] = field(default_factory=dict)
    retry_at: float = float("inf")
    asked: dict[str, float] = field(default_factory=dict)

    def begin(self, now: float) -> None:
        """Write what follows from what was kept."""
        self.seen = self.since
        self.known = self.accounts.routes(now)
        self.store.write_table(self.accounts.instead(self.known))
        self.store.write(self.accounts, self.known, self.seen)

    def learn(self, events: Iterable[Event], now: float) -> None:
        """Learn from attempts, and from what time it is."""
        before = dict(self.accounts.conditions)
        for event in events:
            if event.time > self.since:
                self.seen = event.time
                if self.accounts.take(event):
                    self.retry_at = min(self.retry_at, now + SETTLE)
        routes = self.accounts.routes(now)
        if self.accounts.instead(routes) != self.accounts.instead(self.known):
            self.store.write_table(self.accounts.instead(routes))
            self.retry_at = min(self.retry_at, now + SETTLE)
        for name, route in routes.items():
            if route != self.known.get(name):
                say(5 if route.way in ("own", "trial") else 4, self.accounts.describe(name, route))
        if routes != self.known or self.accounts.conditions != before:
            self.store.write(self.accounts, routes, self.seen)
        self.known = routes
        self.look(now)

    def look(self, now: float) -> None:
        """Let Postfix try again what is due."""
        doubtful = self.accounts.doubtful(now)
        if any(self.asked.get(name) != since for name, since in doubtful.items()):
            self.retry_at = now
        self.asked = doubtful
        if self.retry_at <= now:
            self.retry_at = float("inf")
            retry()

    def next_look(self, now: float) -> float:
        """Return in how many seconds there is something to do although nothing happens."""
        due = [self.retry_at, *(at for at in self.accounts.deadlines() if at > now)]
        return max(0.0, min(due) - now) + 0.1


def journal(settings: Settings, since: float) -> subprocess.Popen[bytes]:
    """Follow what Postfix says of the accounts, from a time on (journalctl(1))."""
    units = ("postfix.service", "postfix@-.service")
    matches = [f"_SYSTEMD_UNIT={unit}" for unit in units]
    matches += [f"SYSLOG_IDENTIFIER={identifier_of(account)}" for account in settings.accounts.values()]
    command = [
        "journalctl",
        "--quiet",
        "--follow",
        "--no-tail",
        "--all",
        "--output=json",
        f"--since=@{int(since)}",
    ]
    return subprocess.Popen([*command, *matches], stdout=subprocess.PIPE)


def entries(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Read lines of journalctl; one that is no JSON is passed by."""
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            continue


def follow(stream: IO[bytes], keeper: Keeper) -> None:
    """Learn from a journal until it ends."""
    settings, rest = keeper.accounts.settings, b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while True:
            seconds = min(keeper.next_look(time.time()), 3600)
            read = os.read(stream.fileno(), 1 << 20) if selector.select(seconds) else None
            if read == b"":
                return
            *lines, rest = (rest + (read or b"")).split(b"\n")
            found = (read_event(entry, settings) for entry in entries(lines))
            keeper.learn([event for event in found if event], time.time())


def say(level: int, text: str) -> None:
    """Write to the journal, with a priority (sd-daemon(3))."""
    print(f"<{level}>{text}", file=sys.stderr, flush=True)


def notify(text: str) -> None:
    """Tell systemd that it runs (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.connect(address.replace("@", "\0", 1) if address.startswith("@") else address)
            client.send(f"READY=1\nSTATUS={text}".encode())


def main() -> int:
    """Keep the table until the unit is stopped."""
    settings = Settings.read(Path(sys.argv[1]))
    store = Store(Path(os.environ["STATE_DIRECTORY"]), run("postconf", "-h", "default_database_type").strip())
    now = time.time()
    kept, seen = store.read(settings.accounts)
    # Nothing is out for longer than the settings say, nor was seen in the future: they or the clock were others then.
    latest = now + settings.limit_time
    conditions = {name: replace(one, until=min(one.until, latest)) for name, one in kept.items()}
    # Before it was there, and before a limit that is long past, nothing counts.
    since = min(now, max(seen, now - settings.limit_time)) if seen else now
    keeper = Keeper(Accounts(settings, conditions), store, since)
    keeper.begin(now)
    notify(f"Watches {len(settings.accounts)} accounts")
    with journal(settings, since) as process:
        assert process.stdout  # noqa: S101 - it is a pipe
        follow(process.stdout, keeper)
    say(3, "journalctl ended")
    return 1


if __name__ == "__main__":
    sys.exit(main())
