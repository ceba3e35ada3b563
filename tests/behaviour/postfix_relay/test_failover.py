"""Mail of an account that takes none leaves through the next, once, with the address of that one."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.ansible_command import run_ansible
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.providers import answering, waiting
from ansible_collections.ilnmors.mail.tests.behaviour.support.site_run import Site
from testinfra.host import Host

VERIFY = Path(__file__).parents[3] / "playbooks" / "verify.yml"
UNIT = "/etc/systemd/system/postfix-failover.service"
SETTINGS = "/etc/postfix/failover.json"
PROGRAM = "/usr/local/lib/ilnmors-mail/failover"
STATE = "/var/lib/postfix-failover"
GMAIL_LIMIT = "550 5.4.5 Daily user sending limit exceeded"
OUTLOOK_LIMIT = "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException"
WORLD = ("gmail", "naver", "outlook")


pytestmark = pytest.mark.usefixtures("provider", "failover", "all_well")


@pytest.fixture(scope="module")
def failover(mail: Host, site: Site) -> Iterator[dict[str, Any]]:
    """Turn it on for some accounts, as a person would; return the variables. Afterwards, the host is as it was."""
    chains = {"gmail": ["naver", "outlook"], "naver": ["gmail"]}
    accounts = (
        f"{{%- set chains = {chains} -%}}{{%- set found = [] -%}}{{%- for one in mail_providers -%}}"
        "{%- set _ = found.append(one | combine({'failover': chains[one.name]} if one.name in chains else {})) -%}"
        "{%- endfor -%}{{ found }}"
    )
    wanted = {"postfix_relay_providers": accounts, "postfix_relay_failover_after": 3}
    assert not mail.file(UNIT).exists, "the house has a failover of its own"
    mail.check_output("cp -a /etc/postfix/main.cf /run/main.cf.before")
    try:
        run = site(wanted, hosts="mail", roles=["postfix_relay"])
        assert run.status == 0, run.output
        yield wanted
    finally:
        # Much faster than the role, which does the same.
        mail.check_output(
            "cp -a /run/main.cf.before /etc/postfix/main.cf; systemctl reload postfix; "
            "systemctl disable --quiet --now postfix-failover; "
            f"rm -rf {UNIT} {SETTINGS} {PROGRAM} {STATE} /var/lib/private/postfix-failover; systemctl daemon-reload"
        )


@pytest.fixture
def all_well(mail: Host) -> None:
    """Let each test begin with accounts of which nothing is known."""
    mail.check_output(
        f"systemctl stop postfix-failover; rm -f {STATE}/status.json; date +%s > /run/failover-test; "
        "systemctl start postfix-failover; "
        "systemctl reload postfix"
    )


def routes(mail: Host) -> dict[str, str]:
    """Return through which account the mail of each leaves."""
    accounts = json.loads(mail.check_output(f"cat {STATE}/status.json"))["accounts"]
    return {name: account["through"] for name, account in accounts.items()}


def leaves_through(mail: Host, account: str, other: str) -> None:
    """Wait until the mail of an account leaves through another, or waits ("")."""
    wait_for(lambda: routes(mail)[account] == other, f"mail of {account} leaves through {other or 'none'}")


def log(mail: Host) -> str:
    """Return what the failover has said since the test began."""
    since = mail.check_output("cat /run/failover-test")
    said = mail.check_output("journalctl --unit postfix-failover --quiet --output cat --since @%s", since)
    return str(said)


def hurry(mail: Host) -> None:
    """Let Postfix look at the table now, which takes it half a minute otherwise, and try again what waits."""
    mail.check_output("systemctl reload postfix && postqueue -f")


def post(house: House, name: str, sender: str = "", *others: str) -> EmailMessage:
    """Submit a message to somebody of whom nobody has heard, and to others."""
    sender = sender or house.login(name)
    new = clients.message(sender, f"somebody_{secrets.token_hex(6)}@elsewhere.test")
    new["Reply-To"] = f"The house <{house.login(name)}>"
    with clients.submission(house.mail_hostname, house.ca_file) as client:
        client.login(name, house.password(name))
        client.send_message(new, from_addr=sender, to_addrs=[str(new["To"]), *others])
    return new


def copies(provider_ca: str, new: EmailMessage) -> dict[str, list[EmailMessage]]:
    """Return what the world got of a message, by the account that carried it."""
    found: dict[str, list[EmailMessage]] = {}
    for name in WORLD:
        with clients.imap(f"imap.{name}.test", provider_ca) as client:
            client.login(f"world@{name}.test", f"{name}-lab-password")
            client.select("INBOX", readonly=True)
            uids = client.uid("SEARCH", "HEADER", "Message-ID", f'"{new["Message-ID"]}"')[1][0].split()
            found |= {name: [clients.parse(clients.fetch(client, uid)) for uid in uids]} if uids else {}
    return found


def left_once(mail: Host, provider_ca: str, new: EmailMessage, name: str) -> EmailMessage:
    """Wait until a message has left, and see that it did so once, through an account and as that account."""
    recipient = str(new["To"])
    wait_for(lambda: copies(provider_ca, new), f"{recipient} gets it")
    wait_for(lambda: waiting(mail, recipient) is None, "nothing waits")
    found = copies(provider_ca, new)
    assert {through: len(messages) for through, messages in found.items()} == {name: 1}
    (seen,) = found[name]
    assert seen["Return-Path"] == f"<il@{name}.test>"
    assert seen["From"].addresses[0].addr_spec == f"il@{name}.test"
    assert str(seen["Reply-To"]) == f"The house <il@{name}.test>"
    return seen


def test_over_its_limit_for_one_recipient_of_two(
    house: House, mail: Host, provider: Host, provider_ca: str
) -> None:
    """What has left stays with the first account; everybody's next mail leaves through the second at once."""
    late = f"late_{secrets.token_hex(6)}@elsewhere.test"
    with answering(provider, late, GMAIL_LIMIT):
        new = post(house, "il", "", late)
        leaves_through(mail, "gmail", "naver")
    hurry(mail)
    wait_for(lambda: "naver" in copies(provider_ca, new), "the second recipient gets it")
    wait_for(lambda: waiting(mail, late) is None, "nothing waits")
    found = copies(provider_ca, new)
    assert {name: len(messages) for name, messages in found.items()} == {"gmail": 1, "naver": 1}
    for name, recipient in (("gmail", str(new["To"])), ("naver", late)):
        (seen,) = found[name]
        assert f"for <{recipient}>" in " ".join(seen.get_all("Received", []))
        assert seen["From"].addresses[0].addr_spec == f"il@{name}.test"
        assert str(seen["Reply-To"]) == f"The house <il@{name}.test>"

    sent = {
        (name, sender): post(house, name, sender.format(house.domain))
        for name, sender in (
            ("il", ""),
            ("il", "il@gmail.test"),
            ("il", "il+shop@{}"),
            ("gitea", ""),
            ("guest", ""),
        )
    }
    for message in sent.values():
        left_once(mail, provider_ca, message, "naver")


