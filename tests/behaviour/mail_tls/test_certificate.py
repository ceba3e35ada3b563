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
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.site_run import Site
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


@pytest.mark.any_house
def test_the_authority_lists_nothing_that_is_no_host_name(house: House) -> None:
    """Programs of Debian 12 that are written in Go refuse such an authority."""
    authorities: Any = clients.tls(house.ca_file).get_ca_certs()
    listed = [pair for authority in authorities for pair in authority.get("subjectAltName", ())]
    names = [value for kind, value in listed if kind == "DNS"]
    assert [name for name in names if not re.fullmatch(r"[\w*.-]+", name)] == []


FORGED = "/tmp/forged"
FORGE = f"""
umask 077 && mkdir -p {FORGED} && cd {FORGED}
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout /dev/null -subj /CN=forged \\
  -addext keyUsage=critical,digitalSignature -addext extendedKeyUsage=%s -addext subjectAltName=%s \\
  | {ISSUE} -out certificate.pem
openssl verify -CAfile {DIRECTORY}/ca.pem -purpose %s certificate.pem
"""
FORGERIES = {
    "a server of the house": ("serverAuth", "DNS:other.{domain}", "sslserver", ""),
    "another server": ("serverAuth", "DNS:bank.example", "sslserver", "permitted subtree violation"),
    "an address": ("serverAuth", "IP:192.0.2.1", "sslserver", "excluded subtree violation"),
    "an address of IPv6": ("serverAuth", "IP:2001:db8::1", "sslserver", "excluded subtree violation"),
    "a server and an address": (
        "serverAuth",
        "DNS:other.{domain},IP:192.0.2.1",
        "sslserver",
        "excluded subtree violation",
    ),
    "mail of others": (
        "emailProtection",
        "email:someone@bank.example",
        "smimesign",
        "permitted subtree violation",
    ),
    "mail of the house": ("emailProtection", "email:il@{domain}", "smimesign", "certificate purpose"),
    "a client": ("clientAuth", "DNS:other.{domain}", "sslclient", "certificate purpose"),
}
"""What a certificate of the house's authority says it is for, and why it is not believed."""


@pytest.mark.parametrize("forgery", FORGERIES)
def test_the_authority_is_believed_for_servers_of_the_house_alone(
    house: House, mail: Host, forgery: str
) -> None:
    if not mail.file(f"{DIRECTORY}/ca.key").exists:
        pytest.skip("needs the key of the house's authority on the mail host")
    if "Server Authentication" not in mail.run(f"openssl x509 -in {DIRECTORY}/ca.pem -noout -text").stdout:
        pytest.skip("needs an authority that is for servers alone (mail_tls_ca_renew)")
    purpose, names, wanted, reason = FORGERIES[forgery]
    done = mail.run(FORGE, purpose, names.format(domain=house.domain), wanted)
    assert (reason in done.stderr) if reason else done.stdout.endswith("certificate.pem: OK\n"), done


FORMER = f"""
cp --preserve {DIRECTORY}/ca.pem {SAFE}.pem
openssl req -new -x509 -key {DIRECTORY}/ca.key -days 100 \\
  -subj "/CN=%s mail CA" \\
  -config /dev/stdin -extensions former -out {SAFE}.new <<'END'
[req]
distinguished_name = name
[name]
[former]
basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,keyCertSign,cRLSign
nameConstraints = critical,permitted;DNS:%s
subjectKeyIdentifier = hash
END
cat {SAFE}.new > {DIRECTORY}/ca.pem
"""
"""Gives the authority a certificate such as the role once made."""


@pytest.fixture
def former_authority(mail: Host, house: House) -> Iterator[str]:
    """Let the authority be one that is limited to names alone, and return its certificate."""
    if not mail.file(f"{DIRECTORY}/ca.key").exists:
        pytest.skip("needs the key of the house's authority on the mail host")
    mail.check_output(FORMER.replace("%s", house.domain))
    try:
        yield mail.file(f"{DIRECTORY}/ca.pem").content_string
    finally:
        mail.check_output(f"cat {SAFE}.pem > {DIRECTORY}/ca.pem && rm {SAFE}.pem {SAFE}.new")


def test_an_authority_stays_as_it_is_until_it_is_to_be_renewed(
    mail: Host, site: Site, former_authority: str
) -> None:
    def run(**variables: object) -> int:
        done = site(variables, hosts="mail", roles=["mail_tls"])
        assert done.status == 0, done.output
        return sum(done.changed.values())

    assert run() == 0
    assert run(mail_tls_ca_renew=True) == 1
    renewed = mail.file(f"{DIRECTORY}/ca.pem").content_string
    assert renewed != former_authority
    # Devices that have the one or the other go on to work.
    for authority in (f"{DIRECTORY}/ca.pem", f"{SAFE}.new"):
        mail.check_output(f"openssl verify -x509_strict -CAfile {authority} {DIRECTORY}/host.pem")


@pytest.mark.any_house
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
