"""What is seen of the fetch of an account that does not work, and when it is tried again."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.ansible_command import run_ansible
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.provider_mailboxes import commands, faults
from testinfra.host import Host

NAME = "moody"
"""The account of mail_providers that these tests have to themselves."""
SECRET = f"/etc/mbsync-fetch/credentials/{NAME}.password"
STATUS = f"/var/lib/mbsync-fetch/{NAME}/status.json"
UNIT = f"mbsync-fetch@{NAME}.service"
STARTERS = f"mbsync-fetch@{NAME}.path mbsync-fetch-watch@{NAME}.service"
"""What starts a fetch when there is news."""
NEWS = f"/run/mbsync-fetch/{NAME}/news"
ENDED = ("inactive", "failed")
REFUSAL = "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)"
VERIFY = Path(__file__).parents[3] / "playbooks" / "verify.yml"

# Time passes by writing that the next attempt is due, as the unit's user.
DUE = f"""
import json, pathlib
path = pathlib.Path("{STATUS}")
path.write_text(json.dumps(json.loads(path.read_text()) | {{"next_try": 0}}))
"""


@dataclass(frozen=True)
class Account:
    """An account that is fetched, on the mail host and at its provider."""

    mail: Host
    provider: Host
    username: str
    owner: str

    def status(self) -> dict[str, Any]:
        """Return what is kept of its fetches."""
        found: dict[str, Any] = json.loads(self.mail.check_output("cat %s", STATUS))
        return found

    def fetch(self) -> dict[str, Any]:
        """Let a fetch run to its end, however it ends; return what is kept of it."""
        self.mail.run(f"systemctl start {UNIT}")
        return self.status()

    def later(self) -> dict[str, Any]:
        """Fetch when the next attempt is due."""
        self.mail.check_output("python3 -c %s", DUE)
        return self.fetch()

    def write_password(self, password: str) -> None:
        """Do what the site playbook does when the password in the inventory is another one.

        No fetch is under way meanwhile: it would have the former one, and be taken for the first with this one.
        """
        self.mail.check_output(f"systemctl stop {STARTERS}")
        wait_for(
            lambda: self.mail.run(f"systemctl is-active {UNIT}").stdout.strip() in ENDED, "no fetch runs"
        )
        self.mail.check_output(f"rm -f {NEWS} && printf %s %s > {SECRET}", "%s", password)
        self.mail.check_output(f"systemctl start {STARTERS}")

    def logins(self, since: float) -> int:
        """Return how often the provider was asked to log in."""
        names = [command.name for command in commands(self.provider, self.username, since)]
        return sum(name.startswith(("LOGIN", "AUTHENTICATE")) for name in names)

    def journal(self, since: float) -> str:
        """Return what its fetches said."""
        command = f"journalctl --quiet --no-pager --output cat --since @{since:.3f} --unit {UNIT}"
        return str(self.mail.check_output(command))

    @contextmanager
    def unreachable(self) -> Iterator[None]:
        """Let no packet go from the house to the provider."""
        address = self.mail.check_output(
            "getent ahostsv4 %s | cut -d' ' -f1 | head -1", f"imap.{self.username.partition('@')[2]}"
        )
        self.mail.check_output("ip route add unreachable %s", address)
        try:
            yield
        finally:
            self.mail.check_output("ip route del unreachable %s", address)


@pytest.fixture(scope="module")
def account(mail: Host, provider: Host) -> Iterator[Account]:
    """Return an account that works, and works again afterwards."""
    described = mail.run("cat /etc/mbsync-fetch/accounts/%s.json", NAME)
    if described.rc != 0:
        pytest.skip(f"needs an account {NAME!r} that is fetched")
    values = json.loads(described.stdout)
    account = Account(mail, provider, values["username"], values["owner"].partition("@")[0])
    password = mail.check_output("cat %s", SECRET)
    assert account.later()["state"] == "ok"
    yield account
    account.write_password(password)
    mail.check_output("systemctl restart mbsync-fetch.target")
    wait_for(lambda: account.later()["state"] == "ok", "it works again")


@pytest.fixture
def told(house: House, account: Account) -> Iterator[Callable[[], list[EmailMessage]]]:
    """Return what reads the messages that the owner was sent about the account; they are removed at the end."""
    subject = f'"Mail of {account.username} is no longer fetched"'

    def read() -> list[EmailMessage]:
        with house.imap(account.owner) as client:
            client.select("INBOX", readonly=True)
            found = client.uid("SEARCH", "SUBJECT", subject)[1][0].split()
            return [clients.parse(clients.fetch(client, uid)) for uid in found]

    yield read
    with house.imap(account.owner) as client:
        client.select("INBOX")
        for uid in client.uid("SEARCH", "SUBJECT", subject)[1][0].split():
            client.uid("STORE", uid.decode(), "+FLAGS", r"(\Deleted)")
        client.expunge()


@pytest.fixture
def verify(request: pytest.FixtureRequest) -> Callable[[], tuple[int, str]]:
    """Return what verifies the fetches: its exit status, and what it printed, with single spaces."""

    def run() -> tuple[int, str]:
        path = request.config.getoption("--ansible-inventory")
        done = run_ansible("ansible-playbook", str(VERIFY), "--tags", "fetch", inventory=path)
        return done.returncode, " ".join(f"{done.stdout} {done.stderr}".split())

    return run


def test_a_refused_password_is_tried_three_times_and_the_owner_told_once(
    account: Account,
    told: Callable[[], list[EmailMessage]],
    verify: Callable[[], tuple[int, str]],
) -> None:
    before, right = len(told()), account.mail.check_output("cat %s", SECRET)
    start = time.time() - 0.001
    with faults(account.provider, account.username, answers={"LOGIN": REFUSAL}):
        account.write_password("wrong horse")
        status = account.fetch()
        assert (status["state"], status["refusals"]) == ("refused", 1)
        assert 15 * 60 <= status["next_try"] - status["last_try"] <= 18 * 60
        # Nothing is tried before.
        assert account.fetch() == status
        assert len(told()) == before

        assert account.later()["state"] == "refused"
        assert account.later()["state"] == "stopped"
        for __ in range(2):
            assert account.later()["state"] == "stopped"
        # Also not by what waits for new mail.
        assert account.logins(start) <= 4

        (message,) = told()[before:]
        assert message["Auto-Submitted"] == "auto-generated"
        text = " ".join(message.get_content().split())
        assert "refused the login 3 times" in text
        assert "Invalid credentials (Failure)" in text
        assert "write the right (app) password of the account in mail_providers" in text

        said = account.journal(start)
        assert said.count("write the right (app) password of the account in mail_providers") >= 3
        assert "no attempt now: stopped after 3 refused logins" in said

        code, shown = verify()
        assert code != 0
        assert f"FAILED {NAME} fetch 0.00 s stopped, last fetched 2" in shown
        assert f"{NAME} fetch" in shown.partition("checks failed:")[2]
        for place in (said, shown, str(account.status()), message.as_string()):
            assert "horse" not in place

    account.write_password(right)
    status = account.fetch()
    assert (status["state"], status["refusals"], status["told"]) == ("ok", 0, False)
    assert len(told()) == before + 1


def test_a_provider_that_is_down_is_tried_again_less_and_less_often(
    account: Account, verify: Callable[[], tuple[int, str]]
) -> None:
    start = time.time()
    with account.unreachable():
        status = account.fetch()
        assert status["state"] == "retrying"
        for minutes in (2, 4):
            status = account.later()
            assert minutes * 60 <= status["next_try"] - status["last_try"] <= 1.2 * minutes * 60
        # Who asks for it does not have to wait.
        assert account.fetch()["failures"] == status["failures"] + 1
        assert status["reason"] in account.journal(start)

        code, shown = verify()
        assert code != 0
        assert f"FAILED {NAME} fetch 0.00 s retrying, last fetched 2" in shown
        assert "; the next attempt is made after 2" in shown
    assert account.later()["state"] == "ok"


# --- metrics

SAMPLE = re.compile(
    r'(\w+)\{(\w+="(?:[^"\\\n]|\\[\\"n])*"(?:,\w+="(?:[^"\\\n]|\\[\\"n])*")*)\} (-?\d+(?:\.\d+)?)'
)


def samples(text: str) -> dict[tuple[str, str], float]:
    """Read Prometheus' text format strictly: each metric is described once, before all of its samples."""
    found: dict[tuple[str, str], float] = {}
    described: list[str] = []
    for line in text.removesuffix("\n").split("\n"):
        if help_text := re.fullmatch(r"# HELP (\w+) \S.*", line):
            assert help_text[1] not in described, "described twice"
            described.append(help_text[1])
        elif not line.startswith("#"):
            sample = SAMPLE.fullmatch(line)
            assert sample, line
            assert sample[1] == described[-1], "apart from its description"
            assert (sample[1], sample[2]) not in found, "twice"
            found[sample[1], sample[2]] = float(sample[3])
        else:
            assert line == f"# TYPE {described[-1]} gauge"
    return found


