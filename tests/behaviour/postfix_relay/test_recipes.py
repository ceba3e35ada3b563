"""RECIPES.md, followed to the letter on another machine of the house, with the real programs."""

from __future__ import annotations

import json
import re
import shlex
import smtplib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from testinfra.host import Host

RECIPES = Path(__file__).parents[3] / "roles" / "postfix_relay" / "RECIPES.md"

READER = "il"

PACKAGES = {
    "cron",
    "curl",
    "fail2ban",
    "libnet-ssleay-perl",
    "monit",
    "msmtp-mta",
    "prometheus-alertmanager",
    "swaks",
}

SERVICES = "prometheus-alertmanager monit fail2ban cron"

HURRY = {
    "group_wait: 30s": "group_wait: 1s",
    "group_interval: 5m": "group_interval: 1s",
    "0 3 * * *": "@reboot",
}
"""Times of the recipes that are too long for a test."""

ALERTS = "http://127.0.0.1:9093/api/v2/alerts"

SURROUNDINGS = {
    "/etc/default/prometheus-alertmanager": 'ARGS="--web.listen-address=127.0.0.1:9093 --cluster.listen-address="\n',
    "/etc/monit/conf.d/recipes": "check file recipes with path /nonexistent\n  if does not exist then alert\n",
    "/etc/fail2ban/fail2ban.d/recipes.local": "[DEFAULT]\ndbfile = :memory:\n",
    "/etc/fail2ban/jail.d/zz-recipes.local": (
        "[DEFAULT]\nbanaction = dummy\n[sshd]\nenabled = false\n"
        "[recipes]\nenabled = true\nbackend = polling\nfilter = sshd\nlogpath = /etc/hostname\n"
    ),
}
"""What the programs need besides the recipes: something to tell of, and nothing that reaches beyond the machine."""


@dataclass(frozen=True)
class File:
    path: str
    owner: str
    mode: str
    text: str


@dataclass(frozen=True)
class Kitchen:
    """A machine where the recipes are being followed. uid: the first that the reader's next message may have."""

    app: Host
    house: House
    text: str
    uid: int

    def commands(self, heading: str) -> list[str]:
        """Return the commands below a heading of the recipes."""
        section = re.split(r"^## ", self.text, flags=re.M)
        (below,) = [part for part in section if part.startswith(f"{heading}\n")]
        return re.findall(r"^[#$] (.+)$", "".join(re.findall(r"```console\n(.*?)```", below, re.S)), re.M)

    def mail(self, sender: str, subject: str) -> EmailMessage:
        """Wait for a message of the house to the reader."""

        def found() -> EmailMessage | None:
            with self.house.imap(READER) as client:
                client.select("INBOX", readonly=True)
                criteria = f'UID {self.uid}:* FROM "{self.house.login(sender)}" SUBJECT "{subject}"'
                uids = client.uid("SEARCH", criteria)[1][0].split()
                # The last message has the highest number there is, and so always matches "n:*".
                new = [uid for uid in uids if int(uid) >= self.uid]
                return clients.parse(clients.fetch(client, new[0])) if new else None

        return wait_for(found, f"mail from {sender} about {subject!r}", every=0.5)

    def swaks(self, options: str) -> str:
        """Send a message as the machine's service, or with other options; return the conversation."""
        house = self.house
        usual = f"--server {house.mail_hostname} --from {house.login('nas')} --to {house.login(READER)}"
        return str(self.app.run(f"swaks {usual} {options}").stdout)


def localized(house: House) -> str:
    """Return the recipes with the names and passwords of a house."""
    text = RECIPES.read_text().replace("you@home.internal", house.login(READER))
    text = text.replace("mail.home.internal", house.mail_hostname).replace("home.internal", house.domain)
    known = "|".join(name for name, password in house.passwords.items() if password)
    return re.sub(rf"\b({known})-password\b", lambda match: house.password(match[1]), text)


def files(text: str) -> list[File]:
    """Return the files whose owner and mode the recipes name."""
    pattern = r"^`(/\S+)` \(`(\w+:\w+)`, `(\d{4})`\):\n\n```\w*\n(.*?)^```"
    return [File(*found) for found in re.findall(pattern, text, re.M | re.S)]


