# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Each message of a provider has a place that verify knows, a statement proves it, and what has stopped is told."""

from __future__ import annotations

import hashlib
import json
import secrets
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import provider_mailboxes as at_provider
from ansible_collections.ilnmors.mail.tests.behaviour.support.ansible_command import run_ansible
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.behaviour.support.provider_mailboxes import MOODY
from ansible_collections.ilnmors.mail.tests.behaviour.support.provider_side import quoted
from ansible_collections.ilnmors.mail.tests.behaviour.support.providers import fetch_now
from testinfra.host import Host

pytestmark = pytest.mark.usefixtures("provider")

NAME, OWNER, FOLDER = "moody", "guest", "Moody"
FILE = f"/etc/mbsync-fetch/accounts/{NAME}.json"
STATUS = f"/var/lib/mbsync-fetch/{NAME}/status.json"
TIMER, PATH, WATCHER = (
    f"mbsync-fetch@{NAME}.timer",
    f"mbsync-fetch@{NAME}.path",
    f"mbsync-fetch-watch@{NAME}.service",
)
VERIFY = Path(__file__).parents[3] / "playbooks" / "verify.yml"

Verify = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def verify(request: pytest.FixtureRequest, mail: Host) -> Verify:
    """Return what verifies how the account is fetched, with further arguments."""
    if not mail.file(FILE).exists:
        pytest.skip(f"needs the account {NAME!r} at the lab's faulty provider")
    inventory = request.config.getoption("--ansible-inventory")
    alone = json.dumps(
        {"mbsync_fetch_providers": f"{{{{ mail_providers | selectattr('name', 'eq', '{NAME}') }}}}"}
    )

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = ("ansible-playbook", str(VERIFY), "--tags", "fetch", "-e", alone, *arguments)
        return run_ansible(*command, inventory=inventory)

    return run


@pytest.fixture
def mailbox(provider: Host, house: House, mail: Host, verify: Verify) -> Iterator[str]:
    """Return a mailbox at the provider, which is for one test alone."""
    del verify  # which skips where there is no such account
    mail.run(f"rm -f {STATUS}")
    name = f"장부 {secrets.token_hex(4)}"
    at_provider.create(provider, MOODY, name)
    yield name
    at_provider.delete(provider, MOODY, name)
    fetch_now(mail, NAME)
    with house.imap(OWNER) as client:
        client.delete(quoted(f"{FOLDER}/{name}").decode())


def sha256(lines: list[str]) -> str:
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def at_the_provider(provider: Host, mailbox: str) -> list[tuple[int, str]]:
    """Return the UID and the Message-ID of each message, as the provider's own program says them."""
    listing = provider.check_output(
        "doveadm -f tab fetch -u %s 'uid hdr.message-id' mailbox %s", MOODY, mailbox
    )
    rows = [line.split("\t") for line in listing.splitlines()[1:]]
    return [(int(uid), message_id) for uid, message_id in rows]


def report(mail: Host, mailbox: str) -> dict[str, Any]:
    status = json.loads(mail.check_output(f"cat {STATUS}"))
    (found,) = [folder for folder in status["folders"] if folder["name"] == mailbox]
    return dict(found)


def test_each_message_has_a_place_and_a_statement_proves_it(
    house: House, mail: Host, provider: Host, mailbox: str, verify: Verify, tmp_path: Path
) -> None:
    at_provider.deliver(provider, MOODY, mailbox, count=5)
    fetch_now(mail, NAME)
    assert report(mail, mailbox)["books"]["places"]["here"] == 5
    folder = quoted(f"{FOLDER}/{mailbox}").decode()
    with house.imap(OWNER) as client:
        client.select(folder)
        client.uid("MOVE", "2", "Trash")
        client.uid("STORE", "4", "+FLAGS", r"(\Deleted)")
        client.expunge()

    file = tmp_path / "statement.json"
    done = verify("-e", f"statement={file}")
    assert done.returncode == 0, done.stdout
    said = report(mail, mailbox)["books"]
    assert {place: count for place, count in said["places"].items() if count} == {"here": 3, "deleted": 2}
    assert (said["messages"], said["unplaced"]) == (5, [])

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (account,) = json.loads(file.read_text())["accounts"]
    (stated,) = [one for one in account["mailboxes"] if one["name"] == mailbox]
    assert account["complete"]
    assert {place: count for place, count in stated["places"].items() if count} == {
        "here": 3,
        "moved": 1,
        "deleted": 1,
    }
    assert stated["moved_to"] == {"Trash": 1}
    rows = at_the_provider(provider, mailbox)
    assert stated["digests"]["provider"] == {
        "uids": sha256([str(uid) for uid, __ in rows]),
        "message_ids": sha256(sorted(message_id for __, message_id in rows)),
    }
    kept = [row for row in rows if row[0] in (1, 3, 5)]
    here = stated["digests"]["here"]
    assert here["provider"]["message_ids"] == here["house"]["message_ids"]
    assert here["house"]["message_ids"] == sha256(sorted(message_id for __, message_id in kept))


def test_verify_says_which_units_have_stopped(mail: Host, verify: Verify) -> None:
    mail.check_output(f"systemctl stop {TIMER} {WATCHER}; systemctl mask --now {PATH}")
    try:
        done = verify()
    finally:
        mail.check_output(f"systemctl unmask {PATH}; systemctl restart {TIMER} {PATH} {WATCHER}")
    assert done.returncode != 0
    shown = " ".join(done.stdout.split())
    for said in (
        f"FAILED {NAME} units",
        f"{TIMER} is stopped: nothing is fetched regularly; run 'systemctl restart {TIMER}'",
        f"{PATH} is masked: no fetch follows the provider's news; run 'systemctl unmask {PATH}'",
        f"{WATCHER} is stopped: new mail is not waited for; run 'systemctl restart {WATCHER}'",
    ):
        assert said in shown
    assert f"FAILED {NAME} fetch" not in shown


def test_a_watcher_that_dies_at_each_start_is_no_running_one(mail: Host, verify: Verify) -> None:
    drop_in = f"/run/systemd/system/{WATCHER}.d/dies.conf"
    mail.check_output(
        f"mkdir -p $(dirname {drop_in}); printf '[Service]\\nExecStart=\\nExecStart=/bin/false\\n' > {drop_in}; "
        f"systemctl daemon-reload; systemctl restart {WATCHER}"
    )
    try:
        done = verify()
    finally:
        mail.check_output(f"rm -r $(dirname {drop_in}); systemctl daemon-reload; systemctl restart {WATCHER}")
    assert f"{WATCHER} ends again and again (exit-code)" in " ".join(done.stdout.split())
    assert done.returncode != 0


@pytest.mark.parametrize("path", ["missing/statement.json", "."])
def test_a_path_that_cannot_be_written_is_refused_first(verify: Verify, tmp_path: Path, path: str) -> None:
    done = verify("-e", f"statement={tmp_path / path}")
    assert done.returncode != 0
    assert "cannot be written; write the path of a file" in " ".join(done.stdout.split())
    assert "Fetch each account" not in done.stdout
