# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Through which account mail leaves: what the journal tells of accounts, and what follows from it, without Postfix."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._site.provider_profiles import PROFILES

PROGRAM = Path(__file__).parents[3] / "roles/postfix_relay/files/failover.py"
HOUR, DAY = 3600.0, 86400.0
START = 1_800_000_000.0


def load() -> Any:
    """Load the program as a module."""
    loader = SourceFileLoader("failover", str(PROGRAM))
    spec = importlib.util.spec_from_loader("failover", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "dont_write_bytecode", True)
        patch.setitem(sys.modules, "failover", module)
        loader.exec_module(module)
    return module


failover = load()


def account(name: str, *chain: str, profile: str = "") -> Any:
    return failover.Account(
        name=name,
        transport=f"relay-{name}",
        destination=f"relay-{name}:[smtp.{name}.test]:587",
        chain=chain,
        over_limit=PROFILES[profile or name].over_limit,
    )


SETTINGS = failover.Settings(
    {
        one.name: one
        for one in (
            account("gmail", "naver", "outlook"),
            account("naver", "gmail"),
            account("outlook"),
            account("icloud"),
        )
    },
    after=HOUR,
    limit_time=DAY,
)


# --- what the journal says


def entry(account: str, code: str, status: str, text: str, to: str = "a@b.test") -> dict[str, Any]:
    return {
        "SYSLOG_IDENTIFIER": f"postfix/relay-{account}/smtp",
        "__REALTIME_TIMESTAMP": str(int(START * 1e6)),
        "MESSAGE": (
            f"4fz7Vq2Xl3z9sQ: to=<{to}>, relay=smtp.{account}.test[192.0.2.1]:587, conn_use=2, delay=1.3, "
            f"delays=0.1/0/1/0.2, dsn={code}, status={status} ({text})"
        ),
    }


SAID = "host smtp.test[192.0.2.1] said:"
REPLIES: list[tuple[str, str, str, str, str | None]] = [
    # An account's limit, in the words of its provider, after the filter of its transport.
    (
        "gmail",
        "4.4.5",
        "deferred",
        f"{SAID} 550-5.4.5 Daily user sending limit exceeded. For more information on Gmail 550-5.4.5 sending limits "
        "go to 550 5.4.5  https://support.google.com/a/answer/166852 d2e1a72fcca58-76e7d551493sm9728466b3a.112 - "
        "gsmtp (in reply to end of DATA command)",
        "limit",
    ),
    (
        "gmail",
        "4.4.5",
        "deferred",
        f"{SAID} 550 5.4.5 Daily user sending quota exceeded. o65sm25351206pga.71 - gsmtp (in reply to MAIL FROM "
        "command)",
        "limit",
    ),
    (
        "naver",
        "4.4.5",
        "deferred",
        f"{SAID} 450 4.4.5 Server busy (in reply to MAIL FROM command)",
        "failure",
    ),
    (
        "outlook",
        "4.2.0",
        "deferred",
        f"{SAID} 554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Failed to process message "
        "due to a permanent exception with message Cannot submit message. (in reply to end of DATA command)",
        "limit",
    ),
    (
        "outlook",
        "4.3.2",
        "deferred",
        f"{SAID} 432 4.3.2 Concurrent connections limit exceeded. (in reply to MAIL FROM command)",
        "failure",
    ),
    (
        "icloud",
        "4.7.1",
        "deferred",
        f"{SAID} 550 5.7.1 Mail from il@icloud.com has exceeded your daily sending limit (in reply to DATA command)",
        "limit",
    ),
    # It takes no mail.
    (
        "gmail",
        "4.4.1",
        "deferred",
        "connect to smtp.gmail.com[192.0.2.1]:587: Connection timed out",
        "failure",
    ),
    (
        "gmail",
        "4.4.3",
        "deferred",
        "Host or domain name not found. Name service error for name=smtp.gmail.com type=A: Host not found, try again",
        "failure",
    ),
    ("gmail", "4.7.5", "deferred", "Server certificate not verified", "failure"),
    (
        "gmail",
        "4.7.4",
        "deferred",
        "TLS is required, but was not offered by host smtp.gmail.com[192.0.2.1]",
        "failure",
    ),
    (
        "gmail",
        "4.7.8",
        "deferred",
        "SASL authentication failed; server smtp.gmail.com[192.0.2.1] said: 535-5.7.8 Username and Password not "
        "accepted. For more information, go to 535 5.7.8  https://support.google.com/mail/?p=BadCredentials - gsmtp",
        "failure",
    ),
    (
        "gmail",
        "4.7.0",
        "deferred",
        "SASL authentication failed; server smtp.gmail.com[192.0.2.1] said: 454 4.7.0 Too many login attempts, please "
        "try again later.",
        "failure",
    ),
    (
        "outlook",
        "4.7.0",
        "deferred",
        "SASL authentication failed; server 127.0.0.1[127.0.0.1] said: 454 4.7.0 outlook has no valid access token: "
        "invalid_grant",
        "failure",
    ),
    (
        "gmail",
        "4.7.0",
        "deferred",
        "host smtp.gmail.com[192.0.2.1] refused to talk to me: 421 4.7.0 Try again later, closing connection.",
        "failure",
    ),
    (
        "gmail",
        "4.3.0",
        "deferred",
        f"{SAID} 421 4.3.0 Temporary System Problem. Try again later (in reply to RCPT TO command)",
        "failure",
    ),
    (
        "naver",
        "4.4.2",
        "deferred",
        "lost connection with smtp.naver.com[192.0.2.1] while sending message body",
        "failure",
    ),
    # The provider may have it.
    (
        "naver",
        "4.4.2",
        "deferred",
        "lost connection with smtp.naver.com[::1] while sending end of data -- message may be sent more than once",
        None,
    ),
    (
        "naver",
        "4.4.2",
        "deferred",
        "conversation with smtp.naver.com[192.0.2.1] timed out while sending end of data -- message may be sent more "
        "than once",
        None,
    ),
    # It does its work, whatever becomes of the message.
    ("gmail", "2.0.0", "sent", "250 2.0.0 OK  1764542349 d2e1a72fcca58 - gsmtp", "works"),
    (
        "naver",
        "5.1.1",
        "bounced",
        f"{SAID} 550 5.1.1 No such user (in reply to RCPT TO command)",
        "works",
    ),
]


