"""The playbook authorize: what it shows, what a person does, and what comes of it."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.providers import why_it_waits
from ansible_collections.ilnmors.mail.tests.behaviour.support.token_account import (
    ACCOUNT,
    ADDRESS,
    FAULTS,
    STATE,
    UNIT,
    Endpoint,
    arrives,
    send,
    status,
)
from testinfra.host import Host

PLAYBOOK = Path(__file__).parents[3] / "playbooks" / "authorize.yml"
SETTINGS = f"/etc/mail-oauth2/{ACCOUNT}"
COMMAND = f"ansible-playbook ilnmors.mail.authorize -e account={ACCOUNT}"


class Run:
    """A run of the playbook at a terminal, where a person reads and types."""

    def __init__(self, inventory: str | None, log: Path, *options: str) -> None:
        # A session of its own, whose terminal this is.
        command = [
            "setsid",
            "--ctty",
            "ansible-playbook",
            str(PLAYBOOK),
            "-vv",
            "-e",
            f"account={ACCOUNT}",
            *options,
        ]
        command += ["--inventory", inventory] if inventory else []
        self.terminal, theirs = pty.openpty()
        self.output = ""
        self.process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={
                **os.environ,
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_FORCE_COLOR": "0",
                "ANSIBLE_LOG_PATH": str(log),
            },
        )
        os.close(theirs)
        os.set_blocking(self.terminal, False)

    def read(self) -> str:
        """Return all that has been printed so far, with single spaces for all white space."""
        try:
            while data := os.read(self.terminal, 65536):
                self.output += data.decode(errors="replace")
        except OSError:  # nothing more yet, or nothing more at all
            pass
        return " ".join(self.output.split())

    def shows(self, pattern: str) -> str:
        """Wait until something is printed; return its group."""
        found: re.Match[str] = wait_for(lambda: re.search(pattern, self.read()), f"{pattern} is shown", 60)
        return found[1]

    def types(self, text: str) -> None:
        """Type a line."""
        os.write(self.terminal, f"{text}\r".encode())

    def ends(self) -> tuple[int, str]:
        """Return the exit status, and all that was printed."""
        wait_for(lambda: self.read() is not None and self.process.poll() is not None, "the playbook ends", 60)
        return self.process.returncode, self.read()

    def close(self) -> None:
        """Leave nothing behind."""
        self.process.kill()
        self.process.wait()
        os.close(self.terminal)


Authorize = Callable[..., Run]


@pytest.fixture
def authorize(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Authorize]:
    """Return what starts the playbook."""
    runs = []

    def start(*options: str) -> Run:
        runs.append(Run(request.config.getoption("--ansible-inventory"), tmp_path / "ansible.log", *options))
        return runs[-1]

    yield start
    for run in runs:
        run.close()


@pytest.fixture
def settings(mail: Host) -> Iterator[Callable[..., None]]:
    """Return what changes what the role wrote of the account, until the test is over."""
    mail.check_output(
        f"cp -a {SETTINGS}.json {SETTINGS}.authorize.json /root && cp -a {STATE} /root/{ACCOUNT}"
    )

    def change(file: str, **values: str) -> None:
        code = (
            "import json, sys; name, new = sys.argv[1], json.loads(sys.argv[2]); old = json.load(open(name));"
            "old.get('client', old).update(new); json.dump(old, open(name, 'w'))"
        )
        mail.check_output("python3 -c %s %s %s", code, f"{SETTINGS}.{file}", json.dumps(values))

    yield change
    mail.check_output(
        f"systemctl stop {UNIT}; rm -rf {STATE}; mv /root/{ACCOUNT} {STATE}; "
        f"mv /root/{ACCOUNT}.json /root/{ACCOUNT}.authorize.json /etc/mail-oauth2; systemctl start {UNIT}"
    )


@pytest.fixture
def person(provider: Host, endpoint: Endpoint) -> Callable[..., None]:
    """Return what consents to a code at the provider, or refuses."""
    endpoint()

    def answer(user_code: str, **form: str) -> None:
        code = "import sys, urllib.request as r; r.urlopen('http://127.0.0.1:8025/consent', sys.argv[1].encode())"
        form["user_code"] = user_code
        provider.check_output("python3 -c %s %s", code, urllib.parse.urlencode(form))

    return answer


CODE = r"open https://login\.outlook\.test/consent type in (\w+) and log in as il@outlook\.test"


def kept(mail: Host) -> str:
    """Return what is kept of the account's tokens, by its digest."""
    return str(mail.check_output(f"cat {STATE}/grant.json | sha256sum"))


