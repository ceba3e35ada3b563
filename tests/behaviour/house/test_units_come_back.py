"""What is killed comes back by itself within seconds, and serves."""

from __future__ import annotations

import contextlib
import imaplib
import smtplib
from collections.abc import Callable

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmail_client import Webmail
from testinfra.host import Host

# Nobody else's services are killed.
pytestmark = pytest.mark.usefixtures("provider")

SECONDS = 60
"""Until it serves again, on a machine that is busy with other things; systemd itself waits for five at the most."""
OWN = ("dovecot", "postfix*", "fail2ban", "nginx", "php*-fpm", "mail-*", "mbsync-fetch-watch@*")
AWAY = (OSError, imaplib.IMAP4.error, smtplib.SMTPException, AssertionError)
"""How a client learns that nobody serves."""


def running(host: Host, *patterns: str) -> dict[str, str]:
    """Return the main process of each unit that has one."""
    units = " ".join(f"'{pattern}.service'" for pattern in patterns)
    shown = host.check_output(f"systemctl show --property=Id,MainPID,ActiveState {units}")
    found = (dict(line.split("=", 1) for line in unit.splitlines()) for unit in shown.split("\n\n"))
    return {
        unit["Id"]: unit["MainPID"]
        for unit in found
        if unit["MainPID"] != "0" and unit["ActiveState"] == "active"
    }


def kill(host: Host, *patterns: str) -> None:
    """Kill the main processes of units, and wait until each has another."""
    before = running(host, *patterns)
    assert before, f"no unit runs: {patterns}"
    host.check_output(f"kill -KILL {' '.join(before.values())}")

    def back() -> bool:
        now = running(host, *patterns)
        return all(now.get(unit, pid) != pid for unit, pid in before.items())

    wait_for(back, f"{', '.join(before)} of {host.backend.hostname} come back", SECONDS)


def serves(act: Callable[[], object], what: str) -> None:
    """Wait until something can be done."""

    def done() -> bool:
        with contextlib.suppress(*AWAY):
            act()
            return True
        return False

    wait_for(done, what, SECONDS)


def submit(house: House) -> str:
    """Send a message from il to guest, and return its Message-ID."""
    new = clients.message(house.login("il"), house.login("guest"))
    with clients.submission(house.mail_hostname, house.ca_file) as client:
        client.login("il", house.password("il"))
        client.send_message(new)
    return str(new["Message-ID"])


def test_dovecot_comes_back(house: House, mail: Host) -> None:
    """While mail programs wait for news, which its processes would serve on."""
    with contextlib.ExitStack() as stack:
        for __ in range(3):
            client = house.imap("guest")
            stack.callback(client.sock.close)
            client.select("INBOX", readonly=True)
            client.send(b"i IDLE\r\n")
        kill(mail, "dovecot")
        serves(lambda: house.imap("guest").logout(), "a login")
    message_id = submit(house)
    wait_for(lambda: house.received("guest", message_id), "a delivery", SECONDS)


def test_postfix_comes_back(house: House, mail: Host) -> None:
    """While a client is connected, whose process has the port as well."""
    client = clients.submission(house.mail_hostname, house.ca_file)
    kill(mail, "postfix", "postfix@-")
    client.close()
    serves(lambda: submit(house), "a submission")
    message_id = submit(house)
    wait_for(lambda: house.received("guest", message_id), "a delivery", SECONDS)


@pytest.mark.parametrize("unit", ["nginx", "php*-fpm"])
def test_the_webmail_comes_back(webmail: Webmail, app: Host, unit: str) -> None:
    webmail.start()
    kill(app, unit)
    serves(webmail.start, "a page")


@pytest.mark.parametrize("machine", ["mail", "app"])
def test_every_unit_of_the_house_comes_back(request: pytest.FixtureRequest, machine: str) -> None:
    host: Host = request.getfixturevalue(machine)
    kill(host, *OWN)
    failed = host.check_output("systemctl list-units --failed --plain --no-legend --full")
    assert [line for line in failed.splitlines() if line.split()[0].startswith(("mail-", "mbsync-"))] == []


@pytest.mark.parametrize("machine", ["mail", "app"])
def test_each_is_started_again_soon_and_never_given_up(request: pytest.FixtureRequest, machine: str) -> None:
    """However often it could not start: what kept it from that may pass."""
    host: Host = request.getfixturevalue(machine)
    for unit in running(host, *OWN):
        settings = host.check_output(
            "systemctl show --property=Restart,RestartUSec,StartLimitIntervalUSec %s", unit
        )
        values = dict(line.split("=", 1) for line in settings.splitlines())
        assert values["Restart"] in ("always", "on-failure"), unit
        assert values["RestartUSec"] in ("1s", "2s", "5s"), unit
        assert values["StartLimitIntervalUSec"] == "0", unit