@pytest.mark.parametrize(("name", "code", "status", "text", "kind"), REPLIES)
def test_what_an_attempt_tells_of_an_account(
    name: str, code: str, status: str, text: str, kind: str | None
) -> None:
    event = failover.read_event(entry(name, code, status, text), SETTINGS)
    assert (event and event.kind) == kind
    if event:
        assert (event.account, event.time) == (name, START)


@pytest.mark.parametrize(
    "change",
    [
        {"SYSLOG_IDENTIFIER": "postfix/smtp"},
        {"SYSLOG_IDENTIFIER": "postfix/relay-unknown/smtp"},
        {"MESSAGE": "connect to smtp.gmail.test[192.0.2.1]:587: Connection refused"},
        {"MESSAGE": "4fz7Vq2Xl3z9sQ: to=<a@b.test>, relay=none, delay=1, dsn=4.4.1, status=deliverable (x)"},
        {"MESSAGE": None},
        {"MESSAGE": 7},
    ],
)
def test_lines_that_tell_nothing(change: dict[str, Any]) -> None:
    assert failover.read_event({**entry("gmail", "2.0.0", "sent", "250"), **change}, SETTINGS) is None


@pytest.mark.parametrize(
    "to",
    [
        '"x>, relay=none, delay=1, delays=1, dsn=4.4.1, status=deferred (a), "@b.test',
        '"\\"x>, dsn=4.4.5, status=deferred (a)"@b.test',
        "a@b.test>, orig_to=<c@b.test",
    ],
)
def test_no_address_is_taken_for_an_answer(to: str) -> None:
    assert failover.read_event(entry("gmail", "2.0.0", "sent", "250 2.0.0 OK", to), SETTINGS).kind == "works"


def test_bytes_that_are_no_text() -> None:
    said = entry(
        "gmail",
        "4.4.1",
        "deferred",
        "connect to x: \udcff".encode(errors="surrogateescape").decode("latin-1"),
    )
    said["MESSAGE"] = list(said["MESSAGE"].encode("latin-1"))
    assert failover.read_event(said, SETTINGS).kind == "failure"


