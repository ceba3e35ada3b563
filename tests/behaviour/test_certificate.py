"""A certificate that is replaced on disk is served to new connections, and old ones go on."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour import clients
from ansible_collections.ilnmors.mail.tests.behaviour.house import House, wait_for
from testinfra.host import Host

PORTS: dict[str, dict[int, str | None]] = {
    "mail": {993: None, 995: None, 465: None, 143: "a STARTTLS", 4190: "STARTTLS"},
    "app": {443: None},
}
"""What asks for TLS on each port of a host, where it does not begin with TLS."""

DIRECTORY = "/etc/ssl/ilnmors-mail"
SAFE = "/root/host-certificate-before-the-test"

REQUEST = f"""
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {SAFE}/new.key -subj '/CN=new' \\
  -addext extendedKeyUsage=serverAuth -addext subjectAltName=%s
"""
ISSUE = f"openssl x509 -req -CA {DIRECTORY}/ca.pem -CAkey {DIRECTORY}/ca.key -days 2 -copy_extensions copy"


def served(house: House, host: str, port: int) -> bytes:
    """Return the certificate that a new connection gets, after it was verified."""
    name = {"mail": house.mail_hostname, "app": house.webmail_hostname}[host]
    with socket.create_connection((name, port), clients.TIMEOUT) as connection:
        command = PORTS[host][port]
        if command:
            stream = connection.makefile("rwb")
            # ManageSieve's greeting has several lines, the last of them is OK.
            while not stream.readline().startswith((b"*", b"OK")):
                pass
            stream.write(f"{command}\r\n".encode())
            stream.flush()
            assert b"OK" in stream.readline()
        context = clients.tls(house.ca_file)
        with context.wrap_socket(connection, server_hostname=name) as secured:
            return secured.getpeercert(binary_form=True) or b""


def wait_until_served(house: House, host: str, certificate: str) -> None:
    """Wait for each port. A key may have been read without its certificate; nobody can connect then."""
    expected = ssl.PEM_cert_to_DER_cert(certificate)

    def is_served(port: int) -> bool:
        with suppress(OSError):
            return served(house, host, port) == expected
        return False

    for port in PORTS[host]:
        wait_for(partial(is_served, port), f"another certificate on {port}", 60)


@pytest.fixture
def old_connections(house: House) -> Iterator[tuple[Any, smtplib.SMTP]]:
    """Return a connection that waits for mail, and one that is about to send some."""
    with ExitStack() as stack:
        waiting: Any = clients.imap(house.mail_hostname, house.ca_file)
        stack.callback(waiting.sock.close)
        waiting.login("guest", house.password("guest"))
        waiting.select("INBOX", readonly=True)
        waiting.send(b"i IDLE\r\n")
        assert waiting.readline().startswith(b"+")
        sending = clients.submission(house.mail_hostname, house.ca_file, port=465)
        stack.callback(sending.close)
        sending.login("guest", house.password("guest"))
        yield waiting, sending


@pytest.fixture
def replaced(request: pytest.FixtureRequest, mail: Host, house: House) -> Iterator[str]:
    """Replace the certificate and the key of a host, "mail" or "app", and put the former ones back."""
    if not mail.file(f"{DIRECTORY}/ca.key").exists:
        pytest.skip("needs the key of the house's authority on the mail host")
    host: Host = request.getfixturevalue(request.param)
    names = ",".join(f"DNS:{name}" for name in house.addresses)
    host.check_output(f"install -d -m 700 {SAFE} && cp --preserve {DIRECTORY}/host.* {SAFE}/")
    try:
        asked = host.check_output(REQUEST, names)
        issued = mail.check_output(f"echo %s | {ISSUE}", asked)
        # As by hand: one after the other, and the first is noticed alone.
        copy = f"cat {SAFE}/new.key > {DIRECTORY}/host.key; sleep 0.4; echo %s > {DIRECTORY}/host.pem"
        host.check_output(copy, issued)
        yield issued
    finally:
        former = host.file(f"{SAFE}/host.pem").content_string
        host.check_output(f"cp --preserve {SAFE}/host.* {DIRECTORY}/ && rm -r {SAFE}")
        wait_until_served(house, request.param, former)


def test_the_authority_lists_nothing_that_is_no_host_name(house: House) -> None:
    """Programs of Debian 12 that are written in Go refuse such an authority."""
    authorities: Any = clients.tls(house.ca_file).get_ca_certs()
    listed = [pair for authority in authorities for pair in authority.get("subjectAltName", ())]
    names = [value for kind, value in listed if kind == "DNS"]
    assert [name for name in names if not re.fullmatch(r"[\w*.-]+", name)] == []


def test_the_webmail_hosts_certificate_is_for_every_name_that_it_serves(house: House) -> None:
    if not house.webmail_address:
        pytest.skip("needs a host in the group 'webmail'")
    context = clients.tls(house.ca_file)
    for name in (house.webmail_hostname, *house.autoconfig_hostnames):
        with (
            socket.create_connection((house.webmail_address, 443), clients.TIMEOUT) as connection,
            context.wrap_socket(connection, server_hostname=name) as secured,
        ):
            assert secured.version()


# Only the lab is open to such an experiment.
@pytest.mark.usefixtures("provider")
@pytest.mark.parametrize("replaced", ["app"], indirect=True)
def test_a_replaced_certificate_of_the_webmail_host_is_served(house: House, replaced: str) -> None:
    wait_until_served(house, "app", replaced)


@pytest.mark.usefixtures("provider")
@pytest.mark.parametrize("replaced", ["mail"], indirect=True)
def test_a_replaced_certificate_is_served_and_old_connections_go_on(
    house: House, old_connections: tuple[Any, smtplib.SMTP], replaced: str
) -> None:
    waiting, sending = old_connections
    wait_until_served(house, "mail", replaced)
    sending.send_message(clients.message(house.login("guest"), house.login("guest")))
    waiting.sock.settimeout(30)
    while b"EXISTS" not in (line := waiting.readline()):
        assert line, "the connection that waited was closed"
    waiting.send(b"DONE\r\n")
    while not (line := waiting.readline()).startswith(b"i OK"):
        assert line, "the connection that waited was closed"


@pytest.mark.usefixtures("provider")
def test_files_that_are_written_often_are_still_watched(app: Host) -> None:
    app.check_output("for time in 1 2 3 4 5 6; do systemctl start mail-tls-reload.service; done")
    assert app.service("mail-tls-reload.path").is_running