def test_metrics_say_how_each_fetch_goes(inventory: dict[str, dict[str, Any]], account: Account) -> None:
    directory = next(iter(inventory.values()))["fetch_metrics"]
    if not directory:
        pytest.skip("needs mbsync_fetch_metrics_directory in the inventory")
    status = account.fetch()
    # Anybody may read them, such as the node exporter.
    text = account.mail.check_output(f"runuser -u nobody -- cat {directory}/mbsync_fetch_{NAME}.prom")
    found = samples(text)
    assert found["mbsync_fetch_up", f'account="{NAME}"'] == 1
    assert found["mbsync_fetch_state", f'account="{NAME}",state="ok"'] == 1
    last = found["mbsync_fetch_last_success_timestamp_seconds", f'account="{NAME}"']
    assert status["last_success"] <= last <= time.time()
    counted = {labels: value for (name, labels), value in found.items() if name == "mbsync_fetch_messages"}
    for folder in status["folders"]:
        labels = f'account="{NAME}",folder="{folder["house"]}",side='
        assert counted[f'{labels}"provider"'] == folder["provider"]
        assert counted[f'{labels}"house"'] == folder["in_house"]
    assert len(counted) == 2 * len(status["folders"]) > 0


def test_metrics_of_no_other_accounts_are_left(inventory: dict[str, dict[str, Any]], mail: Host) -> None:
    directory = next(iter(inventory.values()))["fetch_metrics"]
    if not directory:
        pytest.skip("needs mbsync_fetch_metrics_directory in the inventory")
    fetched = mail.check_output("ls /etc/mbsync-fetch/accounts").split()
    links = mail.check_output(f"ls {directory}/mbsync_fetch_*.prom").split()
    assert {Path(link).stem for link in links} == {f"mbsync_fetch_{Path(file).stem}" for file in fetched}