# --- what follows from it


class Play:
    """Accounts at a time, and what happens to them."""

    def __init__(self) -> None:
        self.now = START
        self.accounts = failover.Accounts(
            SETTINGS, {name: failover.Condition() for name in SETTINGS.accounts}
        )

    def happens(self, account: str, kind: str, later: float = 0.0) -> bool:
        self.now += later
        event = failover.Event(self.now, account, kind, f"{account}: {kind}")
        return bool(self.accounts.take(event))

    def way(self, account: str = "gmail", later: float = 0.0) -> tuple[str, str]:
        self.now += later
        route = self.accounts.routes(self.now)[account]
        return route.way, route.through


@pytest.fixture
def play() -> Play:
    return Play()


def test_a_limit_counts_at_once_and_for_a_day(play: Play) -> None:
    assert play.way() == ("own", "gmail")
    assert play.happens("gmail", "limit")
    assert play.way() == ("elsewhere", "naver")
    assert play.accounts.instead(play.accounts.routes(play.now)) == {
        "relay-gmail:[smtp.gmail.test]:587": "relay-naver:[smtp.naver.test]:587"
    }
    assert play.way(later=DAY - 1) == ("elsewhere", "naver")
    assert play.way(later=1) == ("trial", "gmail")
    assert play.accounts.instead(play.accounts.routes(play.now)) == {}


def test_a_trial_that_succeeds_ends_it(play: Play) -> None:
    play.happens("gmail", "limit")
    play.happens("gmail", "works", later=DAY)
    assert play.way() == ("own", "gmail")


@pytest.mark.parametrize(("kind", "time_out"), [("limit", DAY), ("failure", failover.TRIAL)])
def test_a_trial_that_fails_puts_it_out_at_once(play: Play, kind: str, time_out: float) -> None:
    play.happens("gmail", "limit")
    assert play.happens("gmail", kind, later=DAY + 5)
    assert play.way() == ("elsewhere", "naver")
    assert play.way(later=time_out - 1) == ("elsewhere", "naver")
    assert play.way(later=1) == ("trial", "gmail")
    assert play.accounts.conditions["gmail"].out_since == START


def test_what_was_under_way_changes_nothing(play: Play) -> None:
    """Neither a message that got through beside the one that did not, nor one more that does not."""
    play.happens("gmail", "limit")
    before = play.accounts.conditions["gmail"]
    assert not play.happens("gmail", "works", later=1)
    assert play.happens("gmail", "limit", later=1)
    assert play.happens("gmail", "failure", later=1)
    assert play.accounts.conditions["gmail"] == before


def test_an_hour_without_mail_counts(play: Play) -> None:
    assert not play.happens("gmail", "failure")
    for minutes in (5, 10, 20):
        assert not play.happens("gmail", "failure", later=minutes * 60)
    # Time alone decides nothing, but asks for an attempt.
    assert play.way(later=25 * 60) == ("own", "gmail")
    assert play.accounts.doubtful(play.now) == {"gmail": START}
    assert play.happens("gmail", "failure", later=1)
    assert play.way() == ("elsewhere", "naver")
    assert play.accounts.doubtful(play.now) == {}
    assert play.way(later=failover.TRIAL) == ("trial", "gmail")


def test_one_message_that_leaves_begins_the_hour_anew(play: Play) -> None:
    play.happens("gmail", "failure")
    play.happens("gmail", "works", later=HOUR / 2)
    play.happens("gmail", "failure", later=1)
    play.happens("gmail", "failure", later=HOUR - 2)
    assert play.way() == ("own", "gmail")
    play.happens("gmail", "failure", later=3)
    assert play.way() == ("elsewhere", "naver")


def test_failures_that_are_far_from_each_other_are_no_row(play: Play) -> None:
    play.happens("gmail", "failure")
    play.happens("gmail", "failure", later=3 * HOUR)
    assert play.way() == ("own", "gmail")


