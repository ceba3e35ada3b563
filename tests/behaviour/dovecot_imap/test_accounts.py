"""Accounts: machines that only send, people who log in from some networks only, and people who leave."""

from __future__ import annotations

import contextlib
import imaplib
import json
import poplib
import smtplib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.sieve_client import ManageSieve, Refused
from ansible_collections.ilnmors.mail.tests.behaviour.support.site_run import Site
from testinfra.host import Host

REFUSALS = (imaplib.IMAP4.error, poplib.error_proto, smtplib.SMTPAuthenticationError, Refused)
LEAVER = {
    "name": "leaver",
    "password": "leaver-lab-password",
    "extra_fields": {"userdb_mail_max_keyword_length": "40"},
}

Login = Callable[[House, str, str], None]


def imap(house: House, name: str, password: str) -> None:
    with clients.imap(house.mail_hostname, house.ca_file) as client:
        client.login(name, password)


def pop3(house: House, name: str, password: str) -> None:
    with contextlib.closing(clients.pop3(house.mail_hostname, house.ca_file)) as client:
        client.user(name)
        client.pass_(password)


def sieve(house: House, name: str, password: str) -> None:
    with ManageSieve(house.mail_hostname, house.ca_file) as client:
        client.log_in(name, password)


def submission(house: House, name: str, password: str) -> None:
    with clients.submission(house.mail_hostname, house.ca_file) as client:
        client.login(name, password)


MAILBOX = [imap, pop3, sieve]


# --- machines that only send


@pytest.mark.parametrize("login", MAILBOX)
def test_a_machine_that_only_sends_opens_no_mailbox(house: House, login: Login) -> None:
    password = house.password("gitea")
    submission(house, "gitea", password)
    with pytest.raises(REFUSALS):
        login(house, "gitea", password)
    # Not either once Dovecot remembers the login to send.
    submission(house, "gitea", password)
    with pytest.raises(REFUSALS):
        login(house, "gitea", password)


@pytest.mark.parametrize(
    "command",
    [
        "echo '1 LOGOUT' | runuser -u vmail -- /usr/lib/dovecot/imap -u {}",
        "doveadm mailbox list -u {}",
        "doveadm user {}",
    ],
    ids=["tunnel", "doveadm", "userdb"],
)
def test_a_machine_that_only_sends_has_no_mailbox_on_the_host_either(
    house: House, mail: Host, command: str
) -> None:
    house.password("gitea")
    assert mail.run(command.format(house.login("il"))).rc == 0
    assert mail.run(command.format(house.login("gitea"))).rc != 0
    assert not mail.file(f"/var/vmail/{house.domain}/gitea").exists


LMTP = """python3 -c '
import smtplib, sys
with smtplib.LMTP("/var/spool/postfix/private/dovecot-lmtp") as client:
    client.ehlo()
    client.mail("")
    print(*[client.rcpt(recipient)[0] for recipient in sys.argv[1:]])
' %s %s"""


def test_nothing_is_delivered_to_a_machine_that_only_sends(house: House, mail: Host) -> None:
    house.password("gitea")
    assert mail.check_output(LMTP, house.login("il"), house.login("gitea")) == "250 550"


# --- people and machines of some networks

# Each protocol as a client on the mail host itself sees it, from 127.0.0.1; whom it talks to is no question there.
ON_THE_HOST = """python3 - <<'END'
import imaplib, json, poplib, smtplib, ssl
name, password = json.loads(r'''%s''')
trusting = ssl._create_unverified_context()
imap = imaplib.IMAP4_SSL("127.0.0.1", ssl_context=trusting)
pop3 = poplib.POP3_SSL("127.0.0.1", context=trusting)
smtp = smtplib.SMTP_SSL("127.0.0.1", context=trusting)
def pop3_login(name, password):
    pop3.user(name)
    pop3.pass_(password)
found = {}
for protocol, login in (("imap", imap.login), ("pop3", pop3_login), ("submission", smtp.login)):
    try:
        login(name, password)
        found[protocol] = "accepted"
    except (imaplib.IMAP4.error, poplib.error_proto, smtplib.SMTPAuthenticationError):
        found[protocol] = "refused"
print(json.dumps(found))
END"""


def on_the_host(house: House, mail: Host, name: str) -> dict[str, str]:
    """Return what becomes of logins from the mail host's loopback, by protocol."""
    credentials = json.dumps([house.login(name), house.password(name)])
    found: dict[str, str] = json.loads(mail.check_output(ON_THE_HOST.replace("%s", credentials)))
    return found


