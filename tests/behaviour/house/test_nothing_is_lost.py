# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What was answered with 250 reaches its mailbox: where every mail process is killed at any moment, or the machine.

POWER_CUTS says how often the machine is killed, POWER_MESSAGES over how many messages.
"""

from __future__ import annotations

import contextlib
import imaplib
import os
import random
import re
import secrets
import smtplib
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from testinfra.host import Host

# The lab's machines alone may be treated so.
pytestmark = pytest.mark.usefixtures("provider")

MESSAGES, KILLS = 60, 3
POWER_MESSAGES = int(os.environ.get("POWER_MESSAGES", "60"))
POWER_CUTS = int(os.environ.get("POWER_CUTS", "3"))
AWAY = 120
"""Seconds until a machine that was started serves again, at the most."""
STALE = 180
"""Seconds; after two minutes Dovecot takes a lock of a process that was killed for what it is."""
LOCKED = (OSError, imaplib.IMAP4.error)
"""How a client learns of it: no answer."""
KILL = (
    "systemctl kill --signal=KILL 'postfix.service' 'postfix@*.service' dovecot.service; "
    "systemctl stop dovecot.socket postfix.service dovecot.service; "
    "systemctl reset-failed; systemctl start dovecot.service postfix.service"
)


@pytest.fixture
def subject(house: House) -> Iterator[str]:
    """Return a subject for the messages of a test, which are removed after it."""
    subject = f"Nothing is lost {secrets.token_hex(8)}"
    yield subject
    wait_for(lambda: removed(house, subject), "the messages are removed", STALE)


def uids_of(client: imaplib.IMAP4, subject: str) -> list[str]:
    """Return the UIDs of messages of a subject in the inbox."""
    client.select("INBOX")
    found: bytes = client.uid("SEARCH", "HEADER", "Subject", f'"{subject}"')[1][0]
    return found.decode().split()


def removed(house: House, subject: str) -> bool:
    """Remove the messages of a subject from guest's inbox; False where it is locked."""
    with contextlib.suppress(*LOCKED), house.imap("guest") as client:
        if uids := uids_of(client, subject):
            client.uid("STORE", ",".join(uids), "+FLAGS.SILENT", r"(\Deleted)")
            client.uid("EXPUNGE", ",".join(uids))
        return True
    return False


def arrived(house: House, subject: str) -> set[str]:
    """Return the Message-IDs of the messages of a subject in guest's inbox; none where it is locked."""
    with contextlib.suppress(*LOCKED):
        return message_ids(house, subject)
    return set()


def message_ids(house: House, subject: str) -> set[str]:
    """Return the Message-IDs of the messages of a subject in guest's inbox."""
    with house.imap("guest") as client:
        uids = uids_of(client, subject)
        if not uids:
            return set()
        answer = client.uid("FETCH", ",".join(uids), "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")[1]
    headers = b"".join(part[1] for part in answer if isinstance(part, tuple))
    return set(re.findall(r"<[^>]+>", headers.decode()))


def submit_and_kill(
    house: House, mail: Host, subject: str, kill: Callable[[], object], messages: int, kills: int
) -> None:
    """Submit messages, kill some times meanwhile, and see that all arrive that were answered with 250."""
    il, guest = house.login("il"), house.login("guest")
    password = house.password("il")
    answered: list[str] = []
    gone = threading.Event()

    def submit() -> None:
        while len(answered) < messages and not gone.is_set():
            with (
                contextlib.suppress(OSError, smtplib.SMTPException),
                clients.submission(house.mail_hostname, house.ca_file) as client,
            ):
                client.login("il", password)
                while len(answered) < messages and not gone.is_set():
                    new = clients.message(il, guest)
                    new.replace_header("Subject", subject)
                    client.send_message(new)
                    answered.append(new["Message-ID"])
            time.sleep(0.1)  # a server that is away is not asked without pause

    def reached(count: int) -> None:
        wait_for(lambda: len(answered) >= count, f"{count} messages are answered", AWAY, 0.005)

    def all_arrive() -> bool:
        # What Postfix could not deliver meanwhile waits for its next attempt.
        mail.run("postqueue -f")
        return set(answered) <= arrived(house, subject)

    points = sorted(random.Random(subject).sample(range(1, messages), kills))
    sender = threading.Thread(target=submit)
    sender.start()
    try:
        for point in points:
            reached(point)
            kill()
        reached(messages)
    finally:
        gone.set()
        sender.join()
    wait_for(all_arrive, f"All mail arrives (killed after {points})", STALE, 2)


def test_mail_survives_the_death_of_all_mail_processes(house: House, mail: Host, subject: str) -> None:
    submit_and_kill(house, mail, subject, lambda: mail.check_output(KILL), MESSAGES, KILLS)


def test_mail_survives_power_cuts(
    house: House, inventory: dict[str, dict[str, Any]], mail: Host, subject: str
) -> None:
    """Of a container: the kernel keeps what was written, so that this does not show what waits for the disk."""
    container = inventory[next(iter(inventory.values()))["groups"]["mail"][0]]["container"]
    if not container:
        pytest.skip("needs a mail host that is a container of this machine")

    def cut() -> None:
        for verb in ("kill", "start"):
            subprocess.run(["docker", verb, container], check=True, capture_output=True, timeout=AWAY)

    before = running(mail)
    submit_and_kill(house, mail, subject, cut, POWER_MESSAGES, POWER_CUTS)
    wait_for(lambda: before <= running(mail), "what ran before runs again", AWAY, 1)


def running(mail: Host) -> set[str]:
    """Return the house's units that run, without those that come and go, or that their socket starts."""
    types, names = "service,socket,timer,path", ("dovecot", "postfix", "fail2ban", "mail-", "mbsync-fetch")
    listed = mail.check_output(f"systemctl list-units --type={types} --state=active --plain --no-legend")
    units = (line.split()[0] for line in listed.splitlines())
    passing = re.compile(r"(mbsync-fetch(-house)?@.*|postfix-from-check)\.service")
    return {unit for unit in units if unit.startswith(names) and not passing.fullmatch(unit)}


def test_what_was_taken_is_on_the_disk(mail: Host) -> None:
    """Dovecot answers a delivery when the message is written; Postfix always does so (cleanup(8))."""
    for protocol in ("lmtp", "imap"):
        assert mail.check_output("doveconf -h -f protocol=%s mail_fsync", protocol) != "never"