def test_the_next_of_the_chain_and_then_none(play: Play) -> None:
    play.happens("gmail", "limit")
    play.happens("naver", "limit")
    assert play.way("gmail") == ("elsewhere", "outlook")
    assert play.way("naver") == ("waits", "")
    play.happens("outlook", "limit")
    assert [play.way(name)[0] for name in SETTINGS.accounts] == ["waits", "waits", "waits", "own"]
    assert play.accounts.instead(play.accounts.routes(play.now)) == {}
    # Meanwhile Postfix goes on trying each by itself: the first that takes mail takes that of the others as well.
    play.happens("naver", "works", later=60)
    assert play.way("naver") == ("own", "naver")
    assert play.way("gmail") == ("elsewhere", "naver")


def test_where_the_houses_own_line_is_down_nothing_changes_for_long(play: Play) -> None:
    for __ in range(5):
        play.happens("gmail", "failure", later=HOUR / 4)
    assert play.way() == ("elsewhere", "naver")
    play.happens("naver", "failure", later=60)
    play.happens("outlook", "failure", later=60)
    assert play.way() == ("waits", "")
    play.happens("gmail", "works", later=600)
    assert play.way() == ("own", "gmail")


def test_a_limit_is_no_reason_to_wait_for_one_that_fails_now_and_then(play: Play) -> None:
    play.happens("gmail", "limit")
    play.happens("naver", "failure", later=60)
    assert play.way() == ("elsewhere", "naver")


def test_no_account_is_ever_its_own_place_or_one_that_is_out(play: Play) -> None:
    kinds = ["limit", "failure", "works"]
    names = list(SETTINGS.accounts)
    for step in range(2000):
        play.happens(names[step * 7 % 4], kinds[step * step % 3], later=step * 37 % 5000)
        instead = play.accounts.instead(play.accounts.routes(play.now))
        out = {
            SETTINGS.accounts[name].destination
            for name in names
            if play.accounts.conditions[name].is_out(play.now)
        }
        assert set(instead) <= out
        assert not out & set(instead.values())


# --- what is kept, and said


class Postfix:
    """Stands for its programs."""

    def __init__(self, queue: Sequence[dict[str, Any]] = ()) -> None:
        self.queue, self.asked = queue, list[tuple[str, ...]]()

    def __call__(self, *command: str) -> str:
        self.asked.append(command)
        if command[0] == "postmap":
            source = Path(command[1].partition(":")[2])
            Path(f"{source}.db").write_text(source.read_text())
        return "".join(json.dumps(one) + "\n" for one in self.queue) if command[1] == "-j" else ""


@pytest.fixture
def postfix(monkeypatch: pytest.MonkeyPatch) -> Postfix:
    stand_in = Postfix()
    monkeypatch.setattr(failover, "run", stand_in)
    monkeypatch.setattr(failover, "retry", lambda: stand_in.asked.append(("retry",)))
    return stand_in


def keeper(folder: Path) -> Any:
    store = failover.Store(folder, "hash")
    conditions, seen = store.read(SETTINGS.accounts)
    made = failover.Keeper(failover.Accounts(SETTINGS, conditions), store, seen)
    made.begin(START)
    return made


@pytest.mark.usefixtures("postfix")
def test_it_goes_on_after_a_restart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = keeper(tmp_path)
    assert (tmp_path / "instead.db").read_text() == ""
    first.learn([failover.Event(START, "gmail", "limit", "550 5.4.5 Daily limit")], START)
    assert capsys.readouterr().err == (
        "<4>gmail is over its limit since 2027-01-15 08:00 UTC; its mail leaves through naver until 2027-01-16 08:00 "
        "UTC: 550 5.4.5 Daily limit\n"
    )
    (tmp_path / "instead.db").unlink()
    second = keeper(tmp_path)
    assert "relay-naver" in (tmp_path / "instead.db").read_text()
    # What it knows already says nothing new, and is not said again.
    second.learn([failover.Event(START, "gmail", "works", "250")], START)
    assert capsys.readouterr().err == ""
    second.learn([], START + DAY)
    second.learn([failover.Event(START + DAY + 5, "gmail", "works", "250")], START + DAY + 5)
    assert capsys.readouterr().err == (
        "<5>gmail is tried again with the next message\n<5>gmail takes mail again\n"
    )
    assert (tmp_path / "instead.db").read_text() == ""


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", '{"seen": 1, "accounts": {"gmail": {"condition": {"odd": 1}}}}']
)
def test_a_damaged_status_is_none(tmp_path: Path, damage: str) -> None:
    (tmp_path / "status.json").write_text(damage)
    conditions, seen = failover.Store(tmp_path, "hash").read(["gmail"])
    assert (conditions, seen) == ({"gmail": failover.Condition()}, 0.0)


