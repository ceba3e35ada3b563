"""What the mail host refuses: logins before TLS, strangers, wrong passwords, foreign senders."""

from __future__ import annotations

import imaplib
import poplib
import smtplib
import socket
import ssl

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.behaviour.support.senders import trusts
from testinfra.host import Host

WORLD = "someone@elsewhere.test"


def talk(house: House, port: int, *lines: str) -> str:
    """Send lines in the clear, one after the other, and return all that is answered to them."""
    with socket.create_connection((house.mail_address, port), clients.TIMEOUT) as connection:
        stream = connection.makefile("rwb")
        answers = [stream.readline()]
        for line in lines:
            stream.write(f"{line}\r\n".encode())
            stream.flush()
            answers.append(stream.readline())
            # EHLO, CAPABILITY and CAPA answer with several lines.
            while answers[-1][3:4] == b"-" or answers[-1].startswith(b"* "):
                answers.append(stream.readline())
        return b"".join(answers).decode()


@pytest.mark.parametrize("port", [25, 587])
def test_smtp_offers_no_login_before_tls(house: House, port: int) -> None:
    assert "AUTH" not in talk(house, port, "EHLO stranger.test")


def test_port_25_offers_no_login_at_all(house: House) -> None:
    with clients.submission(house.mail_hostname, house.ca_file, port=25) as client:
        client.ehlo()
        assert "auth" not in client.esmtp_features


@pytest.mark.parametrize("name", ["il", "gitea"])
def test_smtp_accepts_no_login_before_tls(house: House, name: str) -> None:
    client = smtplib.SMTP(house.mail_hostname, 587, timeout=clients.TIMEOUT)
    client.ehlo()
    client.user, client.password = name, house.password(name)
    code, answer = client.docmd("AUTH", "PLAIN " + client.auth_plain())
    assert (code, b"STARTTLS" in answer) in [(530, True), (503, False)], answer


def test_imap_offers_and_accepts_no_login_before_tls(house: House) -> None:
    client = imaplib.IMAP4(house.mail_hostname, 143, timeout=clients.TIMEOUT)
    assert "LOGINDISABLED" in client.capabilities
    assert not [capability for capability in client.capabilities if capability.startswith("AUTH=")]
    with pytest.raises(imaplib.IMAP4.error, match=r"PRIVACYREQUIRED|LOGIN command disabled"):
        client.login("il", house.password("il"))


def test_pop3_offers_and_accepts_no_login_before_tls(house: House) -> None:
    client = poplib.POP3(house.mail_hostname, 110, timeout=clients.TIMEOUT)
    offered = client.capa()
    assert "USER" not in offered
    assert not offered.get("SASL")
    with pytest.raises(poplib.error_proto, match="disallowed"):
        client.user("il")


def test_managesieve_offers_and_accepts_no_login_before_tls(house: House) -> None:
    with socket.create_connection((house.mail_address, 4190), clients.TIMEOUT) as connection:
        stream = connection.makefile("rwb")
        greeting = b""
        while not greeting.splitlines()[-1:] or not greeting.splitlines()[-1].startswith(b"OK"):
            greeting += stream.readline()
        assert b'"SASL" ""' in greeting
        stream.write(b'AUTHENTICATE "PLAIN" "AGlsAHdyb25n"\r\n')
        stream.flush()
        assert stream.readline().startswith(b"NO")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("port", [465, 587, 993, 143, 995, 110])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_tls_is_refused(house: House, port: int, version: ssl.TLSVersion) -> None:
    context = clients.tls(house.ca_file)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    command = {587: "STARTTLS", 143: "a STARTTLS", 110: "STLS"}.get(port)
    with socket.create_connection((house.mail_address, port), clients.TIMEOUT) as connection:
        if command:
            stream = connection.makefile("rwb")
            stream.readline()
            for line in (["EHLO stranger.test"] if port == 587 else []) + [command]:
                stream.write(f"{line}\r\n".encode())
                stream.flush()
                while (stream.readline())[3:4] == b"-":
                    pass
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            context.wrap_socket(connection, server_hostname=house.mail_hostname)


@pytest.mark.parametrize("port", [465, 993, 995, 443])
def test_tls_1_2_is_authenticated_encryption(house: House, port: int) -> None:
    """The webmail's as the mail ports': no cipher in CBC mode, none without forward secrecy (RFC 9325 section 4.2)."""
    name, address = house.mail_hostname, house.mail_address
    if port == 443:
        name, address = house.webmail_hostname, house.webmail_address

    def handshake(ciphers: str) -> str:
        context = clients.tls(house.ca_file)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(ciphers)
        with (
            socket.create_connection((address, port), clients.TIMEOUT) as connection,
            context.wrap_socket(connection, server_hostname=name) as wrapped,
        ):
            return str((wrapped.cipher() or [""])[0])

    assert handshake("DEFAULT").startswith("ECDHE")
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        handshake("ALL:!AESGCM:!CHACHA20:!AESCCM:!ARIAGCM:@SECLEVEL=0")


@pytest.mark.parametrize("port", [25, 587, 465])
@pytest.mark.parametrize("recipient", [WORLD, "il"], ids=["to-the-world", "to-the-house"])
def test_a_stranger_sends_nothing(house: House, mail: Host, port: int, recipient: str) -> None:
    """To the lab, this machine is a stranger; a live house may trust it."""
    if port == 25 and trusts(mail, house):
        pytest.skip("needs a machine that the house does not trust")
    recipient = recipient if "@" in recipient else house.login(recipient)
    with clients.submission(house.mail_hostname, house.ca_file, port) as client:
        client.ehlo()
        client.mail("someone@stranger.test")
        code, answer = client.rcpt(recipient)
    assert code in (530, 554), answer


@pytest.mark.parametrize("port", [587, 465])
def test_a_wrong_password_is_refused(house: House, port: int) -> None:
    with clients.submission(house.mail_hostname, house.ca_file, port) as client:
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("il", "wrong")
        client.mail("someone@stranger.test")
        assert client.rcpt(WORLD)[0] in (530, 554)


def test_an_unknown_recipient_is_refused_at_once(house: House) -> None:
    with clients.submission(house.mail_hostname, house.ca_file) as client:
        client.login("il", house.password("il"))
        client.mail(house.login("il"))
        code, answer = client.rcpt(house.login("nobody-of-the-house"))
    assert code == 550, answer


@pytest.mark.parametrize(
    ("path", "mode"),
    [
        ("/etc/dovecot/users", 0o640),
        ("/etc/dovecot/services", 0o640),
        ("/etc/ssl/ilnmors-mail/host.key", 0o600),
        ("/etc/ssl/ilnmors-mail/ca.key", 0o600),
        ("/etc/mbsync-fetch/credentials", 0o700),
        ("/var/vmail", 0o700),
    ],
)
def test_secrets_are_not_for_everyone(mail: Host, path: str, mode: int) -> None:
    file = mail.file(path)
    if not file.exists:
        pytest.skip(f"needs {path}, which this house has elsewhere")
    assert file.mode == mode


def test_no_map_with_passwords_is_readable_by_others(mail: Host) -> None:
    open_files = mail.check_output("find /etc/postfix/maps -name '*.passwords*' -perm /077")
    assert open_files == ""