def write(file: File) -> str:
    """Return the command that writes a file."""
    owner, group = file.owner.split(":")
    where = f"-D -o {owner} -g {group} -m {file.mode} /dev/stdin {file.path}"
    return f"install {where} <<'END OF FILE'\n{file.text}END OF FILE\n"


def run(host: Host, script: str) -> str:
    """Run a script that has to succeed, and return its output."""
    return str(host.check_output(f"bash -eu -c {shlex.quote(script)}"))


def alert(app: Host, **times: str) -> None:
    """Tell Alertmanager of an alert, as Prometheus does."""
    body = json.dumps([{"labels": {"alertname": "RecipeTested"}, **times}])
    answer = "--retry 20 --retry-delay 1 --retry-connrefused --fail --silent --show-error"
    run(app, f"curl {answer} --json {shlex.quote(body)} {ALERTS}")


@pytest.fixture(scope="module")
def other_machine(request: pytest.FixtureRequest, inventory: dict[str, dict[str, Any]]) -> Host:
    """Return a machine of the lab that has the programs; a live house's are not to be played with."""
    groups = next(iter(inventory.values()))["groups"]
    if not groups.get("provider"):
        pytest.skip(f"needs the lab: it sets up {', '.join(sorted(PACKAGES))} on the webmail host")
    app: Host = request.getfixturevalue("app")
    if groups["webmail"][0] == groups["mail"][0]:
        pytest.skip("needs a webmail host that is not the mail host")
    shown = "dpkg-query --show --showformat '${db:Status-Status} ${Package}\\n'"
    found = {line.removeprefix("installed ") for line in app.check_output(shown).splitlines()}
    if missing := PACKAGES - found:
        pytest.skip(f"needs Debian's {', '.join(sorted(missing))} on the webmail host")
    return app


@pytest.fixture(scope="module")
def kitchen(other_machine: Host, house: House) -> Iterator[Kitchen]:
    """Follow all recipes at once, and leave the machine as it was."""
    app = other_machine
    text = localized(house)
    for long, short in HURRY.items():
        assert long in text
        text = text.replace(long, short)
    with house.imap(READER) as client:
        client.select("INBOX", readonly=True)
        uid = int(client.response("UIDNEXT")[1][0])
    new = Kitchen(app, house, text, uid)
    written = files(text) + [File(path, "root:root", "0644", value) for path, value in SURROUNDINGS.items()]
    ca = "/usr/local/share/ca-certificates/home.crt"
    paths = " ".join([ca, *(file.path for file in written)])
    # The house's own jail goes on afterwards.
    bans = app.run("systemctl is-active fail2ban").rc == 0
    folder = run(app, f"mktemp -d; systemctl stop {SERVICES}")
    run(app, f"tar -cPf {folder}/before.tar $(ls -d {paths} 2>/dev/null)")
    try:
        trust = [write(File(f"{folder}/home.crt", "root:root", "0644", Path(house.ca_file).read_text()))]
        trust += [f"cd {folder}", *new.commands("The house's CA")]
        run(app, "\n".join(trust + [write(file) for file in written]))
        # The file is what tells cron that the machine has not just started.
        run(app, f"rm -f /run/crond.reboot; systemctl start {SERVICES}")
        alert(app)
        wait_for(lambda: app.run("fail2ban-client status recipes").rc == 0, "the jail")
        run(app, "fail2ban-client set recipes banip 192.0.2.7")
        yield new
    finally:
        run(app, f"systemctl stop {SERVICES}; rm -f {paths}; tar -xPf {folder}/before.tar")
        run(app, f"update-ca-certificates; rm -r {folder}; rm -f /var/lib/monit/events/*")
        if bans:
            run(app, "systemctl start fail2ban")


def test_alertmanager(kitchen: Kitchen) -> None:
    assert kitchen.mail("prometheus", "FIRING:1")["Subject"].endswith("(RecipeTested)")
    alert(kitchen.app, endsAt=datetime.now(UTC).isoformat())
    assert "RecipeTested" in kitchen.mail("prometheus", "RESOLVED")["Subject"]


