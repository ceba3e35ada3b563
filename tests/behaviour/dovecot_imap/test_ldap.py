"""People of a directory have accounts like anyone else, and a directory that is down harms nobody else."""

from __future__ import annotations

import base64
import contextlib
import imaplib
import json
import poplib
import re
import smtplib
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.ansible_command import run_ansible
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.sieve_client import ManageSieve, Refused
from ansible_collections.ilnmors.mail.tests.behaviour.support.site_run import Run, run_site
from testinfra.host import Host

pytestmark = pytest.mark.usefixtures("directory")

Login = Callable[[House, str, str], None]
REFUSALS = (imaplib.IMAP4.error, poplib.error_proto, smtplib.SMTPAuthenticationError, Refused)
# Directory passwords of people whose name an account of the house has as well.
SHADOWED = {"alex": "alex-directory-password", "heating": "heating-directory-password"}


def plain(name: str, password: str) -> str:
    """Return a response of SASL's PLAIN (RFC 4616), which takes any character."""
    return f"\0{name}\0{password}"


def mailbox(house: House, name: str) -> imaplib.IMAP4:
    """Log in on IMAP, with the person's own password."""
    client = clients.imap(house.mail_hostname, house.ca_file)
    client.authenticate("PLAIN", lambda __: plain(name, house.password(name)).encode())
    return client


def imap(house: House, name: str, password: str) -> None:
    with clients.imap(house.mail_hostname, house.ca_file) as client:
        client.authenticate("PLAIN", lambda __: plain(name, password).encode())
        assert client.select()[0] == "OK"


def pop3(house: House, name: str, password: str) -> None:
    with contextlib.closing(clients.pop3(house.mail_hostname, house.ca_file)) as client:
        client.user(name)
        client.pass_(password)


def submission(house: House, name: str, password: str) -> None:
    with clients.submission(house.mail_hostname, house.ca_file) as client:
        client.ehlo()
        code, text = client.docmd(
            "AUTH", "PLAIN " + base64.b64encode(plain(name, password).encode()).decode()
        )
        if code != 235:
            raise smtplib.SMTPAuthenticationError(code, text)


def managesieve(house: House, name: str, password: str) -> None:
    with ManageSieve(house.mail_hostname, house.ca_file) as client:
        client.log_in(name, password)


LOGINS = pytest.mark.parametrize("log_in", [imap, pop3, submission, managesieve])


# --- logins


@LOGINS
@pytest.mark.parametrize("name", ["anna", "ANNA@{domain}", "ben"])
def test_people_of_the_directory_log_in(house: House, log_in: Login, name: str) -> None:
    person = name.partition("@")[0].lower()
    log_in(house, name.format(domain=house.domain), house.password(person))


@LOGINS
def test_people_of_the_house_log_in(house: House, log_in: Login) -> None:
    log_in(house, "alex", house.password("alex"))


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("anna", "wrong"),
        ("anna", ""),
        ("nobody", "anna-lab-password"),
        ("gone", "gone-lab-password"),
        ("anna@elsewhere.test", "anna-lab-password"),
        ("ann*", "anna-lab-password"),
        ("x)(uid=anna", "anna-lab-password"),
        ("*)(uid=*", "anna-lab-password"),
        *SHADOWED.items(),
    ],
    ids=[
        "wrong-password",
        "no-password",
        "unknown",
        "outside-of-the-filter",
        "another-domain",
        "wildcard",
        "injection",
        "injection-of-wildcards",
        "password-of-a-user-elsewhere",
        "password-of-a-service-elsewhere",
    ],
)
def test_others_are_refused(house: House, name: str, password: str) -> None:
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        imap(house, name, password)


# --- mail


def post(house: House, recipient: str) -> Any:
    """Submit a message as a machine of the house; return it."""
    new = clients.message(house.login("heating"), recipient)
    with clients.submission(house.mail_hostname, house.ca_file) as client:
        client.login("heating", house.password("heating"))
        client.send_message(new)
    return new


def inbox(house: House, name: str, message_id: str) -> bytes | None:
    """Return the UID of a message in a person's inbox."""
    with mailbox(house, name) as client:
        return clients.find(client, message_id)


@pytest.mark.parametrize("recipient", ["anna", "anna+shopping", "Ben"])
def test_mail_for_people_of_the_directory_arrives(house: House, recipient: str) -> None:
    new = post(house, house.login(recipient))
    name = recipient.partition("+")[0].lower()
    wait_for(lambda: inbox(house, name, new["Message-ID"]), f"mail to {recipient} arrives")


