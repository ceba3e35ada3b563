"""The hosts run Debian 13, and the site playbook has not run yet: mail waits, nothing is lost, nothing is returned."""

from __future__ import annotations

import smtplib
import socket
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.provider_mailboxes import deliver
from ansible_collections.ilnmors.mail.tests.upgrade import state
from testinfra.host import Host

LISTEN = """import signal, socket, sys
with socket.socket(socket.AF_UNIX) as one:
    one.bind(sys.argv[1])
    one.listen()
    signal.pause()
"""


def test_dovecot_refuses_the_old_configuration(house: House, mail: Host) -> None:
    assert mail.file("/etc/debian_version").content_string.startswith("13")
    assert "dovecot_config_version" in mail.check_output("journalctl --unit dovecot --boot --lines 20")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((house.mail_hostname, 993), clients.TIMEOUT)


def test_machines_in_the_house_still_send(house: House, mail: Host, app: Host, known: dict[str, Any]) -> None:
    new = clients.message(f"printer@{house.domain}", house.login("guest"))
    new.replace_header("Subject", "An invoice of the printer")
    known["outage"] = new["Message-ID"]
    program = "import smtplib, sys; smtplib.SMTP(sys.argv[1], 25).sendmail(*sys.argv[2:5])"
    app.check_output(
        "python3 -c %s %s %s %s %s", program, house.mail_address, new["From"], new["To"], new.as_string()
    )
    wait_for(lambda: house.login("guest") in mail.check_output("postqueue -j"), "the message in the queue")


@pytest.mark.parametrize("port", [587, 465])
def test_programs_that_log_in_keep_their_mail(house: House, port: int) -> None:
    """They are told to come again (4yz), or cut off: no password is called wrong, no mail refused for good."""
    with (
        pytest.raises((smtplib.SMTPException, OSError)) as refused,
        clients.submission(house.mail_hostname, house.ca_file, port) as client,
    ):
        client.login("il", house.password("il"))
    assert str(getattr(refused.value, "smtp_code", 400)).startswith("4")


def test_what_waited_before_still_waits(mail: Host) -> None:
    assert "someone@elsewhere.test" in mail.check_output("postqueue -j")


def test_mail_arrives_at_a_provider(provider: Host, known: dict[str, Any]) -> None:
    known["arrived"] = str(deliver(provider, "il@gmail.test")["Message-ID"])


def test_an_old_php_may_stay(app: Host) -> None:
    """Debian removes it; other repositories have it for the new series, too. It still listens where it did."""
    socket_path = app.check_output(f"sed -n 's/^listen = //p' {state.POOLS}")
    app.check_output("systemd-run --unit=old-php python3 -c %s %s", LISTEN, socket_path)