def test_an_account_waits_until_it_is_authorized(
    house: House,
    mail: Host,
    provider: Host,
    provider_ca: str,
    authorize: Authorize,
    settings: Callable[..., None],
    person: Callable[..., None],
    verified: Callable[[], dict[str, Any]],
    tmp_path: Path,
) -> None:
    settings("json", refresh_token="")
    # As after the first run of the site, with the tokens of nobody.
    mail.check_output(f"systemctl stop {UNIT}; rm -rf {STATE}; systemctl start {UNIT}")
    recipient = "unauthorized@elsewhere.test"
    message_id = send(house, recipient)
    why = wait_for(lambda: why_it_waits(mail, recipient), "the queue says why the message waits")
    assert f"{ACCOUNT} is not authorized yet; run: {COMMAND}" in why
    assert COMMAND in mail.check_output(f"journalctl --quiet --unit {UNIT} --lines 5")
    check = verified()
    assert check["ok"] is False
    assert check["detail"].endswith(f"{ACCOUNT} is not authorized yet; run: {COMMAND}")
    assert mail.run(f"systemctl start mbsync-fetch@{ACCOUNT}").failed
    fetch = json.loads(mail.check_output(f"cat /var/lib/mbsync-fetch/{ACCOUNT}/status.json"))
    assert (fetch["state"], fetch["remedy"]) == ("refused", f"run: {COMMAND}")
    new = clients.message("someone@elsewhere.test", ADDRESS)
    provider.check_output("printf %s | doveadm save -u %s", new.as_string(), ADDRESS)

    run = authorize()
    person(run.shows(CODE))
    ended, said = run.ends()
    assert ended == 0, said
    assert f"{ACCOUNT} is authorized: IMAP and SMTP take it; the access token is valid until" in said
    arrives(provider_ca, message_id)
    assert verified()["ok"] is True
    with clients.imap(house.mail_hostname, house.ca_file) as client:
        client.login("il", house.password("il"))
        wait_for(lambda: clients.find(client, str(new["Message-ID"]), "Outlook/INBOX"), "the mail is fetched")

    # Another run of the unit goes on with it, and nobody but root and the unit can read it.
    mail.check_output(f"rm {STATE}/access_token; systemctl restart {UNIT}")
    assert status(mail)["error"] == ""
    assert mail.check_output(f"stat -c '%U %a' {STATE}/grant.json") == "mail-oauth2 600"
    token = json.loads(mail.check_output(f"cat {STATE}/grant.json"))["refresh_token"]
    assert token not in said + (tmp_path / "ansible.log").read_text()
    assert mail.run("journalctl --since -5min | grep -F %s", token).stdout == ""
    assert mail.check_output("ls /run/ilnmors-mail-authorize") == ""


def test_an_account_that_was_revoked_is_authorized_again(
    mail: Host,
    house: House,
    provider_ca: str,
    authorize: Authorize,
    person: Callable[..., None],
    endpoint: Endpoint,
) -> None:
    """Also where an older token stands in the inventory."""
    endpoint(revoked=True)
    assert COMMAND in status(mail)["error"]
    run = authorize()
    person(run.shows(CODE))
    assert run.ends()[0] == 0
    assert status(mail)["error"] == ""
    arrives(provider_ca, send(house, "someone@elsewhere.test"))


