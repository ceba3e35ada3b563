"""A certificate that is replaced on disk is served to new connections, and old ones go on."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour import clients
from ansible_collections.ilnmors.mail.tests.behaviour.house import House, wait_for
from testinfra.host import Host

PORTS = {993: None, 995: None, 465: None, 143: "a STARTTLS", 4190: "STARTTLS"}
"""What asks for TLS on each port, where it does not begin with TLS."""

DIRECTORY = "/etc/ssl/ilnmors-mail"
SAFE = "/root/host-certificate-before-the-test"

REPLACE = """
set -eu
cd {directory}
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {safe}/new.key \\
  -subj '/CN={name}' -out {safe}/new.csr
printf 'subjectAltName=DNS:{name}\\nextendedKeyUsage=serverAuth\\n' > {safe}/extensions
openssl x509 -req -in {safe}/new.csr -CA ca.pem -CAkey ca.key -days 2 -extfile {safe}/extensions -out {safe}/new.pem
cat {safe}/new.key > host.key
cat {safe}/new.pem > host.pem
"""


def served(house: House, port: int) -> bytes:
    """Return the certificate that a new connection gets, after it was verified."""
    with socket.create_connection((house.mail_address, port), clients.TIMEOUT) as connection:
        command = PORTS[port]
        if command:
            stream = connection.makefile("rwb")
            # ManageSieve's greeting has several lines, the last of them is OK.
            while not stream.readline().startswith((b"*", b"OK")):
                pass
            stream.write(f"{command}\r\n".encode())
            stream.flush()
            assert b"OK" in stream.readline()
        context = clients.tls(house.ca_file)
        with context.wrap_socket(connection, server_hostname=house.mail_hostname) as secured:
            return secured.getpeercert(binary_form=True) or b""


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
def replaced(mail: Host, house: House) -> Iterator[bytes]:
    """Replace the certificate and its key, and put the former back."""
    if not mail.file(f"{DIRECTORY}/ca.key").exists:
        pytest.skip("needs the key of the house's authority on the mail host")
    mail.check_output(f"install -d -m 700 {SAFE} && cp --preserve {DIRECTORY}/host.* {SAFE}/")
    try:
        mail.check_output(REPLACE.format(directory=DIRECTORY, safe=SAFE, name=house.mail_hostname))
        yield ssl.PEM_cert_to_DER_cert(mail.file(f"{DIRECTORY}/host.pem").content_string)
    finally:
        former = ssl.PEM_cert_to_DER_cert(mail.file(f"{SAFE}/host.pem").content_string)
        mail.check_output(f"cp --preserve {SAFE}/host.* {DIRECTORY}/ && rm -r {SAFE}")
        for port in PORTS:
            wait_for(lambda port=port: served(house, port) == former, f"the former certificate on {port}", 60)  # type: ignore[misc]


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
def test_a_replaced_certificate_is_served_and_old_connections_go_on(
    house: House, old_connections: tuple[Any, smtplib.SMTP], replaced: bytes
) -> None:
    waiting, sending = old_connections
    for port in PORTS:
        wait_for(lambda port=port: served(house, port) == replaced, f"the new certificate on {port}", 60)  # type: ignore[misc]
    sending.send_message(clients.message(house.login("guest"), house.login("guest")))
    waiting.sock.settimeout(30)
    while b"EXISTS" not in (line := waiting.readline()):
        assert line, "the connection that waited was closed"
    waiting.send(b"DONE\r\n")
    while not (line := waiting.readline()).startswith(b"i OK"):
        assert line, "the connection that waited was closed"