def test_what_waits_is_tried_when_all_of_postfix_knows(tmp_path: Path, postfix: Postfix) -> None:
    kept = keeper(tmp_path)
    kept.learn([failover.Event(START, "gmail", "limit", "")], START)
    assert ("retry",) not in postfix.asked
    assert kept.next_look(START) == pytest.approx(failover.SETTLE, abs=0.2)
    kept.learn([], START + failover.SETTLE)
    assert postfix.asked.count(("retry",)) == 1
    # A message that went the old way meanwhile.
    kept.learn([failover.Event(START + 32, "gmail", "limit", "")], START + 32)
    kept.learn([], START + 32 + failover.SETTLE)
    assert postfix.asked.count(("retry",)) == 2
    kept.learn([], START + HOUR)
    assert postfix.asked.count(("retry",)) == 2


def test_an_account_is_tried_once_more_before_it_is_out(tmp_path: Path, postfix: Postfix) -> None:
    kept = keeper(tmp_path)
    kept.learn([failover.Event(START, "gmail", "failure", "")], START)
    assert kept.next_look(START + HOUR - 60) == pytest.approx(60, abs=0.2)
    for seconds in (HOUR - 1, HOUR, HOUR + 1, HOUR + 2):
        kept.learn([], START + seconds)
    assert postfix.asked.count(("retry",)) == 1


UNSURE = "lost connection with x while sending end of data -- message may be sent more than once"


@pytest.mark.parametrize(
    ("queue", "asked"),
    [
        ([], [("postqueue", "-f")]),
        ([("A", "deferred", "refused"), ("B", "active", "")], [("postqueue", "-f")]),
        (
            [("A", "deferred", "refused"), ("B", "deferred", UNSURE), ("C", "active", "")],
            [("postqueue", "-i", "A")],
        ),
    ],
)
def test_what_may_have_been_taken_is_not_hurried(
    queue: list[tuple[str, str, str]], asked: list[tuple[str, ...]]
) -> None:
    stand_in = Postfix(
        [
            {
                "queue_id": name,
                "queue_name": where,
                "recipients": [{"address": "a@b.test", "delay_reason": why}],
            }
            for name, where, why in queue
        ]
    )
    failover.retry(stand_in)
    assert stand_in.asked == [("postqueue", "-j"), *asked]


def test_a_queue_that_cannot_be_asked(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(*__: str) -> str:
        raise subprocess.CalledProcessError(75, "postqueue")

    failover.retry(fail)
    assert "will by itself" in capsys.readouterr().err


WRITER = """
import sys
sys.path.insert(0, sys.argv[2])
from importlib.machinery import SourceFileLoader
from pathlib import Path
failover = SourceFileLoader("failover", sys.argv[1]).load_module()
def compile_slowly(__, table):
    source = Path(table.partition(":")[2])
    with Path(f"{source}.db").open("w", buffering=1) as file:
        for line in source.read_text().splitlines():
            file.write(line + chr(10))
        file.write("end" + chr(10))
failover.run = compile_slowly
store = failover.Store(Path(sys.argv[2]), "hash")
print("ready", flush=True)
while True:
    for size in range(0, 60, 7):
        store.write_table({f"relay-{n}": f"relay-{n + 1}" for n in range(size)})
"""


def test_the_table_is_whole_whenever_it_is_killed(tmp_path: Path) -> None:
    """As postmap(1) writes its file line by line, a table that is cut off has no end."""
    for __ in range(10):
        command = [sys.executable, "-B", "-W", "ignore", "-c", WRITER, str(PROGRAM), str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout
            process.stdout.readline()
            time.sleep(int.from_bytes(os.urandom(1)) / 5000)
            process.send_signal(signal.SIGKILL)
        table = tmp_path / "instead.db"
        assert not table.exists() or table.read_text().endswith("end\n")