@pytest.mark.parametrize("recipient", ["nobody", "gone", "a*", "nobody+anna"])
def test_recipients_whom_nobody_knows_are_refused(house: House, recipient: str) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        post(house, house.login(recipient))
    assert {code for code, __ in refused.value.recipients.values()} == {550}


@pytest.mark.parametrize(
    ("envelope", "code"),
    [("anna@{domain}", 250), ("anna@gmail.test", 250), ("il@{domain}", 553), ("ben@{domain}", 553)],
    ids=["own", "own-account-at-a-provider", "of-the-house", "of-the-directory"],
)
def test_people_send_as_themselves_alone(house: House, envelope: str, code: int) -> None:
    with clients.submission(house.mail_hostname, house.ca_file) as client:
        client.login("anna", house.password("anna"))
        client.mail(envelope.format(domain=house.domain))
        assert client.rcpt(house.login("alex"))[0] == code


@pytest.mark.parametrize(
    ("author", "code"),
    [
        ("anna@{domain}", 250),
        ("Anna+shop@{domain}", 250),
        ("anna@gmail.test", 250),
        ("il@{domain}", 553),
        ("ben@{domain}", 553),
    ],
)
def test_people_write_themselves_alone_into_from(house: House, author: str, code: int) -> None:
    new = clients.message(author.format(domain=house.domain), house.login("alex"))
    with clients.submission(house.mail_hostname, house.ca_file) as client:
        client.login("anna", house.password("anna"))
        client.mail(house.login("anna"))
        client.rcpt(house.login("alex"))
        assert client.data(new.as_bytes())[0] == code


@pytest.mark.parametrize(("name", "limits"), [("anna", [str(20 * 1024)]), ("ben", [])])
def test_a_quota_comes_from_the_directory(house: House, name: str, limits: list[str]) -> None:
    with mailbox(house, name) as client:
        assert re.findall(r"STORAGE \d+ (\d+)", str(client.getquotaroot("INBOX")[1])) == limits


def test_everyone_is_listed(house: House, mail: Host) -> None:
    listed = set(mail.check_output("doveadm user '*'").split())
    assert {house.login(name) for name in ("alex", "anna", "ben")} <= listed
    assert house.login("gone") not in listed


def test_the_password_is_readable_by_the_daemons_alone(mail: Host) -> None:
    found = mail.check_output(
        "grep --recursive --files-with-matches 'mail.*{ldap}' /etc/dovecot /etc/postfix"
    ).split()
    modes = {path: mail.check_output("stat --format '%%a %%U:%%G' %s", path) for path in found}
    assert modes == {
        "/etc/dovecot/ldap.conf.ext": "600 root:root",
        "/etc/postfix/ldap.cf": "640 root:postfix",
    }


# --- a directory that does not serve


@pytest.fixture
def down(directory: Host, mail: Host) -> Iterator[None]:
    """Stop the directory for the time of a test, and let Dovecot forget whom it has seen."""
    mail.check_output("doveadm auth cache flush")
    directory.check_output("systemctl stop slapd")
    try:
        yield
    finally:
        directory.check_output("systemctl start slapd")


@pytest.fixture
def frozen(directory: Host, mail: Host) -> Iterator[None]:
    """Let the directory take connections and say nothing for the time of a test."""
    mail.check_output("doveadm auth cache flush")
    directory.check_output("systemctl kill --signal STOP slapd")
    try:
        yield
    finally:
        directory.check_output("systemctl kill --signal CONT slapd")


@pytest.mark.usefixtures("down")
@pytest.mark.parametrize(
    ("log_in", "answer"),
    [
        (imap, "[UNAVAILABLE]"),
        (pop3, "[SYS/TEMP]"),
        (managesieve, "(TRYLATER)"),
        # Postfix has one answer for every failure (xsasl_dovecot_server.c).
        (submission, "535"),
    ],
    ids=["imap", "pop3", "managesieve", "submission"],
)
def test_without_the_directory_its_people_are_told_to_come_back(
    house: House, log_in: Login, answer: str
) -> None:
    with pytest.raises(REFUSALS, match=re.escape(answer)):
        log_in(house, "anna", house.password("anna"))


@pytest.mark.usefixtures("down")
def test_without_the_directory_the_house_carries_on(house: House) -> None:
    imap(house, "alex", house.password("alex"))
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        imap(house, "alex", "wrong")
    for recipient in ("alex", "alex+shopping", "postmaster"):
        sent = post(house, house.login(recipient))["Message-ID"]
        wait_for(partial(house.received, "alex", sent), f"mail to {recipient} arrives")