def refused_by_person(person: Callable[..., None], run: Run) -> None:
    person(run.shows(CODE), refused="yes")


def nobody_comes(__: Callable[..., None], run: Run) -> None:
    run.shows(CODE)


def consented(person: Callable[..., None], run: Run) -> None:
    person(run.shows(CODE))


@pytest.mark.parametrize(
    ("faults", "client", "does", "sentence"),
    [
        (
            {},
            {},
            refused_by_person,
            "login.outlook.test says 'access_denied': the consent was refused; run this again, and accept what the"
            " provider's page asks",
        ),
        (
            {"patience": 2},
            {},
            nobody_comes,
            "nobody consented in time; run this again",
        ),
        (
            {},
            {"client_id": "another"},
            None,
            "login.outlook.test says 'invalid_client': correct oauth2.client_id or oauth2.client_secret of outlook in"
            " mail_providers and run the site playbook, or let the client be a public one at the provider",
        ),
        (
            {"username": "world@outlook.test"},
            {},
            consented,
            "consent as il@outlook.test, see that the account allows IMAP, and run this again",
        ),
    ],
    ids=["refused", "expired", "wrong-client", "another-account"],
)
def test_what_goes_wrong_is_told_and_changes_nothing(
    mail: Host,
    provider: Host,
    authorize: Authorize,
    settings: Callable[..., None],
    person: Callable[..., None],
    faults: dict[str, object],
    client: dict[str, str],
    does: Callable[[Callable[..., None], Run], None] | None,
    sentence: str,
) -> None:
    provider.check_output(f"printf %s > {FAULTS}", json.dumps(faults))
    settings("authorize.json", **client)
    before, begun = kept(mail), mail.check_output(f"systemctl show --property InvocationID {UNIT}")
    run = authorize()
    if does:
        does(person, run)
    ended, said = run.ends()
    assert ended == 2
    # Long lines are broken, and quotes doubled, where they stand in YAML.
    assert sentence in said.replace("''", "'"), said
    assert "Traceback" not in said
    assert kept(mail) == before
    assert mail.check_output(f"systemctl show --property InvocationID {UNIT}") == begun


@pytest.mark.usefixtures("person")
def test_an_address_is_handed_over_where_a_provider_has_no_codes(
    mail: Host,
    provider: Host,
    authorize: Authorize,
    settings: Callable[..., None],
    tmp_path: Path,
) -> None:
    settings("authorize.json", device_url="", authorize_url="https://login.outlook.test/authorize")
    before = kept(mail)
    run = authorize()
    shown = run.shows(r"open (https://login\.outlook\.test/authorize\S+)")
    run.shows("(Paste the address)")
    browser = (
        "import http.client, ssl, sys; from urllib.parse import urlsplit;"
        "c = http.client.HTTPSConnection(sys.argv[2], context=ssl._create_unverified_context());"
        "u = urlsplit(sys.argv[1]); c.request('GET', u.path + '?' + u.query);"
        "print(c.getresponse().headers['Location'])"
    )
    address = provider.check_output("python3 -c %s %s login.outlook.test", browser, shown)
    assert address.startswith("http://localhost?code=")
    run.types(address)
    ended, said = run.ends()
    assert ended == 0, said
    assert f"{ACCOUNT} is authorized" in said
    assert kept(mail) != before
    code = urllib.parse.parse_qs(urllib.parse.urlsplit(address).query)["code"][0]
    assert code not in said + (tmp_path / "ansible.log").read_text()


@pytest.mark.usefixtures("person")
def test_a_check_asks_nobody(mail: Host, authorize: Authorize) -> None:
    before = kept(mail)
    ended, said = authorize("--check").ends()
    assert ended == 0, said
    assert not re.search(CODE, said)
    assert kept(mail) == before