def test_several_that_wait_and_what_verify_says(
    request: pytest.FixtureRequest,
    failover: dict[str, Any],
    house: House,
    mail: Host,
    provider: Host,
    provider_ca: str,
) -> None:
    with answering(provider, "gmail", GMAIL_LIMIT):
        sent = [post(house, "il") for __ in range(3)]
        leaves_through(mail, "gmail", "naver")
        # Killed at any time, it leaves a table that is whole, and goes on from there.
        mail.check_output("systemctl kill --signal KILL postfix-failover")
        assert "relay-naver:" in mail.check_output(
            f"postmap -s $(postconf -h default_database_type):{STATE}/instead"
        )
        hurry(mail)
        for new in sent:
            left_once(mail, provider_ca, new, "naver")
        wait_for(lambda: mail.service("postfix-failover").is_running, "it runs again")
        inventory = request.config.getoption("--ansible-inventory")
        command = ("ansible-playbook", str(VERIFY), "--tags", "queue", "--extra-vars", json.dumps(failover))
        said = run_ansible(*command, inventory=inventory).stdout
    found = re.search(
        r"account gmail\s+.*over its limit since .*; its mail leaves through naver until .*", said
    )
    assert found, said
    assert "said: 550 5.4.5" in found[0]
    assert (
        len(re.findall("gmail is over its limit since .*; its mail leaves through naver until", log(mail)))
        == 1
    )


def test_an_account_that_cannot_be_reached(
    house: House, mail: Host, provider_ca: str, stand_ins: dict[str, str]
) -> None:
    mail.check_output("ip route add unreachable %s", stand_ins["naver"])
    try:
        new = post(house, "guest")
        leaves_through(mail, "naver", "gmail")
        hurry(mail)
        left_once(mail, provider_ca, new, "gmail")
    finally:
        mail.check_output("ip route delete unreachable %s", stand_ins["naver"])


def test_where_none_takes_it_mail_waits(house: House, mail: Host, provider: Host, provider_ca: str) -> None:
    with answering(provider, "naver", "450 4.7.1 Not now"), answering(provider, "outlook", OUTLOOK_LIMIT):
        with answering(provider, "gmail", GMAIL_LIMIT):
            new = post(house, "il")
            for through in ("naver", "outlook", ""):
                leaves_through(mail, "gmail", through)
                hurry(mail)
            assert waiting(mail, str(new["To"]))
            assert copies(provider_ca, new) == {}
        # The first that takes mail again takes this one.
        hurry(mail)
        left_once(mail, provider_ca, new, "gmail")
        leaves_through(mail, "gmail", "gmail")


def test_it_is_tried_again_when_the_time_of_its_limit_is_over(
    house: House, mail: Host, provider: Host, provider_ca: str
) -> None:
    sooner = 's/"limit_time": [0-9]*/"limit_time": 4/'
    mail.check_output(f"sed -i %s {SETTINGS} && systemctl restart postfix-failover", sooner)
    with answering(provider, "gmail", GMAIL_LIMIT):
        post(house, "il")
        leaves_through(mail, "gmail", "naver")
    leaves_through(mail, "gmail", "gmail")
    hurry(mail)
    left_once(mail, provider_ca, post(house, "il"), "gmail")
    wait_for(lambda: "gmail takes mail again" in log(mail), "the log says that it takes mail again")
    assert "gmail is tried again with the next message" in log(mail)