@pytest.mark.usefixtures("frozen")
def test_a_directory_that_says_nothing_holds_up_nobody_else(house: House) -> None:
    def try_anna() -> None:
        with contextlib.suppress(Exception):
            imap(house, "anna", house.password("anna"))

    waiting = [threading.Thread(target=try_anna, daemon=True) for __ in range(5)]
    for thread in waiting:
        thread.start()
    begin = time.monotonic()
    imap(house, "alex", house.password("alex"))
    assert time.monotonic() - begin < 3


def test_mail_waits_for_the_directory(house: House, mail: Host, directory: Host) -> None:
    new = clients.message(house.login("alex"), house.login("anna"))
    mail.check_output("doveadm auth cache flush")
    directory.check_output("systemctl stop slapd")
    try:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            post(house, house.login("anna"))
        assert {code for code, __ in refused.value.recipients.values()} == {451}
        # What was accepted before.
        mail.check_output("printf %%s %s | sendmail -f %s %s", new.as_string(), new["From"], new["To"])
        wait_for(
            lambda: (
                "deferred"
                in mail.check_output("journalctl --unit 'postfix*' --since -60s | grep anna@ || true")
            ),
            "the message is deferred",
        )
    finally:
        directory.check_output("systemctl start slapd")
    mail.check_output("postqueue -f")
    wait_for(lambda: inbox(house, "anna", new["Message-ID"]), "the message arrives", seconds=60)


# --- at deploy time

STATE = (
    "stat --format '%n %i %y' /etc/postfix/main.cf /etc/postfix/ldap.cf /etc/dovecot/dovecot.conf "
    "/etc/dovecot/ldap.conf.ext; systemctl show --property MainPID dovecot postfix"
)


@pytest.mark.usefixtures("down")
def test_a_run_without_the_directory_says_so_and_changes_nothing(
    request: pytest.FixtureRequest, house: House, mail: Host, tmp_path: Path
) -> None:
    before = mail.check_output(STATE)
    # A change, to see that it is not made.
    changed = {"mail_ldap_filter": "(uid=*)"}
    run: Run = run_site(request.config.getoption("--ansible-inventory"), changed, tmp_path, "--limit", "mail")
    assert run.status != 0
    assert (
        "mail_ldap_uri: ''ldaps://ldap.home.test'' cannot be reached: Connection refused; "
        "start the directory, or correct the address"
    ) in run.output
    assert set(run.changed.values()) == {0}, run.output
    assert mail.check_output(STATE) == before
    imap(house, "alex", house.password("alex"))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"bind_password": "wrong"},
            "mail_ldap_bind_password: the directory refuses it for mail_ldap_bind_dn ",
        ),
        (
            {"base": "ou=none,dc=home,dc=test"},
            "mail_ldap_base: 'ou=none,dc=home,dc=test' is not in the directory",
        ),
        ({"filter": "(=x)"}, "mail_ldap_filter: '(=x)' is not a filter that can be searched with"),
        (
            {"ca": "/etc/ssl/certs/ca-certificates.crt"},
            "'ldaps://ldap.home.test' answers, but TLS with it failed",
        ),
        (
            {"uri": "ldap://ldap.home.test", "starttls": True, "ca": "/etc/ssl/certs/ca-certificates.crt"},
            "'ldap://ldap.home.test' answers, but TLS with it failed",
        ),
        ({"uri": "ldaps://ldap-server"}, "'ldaps://ldap-server' answers, but TLS with it failed"),
        ({"filter": "(uid=nobody)"}, "mail_ldap_filter: '(uid=nobody)' selects nobody"),
        ({"uri": "ldap://ldap.home.test", "starttls": True}, "asked: true"),
    ],
    ids=["password", "base", "filter", "ca", "ca-starttls", "name", "nobody", "starttls"],
)
def test_what_is_wrong_with_a_directory_is_said(
    request: pytest.FixtureRequest, changes: dict[str, Any], problem: str
) -> None:
    options = ("uri", "base", "bind_dn", "bind_password", "ca", "filter", "starttls")
    given = {name: f"{{{{ mail_ldap_{name} | default(omit) }}}}" for name in options}
    given["filter"] = "(objectClass=inetOrgPerson)"
    command = ("ansible", "mail", "-m", "ilnmors.mail.ldap_directory_info", "-a")
    inventory = request.config.getoption("--ansible-inventory")
    done = run_ansible(*command, json.dumps({**given, **changes}), inventory=inventory)
    output = " ".join(f"{done.stdout} {done.stderr}".split())
    assert problem in output
    assert "{ldap}" not in output