def test_monit(kitchen: Kitchen) -> None:
    assert "Does not exist" in kitchen.mail("monit", "recipes")["Subject"]


def test_msmtp_takes_the_mail_of_root(kitchen: Kitchen) -> None:
    (command,) = kitchen.commands("msmtp: the mail of a whole machine")
    run(kitchen.app, command.replace("It works.", "Subject: From root\n\nIt works."))
    received = kitchen.mail("nas", "From root")
    assert received.get_content().strip() == "It works."
    assert received["Return-Path"] == f"<{kitchen.house.login('nas')}>"


def test_msmtp_keeps_its_password_from_others(kitchen: Kitchen) -> None:
    why = "account default not found: no configuration file available"
    assert why in kitchen.text
    assert why in kitchen.app.run("echo Hello. | runuser -u nobody -- sendmail root").stderr


def test_cron(kitchen: Kitchen) -> None:
    assert kitchen.mail("nas", "Cron <root@").get_content().strip() == "The backup is done."


def test_fail2ban(kitchen: Kitchen) -> None:
    assert "192.0.2.7" in kitchen.mail("nas", "[Fail2Ban] recipes: banned").get_content()


def test_a_shell_script(kitchen: Kitchen) -> None:
    command, _swaks = kitchen.commands("Shell scripts")
    run(kitchen.app, command)
    received = kitchen.mail("nas", "From a script")
    assert received.get_content().strip() == "It works."
    assert received["Date"].datetime


def test_swaks(kitchen: Kitchen) -> None:
    _script, command = kitchen.commands("Shell scripts")
    # What swaks asks for, it takes from here as well.
    secret = f"SWAKS_OPT_auth_password={shlex.quote(kitchen.house.password('nas'))}"
    run(kitchen.app, f"{secret} {command} --header 'Subject: Tried with swaks'")
    kitchen.mail("nas", "Tried with swaks")


def test_a_program_that_speaks_tls_from_the_start(kitchen: Kitchen) -> None:
    login = f"--auth-user nas --auth-password {shlex.quote(kitchen.house.password('nas'))}"
    assert "queued as" in kitchen.swaks(f"--port 465 --tls-on-connect --tls-verify {login}")


def test_a_printer(kitchen: Kitchen) -> None:
    (command,) = kitchen.commands("A printer or scanner that cannot log in")
    run(kitchen.app, f"{command} --header 'Subject: Scanned'")
    kitchen.mail("scanner", "Scanned")


@pytest.mark.parametrize(
    ("options", "reply"),
    [
        ("--port 587", "530 5.7.0 Must issue a STARTTLS command first"),
        ("--port 587 --tls", "Sender address rejected: not logged in"),
        ("--port 587 --tls --auth-user nas --auth-password wrong", "535 5.7.8 Error: authentication failed"),
        ("--port 587 --tls {login} --from root@nas.{domain}", "Sender address rejected: not owned by user"),
        ("--port 587 --tls {login} --h-From 'Nas <il@{domain}>'", "From address not allowed for"),
        ("--port 587 --tls {login} --h-From root", "From address not allowed for"),
        (
            "--port 587 --tls {login} --to root",
            "504 5.5.2 <root>: Recipient address rejected: need fully-qualified",
        ),
        (
            "--port 25 --to nobody@{domain}",
            "Recipient address rejected: User unknown in virtual mailbox table",
        ),
    ],
)
def test_the_replies_are_those_of_the_table(kitchen: Kitchen, options: str, reply: str) -> None:
    login = f"--auth-user nas --auth-password {shlex.quote(kitchen.house.password('nas'))}"
    assert reply in RECIPES.read_text()
    assert reply in kitchen.swaks(options.format(login=login, domain=kitchen.house.domain))


@pytest.mark.usefixtures("kitchen")
def test_a_printer_that_is_not_trusted(house: House) -> None:
    """To the lab, this machine is a stranger."""
    reply = "Client host rejected: Access denied"
    assert reply in RECIPES.read_text()
    with smtplib.SMTP(house.mail_hostname, 25, timeout=clients.TIMEOUT) as client:
        client.ehlo()
        client.mail(house.login("scanner"))
        assert reply in client.rcpt(house.login(READER))[1].decode()