def test_a_person_logs_in_from_the_allowed_networks_only(house: House, mail: Host) -> None:
    password = house.password("near")
    everywhere = on_the_host(house, mail, "il")
    for login in (*MAILBOX, submission):
        login(house, "near", password)
    # Dovecot remembers these logins by now.
    assert set(everywhere.values()) == {"accepted"}
    assert on_the_host(house, mail, "near") == dict.fromkeys(everywhere, "refused")
    for login in (*MAILBOX, submission):
        login(house, "near", password)


@pytest.mark.parametrize("service", ["sieve", "imap", "pop3", "smtp"])
@pytest.mark.parametrize("address", ["10.213.255.1", "fd00::1", "127.0.0.1", ""])
def test_no_other_address_is_allowed(house: House, mail: Host, service: str, address: str) -> None:
    """Dovecot is asked as its login processes and Postfix ask it, with the client's address or none."""
    password = house.password("near")
    ask = f"doveadm auth test -x service={service} {{}} %s %s"
    assert mail.run(ask.format(f"-x rip={address}" if address else ""), "near", password).rc != 0
    assert mail.run(ask.format("-x rip=10.213.255.1"), "il", house.password("il")).rc == 0


def test_what_runs_on_the_host_opens_the_mailbox_without_a_login(house: House, mail: Host) -> None:
    """As the fetch of mail does: it is no login, so that networks do not count."""
    house.password("near")
    tunnel = f"echo '1 LOGOUT' | runuser -u vmail -- /usr/lib/dovecot/imap -u {house.login('near')}"
    assert "PREAUTH" in mail.check_output(tunnel)


def test_a_machine_sends_from_the_allowed_networks_only(house: House, mail: Host) -> None:
    submission(house, "opnsense", house.password("opnsense"))
    if mail.run("grep --quiet '^opnsense@.* allow_nets=' /etc/dovecot/services").rc != 0:
        pytest.skip("needs a machine 'opnsense' with allowed_networks")
    assert on_the_host(house, mail, "opnsense")["submission"] == "refused"
    submission(house, "opnsense", house.password("opnsense"))


# --- people who come and go, and what their hashes cost


@dataclass(frozen=True)
class Stay:
    """What was seen while a person had an account: the path of a message, a setting, and the hash of another one."""

    message: str
    keyword_length: str
    hash: str


@pytest.fixture(scope="module")
def stay(site: Site, house: House, mail: Host, inventory: dict[str, dict[str, Any]]) -> Stay:
    """Add a person and raise the cost of hashes, let mail arrive, and take both back."""
    facts = next(iter(inventory.values()))
    people = [account for account in facts["accounts"] if account["name"] in facts["people"]]
    roles = ["postfix_relay", "dovecot_imap"]
    changed = {"mail_users": [*people, LEAVER], "dovecot_imap_argon2_time": 3}
    came = site(changed, hosts="mail", roles=roles)
    assert came.status == 0, came.output
    new = clients.message(house.login("il"), house.login("leaver"))
    with clients.submission(house.mail_hostname, house.ca_file) as client:
        client.login("il", house.password("il"))
        client.send_message(new)
    kept = f"grep --recursive --files-with-matches %s /var/vmail/{house.domain}/leaver/Maildir/new"
    wait_for(lambda: mail.run(kept, new["Message-ID"]).rc == 0, "the message arrives")
    seen = Stay(
        mail.check_output(kept, new["Message-ID"]),
        mail.check_output("doveadm user -f mail_max_keyword_length %s", house.login("leaver")),
        hash_of(mail, "il"),
    )
    for login in (*MAILBOX, submission):
        login(house, "leaver", str(LEAVER["password"]))
        login(house, "il", house.password("il"))
    left = site({}, hosts="mail", roles=roles)
    assert left.status == 0, left.output
    return seen


def hash_of(mail: Host, name: str) -> str:
    return str(mail.check_output("grep %s /etc/dovecot/users | cut --delimiter : --fields 2", f"^{name}@"))


@pytest.mark.usefixtures("stay")
@pytest.mark.parametrize("login", [*MAILBOX, submission])
def test_who_left_cannot_log_in(house: House, login: Login) -> None:
    with pytest.raises(REFUSALS):
        login(house, "leaver", str(LEAVER["password"]))


def test_a_field_of_an_account_is_a_setting_of_its_mailbox(stay: Stay) -> None:
    assert stay.keyword_length == "40"


def test_who_left_leaves_the_mail(stay: Stay, house: House, mail: Host) -> None:
    assert mail.run(f"ls {stay.message.replace('/new/', '/*/')}*").rc == 0
    mail.check_output(f"rm --recursive /var/vmail/{house.domain}/leaver")


@pytest.mark.parametrize("login", [*MAILBOX, submission])
def test_another_cost_hashes_anew_and_lets_log_in(stay: Stay, house: House, mail: Host, login: Login) -> None:
    assert ",t=3," in stay.hash
    assert ",t=3," not in hash_of(mail, "il")
    login(house, "il", house.password("il"))
